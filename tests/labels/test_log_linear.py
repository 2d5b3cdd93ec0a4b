"""The log-linear tagger: kernels beside plain Python, its gradient beside differences, and what it can learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chekhov.labels.features import Words, known_words, number_words
from chekhov.labels.log_linear import (
    BUCKETS,
    REACH,
    LogLinear,
    in_context,
    reference_bucket,
    reference_scores,
)

ALPHABET = st.sampled_from(["дом", "Дом", "дома", "a", "B2", "-", "бежит"])
SENTENCES = st.lists(st.lists(ALPHABET, max_size=6), min_size=1, max_size=5)
KNOWN = ["", "дом", "a", "бежит"]  # the others are unknown


def numbered(sentences: list[list[str]]) -> Words:
    return number_words(sentences, {word: number for number, word in enumerate(KNOWN)})


@settings(deadline=None)
@given(SENTENCES, st.integers(1, 40), st.integers(0, 9))
def test_scores_are_those_of_the_reference_whatever_stands_beside(
    sentences: list[list[str]], tags: int, seed: int
) -> None:
    model = LogLinear.of(np.random.default_rng(seed).normal(size=(64, tags)).astype(np.float32))
    words = numbered(sentences)
    found = model.scores(words, 1)
    np.testing.assert_allclose(found, reference_scores(model, words, 1), atol=2e-5)
    alone = [model.scores(numbered([sentence]), 1) for sentence in sentences]
    assert np.array_equal(np.concatenate(alone), found)


def test_a_step_goes_down_the_gradient() -> None:
    """From large squares a step of AdaGrad is the gradient times a constant: beside central differences."""
    from chekhov.labels.log_linear_kernels import learn

    words, tags, target = numbered([["дом", "бежит", "Дом"]]), 5, np.array([1, 4, 0])
    draws = np.random.default_rng(0)
    begun = (draws.normal(size=(32, tags)) / 4).astype(np.float32)
    first = Words(words.tokens[:1], np.array([0, 1]), words.features)  # one word, so that there is one step
    model, large = LogLinear.of(begun), np.float32(1e12)
    squares = np.full(model.rows.size, large)
    width = model.rows.shape[1]
    loss = learn(
        *in_context(first, 1), np.array([0]), target, model.rows.reshape(-1), squares, width, tags, np.float32(1e6)
    )

    def nats(weights: np.ndarray) -> float:
        scores = reference_scores(LogLinear.of(weights.astype(np.float32)), first, 1)[0]
        return float(np.log(np.exp(scores).sum()) - scores[target[0]])

    assert loss == pytest.approx(nats(begun), abs=1e-5)
    gradient = begun - model.weights
    for row in np.flatnonzero(np.abs(gradient).sum(1)):
        for tag in range(tags):
            up, down = begun.copy(), begun.copy()
            up[row, tag] += 0.01
            down[row, tag] -= 0.01
            assert gradient[row, tag] == pytest.approx((nats(up) - nats(down)) / 0.02, abs=2e-3)
    assert not model.rows[:, tags:].any()


def test_it_learns_what_a_word_is_by_its_neighbour_and_by_its_end() -> None:
    sentences = [["the", "run", "was", "x"], ["they", "run", "to", "x"], ["a", "walked", "to"]] * 30
    tags = [[0, 0, 1, 2], [2, 1, 2, 2], [2, 1, 2]] * 30
    numbers = {word: number for number, word in enumerate(known_words(sentences))}
    model = LogLinear.fit(number_words(sentences, numbers), 1, np.concatenate(tags), 3, 0)
    seen = number_words([["the", "run"], ["they", "run"], ["a", "talked", "to"]], numbers)
    assert model.scores(seen, 1).argmax(1).tolist() == [0, 0, 2, 1, 2, 1, 2]
    assert BUCKETS[0] <= len(model.rows) <= 4096
    again = LogLinear.fit(number_words(sentences, numbers), 1, np.concatenate(tags), 3, 0)
    assert np.array_equal(again.rows, model.rows)


def test_reach_and_buckets() -> None:
    assert REACH == 2
    assert 0 <= reference_bucket(3, [-1, 2], 1024) < 1024
    assert reference_bucket(3, [1, 2], 1 << 18) != reference_bucket(3, [2, 1], 1 << 18)

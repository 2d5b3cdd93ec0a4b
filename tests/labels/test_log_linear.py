"""The log-linear tagger: kernels beside plain Python, its gradient beside differences, and what it can learn."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chekhov.labels import log_linear
from chekhov.labels.features import Words, known_words, number_words
from chekhov.labels.log_linear import (
    REACH,
    LogLinear,
    frequent_features,
    in_context,
    reference_code,
    reference_codes,
    reference_scores,
)

ALPHABET = st.sampled_from(["дом", "Дом", "дома", "a", "B2", "-", "бежит"])
SENTENCES = st.lists(st.lists(ALPHABET, max_size=6), min_size=1, max_size=5)
KNOWN = ["", "дом", "a", "бежит"]  # the others are unknown


def numbered(sentences: list[list[str]]) -> Words:
    return number_words(sentences, {word: number for number, word in enumerate(KNOWN)})


def with_weights(words: Words, tags: int, seed: int) -> LogLinear:
    """Of four fifths of the features of these words."""
    draws = np.random.default_rng(seed)
    codes = sorted({code for own in reference_codes(words, 1) for code in own})
    kept = np.array(codes, np.uint64)[draws.random(len(codes)) < 0.8]
    return LogLinear.of(kept, draws.normal(size=(len(kept), tags)).astype(np.float32) / 4)


@settings(deadline=None)
@given(SENTENCES, st.integers(1, 40), st.integers(0, 9))
def test_scores_are_those_of_the_reference_whatever_stands_beside(
    sentences: list[list[str]], tags: int, seed: int
) -> None:
    words = numbered(sentences)
    model = with_weights(words, tags, seed)
    found = model.scores(words, 1)
    np.testing.assert_allclose(found, reference_scores(model, words, 1), atol=2e-5)
    alone = [model.scores(numbered([sentence]), 1) for sentence in sentences]
    assert np.array_equal(np.concatenate(alone), found)


def test_a_step_goes_down_the_gradient() -> None:
    """From large squares a step of AdaGrad is the gradient times a constant: beside central differences."""
    from chekhov.labels.log_linear_kernels import learn

    words, tags, target = numbered([["дом", "бежит", "Дом"]]), 5, np.array([1, 4, 0])
    first = Words(words.tokens[:1], np.array([0, 1]), words.features)  # one word, so that there is one step
    model, large = with_weights(words, tags, 0), np.float32(1e12)
    begun = model.weights
    squares = np.full(model.rows.size, large)
    width, order = model.rows.shape[1], np.array([0])
    loss = learn(
        *in_context(first, 1), order, target, model.slots, model.rows.reshape(-1), squares, width, tags, np.float32(1e6)
    )

    def nats(weights: np.ndarray) -> float:
        scores = reference_scores(LogLinear.of(model.codes, weights.astype(np.float32)), first, 1)[0]
        return float(np.log(np.exp(scores).sum()) - scores[target[0]])

    assert loss == pytest.approx(nats(begun), abs=1e-5)
    gradient = begun - model.weights
    assert np.abs(gradient).sum() > 0.1
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
    again = LogLinear.fit(number_words(sentences, numbers), 1, np.concatenate(tags), 3, 0)
    assert np.array_equal(again.rows, model.rows)


@settings(deadline=None)
@given(SENTENCES)
def test_features_are_those_that_stand_there_twice_the_most_frequent_first(sentences: list[list[str]]) -> None:
    words = numbered(sentences)
    counts = Counter(code for own in reference_codes(words, 1) for code in own)
    found = frequent_features(*in_context(words, 1)).tolist()
    twice = {code for code, count in counts.items() if count > 1}
    assert twice <= set(found)
    assert len(set(found) - twice) <= 2  # bits of the set of what was seen once that are another feature's too
    right = [counts[code] for code in found if code in twice]
    assert right == sorted(right, reverse=True)


def test_of_too_many_features_the_most_frequent_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    words = numbered([["дом", "a"], ["дом", "бежит"], ["дом", "a"], ["a", "a"]] * 3)
    every = frequent_features(*in_context(words, 1))
    monkeypatch.setattr(log_linear, "MOST_FEATURES", 10)
    assert frequent_features(*in_context(words, 1)).tolist() == every[:10].tolist()
    monkeypatch.setattr(log_linear, "MOST_COUNTED", 5)
    assert len(frequent_features(*in_context(words, 1))) == 5


def test_a_model_without_features_has_no_scores() -> None:
    model = LogLinear.of(np.zeros(0, np.uint64), np.zeros((0, 3), np.float32))
    assert not model.scores(numbered([["дом", "a"]]), 1).any()


def test_codes() -> None:
    assert REACH == 2
    assert 0 < reference_code(3, [-1, 2]) < 2**64
    assert reference_code(3, [1, 2]) != reference_code(3, [2, 1])
    assert reference_code(3, [1, 2]) != reference_code(4, [1, 2])

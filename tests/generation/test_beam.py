"""Beam search: exhaustive when wide enough, greedy when one wide, and never worse for being wider on average."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from chekhov.errors import UsageError
from chekhov.generation.beam import beam_search
from chekhov.ngram.model import NGram, train_ngram
from chekhov.types import BOS, EOS, UNK

LONGEST = 4


@pytest.fixture(scope="module", params=range(5))
def model(request: pytest.FixtureRequest) -> NGram:
    rng = np.random.default_rng(request.param)
    ids = rng.integers(2, 6, size=60)
    return train_ngram(np.append(ids, EOS), order=3, vocab_size=6)


def all_texts(model: NGram, alpha: float) -> list[tuple[float, tuple[int, ...]]]:
    """Every text of up to LONGEST tokens that ends, or is cut at LONGEST, with its score."""
    found = []
    for length in range(LONGEST + 1):
        for ids in itertools.product(range(3, 6), repeat=length):
            ended = length < LONGEST
            row = np.array([[*ids, EOS] if ended else [*ids]])
            log_probs, _ = model.score(model.initial_state(1), row)
            found.append((float(log_probs.astype(np.float64).sum()) / row.shape[1] ** alpha, ids))
    return sorted(found, key=lambda pair: (-pair[0], pair[1]))


@pytest.mark.parametrize("alpha", [0.0, 0.7, 1.0])
def test_a_wide_beam_is_exhaustive(model: NGram, alpha: float) -> None:
    found = beam_search(model, np.empty(0, np.int64), beam=3**LONGEST, max_tokens=LONGEST, length_penalty=alpha)
    expected = all_texts(model, alpha)[: len(found)]
    assert [h.score for h in found] == pytest.approx([score for score, _ in expected], abs=1e-5)
    assert found[0].ids == expected[0][1]


def test_a_beam_of_one_is_greedy(model: NGram) -> None:
    (found,) = beam_search(model, np.array([3]), beam=1, max_tokens=10)
    state, greedy = model.advance(model.initial_state(1), np.array([3])), []
    while len(greedy) < 10:
        row = model.log_probs(state)[0].copy()
        row[[UNK, BOS]] = -math.inf
        token = int(row.argmax())
        if token == EOS:
            break
        greedy.append(token)
        state = model.advance(state, np.array([token]))
    assert list(found.ids) == greedy


def test_its_scores_are_the_models(model: NGram) -> None:
    for h in beam_search(model, np.array([4, 5]), beam=4, max_tokens=6):
        row = [4, 5, *h.ids] + [EOS] * (h.finish_reason == "end")
        log_probs, _ = model.score(model.initial_state(1), np.array([row]))
        assert h.log_prob == pytest.approx(float(log_probs[0, 2:].sum()), abs=1e-5)


def test_a_penalty_of_one_takes_the_preference_for_short_texts_away(model: NGram) -> None:
    def mean_length(alpha: float) -> float:
        found = beam_search(model, np.empty(0, np.int64), beam=8, max_tokens=12, length_penalty=alpha)
        return float(np.mean([len(h.ids) for h in found]))

    assert mean_length(1.0) >= mean_length(0.0)


def test_flags_out_of_range() -> None:
    model = train_ngram(np.array([3, 4, 5, 2]), order=2, vocab_size=6)
    for flags in ({"beam": 0}, {"beam": 10**9}, {"max_tokens": 0}, {"length_penalty": -1.0}):
        with pytest.raises(UsageError, match="outside"):
            beam_search(model, np.empty(0, np.int64), **{"beam": 2, "max_tokens": 3, **flags})

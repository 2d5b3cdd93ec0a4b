"""Every smoothing against its formula over dictionaries, and what all of them must keep."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chekhov.errors import UsageError
from chekhov.ngram.model import NGram, train_ngram
from chekhov.ngram.smoothing import SMOOTHINGS
from chekhov.testing import check_language_model
from chekhov.types import BOS, EOS

Gram = tuple[int, ...]
V = 9


class Plain:
    """Counts of all orders in dictionaries, and p(w | context) by each smoothing's own formula."""

    def __init__(self, sentences: list[list[int]], order: int):
        self.order, self.raw = order, Counter[Gram]()
        for sentence in sentences:
            padded = (BOS, *sentence, EOS)
            for n in range(1, order + 1):
                self.raw.update(padded[i : i + n] for i in range(len(padded) - n + 1))
        del self.raw[(BOS,)]

    def counts(self, context: Gram, *, adjusted: bool) -> dict[int, int]:
        n = len(context) + 1
        seen = {gram[-1]: count for gram, count in self.raw.items() if len(gram) == n and gram[:-1] == context}
        if adjusted and n < self.order and context[:1] != (BOS,):
            longer = [gram for gram in self.raw if len(gram) == n + 1 and gram[1:-1] == context]
            seen = {word: len({gram[0] for gram in longer if gram[-1] == word}) for word in seen}
        return seen

    def discount(self, n: int, *, adjusted: bool) -> float:
        contexts = {gram[:-1] for gram in self.raw if len(gram) == n}
        values = [count for context in contexts for count in self.counts(context, adjusted=adjusted).values()]
        t1, t2 = values.count(1), values.count(2)
        return t1 / (t1 + 2 * t2) if t1 and t2 else 0.5

    def interpolated(
        self, word: int, context: Gram, own: Callable[..., tuple[float, float]], *, adjusted: bool
    ) -> float:
        lower = self.interpolated(word, context[1:], own, adjusted=adjusted) if context else 1 / (V - 1)
        seen = self.counts(context, adjusted=adjusted)
        if not seen:
            return lower
        share, gamma = own(seen, word, len(context) + 1)
        return share + gamma * lower

    def kneser_ney(self, word: int, context: Gram, *, adjusted: bool = True) -> float:
        def own(seen: dict[int, int], word: int, n: int) -> tuple[float, float]:
            D, total = self.discount(n, adjusted=adjusted), sum(seen.values())
            return (seen[word] - D) / total if word in seen else 0.0, D * len(seen) / total

        return self.interpolated(word, context, own, adjusted=adjusted)

    def absolute(self, word: int, context: Gram) -> float:
        return self.kneser_ney(word, context, adjusted=False)

    def witten_bell(self, word: int, context: Gram) -> float:
        def own(seen: dict[int, int], word: int, n: int) -> tuple[float, float]:
            total = sum(seen.values()) + len(seen)
            return seen.get(word, 0) / total, len(seen) / total

        return self.interpolated(word, context, own, adjusted=False)

    def stupid_backoff(self, word: int, context: Gram) -> float:
        seen = self.counts(context, adjusted=False)
        if word in seen or not context:
            return seen.get(word, 0) / sum(seen.values())
        return (0.4 if seen else 1.0) * self.stupid_backoff(word, context[1:])

    def mle(self, word: int, context: Gram) -> float:
        seen = self.counts(context, adjusted=False)
        return seen.get(word, 0) / sum(seen.values()) if seen else self.mle(word, context[1:])

    def add_k(self, word: int, context: Gram, k: float = 0.5) -> float:
        seen = self.counts(context, adjusted=False)
        return (seen.get(word, 0) + k) / (sum(seen.values()) + k * (V - 1))


def stream(sentences: list[list[int]]) -> Any:
    return np.array([word for sentence in sentences for word in [*sentence, EOS]])


corpora = st.lists(st.lists(st.integers(3, 7), max_size=8), min_size=1, max_size=20)
FORMULAS = ["kneser-ney", "absolute", "witten-bell", "stupid-backoff", "mle", "add-k"]


@pytest.mark.parametrize("smoothing", FORMULAS)
@settings(max_examples=40, deadline=None)
@given(corpora, st.integers(1, 4), st.lists(st.sampled_from([0, 2, 3, 4, 5, 6, 7, 8]), min_size=1, max_size=8))
def test_scores_are_those_of_the_formula(
    smoothing: str, sentences: list[list[int]], order: int, text: list[int]
) -> None:
    model = train_ngram(stream(sentences), order=order, vocab_size=V, smoothing=smoothing, k=0.5)
    formula = getattr(Plain(sentences, order), smoothing.replace("-", "_"))
    scores, _ = model.score(model.initial_state(1), np.array([text]))
    context: Gram = (BOS,)[: order - 1]
    for word, score in zip(text, scores[0], strict=True):
        p = formula(word, context)
        assert score == pytest.approx(math.log(p) if p > 0 else -math.inf, abs=1e-5)
        context = (BOS,) if word == EOS else (*context, word)
        context = context[-(order - 1) :] if order > 1 else ()


@pytest.mark.parametrize("smoothing", sorted(SMOOTHINGS))
@settings(max_examples=15, deadline=None)
@given(corpora, st.integers(1, 4), st.integers(0, 1000))
def test_all_but_stupid_back_off_are_language_models(
    smoothing: str, sentences: list[list[int]], order: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    ids, valid = stream(sentences), rng.integers(2, V, size=30)
    model = train_ngram(ids, order=order, vocab_size=V, smoothing=smoothing, valid_ids=valid)
    if smoothing == "stupid-backoff":
        return
    check_language_model(model, rng, ids=rng.choice([0, 2, 3, 4, 5, 6, 7, 8], size=(2, 7)))


def test_stupid_back_off_does_not_sum_to_one() -> None:
    model = train_ngram(stream([[3, 4], [4, 3, 5]]), order=2, vocab_size=V, smoothing="stupid-backoff")
    assert np.exp(model.log_probs(model.initial_state(1))).sum() != pytest.approx(1.0, abs=0.05)


def test_katz_by_hand() -> None:
    """p(5 | 3): counts of 3 . are 4: 2, 5: 1; nothing to estimate Good-Turing from, so half a count is taken away."""
    model = train_ngram(stream([[3, 4], [3, 4], [3, 5]]), order=2, vocab_size=7, smoothing="katz")
    row = np.exp(model.log_probs(model.advance(model.initial_state(1), np.array([3])))[0].astype(float))
    assert row[4] == pytest.approx(1.5 / 3)
    assert row[5] == pytest.approx(0.5 / 3)
    unigrams = np.exp(model.table.log10_probs[:7].astype(float) * math.log(10))
    rest = (1 - 2 / 3) / (1 - unigrams[4] - unigrams[5])
    np.testing.assert_allclose(row[[0, 2, 3, 6]], rest * unigrams[[0, 2, 3, 6]], rtol=1e-5)
    assert "order 1, 2 (of 2)" in model.notes[0]


def test_jelinek_mercer_finds_the_better_weights() -> None:
    """No lower order does better on the text that the weights were fitted on: a step of three in four, else chance."""
    rng = np.random.default_rng(0)
    text = rng.zipf(1.6, size=3800) % 20 + 2
    for i in np.flatnonzero(rng.random(len(text)) < 0.75)[1:]:
        text[i] = (text[i - 1] * 7) % 20 + 2
    ids, valid = text[:3000], text[3000:]
    model = train_ngram(ids, order=3, vocab_size=22, smoothing="jelinek-mercer", valid_ids=valid)

    def loss(model: NGram) -> float:
        return -float(model.score(model.initial_state(1), valid[None])[0].mean())

    others = [train_ngram(ids, order=n, vocab_size=22, smoothing="jelinek-mercer", valid_ids=valid) for n in (1, 2)]
    assert loss(model) <= min(map(loss, others)) + 1e-4
    assert loss(others[1]) < loss(others[0]) - 0.5
    with pytest.raises(UsageError, match="E-NGRAM-003"):
        train_ngram(ids, order=3, vocab_size=22, smoothing="jelinek-mercer")


@settings(max_examples=40, deadline=None)
@given(corpora, st.integers(2, 4), st.lists(st.integers(0, 3), min_size=1, max_size=3), st.integers(0, 99))
def test_a_pruned_model_sums_to_one_and_has_lost_what_was_rare(
    sentences: list[list[int]], order: int, thresholds: list[int], seed: int
) -> None:
    prune = [0, *sorted(thresholds)][:order]
    ids = stream(sentences)
    model = train_ngram(ids, order=order, vocab_size=V, prune=prune)
    rng = np.random.default_rng(seed)
    check_language_model(model, rng, ids=rng.choice([0, 2, 3, 4, 5, 6, 7, 8], size=(2, 6)))
    plain, last = Plain(sentences, order), prune[-1]
    for n in range(2, order + 1):
        least = prune[n - 1] if n <= len(prune) else last
        expected = {gram for gram, count in plain.raw.items() if len(gram) == n and count > least}
        assert set(map(tuple, model.table.grams(n)[0].tolist())) == expected


@pytest.mark.parametrize(
    ("prune", "code"),
    [
        ("1,1", "E-PRUNE-002"),
        ("0,2,1", "E-PRUNE-003"),
        ("0,-1", "E-PRUNE-001"),
        ("0,a", "E-PRUNE-001"),
        ("0,0,0,0", "E-PRUNE-001"),
    ],
)
def test_thresholds_that_cannot_be(prune: str, code: str) -> None:
    with pytest.raises(UsageError, match=code):
        train_ngram(np.array([3, EOS]), order=3, vocab_size=4, prune=prune)
    with pytest.raises(UsageError, match="E-PRUNE-004"):
        train_ngram(np.array([3, EOS]), order=3, vocab_size=4, prune="0,1", smoothing="katz")

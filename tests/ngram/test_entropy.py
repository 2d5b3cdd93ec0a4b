"""Entropy pruning takes out what Stolcke's formula says, reckoned here over dictionaries."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pytest

from chekhov.errors import UsageError
from chekhov.ngram.entropy import prune_by_entropy
from chekhov.ngram.model import NGram, train_ngram
from chekhov.ngram.table import Table, check_table
from chekhov.types import BOS, EOS

V = 14
Gram = tuple[int, ...]


def corpus(seed: int, sentences: int = 120) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = [[*(3 + rng.zipf(1.5, rng.integers(0, 8)) % (V - 3)), EOS] for _ in range(sentences)]
    return np.concatenate(rows).astype(np.int64)


class Dictionary:
    """The same model, looked up as ARPA files say."""

    def __init__(self, table: Table):
        self.order, self.p, self.backoff = table.order, dict[Gram, float](), defaultdict[Gram, float](float)
        for n in range(1, table.order + 1):
            for gram, p, backoff in zip(*(array.tolist() for array in table.grams(n)), strict=True):
                self.p[tuple(gram)], self.backoff[tuple(gram)] = p, backoff

    def log10(self, context: Gram, word: int) -> float:
        if (*context, word) in self.p:
            return self.p[*context, word]
        return self.backoff[context] + self.log10(context[1:], word)

    def context_log10(self, context: Gram) -> float:
        first = EOS if context[0] == BOS else context[0]
        return sum(self.log10(context[:i], context[i] if i else first) for i in range(len(context)))


def stolcke(model: Dictionary, threshold: float) -> set[Gram]:
    """The n-grams that SRILM's ``ngram -prune`` keeps (NgramLM.cc, pruneProbs)."""
    kept = {gram for gram in model.p if len(gram) == 1}
    for n in range(model.order, 1, -1):
        followers = defaultdict[Gram, list[int]](list)
        for gram in model.p:
            if len(gram) == n:
                followers[gram[:-1]].append(gram[-1])
        for context, words in followers.items():
            here = {w: 10 ** model.p[*context, w] for w in words}
            below = {w: 10 ** model.log10(context[1:], w) for w in words}
            left, left_below = 1 - sum(here.values()), 1 - sum(below.values())
            backoff = math.log(left / left_below)
            for w in words:
                after = math.log((left + here[w]) / (left_below + below[w]))
                own = here[w] * (math.log(below[w]) + after - math.log(here[w]))
                change = -(10 ** model.context_log10(context)) * (own + left * (after - backoff))
                longer = any(g[:n] == (*context, w) for g in kept if len(g) > n)
                if longer or math.exp(change) - 1 >= threshold:
                    kept.add((*context, w))
    return kept


def grams_of(table: Table) -> set[Gram]:
    return {tuple(gram) for n in range(1, table.order + 1) for gram in table.grams(n)[0].tolist()}


@pytest.mark.parametrize("order", [2, 3, 4])
@pytest.mark.parametrize("threshold", [3e-4, 1e-3, 4e-3])
def test_what_stolcke_s_formula_keeps(order: int, threshold: float) -> None:
    for seed in range(4):
        table = train_ngram(corpus(seed), order=order, vocab_size=V, smoothing="witten-bell").table
        pruned, _ = prune_by_entropy(table, threshold=threshold)
        kept = stolcke(Dictionary(table), threshold)
        assert grams_of(pruned) == kept
        assert V < len(kept) < len(table.entries)


@pytest.mark.parametrize("smoothing", ["modified-kneser-ney", "witten-bell", "katz"])
def test_the_rest_keeps_its_probabilities_and_every_context_sums_to_one(smoothing: str) -> None:
    model = train_ngram(corpus(5), order=4, vocab_size=V, smoothing=smoothing)
    table, _ = prune_by_entropy(model.table, threshold=4e-4)
    check_table(table, 4, V)
    whole, rest, pruned = Dictionary(model.table), Dictionary(table), NGram(table)
    assert all(p == whole.p[gram] for gram, p in rest.p.items())
    ids = corpus(6, 40)[None]
    state = pruned.initial_state(1)
    for t in range(ids.shape[1]):
        row = pruned.log_probs(state)[0]
        assert np.exp(row.astype(np.float64)).sum() == pytest.approx(1, abs=1e-5)
        before: Gram = tuple(([BOS] + [int(w) for w in ids[0, :t]])[-3:])
        cut = max([i + 1 for i, w in enumerate(before) if w == EOS], default=0)
        context = (BOS, *before[cut:])[-3:] if cut else before
        assert row[ids[0, t]] == pytest.approx(rest.log10(context, int(ids[0, t])) * math.log(10), abs=1e-4)
        state = pruned.advance(state, ids[:, t])


def test_to_a_size() -> None:
    table = train_ngram(corpus(7), order=3, vocab_size=V).table
    sizes = []
    for size in range(V, len(table.entries) + 3, 5):
        pruned, threshold = prune_by_entropy(table, size=size)
        assert len(pruned.entries) <= size
        sizes.append(len(pruned.entries))
        again, _ = prune_by_entropy(table, threshold=threshold)
        assert grams_of(again) == grams_of(pruned)
    assert sizes == sorted(sizes)
    assert (sizes[0], sizes[-1]) == (V, len(table.entries))


def test_out_of_range() -> None:
    table = train_ngram(corpus(8), order=2, vocab_size=V).table
    for flags in ({}, {"threshold": 1e-3, "size": 99}, {"threshold": -1.0}, {"threshold": math.nan}, {"size": V - 1}):
        with pytest.raises(UsageError):
            prune_by_entropy(table, **flags)  # type: ignore[arg-type]

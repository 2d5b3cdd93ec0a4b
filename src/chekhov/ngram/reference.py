"""The plain twin of `counting` and `smoothing`, in float64 NumPy: what they must equal.

An n-gram is named by its rank among the n-grams of its order, and its key is ``rank of its first n-1 words * V + last
word``: one int64 whatever the order, sorted so that the n-grams with one context lie side by side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chekhov.ngram.smoothing import HIGHEST, Floats, estimate_discounts, fallback_note
from chekhov.types import BOS, EOS, Ids

Ranks = NDArray[np.int64]


@dataclass(frozen=True)
class Level:
    """The n-grams of one order, sorted by key."""

    keys: Ranks  # (M,) rank of the context in the level below * V + last word; level 1: the word itself
    counts: Ranks  # (M,) how often each stands in the text
    suffixes: Ranks  # (M,) rank, in the level below, of the n-gram without its first word
    from_start: NDArray[np.bool_]  # (M,) begins with <s>


def with_starts(ids: Ids) -> Ids:
    """``ids`` (N,), in which </s> ends a sentence, with <s> put before each sentence (KenLM's convention)."""
    starts = np.flatnonzero(np.concatenate([[True], ids[:-1] == EOS])) if len(ids) else np.empty(0, np.int64)
    return np.insert(ids, starts, BOS)


def count_ngrams(ids: Ids, *, order: int, vocab_size: int) -> list[Level]:
    """Levels 1 to ``order``; no n-gram crosses a sentence. ids (N,), </s> ends a sentence, no <s> in it."""
    stream = with_starts(np.asarray(ids, np.int64))
    unigrams = np.arange(vocab_size)
    counts = np.bincount(stream, minlength=vocab_size)
    levels = [Level(unigrams, counts, np.zeros_like(unigrams), unigrams == BOS)]
    ranks = stream  # ranks[i]: of the n-gram of the level at hand that ends at place i; -1 if it would cross a start
    for _ in range(2, order + 1):
        ends = 1 + np.flatnonzero((ranks[:-1] >= 0) & (stream[1:] != BOS))
        keys = ranks[ends - 1] * vocab_size + stream[ends]
        keys, first, inverse, counts = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
        from_start = levels[-1].from_start[keys // vocab_size]
        levels.append(Level(keys, counts, ranks[ends[first]], from_start))
        ranks = np.full_like(stream, -1)
        ranks[ends] = inverse
    return levels


def adjusted_counts(levels: list[Level], n: int) -> Ranks:
    """What level ``n`` (from 1) of a Kneser-Ney model counts (Kneser & Ney 1995; Heafield et al. 2013, section 3.2).

    The highest order, and n-grams that begin with <s> (nothing can precede them): how often they stand in the text.
    All others: in how many different contexts, that is, how many different words precede them.
    """
    level = levels[n - 1]
    if n == len(levels):
        return level.counts
    preceding = np.bincount(levels[n].suffixes, minlength=len(level.keys))
    return np.where(level.from_start, level.counts, preceding)


class Smoothed(NamedTuple):
    """Natural logs of one order: p(w | c) of each n-gram, and the back-off weight of each n-gram as a context."""

    log_probs: Floats
    log_backoffs: Floats


def modified_kneser_ney(levels: list[Level], vocab_size: int) -> tuple[list[Smoothed], list[str]]:
    """Probabilities and back-offs of all orders, and what there is to note (discounts that fell back)."""
    lower = np.full(vocab_size, 1 / max(1, vocab_size - 1))
    smoothed: list[Smoothed] = []
    fallen = []
    for n, level in enumerate(levels, start=1):
        counts = adjusted_counts(levels, n)
        if n == 1:
            counts = np.where(level.from_start, 0, counts)  # <s> is never predicted
        discounts, estimated = estimate_discounts(
            np.bincount(np.minimum(counts, HIGHEST + 2), minlength=HIGHEST + 3)[:-1]
        )
        if not estimated:
            fallen.append(n)
        contexts = np.zeros_like(level.keys) if n == 1 else level.keys // vocab_size
        size = 1 if n == 1 else len(levels[n - 2].keys)
        totals = np.bincount(contexts, counts, size)
        taken = discounts[np.minimum(counts, HIGHEST)]
        with np.errstate(invalid="ignore", divide="ignore"):
            gamma = np.where(totals > 0, np.bincount(contexts, taken, size) / totals, 1.0)
            above = np.where(totals[contexts] > 0, (counts - taken) / totals[contexts], 0.0)
        suffixes = level.keys if n == 1 else level.suffixes
        probabilities = above + gamma[contexts] * lower[suffixes]
        if n == 1:
            probabilities[BOS] = 0.0
        else:
            smoothed[-1] = Smoothed(smoothed[-1].log_probs, np.log(gamma))  # gamma > 0, as every discount is
        with np.errstate(divide="ignore"):
            smoothed.append(Smoothed(np.log(probabilities), np.zeros(len(level.keys))))
        lower = probabilities
    return smoothed, [fallback_note(fallen, len(levels))] if fallen else []

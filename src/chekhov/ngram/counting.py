"""Counts of all n-grams of all orders, as sorted flat arrays.

An n-gram is named by its rank among the n-grams of its order, and its key is ``rank of its first n-1 words * V + last
word``: one int64 whatever the order, sorted so that the n-grams with one context lie side by side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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

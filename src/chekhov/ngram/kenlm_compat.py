"""What lmplz counts otherwise, for those who need its very numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chekhov.ngram.targets import Ints, Weights
from chekhov.types import BOS, EOS, UNK, Ids


def last_counts(ids: Ids | Ints, order: int, vocab_size: int, weights: Weights | None = None) -> list[tuple[int, int]]:
    """How often the last n-gram of each order below ``order`` stands in ids (N,), and its adjusted count.

    The last in the order of lmplz, which sorts by the last word, then the one before it, ..., words being numbered as
    they come in the text. The flush that closes its count of counts (adjust_counts.cc) takes the former for the latter.
    """
    N = len(ids)
    rank = np.full(vocab_size, -1, np.int64)
    rank[ids[::-1]] = np.arange(N)[::-1]  # where each word comes first: the last one that is written stays
    rank[UNK], rank[BOS], rank[EOS] = -4, -3, -2
    begins = np.concatenate([[0], np.flatnonzero(ids[:-1] == EOS) + 1])  # of the sentences
    behind = np.arange(N) + 1 - np.repeat(begins, np.diff(np.append(begins, N)))  # words before each, <s> among them

    def word(places: NDArray[np.int64], distance: int) -> Ids:
        return np.where(behind[places] == distance, BOS, ids[np.maximum(places - distance, 0)])

    counts = []
    for n in range(1, order):
        places = np.flatnonzero(behind >= n - 1)
        for distance in range(n):
            if len(places):
                ranks = rank[word(places, distance)]
                places = places[ranks == ranks.max()]
        if len(places):
            begins_sentence = n > 1 and behind[places[0]] == n - 1
            raw = len(places) if weights is None else int(weights.of(places).sum(dtype=np.int64))
            counts.append((raw, raw if begins_sentence else len(np.unique(word(places, n)))))
    return counts

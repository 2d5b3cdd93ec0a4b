"""Counts of the n-grams of all orders, as flat arrays: for each context, the words that follow it and how often."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chekhov.types import Ids

Ints = NDArray[np.int32]
Sizes = NDArray[np.int64]


@dataclass
class Counts:
    """The n-grams of orders 2 ... n whose context ends in one of the words ``first_word`` <= b < ``last_word``.

    A context of d words is a node of depth d (1 to n - 1), and the words that follow it are its entries. Nodes are
    sorted by their words read backwards, so that those that end alike lie together; entries by their word. In each
    array depth d begins at d * ``room``; `counting_kernels.count_buckets` says what the arrays hold.
    """

    first_word: int
    last_word: int
    room: int
    words: Ints
    counts: Ints
    raws: Ints
    firsts: Ints
    parents: Ints
    filled: Sizes  # (n,) entries of each depth
    nodes: Sizes  # (n,) nodes of each depth
    offsets: Sizes  # (n, buckets): the first node of each depth and bucket
    lost: Ints = field(default_factory=lambda: np.empty(0, np.int32))  # of each node, the counts that pruning took out

    @property
    def depth(self) -> int:
        return len(self.filled) - 1

    @property
    def counted(self) -> tuple[NDArray[Any], ...]:
        """What the kernels read and write."""
        return (
            self.words, self.counts, self.raws, self.firsts, self.parents, self.filled, self.nodes, self.offsets
        )  # fmt: skip

    def row(self, array: Ints, d: int) -> Ints:
        """The part of ``words``, ``counts`` or ``raws`` that belongs to depth d."""
        return array[d * self.room : d * self.room + self.filled[d]]


def count_ngrams(ids: Ids, *, order: int, vocab_size: int, keep_raw: bool = False) -> Counts:
    """ids (N,), </s> at the end of each sentence and no <s>. ``keep_raw``: how often each n-gram stands there, too."""
    from chekhov.ngram import counting_kernels

    words = np.asarray(ids, np.int32)
    sizes = counting_kernels.bucket_sizes(words, vocab_size)
    return count_part(words, sizes, 0, vocab_size, order=order, keep_raw=keep_raw)


def count_part(ids: Ints, sizes: Sizes, first: int, last: int, *, order: int, keep_raw: bool) -> Counts:
    """The buckets first <= b < last; ``sizes`` (V,): how many targets each bucket of the whole text has."""
    from chekhov.ngram import counting_kernels

    positions = counting_kernels.fill_buckets(ids, first, last, np.concatenate([[0], np.cumsum(sizes)]))
    room = max(len(positions), last - first) + 1  # pages that are never written to take no memory
    words, counts, firsts, parents = (np.empty(order * room, np.int32) for _ in range(4))
    raws = np.empty(order * room if keep_raw else 0, np.int32)
    filled, nodes = np.zeros(order, np.int64), np.zeros(order, np.int64)
    offsets = np.zeros((order, last - first), np.int64)
    counted = (words, counts, raws, firsts, parents, filled, nodes, offsets)
    counting_kernels.count_buckets(ids, positions, sizes[first:last], first, len(sizes), room, counted)
    return Counts(first, last, room, *counted)

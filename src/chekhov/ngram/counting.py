"""Counts of the n-grams of all orders, as flat arrays: for each context, the words that follow it and how often."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from chekhov.kernels.threads import Progress, in_threads
from chekhov.ngram.targets import Columns, Ints, Sizes, Targets

Kept = TypeVar("Kept")
TARGETS = 1 << 20  # of a part: what is sorted at once stays near the processor


def pages(length: int) -> Ints:
    """Zeros that take memory where they are written to, no further: NumPy asks for pages of 2 MB."""
    return np.frombuffer(mmap(-1, max(1, 4 * length), flags=MAP_PRIVATE | MAP_ANONYMOUS), np.int32, length)


@dataclass
class Counts:
    """The n-grams of orders 2 ... n whose context ends in one of the words ``first_word`` <= b < ``last_word``.

    A context of d words is a node of depth d (1 to n - 1), and the words that follow it are its entries. Nodes are
    sorted by their words read backwards, so that those that end alike lie together; entries by their word. In each
    array depth d begins at d * ``room``; `counting_kernels.count_buckets` says what the arrays hold.
    """

    first_word: int
    last_word: int
    vocab_size: int
    room: int
    words: Ints
    counts: Ints
    raws: Ints
    suffixes: Ints
    firsts: Ints
    parents: Ints
    filled: Sizes  # (n,) entries of each depth
    nodes: Sizes  # (n,) nodes of each depth
    offsets: Sizes  # (n, buckets): the first node of each depth and bucket
    lost: Ints = field(default_factory=lambda: np.empty(0, np.int32))  # of each node, the counts that pruning took out

    @classmethod
    def empty(cls, order: int, room: int, vocab_size: int, *, keep_raw: bool) -> Counts:
        words, counts, suffixes, firsts, parents = (pages(order * room) for _ in range(5))
        raws = pages(order * room) if keep_raw else np.empty(0, np.int32)
        filled, nodes = np.zeros(order, np.int64), np.zeros(order, np.int64)
        offsets = np.zeros((order, 0), np.int64)
        return cls(0, 0, vocab_size, room, words, counts, raws, suffixes, firsts, parents, filled, nodes, offsets)

    def load(self) -> Counts:
        """Itself: these counts are in memory."""
        return self

    def with_raw_counts(self) -> Counts:
        """The same with how often each n-gram stands in the text in place of adjusted counts."""
        return replace(self, counts=self.raws)

    @property
    def depth(self) -> int:
        return len(self.filled) - 1

    @property
    def counted(self) -> tuple[NDArray[Any], ...]:
        """What the kernels read and write."""
        return (
            self.words, self.counts, self.raws, self.suffixes, self.firsts, self.parents,
            self.filled, self.nodes, self.offsets,
        )  # fmt: skip

    def row(self, name: str, d: int) -> Ints:
        """What the array ``name`` holds of depth d."""
        array = getattr(self, name)
        if len(array) == 0:
            return array
        length = {"firsts": self.nodes[d] + 1, "parents": self.nodes[d], "lost": self.nodes[d]}.get(
            name, self.filled[d]
        )
        return array[d * self.room : d * self.room + int(length)]


def count_ngrams(
    targets: Targets,
    *,
    order: int,
    vocab_size: int,
    keep: Callable[[Counts], Kept],
    keep_raw: bool = False,
    per_part: int = TARGETS,
    threads: int = 1,
    progress: Progress = lambda stage, done, total: None,
) -> list[Kept]:
    """The counts of all orders. ``keep_raw``: how often each n-gram stands there, too.

    With weights the counts are those of texts that are repeated; each is sorted once. ``keep`` says, in the part's
    thread, what is to be kept of a part; else as `in_parts`.
    """

    def count(columns: Columns) -> Kept:
        room = max(columns.keys.shape[1], len(columns.sizes)) + 1
        counts = Counts.empty(order, room, vocab_size, keep_raw=keep_raw)
        return keep(count_part(columns, counts))

    sizes = {"order": order, "vocab_size": vocab_size, "per_part": per_part, "threads": threads}
    return in_parts(targets, count, progress=progress, **sizes)


def in_parts(
    targets: Targets,
    finish: Callable[[Columns], Kept],
    *,
    order: int,
    vocab_size: int,
    per_part: int,
    threads: int,
    progress: Progress,
) -> list[Kept]:
    """What ``finish`` makes of each part of the buckets, some ``per_part`` targets each, in the order of their words.

    So many at once as there are ``threads``.
    """
    bounds = part_bounds(targets.sizes, per_part)
    fill = targets.filler(bounds)

    def count(part: int) -> Kept:
        first, last = bounds[part], bounds[part + 1]
        columns = Columns.empty(first, targets.sizes[first:last], order, vocab_size, weighted=targets.weighted)
        fill(columns)
        return finish(columns)

    counted = []
    for kept in in_threads(count, range(len(bounds) - 1), threads):
        counted.append(kept)
        progress("counting", len(counted), len(bounds) - 1)
    return counted


def part_bounds(sizes: Sizes, per_part: int) -> list[int]:
    """Between which words the parts begin and end."""
    ends = np.cumsum(sizes)
    bounds = [0]
    while bounds[-1] < len(sizes):
        before = ends[bounds[-1] - 1] if bounds[-1] else 0
        bounds.append(max(int(np.searchsorted(ends, before + per_part, side="right")), bounds[-1] + 1))
    return bounds


def count_part(columns: Columns, counts: Counts) -> Counts:
    """The buckets of ``columns``, which are sorted, counted into the empty ``counts``."""
    from chekhov.ngram import counting_kernels

    counts.first_word, counts.last_word = columns.first, columns.first + len(columns.sizes)
    counts.offsets = np.zeros((counts.depth + 1, len(columns.sizes)), np.int64)
    how = columns.first, columns.bits, columns.words_each, counts.room
    counting_kernels.count_buckets(columns.keys, columns.weights, columns.sizes, *how, counts.counted)
    return counts

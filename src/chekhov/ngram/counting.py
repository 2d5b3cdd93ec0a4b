"""Counts of the n-grams of all orders, as flat arrays: for each context, the words that follow it and how often."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from mmap import mmap
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from chekhov.files import NamelessFile
from chekhov.kernels.threads import Progress, in_threads
from chekhov.types import EOS, Ids

Ints = NDArray[np.int32]
Sizes = NDArray[np.int64]
Kept = TypeVar("Kept")
TARGETS = 1 << 20  # of a part: what is sorted at once stays near the processor
BLOCK = 1 << 20  # ids that are read at once
UNWEIGHTED = np.empty(0, np.int32)  # each target counts once
MOST_TOKENS = (1 << 31) - 1  # repetitions among them: a count is an int32


@dataclass(frozen=True)
class Weights:
    """How often each of the texts counts that stand one after the other in the ids: ``each`` (K,), from 1 on.

    ends (K,): before which place each text ends. Each ends with </s>.
    """

    ends: Sizes
    each: Ints

    def of(self, places: NDArray[Any]) -> Ints:
        """How often what stands at each of the places counts."""
        return self.each[np.minimum(np.searchsorted(self.ends, places, side="right"), len(self.each) - 1)]

    @property
    def total(self) -> int:
        """How many ids there would be, were each text repeated so often."""
        return int(np.diff(self.ends, prepend=0) @ self.each.astype(np.int64))


@dataclass(frozen=True)
class IdFile:
    """The ids of a text that is too large for memory: int32 in a file, as many as ``length``; it ends with </s>."""

    file: NamelessFile
    length: int
    id_of: Ints | None = None  # where numbers stand in the file, from -1 on: the id of number k is id_of[k + 1]

    def blocks(self, before: int) -> Iterator[tuple[Ints, int, int]]:
        """As `blocks`, read one after the other."""
        for start in range(0, self.length, BLOCK):
            begin = max(0, start - before)
            count = min(start + BLOCK, self.length) - begin
            block = self.file.read(4 * begin, count)
            yield block if self.id_of is None else self.id_of[block + 1], start - begin, count


def pages(length: int) -> Ints:
    """Zeros that take memory where they are written to, no further: NumPy asks for pages of 2 MB."""
    return np.frombuffer(mmap(-1, max(1, 4 * length)), np.int32, length)


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
    firsts: Ints
    parents: Ints
    filled: Sizes  # (n,) entries of each depth
    nodes: Sizes  # (n,) nodes of each depth
    offsets: Sizes  # (n, buckets): the first node of each depth and bucket
    lost: Ints = field(default_factory=lambda: np.empty(0, np.int32))  # of each node, the counts that pruning took out

    @classmethod
    def empty(cls, order: int, room: int, vocab_size: int, *, keep_raw: bool) -> Counts:
        words, counts, firsts, parents = (pages(order * room) for _ in range(4))
        raws = pages(order * room) if keep_raw else np.empty(0, np.int32)
        filled, nodes = np.zeros(order, np.int64), np.zeros(order, np.int64)
        offsets = np.zeros((order, 0), np.int64)
        return cls(0, 0, vocab_size, room, words, counts, raws, firsts, parents, filled, nodes, offsets)

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
            self.words, self.counts, self.raws, self.firsts, self.parents, self.filled, self.nodes, self.offsets
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
    ids: Ids | IdFile,
    *,
    order: int,
    vocab_size: int,
    keep: Callable[[Counts], Kept],
    keep_raw: bool = False,
    weights: Weights | None = None,
    per_part: int = TARGETS,
    threads: int = 1,
    progress: Progress = lambda stage, done, total: None,
) -> list[Kept]:
    """ids (N,), </s> at the end of each sentence and no <s>. ``keep_raw``: how often each n-gram stands there, too.

    With ``weights`` the counts are those of texts that are repeated; each is sorted once.

    The buckets are counted in parts of some ``per_part`` targets, so many at once as there are ``threads``. ``keep``
    says, in the part's thread, what is to be kept of it. The parts come in the order of their words.
    """
    from chekhov.ngram import counting_kernels

    sizes = np.zeros(vocab_size, np.int64)
    text = ids if isinstance(ids, IdFile) else np.asarray(ids, np.int32)
    for block, begin, end in blocks(text, 1):
        counting_kernels.add_bucket_sizes(block, begin, end, sizes)
    bounds = part_bounds(sizes, per_part)
    places = [] if isinstance(text, IdFile) else places_of(text, bounds, sizes)

    def count(part: int) -> Kept:
        first, last = bounds[part], bounds[part + 1]
        if isinstance(text, IdFile):
            targets = chosen(text, first, last, order - 1, weights)
        else:
            targets = iter([(text, places[part], UNWEIGHTED if weights is None else weights.of(places[part]))])
        room = max(int(sizes[first:last].sum()), last - first) + 1
        counts = Counts.empty(order, room, vocab_size, keep_raw=keep_raw)
        return keep(count_part(targets, sizes[first:last], first, counts))

    counted = []
    for kept in in_threads(count, range(len(bounds) - 1), threads):
        counted.append(kept)
        progress("counting", len(counted), len(bounds) - 1)
    return counted


def places_of(ids: Ints, bounds: list[int], sizes: Sizes) -> list[Ints]:
    """Where the targets of each part stand in the text."""
    from chekhov.ngram import counting_kernels

    part_of = np.repeat(np.arange(len(bounds) - 1, dtype=np.int32), np.diff(bounds))
    ends = np.concatenate([[0], np.cumsum(sizes)])[bounds]
    places = np.empty(ends[-1], np.int32 if ends[-1] < 1 << 31 else np.int64)
    counting_kernels.distribute(ids, ends[-1], part_of, ends[:-1].copy(), places)
    return [places[begin:end] for begin, end in pairwise(ends)]


def chosen(
    ids: IdFile, first: int, last: int, before: int, weights: Weights | None
) -> Iterator[tuple[Ints, Ints, Ints]]:
    """Blocks of the text, where in them the targets stand that come after the words first ... last - 1, their weights.

    There are none where each counts once.
    """
    from chekhov.ngram import counting_kernels

    read = 0
    for block, begin, end in ids.blocks(before):
        places = np.empty(end - begin + 1, np.int32)
        places = places[: counting_kernels.choose(block, begin, end, first, last, places)]
        yield block, places, UNWEIGHTED if weights is None else weights.of(places + (read - begin))
        read += end - begin


def word_counts(ids: Ids | IdFile, vocab_size: int, weights: Weights | None) -> Sizes:
    """(V,): how often each id stands in a text."""
    if weights is None and not isinstance(ids, IdFile):
        return np.bincount(ids, minlength=vocab_size)
    counts, read = np.zeros(vocab_size, np.int64), 0
    for block, begin, _ in ids.blocks(0) if isinstance(ids, IdFile) else [(np.asarray(ids), 0, 0)]:
        own = block[begin:]
        times = None if weights is None else weights.of(np.arange(read, read + len(own)))
        counts += np.bincount(own, times, vocab_size).astype(np.int64)  # float64 holds them: they are below 2^53
        read += len(own)
    return counts


def part_bounds(sizes: Sizes, per_part: int) -> list[int]:
    """Between which words the parts begin and end."""
    ends = np.cumsum(sizes)
    bounds = [0]
    while bounds[-1] < len(sizes):
        before = ends[bounds[-1] - 1] if bounds[-1] else 0
        bounds.append(max(int(np.searchsorted(ends, before + per_part, side="right")), bounds[-1] + 1))
    return bounds


def count_part(targets: Iterable[tuple[Ints, Ints, Ints]], sizes: Sizes, first: int, counts: Counts) -> Counts:
    """The buckets of the words first, first + 1, ... with ``sizes`` targets each, counted into the empty ``counts``.

    ``targets``: text, where in it they stand, and how often each counts (none: once), block by block.
    """
    from chekhov.ngram import counting_kernels

    D, vocab_size = counts.depth, counts.vocab_size
    bits = vocab_size.bit_length()
    words_each = min(D, 63 // bits)
    keys = np.empty((-(-D // words_each), int(sizes.sum())), np.int64)
    cursor, column_weights = np.cumsum(sizes) - sizes, UNWEIGHTED
    for text, places, weights in targets:
        if len(weights) and not len(column_weights):
            column_weights = np.empty(keys.shape[1], np.int32)
        counting_kernels.fill_keys(text, places, weights, first, cursor, words_each, bits, D, keys, column_weights)
    counts.first_word, counts.last_word = first, first + len(sizes)
    counts.offsets = np.zeros((D + 1, len(sizes)), np.int64)
    counting_kernels.count_buckets(
        keys, column_weights, sizes, first, bits, words_each, vocab_size, counts.room, counts.counted
    )
    return counts


def blocks(ids: Ids | Ints | IdFile, before: int) -> Iterator[tuple[Ints, int, int]]:
    """The text in blocks, each with up to ``before`` words of the one before; and which targets are in it.

    There is one target more than words where the text breaks off in a sentence: the context that it ends in is a node
    like others, if nothing is known to follow.
    """
    if isinstance(ids, IdFile):
        yield from ids.blocks(before)
    else:
        words = np.asarray(ids, np.int32)
        yield words, 0, len(words) + int(len(words) > 0 and words[-1] != EOS)

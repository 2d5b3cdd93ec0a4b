"""What is counted: the targets of a text, each word of it with the words before it, as keys to be sorted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chekhov.files import NamelessFile
from chekhov.types import EOS, Ids

Ints = NDArray[np.int32]
Sizes = NDArray[np.int64]
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

    def blocks(self, before: int) -> Iterator[tuple[Ints, int, int]]:
        """As `blocks`, read one after the other, each in place of the one before."""
        room = np.empty(min(BLOCK + before, self.length), np.int32)
        for start in range(0, self.length, BLOCK):
            begin = max(0, start - before)
            count = min(start + BLOCK, self.length) - begin
            self.file.read(4 * begin, room[:count])
            yield room[:count], start - begin, count

    def renumber(self, id_of: Ints) -> None:
        """The id id_of[k] in place of each number k in the file; that of -1, the end of a line, stands last."""
        from chekhov.tokens import text_kernels

        for place, (block, _, _) in enumerate(self.blocks(0)):
            text_kernels.renumber(block, id_of, block)
            self.file.write(4 * place * BLOCK, block)


@dataclass(frozen=True)
class Columns:
    """The targets of the buckets of the words ``first``, first + 1, ... as sort keys: keys (K, m), a column each.

    sizes (buckets,): how many each bucket has; cursor: where it goes on; weights (m,), or (0,) where each counts once.
    A column is ``D`` words in ``bits`` each, ``words_each`` of them to an integer, see `counting_kernels.fill_keys`.
    """

    first: int
    sizes: Sizes
    keys: NDArray[np.int64]
    weights: Ints
    cursor: Sizes
    D: int
    bits: int
    words_each: int

    @classmethod
    def empty(cls, first: int, sizes: Sizes, order: int, vocab_size: int, *, weighted: bool) -> Columns:
        D, bits = order - 1, vocab_size.bit_length()
        words_each, m = min(D, 63 // bits), int(sizes.sum())
        keys = np.empty((-(-D // words_each), m), np.int64)
        weights = np.empty(m, np.int32) if weighted else UNWEIGHTED
        return cls(first, sizes, keys, weights, np.cumsum(sizes) - sizes, D, bits, words_each)


class Targets(ABC):
    """What is counted, bucket by bucket; ``sizes`` (V,): how many targets have each word before them."""

    sizes: Sizes
    weighted: bool

    @abstractmethod
    def filler(self, bounds: list[int]) -> Callable[[Columns], None]:
        """What puts the targets of a part, from one of the words ``bounds`` to the next, into its columns.

        Threads may call it at once.
        """

    @abstractmethod
    def word_counts(self, vocab_size: int) -> Sizes:
        """(V,): how often each word stands there."""

    @property
    @abstractmethod
    def total(self) -> int:
        """How many targets there are, each as often as it counts."""


class TextTargets(Targets):
    """Those of a text: ids (N,), </s> at the end of each sentence and no <s>."""

    def __init__(self, ids: Ids | Ints | IdFile, order: int, vocab_size: int, weights: Weights | None):
        from chekhov.ngram import counting_kernels

        self.sizes, self.weighted = np.zeros(vocab_size, np.int64), weights is not None
        self.ids, self.before, self.weights = ids, order - 1, weights
        for block, begin, end in blocks(ids, 1):
            counting_kernels.add_bucket_sizes(block, begin, end, self.sizes)

    def filler(self, bounds: list[int]) -> Callable[[Columns], None]:
        from chekhov.ngram import counting_kernels

        text = self.ids if isinstance(self.ids, IdFile) else np.asarray(self.ids, np.int32)
        place_lists = [] if isinstance(text, IdFile) else places_of(text, bounds, self.sizes)
        places_from = dict(zip(bounds, place_lists, strict=False))

        def of_part(first: int, last: int) -> Iterator[tuple[Ints, Ints, Ints]]:
            if isinstance(text, IdFile):
                yield from chosen(text, first, last, self.before, self.weights)
            else:
                places = places_from[first]
                yield text, places, UNWEIGHTED if self.weights is None else self.weights.of(places)

        def fill(columns: Columns) -> None:
            first, how = columns.first, (columns.words_each, columns.bits, columns.D)
            for block, places, weights in of_part(first, first + len(columns.sizes)):
                counting_kernels.fill_keys(
                    block, places, weights, first, columns.cursor, *how, columns.keys, columns.weights
                )

        return fill

    def word_counts(self, vocab_size: int) -> Sizes:
        return word_counts(self.ids, vocab_size, self.weights)

    @property
    def total(self) -> int:
        return int(self.sizes.sum()) if self.weights is None else self.weights.total


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
    room = np.empty(min(BLOCK, ids.length) + 1, np.int32)
    for block, begin, end in ids.blocks(before):
        places = room[: counting_kernels.choose(block, begin, end, first, last, room)]
        yield block, places, UNWEIGHTED if weights is None else weights.of(places + (read - begin))
        read += end - begin


def word_counts(ids: Ids | Ints | IdFile, vocab_size: int, weights: Weights | None) -> Sizes:
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

"""Many sentences of an n-gram model at once: its distribution, by draws of their own (`generate` has Philox's)."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chekhov.errors import check_range
from chekhov.kernels.threads import in_threads
from chekhov.ngram.table import Table

MANY = 24  # entries of a node whose sums are kept
LANES = 16
ROOM = 1 << 20  # words that are drawn at once
LONGEST = 1 << 16


class SentenceSampler:
    """Sums of the probabilities of nodes with many entries, made once: 12 bytes for each of these entries."""

    def __init__(self, table: Table, begin: int):
        self.table, self.begin = table, begin

    @cached_property
    def _sums(self) -> tuple[NDArray[Any], ...]:
        from chekhov.ngram import sampling_kernels as kernels

        nodes, entries = self.table.nodes, self.table.entries
        none = np.empty(0, np.int64)
        count = kernels.list_large(nodes, entries, MANY, none, none)
        large, firsts = np.empty(count, np.int64), np.empty(count + 1, np.int64)
        kernels.list_large(nodes, entries, MANY, large, firsts)
        sums, guides = np.empty(firsts[-1]), np.empty(firsts[-1], np.int32)
        slots = np.full((1 << (2 * count).bit_length(), 2), -1, np.int64)
        kernels.fill_sums(nodes, entries, self.table.log10_probs, large, firsts, sums, guides, slots)
        return sums, guides, slots

    def draw(
        self,
        num: int,
        *,
        seed: int = 0,
        first: int = 0,
        node: int | None = None,
        max_words: int = 1000,
        allow_unk: bool = False,
        threads: int = 1,
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """ids (N,) of ``num`` sentences, </s> at the end of each that came to it within ``max_words``, and ends (num,).

        first: the number of the first one; sentence i is the same alone or among others, with any number of threads.
        node: what they go on from, by default the start of a sentence. Raises `UsageError` for a number out of range.
        """
        from chekhov.ngram import sampling_kernels as kernels

        check_range("num", num, 1, 1 << 40)
        check_range("seed", seed, 0, (1 << 63) - 1)
        check_range("max_words", max_words, 1, LONGEST)
        check_range("threads", threads, 1, 1024)
        sums, begin = self._sums, self.begin if node is None else node
        at_once = max(LANES, ROOM // max_words)

        def draw_from(start: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
            count = min(at_once, num - start)
            words, lengths = np.empty((count, max_words), np.int32), np.empty(count, np.int64)
            kernels.draw_sentences(
                self.table.arrays, sums, MANY, np.uint64(seed), first + start, begin, allow_unk, LANES, words, lengths
            )
            packed = np.empty(lengths.sum(), np.int32)
            kernels.pack(words, lengths, packed)
            return packed, lengths

        drawn = list(in_threads(draw_from, range(0, num, at_once), threads))
        return np.concatenate([ids for ids, _ in drawn]), np.cumsum(np.concatenate([lengths for _, lengths in drawn]))

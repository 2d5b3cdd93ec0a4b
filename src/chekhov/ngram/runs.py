"""Counts that are kept: the n-grams of a text, each once and how often, and models of several such texts at once.

A stored n-gram is what its targets were, a sort key and a weight; so counts of several texts are merged as texts are
counted, by `counting.count_ngrams`, and give the table of all texts at once. Every shorter n-gram follows from these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chekhov.errors import COPY_AGAIN, ModelError, check_range
from chekhov.files import ArrayFile, NamelessFile
from chekhov.kernels.threads import Progress, available
from chekhov.ngram.counting import TARGETS, in_parts
from chekhov.ngram.model import MAX_ORDER, check_total, targets_in
from chekhov.ngram.targets import Columns, Ints, Sizes, Targets
from chekhov.types import Arrays

LEAST_ORDER = 2


def layout(order: int, vocab_size: int) -> tuple[int, int, int]:
    """(D, bits, words to an integer) of sort keys, see `targets.Columns`."""
    D, bits = order - 1, vocab_size.bit_length()
    return D, bits, min(D, 63 // bits)


@dataclass(frozen=True)
class Runs:
    """keys (M, K) int64: an n-gram a row, as `counting_kernels.fill_keys` has it, sorted; counts (M,) int32.

    sizes (V,) int64: how many rows have each word last before their end. Shorter n-grams are there where a sentence
    begins.
    """

    order: int
    keys: NDArray[np.int64]
    counts: Ints
    sizes: Sizes

    @property
    def layout(self) -> tuple[int, int, int]:
        return layout(self.order, len(self.sizes))

    @classmethod
    def from_arrays(cls, order: int, vocab_size: int, arrays: Arrays) -> Runs:
        """Raises `ModelError` for arrays that cannot be the counts of a text."""
        from chekhov.ngram import runs_kernels

        keys, counts, sizes = (arrays.get(name, np.empty(0)) for name in ("keys", "counts", "sizes"))
        D, bits, words_each = layout(order, vocab_size)
        types = [(array.dtype.name, array.shape) for array in (keys, counts, sizes)]
        expected = [("int64", (len(counts), -(-D // words_each))), ("int32", (len(counts),)), ("int64", (vocab_size,))]
        fit = types == expected and len(counts) > 0 and (sizes >= 0).all() and (sizes <= len(counts)).all()
        if not fit or sizes.sum() != len(counts) or not runs_kernels.sound(keys, counts, sizes, D, bits, words_each):
            raise ModelError("E-COUNT-003", "the counts are damaged", mend=COPY_AGAIN)
        return cls(order, keys, counts, sizes)

    def word_counts(self) -> Sizes:
        """(V,): how often each word stands in the text."""
        return Merged([self], [np.arange(len(self.sizes), dtype=np.int32)], len(self.sizes), [1]).word_counts(0)


class Merged(Targets):
    """Several counts as one text: ``id_of``, for each, the ids (V_k,) that its own become; ``weights``: of each."""

    weighted = True

    def __init__(self, runs: Sequence[Runs], id_of: Sequence[Ints], vocab_size: int, weights: Sequence[int]):
        self.runs, self.id_of, self.vocab_size, self.weights = runs, id_of, vocab_size, weights
        self.sizes = np.zeros(vocab_size, np.int64)
        for own, ids in zip(runs, id_of, strict=True):
            np.add.at(self.sizes, ids, own.sizes)

    def filler(self, bounds: list[int]) -> Callable[[Columns], None]:
        from chekhov.ngram import runs_kernels

        all_buckets = [np.argsort(ids, kind="stable") for ids in self.id_of]
        all_starts = [np.concatenate([[0], np.cumsum(own.sizes)]) for own in self.runs]

        def fill(columns: Columns) -> None:
            first, new = columns.first, (columns.D, columns.bits, columns.words_each)
            each = zip(self.runs, self.id_of, self.weights, all_buckets, all_starts, strict=True)
            for own, ids, weight, buckets, starts in each:
                begin, end = np.searchsorted(ids, [first, first + len(columns.sizes)], sorter=buckets)
                runs_kernels.fill_keys_anew(
                    own.keys, own.counts, weight, starts, buckets[begin:end], ids, own.layout, first,
                    columns.cursor, new, columns.keys, columns.weights,
                )  # fmt: skip

        return fill

    def word_counts(self, vocab_size: int) -> Sizes:
        from chekhov.ngram import runs_kernels

        totals = np.zeros(self.vocab_size, np.int64)
        for own, ids, weight in zip(self.runs, self.id_of, self.weights, strict=True):
            D, bits, words_each = own.layout
            runs_kernels.add_word_counts(own.keys, own.counts, weight, ids, D - 1, bits, words_each, totals)
        return totals

    @property
    def total(self) -> int:
        pairs = zip(self.runs, self.weights, strict=True)
        return sum(weight * int(own.counts.sum(dtype=np.int64)) for own, weight in pairs)


def count_runs(
    targets: Targets,
    *,
    order: int,
    vocab_size: int,
    folder: Path,
    memory: int | None = None,
    threads: int | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> tuple[Runs, ArrayFile]:
    """The counts of a text, in a file of ``folder`` that waits for its name; each text ends with </s>.

    memory: bytes that counting may take, beside the program and the vocabulary. Raises `UsageError` for an order
    outside 2 to 16, too little memory, or weights with which a count could pass 2^31.
    """
    from chekhov.ngram import runs_kernels

    check_range("order", order, LEAST_ORDER, MAX_ORDER)
    threads = available() if threads is None else threads
    check_range("threads", threads, 1, 1024)
    check_total(targets)
    per_part, threads = targets_in(memory, vocab_size, order, threads, targets) if memory else (TARGETS, threads)
    waiting = NamelessFile(folder)

    def put_away(columns: Columns) -> tuple[list[int], Sizes]:
        counts, distinct = np.empty(columns.keys.shape[1], np.int32), np.zeros_like(columns.sizes)
        m = runs_kernels.collapse(columns.keys, columns.weights, columns.sizes, counts, distinct)
        return waiting.append([columns.keys[:, :m].T, counts[:m]]), distinct

    flags = {"order": order, "vocab_size": vocab_size, "per_part": per_part, "threads": threads}
    parts = in_parts(targets, put_away, progress=progress, **flags)
    sizes = np.concatenate([distinct for _, distinct in parts])
    D, _, words_each = layout(order, vocab_size)
    M, K = int(sizes.sum()), -(-D // words_each)
    file = ArrayFile(folder, {"keys": (np.int64, (M, K)), "sizes": (np.int64, sizes.shape), "counts": (np.int32, (M,))})
    file.put("sizes", 0, sizes)
    row = 0
    for (keys_at, counts_at), distinct in parts:
        m = int(distinct.sum())
        keys, counts = np.empty((m, K), np.int64), np.empty(m, np.int32)
        waiting.read(keys_at, keys)
        waiting.read(counts_at, counts)
        file.put("keys", row, keys)
        file.put("counts", row, counts)
        row += m
    arrays = file.finish()
    return Runs(order, arrays["keys"], arrays["counts"], arrays["sizes"]), file

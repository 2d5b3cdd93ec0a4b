"""An n-gram model of four to five bytes an n-gram: a trie of words read backwards, packed to the bit, quantised.

Level n holds the n-grams of order n, w_1 ... w_n, below their suffixes w_2 ... w_n: a look-up starts with the word and
adds one word of its context after the other, until there is no such n-gram (Heafield 2011, section 3.2; the children of
a node are found by select in a bit vector, Jacobson 1989). What a context's back-off costs is read on the way and kept
in the state. A probability is the nearest of 255, so that a row sums to one but roughly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chekhov.ngram.model import LN10, as_words, checked_sizes
from chekhov.ngram.table import damaged
from chekhov.types import BOS, Arrays, Ids, LogProbs

CODES = 256
EACH = 16  # nodes for which there is one sample, as in `packed_kernels`
PADDING = 32  # bytes after the last record: some are read before it is known how many there are
COLUMNS = 6  # of the layout of a level: see `packed_kernels`


@dataclass(frozen=True)
class PackedTable:
    """unigrams (V + 1, 3): log10 p, log10 back-off, where the n-grams of order 2 begin. records: of orders 2 ... N the
    word, the code of log10 p and of the back-off. ends, samples: the children of each, see
    `packing_kernels.write_ends`. hints: where among many children a word stands, see `packing_kernels.fill_hints`.
    codebooks (N + 1, 2, 256): what the codes stand for. layout (N + 1, 6): how many of each order, where they begin."""

    unigrams: NDArray[np.int32]
    records: NDArray[np.uint8]
    ends: NDArray[np.uint64]
    samples: NDArray[np.uint32]
    hints: NDArray[np.int8]
    codebooks: NDArray[np.float32]
    layout: NDArray[np.int64]

    @classmethod
    def empty(cls, sizes: list[int], vocab_size: int) -> PackedTable:
        """Room for so many n-grams of each order."""
        layout = layout_of(sizes, vocab_size)
        order = len(sizes)
        bits = layout[order, 1] + sizes[-1] * layout[order, 2] if order > 1 else 0
        middle = sizes[1:-1]
        words = sum(words_of(size, more) for size, more in zip(middle, sizes[2:]))
        return cls(
            np.zeros((vocab_size + 1, 3), np.int32),
            np.zeros((int(bits) + 7) // 8 + PADDING, np.uint8),
            np.zeros(words + 1, np.uint64),
            np.zeros(sum(-(-size // EACH) for size in middle) + 1, np.uint32),
            np.zeros(sum(size // 2 for size in sizes[1:]) + 1, np.int8),
            np.zeros((order + 1, 2, CODES), np.float32),
            layout,
        )

    @property
    def order(self) -> int:
        return len(self.layout) - 1

    @property
    def vocab_size(self) -> int:
        return len(self.unigrams) - 1

    @property
    def word_bits(self) -> int:
        return self.vocab_size.bit_length()

    @property
    def unigram_floats(self) -> NDArray[np.float32]:
        return self.unigrams.view(np.float32)

    def sizes(self) -> list[int]:
        """How many n-grams there are of each order."""
        return self.layout[1:, 0].tolist()

    def set_records(self, n: int, words: NDArray[Any], probs: NDArray[Any], backoffs: NDArray[Any]) -> None:
        from chekhov.ngram import packing_kernels as kernels

        kernels.write_records(words, probs, backoffs, self.layout[n], self.word_bits, self.records)

    def set_children(self, n: int, counts: NDArray[np.int64]) -> None:
        """How many children the nodes of level n have, in their order."""
        from chekhov.ngram import packing_kernels as kernels

        if n == 1:
            self.unigrams[:, 2] = np.concatenate([[0], np.cumsum(counts)])
            return
        words, marks = self.layout[n, 3], self.layout[n, 4]
        kernels.write_ends(counts, self.ends[words:], self.samples[marks:])

    def set_hints(self, n: int, begins: NDArray[np.int64], words: NDArray[Any]) -> None:
        """``words`` of level n, of which the children of each node of the level before begin at ``begins``."""
        from chekhov.ngram import packing_kernels as kernels

        kernels.fill_hints(begins, words, self.word_bits, self.hints[self.layout[n, 5] :])

    def kernel_arguments(self) -> tuple[Any, ...]:
        return (
            self.unigrams, self.unigram_floats, self.records, self.ends, self.samples, self.hints, self.codebooks,
            self.layout, self.word_bits,
        )  # fmt: skip


def words_of(size: int, more: int) -> int:
    """64-bit words that hold the ends of the children of a level: a bit for each node and each child."""
    return (size + more + 63) // 64


def layout_of(sizes: list[int], vocab_size: int) -> NDArray[np.int64]:
    layout = np.zeros((len(sizes) + 1, COLUMNS), np.int64)
    word_bits, bit, word, sample, hint = vocab_size.bit_length(), 0, 0, 0, 0
    for n, size in enumerate(sizes, start=1):
        layout[n, 0] = size
        if n == 1:
            continue
        highest = n == len(sizes)
        width = word_bits + (8 if highest else 16)
        layout[n, 1:] = bit, width, word, sample, hint
        hint += size // 2
        bit = (bit + size * width + 7) // 8 * 8
        if not highest:
            word, sample = word + words_of(size, sizes[n]), sample + -(-size // EACH)
    return layout


class PackedState(NamedTuple):
    words: Ids  # (B, N): the last words that the model knows in this order, the latest first
    backoffs: NDArray[np.float32]  # (B, N): log10 back-offs of the last word, of the last two, ...
    lengths: Ids  # (B,): how many there are


class PackedNGram:
    """A language model over a `PackedTable`; see `NGram` for what the conventions are."""

    kind = "packed-ngram"

    def __init__(self, table: PackedTable, smoothing: str = "modified-kneser-ney"):
        self.table, self.smoothing = table, smoothing
        self.order, self.vocab_size = table.order, table.vocab_size

    def initial_state(self, batch_size: int) -> PackedState:
        state = self._no_context(batch_size)
        state.words[:, 0], state.backoffs[:, 0] = BOS, self.table.unigram_floats[BOS, 1]
        state.lengths[:] = 1
        return state

    def _no_context(self, batch_size: int) -> PackedState:
        N = self.order - 1
        words, backoffs = np.zeros((batch_size, N), np.int64), np.zeros((batch_size, N), np.float32)
        return PackedState(words, backoffs, np.zeros(batch_size, np.int64))

    def advance(self, state: PackedState, tokens: Ids) -> PackedState:
        return self.score(state, np.asarray(tokens)[:, None])[1]

    def log_probs(self, state: PackedState) -> LogProbs:
        """A row is V look-ups: use `score` where the words are known."""
        B, V = len(state.lengths), self.vocab_size
        rows = np.empty((B, V), np.float32)
        for b in range(B):
            copies = PackedState(state.words[[b] * V], state.backoffs[[b] * V], state.lengths[[b] * V])
            rows[b] = self.score(copies, np.arange(V)[:, None])[0][:, 0]
        return rows

    def score(self, state: PackedState, ids: Ids) -> tuple[LogProbs, PackedState]:
        from chekhov.ngram import packed_kernels as kernels

        words = as_words(ids, self.vocab_size)
        after = PackedState(state.words.copy(), state.backoffs.copy(), state.lengths.copy())
        log10_probs = np.empty(words.shape, np.float32)
        kernels.score_rows(self.table.kernel_arguments(), *after, words, 1, log10_probs)
        return log10_probs * LN10, after

    # What is stored.

    @property
    def parameter_count(self) -> int:
        """Probabilities and back-offs."""
        sizes = self.table.sizes()
        return sum(sizes) + sum(sizes[:-1])

    def sizes(self) -> dict[str, Any]:
        return {"order": self.order, "vocab_size": self.vocab_size, "smoothing": self.smoothing}

    def arrays(self) -> Arrays:
        table = self.table
        return {
            "unigrams": table.unigrams, "records": table.records, "ends": table.ends, "samples": table.samples,
            "hints": table.hints, "codebooks": table.codebooks, "layout": table.layout,
        }  # fmt: skip

    @classmethod
    def from_arrays(cls, sizes: dict[str, Any], arrays: Arrays) -> PackedNGram:
        """Raises `ModelError` for arrays whose shapes do not fit together; what is in them, the kernels bound."""
        order, V, smoothing = checked_sizes(sizes, least_order=2)
        names = ("unigrams", "records", "ends", "samples", "hints", "codebooks", "layout")
        if set(arrays) != set(names):
            raise damaged(f"{', '.join(names)} are expected; or it is of an earlier version: quantise again")
        layout = arrays["layout"]
        if layout.dtype != np.int64 or layout.shape != (order + 1, COLUMNS) or (layout[1:, 0] < 0).any():
            raise damaged("the layout is no layout")
        counts = layout[1:, 0].tolist()
        if counts[0] != V or max(counts) > arrays["records"].nbytes * 8 or (layout_of(counts, V) != layout).any():
            raise damaged("the layout does not fit the n-grams")
        expected = PackedTable.empty(counts, V)
        for name in names:
            own, like = arrays[name], getattr(expected, name)
            if own.dtype != like.dtype or own.shape != like.shape:
                raise damaged(f"{name} is of another size or type")
        table = PackedTable(*(arrays[name] for name in names))
        if not (table.codebooks <= 1e30).all() or np.isnan(table.unigram_floats[:, :2]).any():
            raise damaged("a number is no logarithm")
        return cls(table, smoothing)

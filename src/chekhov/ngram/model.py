"""The n-gram language model: a table and, for a state, the node of the longest context that the table knows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chekhov.errors import ModelError, UsageError, check_range
from chekhov.files import ArrayFile
from chekhov.ngram.building import Parts
from chekhov.ngram.counting import TARGETS, IdFile, count_ngrams
from chekhov.ngram.pruning import check_thresholds
from chekhov.ngram.smoothing import ADJUSTED, PRUNABLE, SMOOTHINGS, Options, smooth
from chekhov.ngram.spilling import spill
from chekhov.ngram.table import Table, check_table, damaged
from chekhov.types import BOS, EOS, Arrays, Ids, LogProbs

MAX_ORDER = 16
LN10 = np.float32(math.log(10))
MAX_VOCAB_SIZE = 1 << 31
BYTES_OF_A_TARGET = 80  # while it is counted, at order 5
LONG = 1000  # tokens of one row that are worth cutting into pieces
LAYOUT = 2  # of the arrays in a folder; 1 had its words in rising order
LANES = 16  # into so many
NO_NODES = np.empty((0, 0), np.int64)


class NGramState(NamedTuple):
    node: Ids  # (B,) of the longest context that ends here and that the table knows


class NGram:
    """p(w | c) of the longest n-gram that was seen, times the back-offs of the longer contexts that were not.

    Order n as KenLM and ARPA count it: n - 1 words of context. A row starts anew after each </s>.
    """

    kind = "ngram"

    def __init__(self, table: Table, smoothing: str = "modified-kneser-ney", notes: tuple[str, ...] = ()):
        self.table, self.smoothing, self.notes = table, smoothing, notes
        self.order, self.vocab_size = table.order, table.vocab_size

    def initial_state(self, batch_size: int) -> NGramState:
        return NGramState(np.full(batch_size, self._begin, np.int64))

    def advance(self, state: NGramState, tokens: Ids) -> NGramState:
        from chekhov.ngram import table_kernels

        words = as_words(tokens, self.vocab_size)
        return NGramState(table_kernels.advance_rows(self.table.nodes, self.table.entries, state.node, words))

    def log_probs(self, state: NGramState) -> LogProbs:
        from chekhov.ngram import table_kernels

        rows = np.empty((len(state.node), self.vocab_size), np.float32)
        table_kernels.fill_rows(*self._arrays(), state.node, rows)
        rows *= LN10
        return rows

    def score(self, state: NGramState, ids: Ids) -> tuple[LogProbs, NGramState]:
        log10_probs, state, _ = self._score(state, ids, orders=False)
        return log10_probs * LN10, state

    def score_with_orders(self, state: NGramState, ids: Ids) -> tuple[LogProbs, NDArray[np.int64], NGramState]:
        """`score`, and the order (B, T) of the n-gram that each probability is of: 1 = only the word itself."""
        log10_probs, state, known_by = self._score(state, ids, orders=True)
        return log10_probs * LN10, np.searchsorted(self.table.starts, known_by, side="right"), state

    def _score(self, state: NGramState, ids: Ids, *, orders: bool) -> tuple[LogProbs, NGramState, NDArray[np.int64]]:
        from chekhov.ngram import table_kernels

        words, node = as_words(ids, self.vocab_size), state.node.copy()
        log10_probs = np.zeros(words.shape, np.float32)
        known_by = np.zeros(words.shape, np.int64) if orders else NO_NODES
        if len(words) == 1 and words.shape[1] >= LONG:
            flat = known_by.reshape(-1)
            begin = self._begin
            node[0] = table_kernels.score_text(
                *self._arrays(), node[0], words[0], self.order, LANES, begin, log10_probs[0], flat
            )
        else:
            table_kernels.score_rows(*self._arrays(), node, words, log10_probs, known_by)
        return log10_probs, NGramState(node), known_by

    def _arrays(self) -> tuple[NDArray[Any], ...]:
        table = self.table
        return table.nodes, table.node_floats, table.entries, table.entry_floats

    @property
    def _begin(self) -> int:
        """The node of the start of a sentence."""
        return 1 + BOS if self.order > 1 else 0

    # What is stored.

    @property
    def file(self) -> ArrayFile | None:
        """Where the arrays already stand, if they are large."""
        return self.table.file

    @property
    def parameter_count(self) -> int:
        """Probabilities and back-offs."""
        return len(self.table.entries) + len(self.table.nodes) - 2

    def sizes(self) -> dict[str, Any]:
        sizes = {"order": self.order, "vocab_size": self.vocab_size}
        return {**sizes, "smoothing": self.smoothing, "layout": LAYOUT}

    def arrays(self) -> Arrays:
        return {"nodes": self.table.nodes, "entries": self.table.entries, "starts": self.table.starts}

    @classmethod
    def from_arrays(cls, sizes: dict[str, Any], arrays: Arrays) -> NGram:
        """Raises `ModelError` for tables whose numbers do not fit together."""
        order, V, smoothing = checked_sizes(sizes, least_order=1)
        if sizes.get("layout") != LAYOUT:
            raise damaged(f"they are in layout {sizes.get('layout')}, this version reads layout {LAYOUT}")
        if set(arrays) != {"nodes", "entries", "starts"}:
            raise damaged("nodes, entries and starts are expected")
        return cls(check_table(Table(arrays["nodes"], arrays["entries"], arrays["starts"]), order, V), smoothing)


def as_words(ids: Ids, vocab_size: int) -> NDArray[np.int32]:
    """What kernels read; `ModelError` for an id outside the vocabulary."""
    ids = np.asarray(ids)
    if ids.size and not (ids.min() >= 0 and ids.max() < vocab_size):
        what = f"an id is outside the vocabulary of {vocab_size}"
        raise ModelError("E-TOKEN-009", what, mend="use the tokenizer that the model was trained with")
    return np.ascontiguousarray(ids, np.int32)


def checked_sizes(sizes: dict[str, Any], *, least_order: int) -> tuple[int, int, str]:
    """Order, V and the name of the smoothing; `ModelError` if they cannot be."""
    order, V, smoothing = sizes.get("order"), sizes.get("vocab_size"), sizes.get("smoothing")
    if type(order) is not int or type(V) is not int or type(smoothing) is not str:
        raise damaged("order and vocab_size are integers, smoothing is a name")
    if not (least_order <= order <= MAX_ORDER and BOS < V < MAX_VOCAB_SIZE):
        raise damaged(f"order is {order}, vocab_size {V}")
    return order, V, smoothing


def train_ngram(
    ids: Ids | IdFile,
    *,
    order: int,
    vocab_size: int,
    smoothing: str = "modified-kneser-ney",
    prune: str | Sequence[int] = (),
    interpolate_unigrams: bool = True,
    k: float = 1.0,
    valid_ids: Ids | None = None,
    folder: Path | None = None,
    memory: int | None = None,
) -> NGram:
    """Count and smooth; ids (N,) with </s> at the end of each sentence (of each document, for characters).

    An order longer than every sentence is no error: the orders that were never seen stay empty. ``notes`` of the model
    say where discounts fell back.
    smoothing: one of `smoothing.SMOOTHINGS`; k: of add-k; valid_ids: what jelinek-mercer fits its weights on.
    prune: for each order, the count up to which its n-grams are dropped (the last one for the orders that follow).
    interpolate_unigrams: or <unk> gets all that discounting has set free, as SRILM has it.
    folder: where a large table is written at once, so that it need not stand in memory.
    memory: bytes that counting may take, beside the program and the vocabulary; the counts wait in ``folder``.

    Raises `UsageError` for an order outside 1 to 16, an unknown smoothing, or thresholds that fall.
    """
    check_range("order", order, 1, MAX_ORDER)
    check_range("k", k, 1e-9, 1e9)
    thresholds = check_thresholds(prune, order)
    if smoothing not in SMOOTHINGS:
        raise UsageError(
            "E-NGRAM-001", f"the smoothing {smoothing!r} is unknown", mend=f"one of {', '.join(SMOOTHINGS)}"
        )
    if any(thresholds) and smoothing not in PRUNABLE:
        what = f"--prune with {smoothing}: what is taken out would be lost"
        raise UsageError("E-PRUNE-004", what, mend=f"--smoothing {', '.join(PRUNABLE)}")
    if any(thresholds) and not isinstance(ids, IdFile) and len(ids) and ids[-1] != EOS:
        ids = np.append(ids, EOS)  # or a context would be rarer than the n-gram that it is
    keep_raw = any(thresholds) or smoothing not in ADJUSTED
    parts: Parts = []
    if order > 1:
        per_part = targets_in(memory, vocab_size, order) if memory else TARGETS
        counted = count_ngrams(ids, order=order, vocab_size=vocab_size, keep_raw=keep_raw, per_part=per_part)
        plain = counted if smoothing in ADJUSTED else (part.with_raw_counts() for part in counted)
        parts = list(spill(plain, folder)) if memory and folder else [part.compact() for part in plain]
    options = Options(smoothing, thresholds, interpolate_unigrams, k, valid_ids)
    table, notes = smooth(parts, ids, vocab_size, options, folder)
    return NGram(table, smoothing, tuple(notes))


def targets_in(memory: int, vocab_size: int, order: int) -> int:
    """How many targets may be counted at once. Raises `UsageError` where the vocabulary alone takes the memory."""
    left = memory - vocab_size * 16 * order
    if left < BYTES_OF_A_TARGET * 100_000:
        least = (vocab_size * 16 * order + BYTES_OF_A_TARGET * 100_000 >> 20) + 1
        what = f"--memory is too little for {vocab_size:,} words at order {order}"
        raise UsageError("E-NGRAM-004", what, mend=f"give at least {least}M")
    return left // BYTES_OF_A_TARGET

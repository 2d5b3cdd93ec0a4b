"""The n-gram language model: a table and, for a state, the node of the longest context that the table knows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chekhov.errors import ModelError, UsageError, check_range
from chekhov.files import ArrayFile
from chekhov.kernels.threads import Progress, available
from chekhov.ngram.building import Parts
from chekhov.ngram.counting import TARGETS, Counts, count_ngrams
from chekhov.ngram.pruning import check_thresholds
from chekhov.ngram.sampling import SentenceSampler
from chekhov.ngram.smoothing import ADJUSTED, PRUNABLE, SMOOTHINGS, Options, smooth
from chekhov.ngram.spilling import Spilled, spiller
from chekhov.ngram.table import VERIFIED_BYTES, Table, check_content, check_table, damaged
from chekhov.ngram.targets import MOST_TOKENS, IdFile, Ints, Targets, TextTargets, Weights
from chekhov.types import BOS, EOS, Arrays, Ids, LogProbs

MAX_ORDER = 16
LN10 = np.float32(math.log(10))
MAX_VOCAB_SIZE = 1 << 31
BYTES_OF_A_TARGET = 80  # while it is counted, at order 5
BYTES_OF_A_WEIGHT = 16  # of a target, beside them
LONG = 8  # tokens of a row that are worth looking up side by side
LAYOUT = 4  # of the arrays in a folder; 1 had its words in rising order, 2 no hints, 3 other ones
MANY = 256  # entries of a node that are worth sorting
NO_ORDERS = np.empty(0, np.int8)


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
        self._firsts: dict[int, int] = {}
        self._falling = np.empty(0, np.int32)

    def initial_state(self, batch_size: int) -> NGramState:
        return NGramState(np.full(batch_size, self._begin, np.int64))

    def advance(self, state: NGramState, tokens: Ids) -> NGramState:
        from chekhov.ngram import table_kernels

        words = as_words(tokens, self.vocab_size)
        return NGramState(
            table_kernels.advance_rows(self.table.nodes, self.table.entries, self.table.hints, state.node, words)
        )

    def log_probs(self, state: NGramState) -> LogProbs:
        from chekhov.ngram import table_kernels

        rows = np.empty((len(state.node), self.vocab_size), np.float32)
        table_kernels.fill_rows(*self._arrays(), self._root, state.node, rows)
        rows *= LN10
        return rows

    def score(self, state: NGramState, ids: Ids) -> tuple[LogProbs, NGramState]:
        log10_probs, state, _ = self._score(state, ids, orders=False)
        return log10_probs * LN10, state

    def score_with_orders(self, state: NGramState, ids: Ids) -> tuple[LogProbs, NDArray[np.int64], NGramState]:
        """`score`, and the order (B, T) of the n-gram that each probability is of: 1 = only the word itself."""
        log10_probs, state, known = self._score(state, ids, orders=True)
        return log10_probs * LN10, known.astype(np.int64), state

    def _score(self, state: NGramState, ids: Ids, *, orders: bool) -> tuple[LogProbs, NGramState, NDArray[np.int8]]:
        from chekhov.ngram import table_kernels

        words, node = as_words(ids, self.vocab_size), state.node.copy()
        log10_probs = np.zeros(words.shape, np.float32)
        known = np.zeros(words.shape, np.int8) if orders else NO_ORDERS.reshape(0, 0)
        if words.shape[1] >= LONG:
            for b in range(len(words)):
                node[b] = self.score_sentences(node[b], words[b], log10_probs[b], known[b] if orders else NO_ORDERS)
        else:
            table_kernels.score_rows(*self._arrays(), self.table.starts, node, words, log10_probs, known)
        return log10_probs, NGramState(node), known

    def score_sentences(
        self, node: int, words: NDArray[np.int32], log10_probs: NDArray[np.float32], orders: NDArray[np.int8]
    ) -> int:
        """`table_kernels.score_text` of one long row, from ``node`` on."""
        from chekhov.ngram import table_kernels

        return int(
            table_kernels.score_text(*self._arrays(), self.table.starts, node, words, self._begin, log10_probs, orders)
        )

    def top(self, node: int, k: int) -> tuple[Ids, LogProbs]:
        """The k likeliest words after ``node`` (of a state), and their log p in nats, best first; ties by id.

        Fewer where so many have p > 0. The entries of nodes with many are sorted when they are first asked for.
        """
        from chekhov.ngram import top_kernels

        path = np.empty(self.order + 1, np.int64)
        path = path[: top_kernels.fill_path(self.table.nodes, node, path)]
        firsts = np.array([self._sorted_from(each) for each in path.tolist()], np.int64)
        words, log10_probs = np.empty(min(k, self.vocab_size), np.int64), np.empty(min(k, self.vocab_size), np.float32)
        found = top_kernels.fill_top(*self._arrays(), path, firsts, self._falling, words, log10_probs)
        return words[:found], log10_probs[:found] * LN10

    @cached_property
    def sentences(self) -> SentenceSampler:
        """Draws whole sentences, far faster than row by row; `UsageError` where scores are no probabilities."""
        if self.smoothing == "stupid-backoff":
            what = "the scores of stupid back-off do not sum to one: no sentence can be drawn by them"
            raise UsageError("E-SAMPLE-001", what, mend="another --smoothing, or generate without --sentences")
        return SentenceSampler(self.table, self._begin)

    def _sorted_from(self, node: int) -> int:
        """Where in ``_falling`` the entries of a node stand by falling p; -1 if they are few."""
        if node in self._firsts:
            return self._firsts[node]
        begin, end = (min(max(e, 0), len(self.table.entries)) for e in self.table.nodes[node : node + 2, 0].tolist())
        if end - begin < MANY:
            return -1
        p = self.table.log10_probs[begin:end]
        self._firsts[node] = len(self._falling)
        self._falling = np.concatenate([self._falling, begin + np.argsort(-p, kind="stable").astype(np.int32)])
        return self._firsts[node]

    @cached_property
    def _root(self) -> NDArray[np.float32]:
        return self.table.log10_probs[: self.vocab_size].copy()

    def _arrays(self) -> tuple[NDArray[Any], ...]:
        return self.table.arrays

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
        table = self.table
        return {"nodes": table.nodes, "entries": table.entries, "starts": table.starts, "hints": table.hints}

    def verify(self) -> None:
        """Every number of the table, if it is not too large for that; `ModelError` for one that cannot be."""
        if self.table.nodes.nbytes + self.table.entries.nbytes <= VERIFIED_BYTES:
            check_content(self.table, self.vocab_size)

    @classmethod
    def from_arrays(cls, sizes: dict[str, Any], arrays: Arrays) -> NGram:
        """Raises `ModelError` for tables whose numbers do not fit together."""
        order, V, smoothing = checked_sizes(sizes, least_order=1)
        if sizes.get("layout") != LAYOUT:
            raise damaged(f"they are in layout {sizes.get('layout')}, this version reads layout {LAYOUT}")
        if set(arrays) != {"nodes", "entries", "starts", "hints"}:
            raise damaged("nodes, entries, starts and hints are expected")
        table = Table(arrays["nodes"], arrays["entries"], arrays["starts"], arrays["hints"])
        return cls(check_table(table, order, V), smoothing)


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
    ids: Ids | Ints | IdFile | Targets,
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
    threads: int | None = None,
    kenlm_compat: bool = False,
    weights: Weights | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> NGram:
    """Count and smooth; ids (N,) with </s> at the end of each sentence (of each document, for characters).

    Or n-grams that were counted before: `runs.Merged`.

    An order longer than every sentence is no error: the orders that were never seen stay empty. ``notes`` of the model
    say where discounts fell back.
    smoothing: one of `smoothing.SMOOTHINGS`; k: of add-k; valid_ids: what jelinek-mercer fits its weights on.
    prune: for each order, the count up to which its n-grams are dropped (the last one for the orders that follow).
    interpolate_unigrams: or <unk> gets all that discounting has set free, as SRILM has it.
    folder: where a large table is written at once, so that it need not stand in memory.
    memory: bytes that counting may take, beside the program and the vocabulary; the counts wait in ``folder``.
    threads: how many count and smooth side by side, by default as many as there are processors; the same table.
    kenlm_compat: take the slip of lmplz's counts of counts, too (see `kenlm_compat.last_counts`).
    weights: the table of each text repeated so often; each is counted once, and its counts are multiplied.
    progress: hears the stage, how many parts of it are done, and of how many.

    Raises `UsageError` for an order outside 1 to 16, an unknown smoothing, thresholds that fall, or weights with which
    a count could pass 2^31.
    """
    check_range("order", order, 1, MAX_ORDER)
    check_range("k", k, 1e-9, 1e9)
    threads = available() if threads is None else threads
    check_range("threads", threads, 1, 1024)
    thresholds = check_thresholds(prune, order)
    if smoothing not in SMOOTHINGS:
        raise UsageError(
            "E-NGRAM-001", f"the smoothing {smoothing!r} is unknown", mend=f"one of {', '.join(SMOOTHINGS)}"
        )
    if any(thresholds) and smoothing not in PRUNABLE:
        what = f"--prune with {smoothing}: what is taken out would be lost"
        raise UsageError("E-PRUNE-004", what, mend=f"--smoothing {', '.join(PRUNABLE)}")
    if kenlm_compat and (smoothing != "modified-kneser-ney" or isinstance(ids, (IdFile, Targets))):
        other = {IdFile: "--memory", TextTargets: "--memory"}.get(type(ids), "--counts")
        what = f"--kenlm-compat with {other if isinstance(ids, (IdFile, Targets)) else smoothing}"
        raise UsageError("E-NGRAM-005", what, mend="it is of modified-kneser-ney, and of a text in memory")
    if any(thresholds) and not isinstance(ids, (IdFile, Targets)) and len(ids) and ids[-1] != EOS:
        ids = np.append(ids, EOS)  # or a context would be rarer than the n-gram that it is
    targets = ids if isinstance(ids, Targets) else TextTargets(ids, order, vocab_size, weights)
    check_total(targets)
    keep_raw = any(thresholds) or smoothing not in ADJUSTED
    parts: Parts = []
    if order > 1:
        per_part, threads = targets_in(memory, vocab_size, order, threads, targets) if memory else (TARGETS, threads)
        put_away = spiller(folder) if memory and folder else Counts.load

        def keep(part: Counts) -> Counts | Spilled:
            return put_away(part if smoothing in ADJUSTED else part.with_raw_counts())

        sizes: dict[str, int] = {"order": order, "vocab_size": vocab_size, "per_part": per_part, "threads": threads}
        parts = count_ngrams(targets, keep=keep, keep_raw=keep_raw, progress=progress, **sizes)
    options = Options(smoothing, thresholds, interpolate_unigrams, k, valid_ids, kenlm_compat)
    table, notes = smooth(parts, targets, vocab_size, options, folder, threads, progress)
    return NGram(table, smoothing, tuple(notes))


def check_total(targets: Targets) -> None:
    """`UsageError` where a weighted count could be more than an int32 holds."""
    if targets.weighted and targets.total > MOST_TOKENS:
        what = f"with their weights the texts stand for {targets.total:,} tokens, counts go to {MOST_TOKENS:,}"
        raise UsageError("E-WEIGHT-003", what, mend="smaller weights in the same ratio")


def targets_in(memory: int, vocab_size: int, order: int, threads: int, targets: Targets) -> tuple[int, int]:
    """How many targets may be counted at once in a thread, and in how many threads, fewer where there is less room.


    Raises `UsageError` where the vocabulary alone takes the memory.
    """
    each = BYTES_OF_A_TARGET + (BYTES_OF_A_WEIGHT if targets.weighted else 0)
    for number in range(threads, 0, -1):
        of_words = vocab_size * order * (8 + 24 * number)
        least = of_words + number * each * 100_000
        if least <= memory:
            return (memory - of_words) // number // each, number
    what = f"--memory is too little for {vocab_size:,} words at order {order}"
    raise UsageError("E-NGRAM-004", what, mend=f"give at least {(least >> 20) + 1}M")

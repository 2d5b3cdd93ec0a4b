"""The n-gram language model: tables of log-probabilities and back-offs, and a state of n - 1 words."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chekhov.errors import ModelError, UsageError, check_range
from chekhov.ngram.counting import Ranks, count_ngrams
from chekhov.ngram.smoothing import modified_kneser_ney
from chekhov.types import BOS, EOS, Arrays, Ids, LogProbs

MAX_ORDER = 16
MAX_VOCAB_SIZE = 1 << 31  # rank * V + word stays far below 2^63
NOTHING = -1


class NGramState(NamedTuple):
    context: Ids  # (B, n - 1) the last words, newest last; -1: nothing there


class NGram:
    """p(w | c) of the longest n-gram that was seen, times the back-offs of the longer contexts that were not.

    Order n as KenLM and ARPA count it: n - 1 words of context. A row starts anew after each </s>. Per order n:
    ``keys`` (sorted, see `counting`), ``log_probs`` and, below the highest, ``log_backoffs`` (natural logs, float32).
    """

    kind = "ngram"

    def __init__(
        self,
        vocab_size: int,
        keys: list[Ranks],
        log_probs: list[NDArray[np.float32]],
        log_backoffs: list[NDArray[np.float32]],
        smoothing: str = "modified-kneser-ney",
        notes: tuple[str, ...] = (),
    ):
        self.vocab_size, self.order, self.smoothing, self.notes = vocab_size, len(keys), smoothing, notes
        self._keys, self._log_probs, self._log_backoffs = keys, log_probs, log_backoffs

    def initial_state(self, batch_size: int) -> NGramState:
        context = np.full((batch_size, self.order - 1), NOTHING, np.int64)
        context[:, -1:] = BOS
        return NGramState(context)

    def advance(self, state: NGramState, tokens: Ids) -> NGramState:
        return self._state_after(state, np.asarray(tokens, np.int64)[:, None])

    def log_probs(self, state: NGramState) -> LogProbs:
        rows = np.tile(self._log_probs[0], (len(state.context), 1))
        for n, contexts in enumerate(self._context_ranks(state.context), start=1):
            for row, context in zip(rows, contexts[:, -1].tolist(), strict=True):
                if context >= 0:
                    row += self._log_backoffs[n - 1][context]
                    keys = self._keys[n]  # those with this context lie side by side
                    bounds = np.array([context, context + 1]) * self.vocab_size
                    start, end = np.searchsorted(keys, bounds)
                    row[keys[start:end] - bounds[0]] = self._log_probs[n][start:end]
        return rows

    def score(self, state: NGramState, ids: Ids) -> tuple[LogProbs, NGramState]:
        ids = np.asarray(ids, np.int64)
        T = ids.shape[1]
        if T == 0:
            return np.zeros(ids.shape, np.float32), state
        stream = np.concatenate([state.context, np.where(ids == EOS, BOS, ids)], axis=1)
        log_probs = self._log_probs[0][ids].astype(np.float64)
        for n, contexts in enumerate(self._context_ranks(stream[:, :-1]), start=1):
            before = contexts[:, -T:]  # the context of n words before each target
            known = before >= 0
            log_probs[known] += self._log_backoffs[n - 1][before[known]]
            found = self._find(n + 1, before, ids)
            hit = found >= 0
            log_probs[hit] = self._log_probs[n][found[hit]]
        return log_probs.astype(np.float32), self._state_after(state, ids)

    def _context_ranks(self, stream: Ids) -> list[Ranks]:
        """stream (B, T) -> for n = 1 ... order - 1, the rank of the n-gram that ends at each place, or -1."""
        ranks: list[Ranks] = []
        for n in range(1, self.order):
            if n == 1:
                ranks.append(stream)
                continue
            longer = np.full_like(stream, NOTHING)
            longer[:, 1:] = self._find(n, ranks[-1][:, :-1], stream[:, 1:])
            ranks.append(longer)
        return ranks

    def _find(self, n: int, contexts: Ranks, words: Ids) -> Ranks:
        """The ranks at level ``n`` of contexts (ranks at level n - 1) followed by words; -1 if never seen."""
        keys = self._keys[n - 1]
        if not len(keys):
            return np.full_like(contexts, NOTHING)
        wanted = np.where((contexts >= 0) & (words >= 0), contexts * self.vocab_size + words, NOTHING)
        places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.where(keys[places] == wanted, places, NOTHING)

    def _state_after(self, state: NGramState, ids: Ids) -> NGramState:
        """The last n - 1 words, </s> read as the <s> of the next sentence, and nothing before it."""
        width = self.order - 1
        context = np.concatenate([state.context, np.where(ids == EOS, BOS, ids)], axis=1)[:, ids.shape[1] :]
        starts = np.where(context == BOS, np.arange(width), -1).max(axis=1, initial=-1)
        return NGramState(np.where(np.arange(width) < starts[:, None], NOTHING, context))

    # What is stored.

    @property
    def parameter_count(self) -> int:
        return sum(map(len, self._log_probs)) + sum(map(len, self._log_backoffs))

    def sizes(self) -> dict[str, Any]:
        return {"order": self.order, "vocab_size": self.vocab_size, "smoothing": self.smoothing}

    def arrays(self) -> Arrays:
        arrays: Arrays = {f"keys.{n}": keys for n, keys in enumerate(self._keys[1:], start=2)}
        arrays.update({f"log_probs.{n}": logs for n, logs in enumerate(self._log_probs, start=1)})
        arrays.update({f"log_backoffs.{n}": logs for n, logs in enumerate(self._log_backoffs, start=1)})
        return arrays

    @classmethod
    def from_arrays(cls, sizes: dict[str, Any], arrays: Arrays) -> NGram:
        """Raises `ModelError` for tables whose numbers do not fit together: none may lead out of bounds."""
        order, V, smoothing = sizes.get("order"), sizes.get("vocab_size"), sizes.get("smoothing")
        if type(order) is not int or type(V) is not int or type(smoothing) is not str:
            raise damaged("order and vocab_size are integers, smoothing is a name")
        if not (1 <= order <= MAX_ORDER and BOS < V < MAX_VOCAB_SIZE):
            raise damaged(f"order is {order}, vocab_size {V}")
        names = {f"log_probs.{n}" for n in range(1, order + 1)} | {f"log_backoffs.{n}" for n in range(1, order)}
        if set(arrays) != names | {f"keys.{n}" for n in range(2, order + 1)}:
            raise damaged(f"the tables of an order {order} model are expected")
        if arrays["log_probs.1"].shape != (V,):  # before V is believed
            raise damaged(f"{V} words are expected")
        keys = [np.arange(V)] + [arrays[f"keys.{n}"] for n in range(2, order + 1)]
        log_probs = [arrays[f"log_probs.{n}"] for n in range(1, order + 1)]
        log_backoffs = [arrays[f"log_backoffs.{n}"] for n in range(1, order)]
        for n in range(1, order + 1):
            check_level(n, V, keys, log_probs[n - 1], log_backoffs[n - 1] if n < order else None)
        return cls(V, keys, log_probs, log_backoffs, smoothing)


def check_level(n: int, V: int, keys: list[Ranks], log_probs: NDArray[Any], log_backoffs: NDArray[Any] | None) -> None:
    own = keys[n - 1]
    shapes = [log_probs.shape] + ([] if log_backoffs is None else [log_backoffs.shape])
    if any(shape != own.shape for shape in shapes) or own.ndim != 1:
        raise damaged(f"the tables of order {n} differ in length")
    if own.dtype != np.int64 or log_probs.dtype != np.float32:
        raise damaged(f"the tables of order {n} are of another type")
    if n > 1 and len(own) and (own[0] < 0 or own[-1] >= len(keys[n - 2]) * V or (own[1:] <= own[:-1]).any()):
        raise damaged(f"the keys of order {n} are out of order or out of range")
    if np.isnan(log_probs).any() or (log_probs > 1e-5).any():
        raise damaged(f"a log-probability of order {n} is positive or NaN")
    if not np.isneginf(log_probs[own % V == BOS]).all():
        raise damaged(f"<s> is predicted at order {n}")
    if log_backoffs is not None and (log_backoffs.dtype != np.float32 or not np.isfinite(log_backoffs).all()):
        raise damaged(f"a back-off of order {n} is not finite")


def damaged(what: str) -> ModelError:
    return ModelError("E-MODEL-020", f"the n-gram tables do not fit together: {what}", mend="train the model again")


def train_ngram(ids: Ids, *, order: int, vocab_size: int, smoothing: str = "modified-kneser-ney") -> NGram:
    """Count and smooth; ids (N,) with </s> at the end of each sentence (of each document, for characters).

    An order longer than every sentence is no error: the orders that were never seen stay empty. ``notes`` of the model
    say where discounts fell back. Raises `UsageError` for an order outside 1 to 16 or an unknown smoothing.
    """
    check_range("order", order, 1, MAX_ORDER)
    if smoothing != "modified-kneser-ney":
        raise UsageError("E-NGRAM-001", f"the smoothing {smoothing!r} is unknown", mend="modified-kneser-ney")
    levels = count_ngrams(ids, order=order, vocab_size=vocab_size)
    smoothed, notes = modified_kneser_ney(levels, vocab_size)
    return NGram(
        vocab_size,
        [level.keys for level in levels],
        [part.log_probs.astype(np.float32) for part in smoothed],
        [part.log_backoffs.astype(np.float32) for part in smoothed[:-1]],
        smoothing,
        tuple(notes),
    )

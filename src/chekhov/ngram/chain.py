"""A Markov chain: the next token is drawn from those that followed the same k tokens in the text.

    p(w_1 .. w_T) = p(w_1) p(w_2 | w_1) ... p(w_T | w_{T-k} .. w_{T-1})          (the chapter's formula)

Order k = words of context, as the chapter counts (order 1 = bigrams). No smoothing and no sentence ends: what never
followed has probability 0. What is stored is the text itself; the follower lists are sorted out of it when loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chekhov.errors import ModelError, TextError, check_range
from chekhov.ngram.counting import Ranks
from chekhov.types import Arrays, Ids, LogProbs

MAX_ORDER = 100
NOTHING = -1


class ChainState(NamedTuple):
    context: Ids  # (B, k) the last tokens, newest last; -1 where the text (or a restart) is not so long ago


class Followers(NamedTuple):
    """The contexts of one length, and where in the text each stands: its followers in the order of the text."""

    keys: Ranks  # (M,) sorted: rank of the context without its last token * V + last token (length 1: the token)
    offsets: Ranks  # (M + 1,) into places
    places: Ranks  # where a context ends, so that its follower stands at the next place


class Pairs(NamedTuple):
    """For one length, each different (context, follower) with its count."""

    keys: Ranks  # (P,) sorted: rank of the context * V + follower
    counts: Ranks


class Chain:
    """Keeps `chekhov.types.LanguageModel`. A dead end (a context that nothing follows, or that was never seen) gives
    the start distribution, and what is drawn there begins a new context (policy "restart").

    The start distribution is the chapter's: tokens that are not all lower-case, by their frequency (``can_start``).
    """

    kind = "chain"

    def __init__(self, corpus: Ids, can_start: NDArray[np.bool_], order: int):
        self.corpus, self.can_start, self.order = corpus, can_start, order
        self.vocab_size = len(can_start)
        self._levels = follower_lists(corpus, order, self.vocab_size)
        starts = np.bincount(corpus, minlength=self.vocab_size).astype(np.float64)
        if (starts * can_start).any():
            starts *= can_start
        with np.errstate(divide="ignore"):
            self.start_log_probs = np.log(starts / starts.sum()).astype(np.float32)

    def initial_state(self, batch_size: int) -> ChainState:
        return ChainState(np.full((batch_size, self.order), NOTHING, np.int64))

    def advance(self, state: ChainState, tokens: Ids) -> ChainState:
        tokens = np.asarray(tokens, np.int64)
        context = np.concatenate([state.context[:, 1:], tokens[:, None]], axis=1)
        for row, old in zip(context, state.context, strict=True):
            if self._followers(old) is None:  # a restart: what stood before no longer counts
                row[:-1] = NOTHING
        return ChainState(context)

    def log_probs(self, state: ChainState) -> LogProbs:
        rows = np.tile(self.start_log_probs, (len(state.context), 1))
        for row, context in zip(rows, state.context, strict=True):
            followers = self._followers(context)
            if followers is not None:
                counts = np.bincount(followers, minlength=self.vocab_size)
                with np.errstate(divide="ignore"):
                    row[:] = np.log(counts / len(followers))
        return rows

    def score(self, state: ChainState, ids: Ids) -> tuple[LogProbs, ChainState]:
        ids = np.asarray(ids, np.int64)
        log_probs, contexts = np.zeros(ids.shape, np.float32), np.copy(state.context)
        for b, row in enumerate(ids):
            log_probs[b], contexts[b] = self._score_row(state.context[b], row)
        return log_probs, ChainState(contexts)

    def _score_row(self, context: Ids, ids: Ids) -> tuple[NDArray[np.float32], Ids]:
        k, T = self.order, len(ids)
        stream = np.concatenate([context, ids])
        ranks = self._ranks(stream)  # ranks[j - 1][i]: of the context of j tokens that ends at place i
        totals = [np.append(np.diff(level.offsets), 0) for level in self._levels]  # the last for rank -1: never seen
        used = np.empty(T, np.int64)  # length of the context of each target; 0: the start distribution
        length = int((context != NOTHING).sum())
        for i in range(T):
            dead = length == 0 or totals[length - 1][ranks[length - 1][k + i - 1]] == 0
            used[i] = 0 if dead else length
            length = 1 if dead else min(length + 1, k)
        scores = self.start_log_probs[ids]
        for j in range(1, k + 1):
            here = np.flatnonzero(used == j)
            contexts = ranks[j - 1][k + here - 1]
            pairs = self._pairs[j - 1]
            places = find(pairs.keys, contexts * self.vocab_size + ids[here])
            counts = np.where(places >= 0, pairs.counts[places], 0)
            with np.errstate(divide="ignore"):
                scores[here] = np.log(counts / totals[j - 1][contexts])
        after = np.full(k, NOTHING, np.int64)
        after[k - length :] = stream[len(stream) - length :]
        return scores, after

    def _ranks(self, stream: Ids) -> list[Ranks]:
        """stream (N,) -> for j = 1 ... k, the rank of the context of j tokens that ends at each place, or -1."""
        ranks = [np.where(stream == NOTHING, NOTHING, find(self._levels[0].keys, stream))]
        for level in self._levels[1:]:
            longer = np.full_like(stream, NOTHING)
            before = ranks[-1][:-1]
            found = find(level.keys, before * self.vocab_size + stream[1:])
            longer[1:] = np.where((before >= 0) & (stream[1:] >= 0), found, NOTHING)
            ranks.append(longer)
        return ranks

    def _followers(self, context: Ids) -> Ids | None:
        """What followed a context (k,) in the text, in the text's order; None at a dead end or at the start."""
        length = int((context != NOTHING).sum())
        if length == 0:
            return None
        rank = int(self._ranks(context)[length - 1][-1])
        followers = self.followers(length, rank)
        return followers if len(followers) else None

    def rank_of(self, token: int) -> int:
        """The rank of a context of one token; -1 if the text does not hold it."""
        return int(find(self._levels[0].keys, np.array([token]))[0])

    def followers(self, length: int, rank: int) -> Ids:
        """The follower list of one context of ``length`` tokens, as the chapter's dictionary holds it."""
        level = self._levels[length - 1]
        if rank < 0:
            return self.corpus[:0]
        return self.corpus[level.places[level.offsets[rank] : level.offsets[rank + 1]] + 1]

    @cached_property
    def _pairs(self) -> list[Pairs]:
        pairs = []
        for level in self._levels:
            contexts = np.repeat(np.arange(len(level.keys)), np.diff(level.offsets))
            keys, counts = np.unique(contexts * self.vocab_size + self.corpus[level.places + 1], return_counts=True)
            pairs.append(Pairs(keys, counts))
        return pairs

    # What is stored.

    @property
    def parameter_count(self) -> int:
        """Probabilities that are not 0, of contexts of the full length."""
        return len(self._pairs[-1].keys)

    def sizes(self) -> dict[str, Any]:
        return {"order": self.order}

    def arrays(self) -> Arrays:
        return {"corpus": self.corpus.astype(np.int32), "can_start": self.can_start.astype(np.uint8)}

    @classmethod
    def from_arrays(cls, sizes: dict[str, Any], arrays: Arrays) -> Chain:
        corpus, can_start = arrays["corpus"].astype(np.int64), arrays["can_start"].astype(bool)
        order = sizes["order"]
        sound = corpus.ndim == can_start.ndim == 1 and len(corpus) and 1 <= order <= MAX_ORDER
        if not sound or corpus.min() < 0 or corpus.max() >= len(can_start):
            raise ModelError("E-MODEL-021", "the text of the chain does not fit its vocabulary", mend="train it again")
        return cls(corpus, can_start, order)


def follower_lists(corpus: Ids, order: int, vocab_size: int) -> list[Followers]:
    """For contexts of 1 ... order tokens: every place where each ends and something follows, in the text's order."""
    levels, ranks = [], np.empty(0, np.int64)
    for j in range(1, order + 1):
        # The contexts of j tokens end at places j - 1 ... N - 1; ranks[i] belongs to the one that ends at j - 1 + i.
        packed = corpus if j == 1 else ranks[:-1] * vocab_size + corpus[j - 1 :]
        keys, ranks = np.unique(packed, return_inverse=True)
        followed = ranks[:-1]  # the one at the end of the text has no follower
        places = np.argsort(followed, kind="stable")
        offsets = np.concatenate([[0], np.cumsum(np.bincount(followed, minlength=len(keys)))])
        levels.append(Followers(keys, offsets, places + j - 1))
    return levels


def find(keys: Ranks, wanted: Ranks) -> Ranks:
    """The places of ``wanted`` in sorted ``keys``; -1 for what is not there."""
    if not len(keys):
        return np.full_like(wanted, NOTHING)
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[places] == wanted, places, NOTHING)


def train_chain(
    ids: Ids | Sequence[Ids], *, order: int, vocab_size: int, can_start: NDArray[np.bool_] | None = None
) -> Chain:
    """A chain of ``order`` words of context on the ids of a text, (N,) or several of them one after the other.

    ``can_start`` (V,): the tokens that a text may begin with; none given, or none in the text: all.
    Raises `UsageError` for an order outside 1 to 100, `TextError` for a text that is not longer than the order.
    """
    check_range("order", order, 1, MAX_ORDER)
    corpus = np.concatenate([np.asarray(part, np.int64) for part in ids]) if isinstance(ids, (list, tuple)) else ids
    corpus = np.asarray(corpus, np.int64)
    if len(corpus) <= order:
        raise TextError(
            "E-CHAIN-001",
            f"the text has {len(corpus)} tokens; a chain of order {order} needs more than {order}",
            mend="give more text, or a smaller --order",
        )
    return Chain(corpus, np.ones(vocab_size, bool) if can_start is None else can_start, order)

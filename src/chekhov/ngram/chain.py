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
from chekhov.types import Arrays, Ids, LogProbs

Ranks = NDArray[np.int64]
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
        context = np.concatenate([state.context[:, 1:], np.asarray(tokens, np.int64)[:, None]], axis=1)
        restart = self.current_ranks(state.context)[1] < 0  # what stood before no longer counts
        context[restart, :-1] = NOTHING
        return ChainState(context)

    def log_probs(self, state: ChainState) -> LogProbs:
        rows = np.tile(self.start_log_probs, (len(state.context), 1))
        lengths, ranks = self.current_ranks(state.context)
        for b in np.flatnonzero(ranks >= 0).tolist():
            followers = self.followers(int(lengths[b]), int(ranks[b]))
            counts = np.bincount(followers, minlength=self.vocab_size)
            with np.errstate(divide="ignore"):
                rows[b] = np.log(counts / len(followers))
        return rows

    def score(self, state: ChainState, ids: Ids) -> tuple[LogProbs, ChainState]:
        ids = np.asarray(ids, np.int64)
        k, T = self.order, ids.shape[1]
        if T == 0:
            return np.zeros(ids.shape, np.float32), state
        stream = np.concatenate([state.context, ids], axis=1)
        ranks = self._live_ranks(stream)
        lengths = context_lengths(ranks, (state.context != NOTHING).sum(axis=1), k)
        scores = self.start_log_probs[ids]
        for j in range(1, k + 1):
            rows, here = np.nonzero(lengths[:, :T] == j)
            contexts = ranks[j - 1][rows, k + here - 1]
            scores[rows, here] = self._pair_log_probs(j, contexts, ids[rows, here])
        newest = stream[:, T:]
        kept = np.arange(k) >= k - np.maximum(lengths[:, T], 1)[:, None]
        return scores, ChainState(np.where(kept, newest, NOTHING))

    def _pair_log_probs(self, length: int, contexts: Ranks, words: Ids) -> NDArray[np.float64]:
        """log p(word | context) for contexts (N,) of ``length`` tokens, given by their ranks; -inf: never followed."""
        pairs, offsets = self._pairs[length - 1], self._levels[length - 1].offsets
        places = find(pairs.keys, contexts * self.vocab_size + words)
        counts = np.where(places >= 0, pairs.counts[places], 0)
        with np.errstate(divide="ignore"):
            return np.log(counts / (offsets[contexts + 1] - offsets[contexts]))

    def _live_ranks(self, stream: Ids) -> list[Ranks]:
        """stream (B, N) -> for j = 1 ... k, the rank (B, N) of the context of j tokens that ends at each place.

        -1 where nothing follows it in the text, because it never stood there or only at its very end.
        """
        live, before = [], np.empty(0, np.int64)
        for j, level in enumerate(self._levels):
            if j == 0:
                ranks = np.where(stream >= 0, find(level.keys, stream), NOTHING)
            else:
                ranks = np.full_like(stream, NOTHING)
                known = (before[:, :-1] >= 0) & (stream[:, 1:] >= 0)
                found = find(level.keys, before[:, :-1] * self.vocab_size + stream[:, 1:])
                ranks[:, 1:] = np.where(known, found, NOTHING)
            followed = level.offsets[ranks + 1] > level.offsets[np.maximum(ranks, 0)]
            live.append(np.where(followed, ranks, NOTHING))
            before = ranks
        return live

    def current_ranks(self, contexts: Ids) -> tuple[Ids, Ranks]:
        """contexts (B, k) -> their lengths (B,), and their ranks among the contexts of that length; -1: a restart."""
        lengths = (contexts != NOTHING).sum(axis=1)
        last = np.stack([ranks[:, -1] for ranks in self._live_ranks(contexts)], axis=1)
        own = np.take_along_axis(last, np.maximum(lengths - 1, 0)[:, None], axis=1)[:, 0]
        return lengths, np.where(lengths > 0, own, NOTHING)

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
        """Raises `ModelError` for a text with other ids than the vocabulary's, or not longer than the order."""
        corpus, can_start = arrays.get("corpus", np.empty(0)), arrays.get("can_start", np.empty(0))
        order = sizes.get("order", 0)
        sound = (
            (corpus.dtype, can_start.dtype) == (np.int32, np.uint8)
            and corpus.ndim == can_start.ndim == 1
            and type(order) is int
            and 1 <= order <= min(MAX_ORDER, len(corpus) - 1)
            and corpus.min() >= 0
            and corpus.max() < len(can_start)
        )
        if not sound:
            raise ModelError("E-MODEL-021", "the text of the chain does not fit its vocabulary", mend="train it again")
        return cls(corpus.astype(np.int64), can_start.astype(bool), order)


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


def context_lengths(live: list[Ranks], given: Ids, k: int) -> Ids:
    """How many tokens of context each target is drawn with, (B, T + 1): 0 at a restart, and at most k.

    ``live`` is `Chain._live_ranks` of a stream (B, k + T) whose first k places are the context, of which ``given`` (B,)
    tokens are there. A run of context begins at one place, its origin, and ends at the first target whose context is
    dead; that target is the next origin. So each place has one next origin, and the origins of a text are found by
    doubling: after m rounds, all that lie within 2^m runs. The last column is for the target after the text.
    """
    B, end = live[0].shape
    places = np.arange(end + 1)
    dead = [np.pad(ranks < 0, ((0, 0), (1, 0))) for ranks in live]  # dead[j - 1][b, q]: context of j tokens before q
    for mask in dead:
        mask[:, :k] = False  # what the state holds was alive when it was read
        mask[:, end] = True  # the end of the text ends every run
    first_dead = np.minimum.accumulate(np.where(dead[-1], places, end)[:, ::-1], axis=1)[:, ::-1]
    following = first_dead[:, np.minimum(places + k, end)]
    for j in range(k - 1, 0, -1):
        target = np.minimum(places + j, end)
        following = np.where(dead[j - 1][:, target], target, following)
    origin, rows = (k - given)[:, None], np.arange(B)[:, None]
    is_origin = places == origin
    while True:
        row, place = np.nonzero(is_origin)
        is_origin[row, following[row, place]] = True
        if (following[rows, origin] == end).all():
            break
        following = np.take_along_axis(following, following, axis=1)
    is_origin[:, end] = False
    newest = np.maximum.accumulate(np.where(is_origin, places, -1), axis=1)
    return np.minimum(places - newest, k)[:, k:]


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

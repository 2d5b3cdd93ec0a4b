"""A Markov chain of sentences: it knows how they begin and where they end, and its followers have weights.

    p(w_1 .. w_T </s>) = prod_i p(w_i | w_{i-k} .. w_{i-1})        w_0, w_{-1}, ...: before the beginning

A state is the k words before, fewer at the beginning of a sentence; an entry is a word that follows it (or the end),
its weight, and the state after it. What `Chain` is to the chapter's program, this is to Markov text.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from chekhov.errors import TextError

Ints = NDArray[np.int32]
Sizes = NDArray[np.int64]
END = -1
RADIX_BITS = 11  # of a pass
BEFORE = -1  # as a word of a state: the sentence has not begun


@dataclass(frozen=True)
class SentenceChain:
    """states (S, k): their words, the oldest first, `BEFORE` before the beginning; offsets (S + 1,): their entries.
    follows (E,), nexts (E,): words or `END`, and the states after them. cumulative (E,): weights added up within each
    state. begin: the state before the first word, -1 where no sentence was counted from its beginning."""

    states: Ints
    offsets: Sizes
    follows: Ints
    nexts: Ints
    cumulative: NDArray[np.float32]
    begin: int

    @property
    def order(self) -> int:
        return self.states.shape[1]

    @cached_property
    def arrays(self) -> tuple[NDArray[np.int64] | Ints | NDArray[np.float32], ...]:
        """What the kernels read."""
        return self.offsets, self.follows, self.cumulative, self.nexts

    @cached_property
    def places(self) -> dict[tuple[int, ...], int]:
        """The number of each state."""
        return {tuple(state): i for i, state in enumerate(self.states.tolist())}

    def weights(self) -> NDArray[np.float32]:
        """(E,)."""
        weights = np.diff(self.cumulative, prepend=np.float32(0))
        first = self.offsets[:-1]
        weights[first] = self.cumulative[first]
        return weights


def count_sentences(ids: Ints, ends: Sizes, order: int, weights: NDArray[np.float64] | None = None) -> SentenceChain:
    """ids (N,): the words of all sentences; ends (M,): where each ends; weights (M,): what each counts, else 1.

    `TextError` where there is no sentence.
    """
    from chekhov.ngram import sentence_kernels as kernels

    if len(ends) == 0:
        raise TextError("E-MARKOV-001", "there is no sentence", mend="give a text with sentences in it")
    size, base = len(ids) + len(ends), int(ids.max(initial=0)) + 2  # a word + 1 is a digit, `BEFORE` the digit 0
    fits = base ** (order + 1) < 1 << 62
    if fits:
        keys = np.empty(size, np.int64)
        kernels.number_entries(ids, ends, base, order, keys)
    else:
        targets, before = laid_out(ids, ends)
        keys = long_keys(targets, before, base, order)
    keys, places = sorted_pairs(keys)
    S, E = kernels.count_entries(keys, base)
    states = np.full((S, order), BEFORE, np.int32)
    ranks, examples, offsets = np.empty(size, np.int32), np.empty(0 if fits else S, np.int32), np.empty(S + 1, np.int64)
    sums = np.empty(E, np.float32)
    own = np.empty(0) if weights is None else np.repeat(weights, np.diff(ends, prepend=0) + 1)
    kernels.find_entries(keys, places, base, own, ranks, states, examples, offsets, sums)
    follows = keys[:E].astype(np.int32)
    del keys
    nexts = np.empty(E, np.int32)
    kernels.find_nexts(follows, places, ranks, nexts)
    del places
    for j in range(1, order + 1) if not fits else ():
        has = before[examples] >= j
        states[has, order - j] = targets[examples[has] - j]
    return SentenceChain(states, offsets, follows, nexts, sums, int(ranks[0]))


def laid_out(ids: Ints, ends: Sizes) -> tuple[Ints, Ints]:
    """targets (N + M,): the words of each sentence and `END` after them; before: how many words stand before each."""
    lengths = np.diff(ends, prepend=0) + 1
    targets = np.full(len(ids) + len(ends), END, np.int32)
    is_word = np.ones(len(targets), bool)
    is_word[np.cumsum(lengths) - 1] = False
    targets[is_word] = ids
    begins = np.repeat(np.cumsum(lengths) - lengths, lengths)
    return targets, np.arange(len(targets), dtype=np.int32) - begins.astype(np.int32)


def long_keys(targets: Ints, before: Ints, base: int, order: int) -> NDArray[np.int64]:
    """A number for each entry where its words as digits do not fit into 62 bits: their ranks do, word by word."""
    keys = np.zeros(len(targets), np.int64)
    for j in range(order, 0, -1):
        word = np.zeros(len(targets), np.int64)
        word[j:] = targets[:-j]
        keys = np.unique(keys * base + np.where(before >= j, word + 1, 0), return_inverse=True)[1]
    return keys * base + targets + 1


def sorted_pairs(keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], Ints]:
    """The keys (N,), none below 0, sorted, and where each stood. The keys given are written over."""
    from chekhov.ngram import sentence_kernels as kernels

    places = np.arange(len(keys), dtype=np.int32)
    more_keys, more_places = np.empty_like(keys), np.empty_like(places)
    width = int(keys.max(initial=0)).bit_length()
    passes = -(-width // RADIX_BITS)
    for i in range(passes):
        kernels.sort_pairs(keys, places, width * i // passes, -(-width // passes), more_keys, more_places)
        keys, more_keys, places, more_places = more_keys, keys, more_places, places
    return keys, places


def added_up(weights: NDArray[np.generic], offsets: Sizes) -> NDArray[np.float32]:
    """Within each state, in float64: as float32, whole numbers are exact up to 2^24."""
    from chekhov.ngram import sentence_kernels as kernels

    sums = np.empty(len(weights), np.float32)
    kernels.add_up(np.asarray(weights, np.float64), offsets, sums)
    return sums


def chain_of_rows(states: Ints, follows: Ints, weights: NDArray[np.float64]) -> SentenceChain:
    """From entries in any order, a state (E, k), a follower and a weight each; equal ones are added up.

    A follower that leads to a state without entries ends the sentence. `TextError` where there is no entry.
    """
    if len(follows) == 0:
        raise TextError("E-MARKOV-001", "there is no sentence", mend="give a text with sentences in it")
    k = states.shape[1]
    columns = [follows, *(states[:, j] for j in range(k - 1, -1, -1))]
    order = np.lexsort(columns)
    states, follows, weights = states[order], follows[order], weights[order]
    new_state = np.concatenate([[True], (states[1:] != states[:-1]).any(axis=1)])
    first = np.flatnonzero(new_state | np.concatenate([[True], follows[1:] != follows[:-1]]))
    weights = np.add.reduceat(weights, first)
    numbers = (np.cumsum(new_state) - 1)[first]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(numbers))])
    own, follows = states[new_state], follows[first]
    wanted = np.concatenate([own[numbers, 1:], follows[:, None]], axis=1)
    nexts = np.where(follows == END, END, rows_of(wanted, own)).astype(np.int32)
    begin = int(rows_of(np.full((1, k), BEFORE, np.int32), own)[0])
    return SentenceChain(own, offsets, follows, nexts, added_up(weights, offsets), begin)


def rows_of(wanted: Ints, rows: Ints) -> NDArray[np.int64]:
    """The place of each row of ``wanted`` among ``rows``, which are all different; -1 if it is not there."""
    keys, own = hashes(wanted), hashes(rows)
    in_order = np.argsort(own, kind="stable")
    if (np.diff(own[in_order]) == 0).any():  # two rows of one hash: once in thousands of years
        places = {tuple(row): i for i, row in enumerate(rows.tolist())}
        return np.array([places.get(tuple(row), -1) for row in wanted.tolist()], np.int64)
    found = in_order[np.minimum(np.searchsorted(own[in_order], keys), len(own) - 1)]
    return np.where((rows[found] == wanted).all(axis=1), found, -1)


def hashes(rows: Ints) -> NDArray[np.uint64]:
    value = np.zeros(len(rows), np.uint64)
    with np.errstate(over="ignore"):
        for column in rows.T:
            value = (value ^ (column.astype(np.int64).view(np.uint64))) * np.uint64(0x9E3779B97F4A7C15)
            value ^= value >> np.uint64(29)
    return value


@dataclass(frozen=True)
class SpanIndex:
    """The words of a text (N,), and where each span of three stands: see `sentence_kernels.index_grams`."""

    ids: Ints
    begins: Ints
    places: Ints
    bits: int

    @classmethod
    def of(cls, ids: Ints) -> SpanIndex:
        from chekhov.ngram import sentence_kernels

        bits = max(4, len(ids).bit_length())
        begins, places = np.zeros((1 << bits) + 1, np.int32), np.empty(max(0, len(ids) - 2), np.int32)
        sentence_kernels.index_grams(ids, bits, begins, places)
        return cls(ids, begins, places, bits)

    @property
    def arrays(self) -> tuple[Ints, Ints, Ints, int]:
        return self.ids, self.begins, self.places, self.bits

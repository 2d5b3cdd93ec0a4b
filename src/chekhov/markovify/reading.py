"""markovify's JSON, read by kernels where it has the usual form."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chekhov.ngram.sentence_chain import BEFORE, END, SentenceChain, added_up
from chekhov.tasks.markov_text import Sentences

Bytes = NDArray[np.uint8]
ROOM = 1 << 14  # different words that there is room for at first, at least
LARGE = 1 << 16  # bytes of JSON from which on it is worth it


def read_chain(data: bytes, begin: str, end: str) -> tuple[list[str], SentenceChain] | None:
    """The words and the chain of a list of states; None for another form, which the general reader may understand.

    begin, end: the words that stand for the beginning and the end of a sentence.
    """
    from chekhov.markovify import json_kernels as kernels
    from chekhov.ngram.arpa_kernels import fill_map

    size = data[: data.find(b"]")].count(b'"') // 2 if b"]" in data[:10_000] else 0
    if not 1 <= size <= 16 or len(data) < LARGE:
        return None
    text = np.frombuffer(data, np.uint8)
    room = len(data) // 8  # pages that are never written to take no memory
    states, lengths = np.empty((room, size), np.int32), np.empty(room, np.int32)
    follows, weights = np.empty(room, np.int32), np.empty(room)
    found = with_room(text, lambda *table: kernels.read_chain(text, size, *table, states, lengths, follows, weights))
    if found is None:
        return None
    S, E, words = found
    if begin not in words or end not in words or len(set(words)) != len(words):
        return None
    states, lengths, follows, weights = states[:S], lengths[:S], follows[:E], weights[:E]
    first, last = words.index(begin), words.index(end)
    kept = [word for word in words if word not in (begin, end)]
    numbers = np.cumsum([word not in (begin, end) for word in words]).astype(np.int32) - 1
    numbers[first], numbers[last] = BEFORE, END
    if (states == last).any() or (follows == first).any():
        return None
    states, follows = numbers[states], numbers[follows]
    base = len(kept) + 1
    if base**size >= 1 << 62:
        return None
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    keys = np.zeros(S, np.int64)
    for column in states.T:
        keys = keys * base + (column + 1)
    slot_keys = np.empty(1 << (2 * S).bit_length(), np.int64)
    slot_rows = np.full(len(slot_keys), -1, np.int32)
    if fill_map(keys, slot_keys, slot_rows) >= 0:
        return None  # a state stands twice
    nexts = np.empty(E, np.int32)
    after = np.repeat(keys % base ** (size - 1), lengths) * base + (follows + 1)
    kernels.find_states(after, slot_keys, slot_rows, nexts)
    nexts[follows == END] = END
    start = np.empty(1, np.int32)
    kernels.find_states(np.zeros(1, np.int64), slot_keys, slot_rows, start)
    if start[0] < 0:
        return None
    return kept, SentenceChain(states, offsets, follows, nexts, added_up(weights, offsets), int(start[0]))


def read_sentences(data: bytes, words: list[str]) -> Sentences | None:
    """A list of lists of words, numbered as in ``words``, new ones behind; None for another form."""
    from chekhov.markovify import json_kernels as kernels

    if len(data) < LARGE:
        return None
    text = np.frombuffer(data, np.uint8)
    room = len(data) // 4
    numbers, ends = np.empty(room, np.int32), np.empty(room, np.int64)
    found = with_room(text, lambda *table: kernels.read_sentences(text, *table, numbers, ends))
    if found is None:
        return None
    S, E, own = found
    ids = {word: id for id, word in enumerate(words)}
    of_own = np.array([ids.setdefault(word, len(ids)) for word in own], np.int32)
    return Sentences(list(ids), of_own[numbers[:E]], ends[:S].copy())


def with_room(text: Bytes, read: Callable[..., tuple[int, int, int]]) -> tuple[int, int, list[str]] | None:
    """Read with a table of words that is large enough: (first count, second count, the words)."""
    from chekhov.markovify import json_kernels as kernels

    room = max(ROOM, len(text) >> 7)
    while True:
        types = np.empty((room, 3), np.int64)
        count, other, known = read(types, np.full(1 << (4 * room).bit_length(), -1, np.int32))
        if count != kernels.NO_ROOM:
            break
        room *= 4
    if count < 0:
        return None
    raw = text.tobytes()
    try:
        words: Any = json.loads(
            b"[" + b",".join([b'"' + raw[a:b] + b'"' for a, b in types[:known, 1:].tolist()]) + b"]"
        )
    except ValueError:
        return None
    return count, other, words

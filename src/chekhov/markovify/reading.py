"""markovify's JSON, read by kernels where it has the usual form."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from chekhov.ngram.sentence_chain import BEFORE, END, SentenceChain, added_up
from chekhov.tasks.markov_text import Sentences

Bytes = NDArray[np.uint8]
ROOM = 1 << 14  # different words that there is room for at first, at least
LARGE = 1 << 16  # bytes of JSON from which on it is worth it
_as_utf8 = ctypes.pythonapi.PyUnicode_AsUTF8AndSize
_as_utf8.restype = ctypes.c_void_p


def bytes_of(text: str) -> Bytes:
    """UTF-8 of a string. Of one in ASCII, as `json.dumps` gives, these are its own bytes."""
    if not text.isascii():
        return np.frombuffer(text.encode(errors="replace"), np.uint8)
    size = ctypes.c_ssize_t()
    address = _as_utf8(ctypes.py_object(text), ctypes.byref(size))
    view: Any = (ctypes.c_uint8 * size.value).from_address(address)
    view.text = text  # which lives as long as what is made of its bytes
    return np.ctypeslib.as_array(view)


def read_chain(text: Bytes, begin: str, end: str, level: int = 0) -> tuple[list[str], SentenceChain] | None:
    """The words and the chain of a list of states; None for another form, which the general reader may understand.

    begin, end: the words that stand for the beginning and the end of a sentence. level: 1 where the list is itself a
    string of JSON.
    """
    from chekhov.markovify import json_kernels as kernels
    from chekhov.ngram.arpa_kernels import fill_map

    first_state = text[:10_000].tobytes().partition(b"]")[0]
    size = first_state.count(b'"') // 2
    if not 1 <= size <= 16 or len(text) < LARGE:
        return None
    room = len(text) // 8  # pages that are never written to take no memory
    states, lengths = np.empty((room, size), np.int32), np.empty(room, np.int32)
    follows, weights = np.empty(room, np.int32), np.empty(room)
    found = with_room(
        text, level, lambda *table: kernels.read_chain(text, level, size, *table, states, lengths, follows, weights)
    )
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


def read_sentences(text: Bytes, words: list[str]) -> Sentences | None:
    """A list of lists of words, numbered as in ``words``, new ones behind; None for another form."""
    from chekhov.markovify import json_kernels as kernels

    if len(text) < LARGE:
        return None
    room = len(text) // 4
    numbers, ends = np.empty(room, np.int32), np.empty(room, np.int64)
    found = with_room(text, 0, lambda *table: kernels.read_sentences(text, *table, numbers, ends))
    if found is None:
        return None
    S, E, own = found
    ids = dict(zip(words, range(len(words)), strict=True))
    of_own = np.array([ids.setdefault(word, len(ids)) for word in own], np.int32)
    return Sentences(list(ids), of_own[numbers[:E]], ends[:S].copy())


def with_room(text: Bytes, level: int, read: Callable[..., tuple[int, int, int]]) -> tuple[int, int, list[str]] | None:
    """Read with a table of words that is large enough: (first count, second count, the words)."""
    from chekhov.markovify import json_kernels as kernels

    room = max(ROOM, len(text) >> 9)
    while True:
        types = np.empty((room, 3), np.int64)
        count, other, known = read(types, np.full(1 << (2 * room).bit_length(), -1, np.int32))
        if count != kernels.NO_ROOM:
            break
        room *= 4
    if count < 0:
        return None
    types = types[:known]
    spelt = np.empty(int((types[:, 2] - types[:, 1]).sum()) + 3 * known + 1, np.uint8)
    size = kernels.spell_words(text, level, types, spelt)
    if size < 0:
        return None
    try:
        return count, other, msgspec.json.decode(spelt[:size].data, type=list[str])
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError):
        return None

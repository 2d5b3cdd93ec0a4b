"""markovify's JSON, read by kernels where it has the usual form."""

from __future__ import annotations

import ctypes
import json
import re
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from chekhov.ngram.sentence_chain import BEFORE, END, SentenceChain, added_up
from chekhov.tasks.markov_text import Sentences

Bytes = NDArray[np.uint8]
ROOM = 1 << 14  # different words that there is room for at first, at least
HEAD = re.compile(rb'\s*\{\s*"state_size"\s*:\s*(\d{1,9})\s*,\s*"chain"\s*:\s*"')
BETWEEN = re.compile(rb'"\s*,\s*"parsed_sentences"\s*:\s*(null)?')
TAIL = re.compile(rb"\s*\}\s*")
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


def read_text(text: Bytes, begin: str, end: str) -> tuple[int, list[str], SentenceChain, Sentences | None] | None:
    """What `Text.to_json` gives: the state size, words, chain and sentences; None for another form."""
    head = HEAD.match(text[:200].tobytes())
    chain = read_chain(text, begin, end, at=head.end(), level=1) if head else None
    if head is None or chain is None:
        return None
    words, core, at = chain
    between = BETWEEN.match(text[at : at + 100].tobytes())
    if between is None:
        return None
    sentences, at = None, at + between.end()
    if between[1] is None:
        found = read_sentences(text, at, words)
        if found is None:
            return None
        sentences, at = found
    if TAIL.fullmatch(text[at:].tobytes()) is None:
        return None
    return int(head[1]), words, core, sentences


def read_chain(
    text: Bytes, begin: str, end: str, at: int = 0, level: int = 0
) -> tuple[list[str], SentenceChain, int] | None:
    """The words and the chain of the list of states that begins at ``at``, and the place behind it; None for another
    form, which the general reader may understand.

    begin, end: the words that stand for the beginning and the end of a sentence. level: 1 where the list is itself a
    string of JSON.
    """
    from chekhov.markovify import json_kernels as kernels
    from chekhov.ngram.arpa_kernels import fill_map

    first_state = text[at : at + 10_000].tobytes().partition(b"]")[0]
    size = first_state.count(b'"') // 2
    if not 1 <= size <= 16 or len(text) < LARGE:
        return None
    most = len(text) // 8  # pages that are never written to take no memory
    listed, lengths = np.empty(most * size, np.int32), np.empty(most, np.int32)
    follows, weights = np.empty(most, np.int32), np.empty(most)
    room = max(ROOM, len(text) >> 9)
    while True:
        table = new_table(room, len(text))
        stop, S, E, known = kernels.read_chain(text, at, level, size, *table, listed, lengths, follows, weights)
        if stop != kernels.NO_ROOM:
            break
        room *= 4
    words = spelt_words(table, 0, known, level) if stop >= 0 else None
    if words is None:
        return None
    if begin not in words or end not in words or len(set(words)) != len(words):
        return None
    lengths, follows, weights = lengths[:S], follows[:E], weights[:E]
    first, last = words.index(begin), words.index(end)
    kept = [word for word in words if word not in (begin, end)]
    numbers = np.cumsum([word not in (begin, end) for word in words]).astype(np.int32) - 1
    numbers[first], numbers[last] = BEFORE, END
    states = listed[: S * size].reshape(S, size)
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
    kernels.find_nexts(keys, offsets, follows, base ** (size - 1), base, slot_keys, slot_rows, nexts)
    start = np.flatnonzero(keys == 0)
    if len(start) == 0:
        return None
    return kept, SentenceChain(states, offsets, follows, nexts, added_up(weights, offsets), int(start[0])), stop


def read_sentences(text: Bytes, at: int, words: list[str]) -> tuple[Sentences, int] | None:
    """The list of lists of words that begins at ``at``, numbered as in ``words``, new ones behind, and the place behind
    it; None for another form."""
    from chekhov.markovify import json_kernels as kernels

    if len(text) < LARGE:
        return None
    numbers, ends = np.empty(len(text) // 4, np.int32), np.empty(len(text) // 4, np.int64)
    own, room = np.frombuffer(json.dumps([words]).encode(), np.uint8), len(words) + ROOM
    while True:
        table = new_table(room, len(own) + len(text))
        known = kernels.read_sentences(own, 0, 0, *table, numbers, ends)[3]  # as one sentence
        if known != len(words):
            return None
        stop, S, E, known = kernels.read_sentences(text, at, known, *table, numbers, ends)
        if stop != kernels.NO_ROOM:
            break
        room *= 4
    more = spelt_words(table, len(words), known, 0) if stop >= 0 else None
    if more is None:
        return None
    ids, ends = numbers[:E].copy(), ends[:S].copy()
    if more:  # words that are not in the chain, or that are spelt in another way
        known_words = {word: id for id, word in enumerate(words)}
        more_ids = [known_words.setdefault(word, len(known_words)) for word in more]
        words, ids = list(known_words), np.array([*range(len(words)), *more_ids], np.int32)[ids]
    return Sentences(words, ids, ends), stop


def new_table(room: int, characters: int) -> tuple[NDArray[np.int64], NDArray[np.int32], Bytes]:
    """Room for so many different words: types, slots and spellings of `json_kernels.read_word`."""
    slots = np.full(1 << (2 * room).bit_length(), -1, np.int32)
    return np.empty((room, 3), np.int64), slots, np.empty(characters, np.uint8)


def spelt_words(table: tuple[Any, ...], first: int, known: int, level: int) -> list[str] | None:
    """The words from number ``first`` on; None where one is no string of JSON."""
    from chekhov.markovify import json_kernels as kernels

    types, _, spellings = table
    types = types[first:known]
    if len(types) == 0:
        return []
    spelt = np.empty(int((types[:, 2] - types[:, 1]).sum()) + 3 * len(types) + 1, np.uint8)
    size = kernels.spell_words(spellings, level, types, spelt)
    if size < 0:
        return None
    try:
        words: list[str] = msgspec.json.decode(spelt[:size].data, type=list[str])
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError):
        return None
    return words

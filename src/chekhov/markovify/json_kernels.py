"""Reading markovify's JSON at the speed of memory: words are numbered as they stand there, escapes and all.

What is not exactly of the expected form is left to the general reader, which says what is wrong.
"""

from __future__ import annotations

import numpy as np

from chekhov.kernels.jit import inlined, kernel
from chekhov.ngram.arpa_kernels import read_number, scatter
from chekhov.tokens.text_kernels import END, HASH, NOTHING, START, equal

OTHER, NO_ROOM = -1, -2  # another form; more different words than there is room for


@inlined
def skip(text, i):
    while i < len(text) and (text[i] == 32 or text[i] == 10 or text[i] == 13 or text[i] == 9):
        i += 1
    return i


@inlined
def follows(text, i, byte):
    """Behind ``byte``, which must be the next that is no blank; `OTHER` if it is not."""
    i = skip(text, i)
    return i + 1 if i < len(text) and text[i] == byte else OTHER


@inlined
def another(text, i):
    """(Behind a comma if there is one, whether there is): in a list or an object that goes on."""
    i = skip(text, i)
    goes_on = i < len(text) and text[i] == 44
    return i + goes_on, goes_on


@inlined
def ended(text, i):
    """Does the outermost list end here, and nothing follow?"""
    i = follows(text, i, 93)
    return i >= 0 and skip(text, i) == len(text)


@kernel
def read_word(text, i, types, known, slots):
    """The string at i: (the place behind it, its number, how many words are known); `OTHER` or `NO_ROOM` for the place.

    types (room, 3): hash, start and end in ``text`` of each; slots: a power of two of them, open addressing.
    """
    i = skip(text, i)
    if i >= len(text) or text[i] != 34:
        return OTHER, 0, known
    begin = i + 1
    i = begin
    key = np.uint64(0xCBF29CE484222325)
    while i < len(text) and text[i] != 34:
        if text[i] == 92:
            key = (key ^ np.uint64(92)) * np.uint64(0x100000001B3)
            i += 1
            if i >= len(text):
                return OTHER, 0, known
        key = (key ^ np.uint64(text[i])) * np.uint64(0x100000001B3)
        i += 1
    if i >= len(text):
        return OTHER, 0, known
    full, mask = np.int64(key ^ (key >> np.uint64(29))), len(slots) - 1
    slot = full & mask
    while slots[slot] != NOTHING:
        number = slots[slot]
        same = types[number, HASH] == full and types[number, END] - types[number, START] == i - begin
        if same and equal(text, begin, text, types[number, START], i - begin):
            return i + 1, number, known
        slot = (slot + 1) & mask
    if known == len(types) or 2 * known >= len(slots):
        return NO_ROOM, 0, known
    types[known, HASH], types[known, START], types[known, END], slots[slot] = full, begin, i, known
    return i + 1, known, known + 1


@kernel
def read_chain(text, size, types, slots, states, lengths, words, weights):
    """[[[w1, ... w_size], {word: count, ...}], ...]: (states, entries and words there are), or an error for the first.

    states (room, size), lengths (room,): of each its words and how many followers; words, weights: the followers.
    """
    known, S, E = 0, 0, 0
    i = follows(text, 0, 91)
    while i >= 0:
        i = follows(text, i, 91)
        if i >= 0:
            i = follows(text, i, 91)
        for k in range(size):
            if i >= 0 and k > 0:
                i = follows(text, i, 44)
            if i < 0 or len(lengths) == S:
                return OTHER, E, known
            i, states[S, k], known = read_word(text, i, types, known, slots)
            if i < 0:
                return i, E, known
        i = follows(text, i, 93)
        if i >= 0:
            i = follows(text, i, 44)
        if i >= 0:
            i = follows(text, i, 123)
        if i < 0:
            return OTHER, E, known
        lengths[S] = 0
        while True:
            if len(words) == E:
                return OTHER, E, known
            i, words[E], known = read_word(text, i, types, known, slots)
            if i < 0:
                return i, E, known
            i = follows(text, i, 58)
            if i < 0:
                return OTHER, E, known
            i = skip(text, i)
            begin = i
            while i < len(text) and text[i] > 32 and text[i] != 44 and text[i] != 125:
                i += 1
            weights[E], sound = read_number(text, begin, i)
            if not sound or not 0.0 < weights[E] < 1e15:
                return OTHER, E, known
            lengths[S] += 1
            E += 1
            i, goes_on = another(text, i)
            if not goes_on:
                break
        i = follows(text, i, 125)
        if i >= 0:
            i = follows(text, i, 93)
        S += 1
        if i < 0:
            return OTHER, E, known
        i, goes_on = another(text, i)
        if not goes_on:
            return (S if ended(text, i) else OTHER), E, known
    return OTHER, E, known


@kernel
def read_sentences(text, types, slots, words, ends):
    """[[w, ...], ...]: (sentences read, words read, words known), or an error for the first; ends: where each ends."""
    known, S, E = 0, 0, 0
    i = follows(text, 0, 91)
    while i >= 0:
        i = follows(text, i, 91)
        if i < 0 or len(ends) == S:
            return OTHER, E, known
        while True:
            if len(words) == E:
                return OTHER, E, known
            i, words[E], known = read_word(text, i, types, known, slots)
            if i < 0:
                return i, E, known
            E += 1
            i, goes_on = another(text, i)
            if not goes_on:
                break
        i = follows(text, i, 93)
        if i < 0:
            return OTHER, E, known
        ends[S] = E
        S += 1
        i, goes_on = another(text, i)
        if not goes_on:
            return (S if ended(text, i) else OTHER), E, known
    return OTHER, E, known


@kernel
def find_states(keys, slot_keys, slot_rows, rows):
    """The row of each key in a table that `arpa_kernels.fill_map` has filled, -1 for those that are not there."""
    mask = len(slot_keys) - 1
    for i in range(len(keys)):
        rows[i] = NOTHING
        slot = scatter(keys[i]) & mask
        while slot_rows[slot] != NOTHING:
            if slot_keys[slot] == keys[i]:
                rows[i] = slot_rows[slot]
                break
            slot = (slot + 1) & mask

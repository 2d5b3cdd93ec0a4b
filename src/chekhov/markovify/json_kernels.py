"""Reading markovify's JSON at the speed of memory: words are numbered as they stand there, escapes and all.

``level``: 0 for JSON, 1 for JSON that is a string of JSON, as chains are saved: there every ``"`` is ``\\"``.
What is not exactly of the expected form is left to the general reader, which says what is wrong.
"""

from __future__ import annotations

import numpy as np

from chekhov.kernels.jit import inlined, kernel, load_64, lowest_one
from chekhov.ngram.arpa_kernels import read_number, scatter
from chekhov.tokens.text_kernels import END, HASH, NOTHING, START

OTHER, NO_ROOM = -1, -2  # another form; more different words than there is room for
QUOTE, BACKSLASH, COMMA = 34, 92, 44
QUOTES, ONES, HIGH = np.uint64(0x2222222222222222), np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)


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
    goes_on = i < len(text) and text[i] == COMMA
    return i + goes_on, goes_on


@inlined
def ended(text, i):
    """Does the outermost list end here, and nothing follow?"""
    i = follows(text, i, 93)
    return i >= 0 and skip(text, i) == len(text)


@inlined
def eight(text, i):
    """Eight bytes from i on, zeros behind the end."""
    if i + 8 <= len(text):
        return load_64(text, i)
    bits = np.uint64(0)
    for j in range(i, len(text)):
        bits |= np.uint64(text[j]) << np.uint64(8 * (j - i))
    return bits


@inlined
def low_bytes(bits, count):
    """The first ``count`` of eight bytes, fewer than eight."""
    return bits & ((np.uint64(1) << np.uint64(8 * count)) - np.uint64(1))


@inlined
def quote(text, i, level):
    """Behind the quotation mark that must be the next that is no blank; `OTHER` if it is not."""
    i = skip(text, i)
    if level > 0:
        i = i + 1 if i < len(text) and text[i] == BACKSLASH else len(text)
    return i + 1 if i < len(text) and text[i] == QUOTE else OTHER


@kernel
def read_word(text, i, level, types, known, slots):
    """The string at i: (the place behind it, its number, how many words are known); `OTHER` or `NO_ROOM` for the place.

    types (room, 3): hash, start and end in ``text`` of each; slots: a power of two of them, open addressing.
    """
    begin = quote(text, i, level)
    if begin < 0:
        return OTHER, 0, known
    i = begin
    key = np.uint64(0x9E3779B97F4A7C15)
    while True:
        if i >= len(text):
            return OTHER, 0, known
        bits = eight(text, i)
        found = bits ^ QUOTES
        found = (found - ONES) & ~found & HIGH  # the lowest bit is that of the first quotation mark
        width = lowest_one(found) >> 3
        key = (key ^ (low_bytes(bits, width) if width < 8 else bits)) * np.uint64(0xD1B54A32D192ED03)
        key ^= key >> np.uint64(32)
        i += width
        if width == 8:
            continue
        backslashes = 0
        while i - backslashes > begin and text[i - backslashes - 1] == BACKSLASH:
            backslashes += 1
        if backslashes % 4 == 1 if level > 0 else backslashes % 2 == 0:
            break
        if level > 0 and backslashes % 4 != 3:
            return OTHER, 0, known
        i += 1
    after, end = i + 1, i - level
    full, mask = np.int64(key), len(slots) - 1
    slot = full & mask
    while slots[slot] != NOTHING:
        number = slots[slot]
        if types[number, HASH] == full and types[number, END] - types[number, START] == end - begin:
            j, other = begin, types[number, START]
            while j + 8 <= end and load_64(text, j) == load_64(text, other):
                j, other = j + 8, other + 8
            if j + 8 > end and low_bytes(eight(text, j) ^ eight(text, other), end - j) == 0:
                return after, number, known
        slot = (slot + 1) & mask
    if known == len(types) or 2 * known >= len(slots):
        return NO_ROOM, 0, known
    types[known, HASH], types[known, START], types[known, END], slots[slot] = full, begin, end, known
    return after, known, known + 1


@kernel
def spell_words(text, level, types, out):
    """Write the words as a JSON list to ``out``: how many bytes, or `OTHER`."""
    at = 0
    for number in range(len(types)):
        out[at] = COMMA if number > 0 else 91
        out[at + 1] = QUOTE
        at += 2
        i, end = types[number, START], types[number, END]
        while i < end:
            if level > 0 and text[i] == BACKSLASH:
                i += 1
                if i == end or (text[i] != BACKSLASH and text[i] != QUOTE):
                    return OTHER
            out[at] = text[i]
            at, i = at + 1, i + 1
        out[at] = QUOTE
        at += 1
    out[at] = 93
    return at + 1


@inlined
def read_weight(text, i):
    """The number at i: (the place behind it, it, is it one that a count can be)."""
    i = skip(text, i)
    begin, value = i, 0.0
    while i < len(text) and 48 <= text[i] <= 57:
        value, i = value * 10.0 + (text[i] - 48), i + 1
    sound = i > begin
    if i < len(text) and text[i] > 32 and text[i] != COMMA and text[i] != 125:
        while i < len(text) and text[i] > 32 and text[i] != COMMA and text[i] != 125:
            i += 1
        value, sound = read_number(text, begin, i)
    return i, value, sound and 0.0 < value < 1e15


@kernel
def read_chain(text, level, size, types, slots, states, lengths, words, weights):
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
                i = follows(text, i, COMMA)
            if i < 0 or len(lengths) == S:
                return OTHER, E, known
            i, states[S, k], known = read_word(text, i, level, types, known, slots)
            if i < 0:
                return i, E, known
        for byte in (93, COMMA, 123):
            if i >= 0:
                i = follows(text, i, byte)
        if i < 0:
            return OTHER, E, known
        lengths[S] = 0
        while True:
            if len(words) == E:
                return OTHER, E, known
            i, words[E], known = read_word(text, i, level, types, known, slots)
            if i < 0:
                return i, E, known
            i = follows(text, i, 58)
            if i < 0:
                return OTHER, E, known
            i, weights[E], sound = read_weight(text, i)
            if not sound:
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
            i, words[E], known = read_word(text, i, 0, types, known, slots)
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

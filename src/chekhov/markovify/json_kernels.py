"""Reading markovify's JSON at the speed of memory: words are numbered as they stand there, escapes and all.

``level``: 0 for JSON, 1 for JSON that is a string of JSON, as chains are saved: there every ``"`` is ``\\"``.
What is not exactly of the expected form is left to the general reader, which says what is wrong.
"""

from __future__ import annotations

import numpy as np

from chekhov.kernels.jit import inlined, kernel, lowest_one, prefetch
from chekhov.ngram.arpa_kernels import AHEAD, read_number, scatter
from chekhov.tokens.text_kernels import (
    END,
    HASH,
    NOTHING,
    ONES,
    SEED,
    START,
    eight,
    equal,
    low_bytes,
    mixed,
    zeros,
)

OTHER, NO_ROOM = -1, -2  # another form; more different words than there is room for
QUEUE = 128  # words that are numbered together
QUOTE, BACKSLASH, COMMA = 34, 92, 44


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
def quote(text, i, level):
    """Behind the quotation mark that must be the next that is no blank; `OTHER` if it is not."""
    i = skip(text, i)
    if level > 0:
        i = i + 1 if i < len(text) and text[i] == BACKSLASH else len(text)
    return i + 1 if i < len(text) and text[i] == QUOTE else OTHER


@inlined
def scan_word(text, i, level):
    """The string at i: (the place behind it or `OTHER`, where its characters begin and end, their hash)."""
    begin = quote(text, i, level)
    key = SEED
    i = begin
    while i >= 0:
        if i >= len(text):
            return OTHER, 0, 0, np.int64(0)
        bits = eight(text, i)
        width = lowest_one(zeros(bits ^ np.uint64(QUOTE) * ONES)) >> 3  # how far the first quotation mark is
        key = mixed(key, low_bytes(bits, width) if width < 8 else bits)
        i += width
        if width == 8:
            continue
        backslashes = 0
        while i - backslashes > begin and text[i - backslashes - 1] == BACKSLASH:
            backslashes += 1
        if backslashes % 4 == 1 if level > 0 else backslashes % 2 == 0:
            return i + 1, begin, i - level, np.int64(key)
        if level > 0 and backslashes % 4 != 3:
            return OTHER, 0, 0, np.int64(0)
        i += 1
    return OTHER, 0, 0, np.int64(0)


@inlined
def enqueue(text, i, level, slots, queue, queued, target):
    """The place behind the string at i, which is left for `number_words`, or `OTHER`."""
    i, queue[queued, 1], queue[queued, 2], key = scan_word(text, i, level)
    prefetch(slots, key & (len(slots) - 1))
    queue[queued, 0], queue[queued, 3] = key, target
    return i


@inlined
def find_word(text, begin, end, full, known, types, slots, spellings):
    """(The number of the word text[begin:end], or `NO_ROOM`; how many words are known)."""
    mask = len(slots) - 1
    slot = full & mask
    while slots[slot] != NOTHING:
        number = slots[slot]
        start = types[number, START]
        same = types[number, HASH] == full and types[number, END] - start == end - begin
        if same and equal(text, begin, spellings, start, end - begin):
            return number, known
        slot = (slot + 1) & mask
    spelt = types[known - 1, END] if known > 0 else 0
    if known == len(types) or 2 * known >= len(slots) or spelt + end - begin > len(spellings):
        return NO_ROOM, known
    for j in range(begin, end):
        spellings[spelt + j - begin] = text[j]
    types[known, HASH], types[known, START], types[known, END] = full, spelt, spelt + end - begin
    slots[slot] = known
    return known, known + 1


@kernel
def number_words(text, queue, queued, known, types, slots, spellings, states, words):
    """How many words are known after those of ``queue`` (room, 4) have their numbers, or `NO_ROOM`.

    Each there has its hash, begin and end in the text, and for which entry of ``words``, or -1 - which of ``states``,
    it is. types (room, 3): hash, start and end in ``spellings`` of each word, as it stands in JSON; slots: a power of
    two of them, open addressing. All of it is far larger than a cache: what a word needs is asked for before its turn.
    """
    mask = len(slots) - 1
    for q in range(queued):
        number = slots[queue[q, 0] & mask]
        if number != NOTHING:
            prefetch(types, (np.int64(number), 0))
    for q in range(queued):
        number = slots[queue[q, 0] & mask]
        if number != NOTHING:
            prefetch(spellings, types[number, START])
    for q in range(queued):
        number, known = find_word(text, queue[q, 1], queue[q, 2], queue[q, 0], known, types, slots, spellings)
        if number == NO_ROOM:
            return NO_ROOM
        target = queue[q, 3]
        if target >= 0:
            words[target] = number
        else:
            states[-1 - target] = number
    return known


@kernel
def spell_words(spellings, level, types, out):
    """Write the words as a JSON list to ``out``: how many bytes, or `OTHER`."""
    at = 0
    for number in range(len(types)):
        out[at] = COMMA if number > 0 else 91
        out[at + 1] = QUOTE
        at += 2
        i, end = types[number, START], types[number, END]
        while i < end:
            if level > 0 and spellings[i] == BACKSLASH:
                i += 1
                if i == end or (spellings[i] != BACKSLASH and spellings[i] != QUOTE):
                    return OTHER
            out[at] = spellings[i]
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
def read_chain(text, i, level, size, types, slots, spellings, states, lengths, words, weights):
    """[[[w1, ... w_size], {word: count, ...}], ...] at i: (the place behind it, or an error; states, entries and words
    there are).

    states (room * size,), lengths (room,): of each its words and how many followers; words, weights: the followers.
    """
    known, S, E, queued = 0, 0, 0, 0
    queue = np.empty((QUEUE + size, 4), np.int64)
    i = follows(text, i, 91)
    while i >= 0:
        i = follows(text, i, 91)
        if i >= 0:
            i = follows(text, i, 91)
        if queued >= QUEUE:
            known, queued = number_words(text, queue, queued, known, types, slots, spellings, states, words), 0
            if known < 0:
                return known, S, E, 0
        for k in range(size):
            if i >= 0 and k > 0:
                i = follows(text, i, COMMA)
            if i < 0 or len(lengths) == S:
                return OTHER, S, E, known
            i = enqueue(text, i, level, slots, queue, queued, -1 - (S * size + k))
            if i < 0:
                return i, S, E, known
            queued += 1
        for byte in (93, COMMA, 123):
            if i >= 0:
                i = follows(text, i, byte)
        if i < 0:
            return OTHER, S, E, known
        lengths[S] = 0
        while True:
            if len(words) == E:
                return OTHER, S, E, known
            if queued >= QUEUE:
                known, queued = number_words(text, queue, queued, known, types, slots, spellings, states, words), 0
                if known < 0:
                    return known, S, E, 0
            i = enqueue(text, i, level, slots, queue, queued, E)
            if i < 0:
                return i, S, E, known
            queued += 1
            i = follows(text, i, 58)
            if i < 0:
                return OTHER, S, E, known
            i, weights[E], sound = read_weight(text, i)
            if not sound:
                return OTHER, S, E, known
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
            return OTHER, S, E, known
        i, goes_on = another(text, i)
        if not goes_on:
            known = number_words(text, queue, queued, known, types, slots, spellings, states, words)
            return (follows(text, i, 93) if known >= 0 else known), S, E, known
    return OTHER, S, E, known


@kernel
def read_sentences(text, i, known, types, slots, spellings, words, ends):
    """[[w, ...], ...] at i: (the place behind it, or an error; sentences and words read; words known); ends: where each
    ends."""
    S, E, queued, none = 0, 0, 0, words[:0]
    queue = np.empty((QUEUE, 4), np.int64)
    i = follows(text, i, 91)
    while i >= 0:
        i = follows(text, i, 91)
        if i < 0 or len(ends) == S:
            return OTHER, S, E, known
        while True:
            if len(words) == E:
                return OTHER, S, E, known
            if queued == QUEUE:
                known, queued = number_words(text, queue, queued, known, types, slots, spellings, none, words), 0
                if known < 0:
                    return known, S, E, 0
            i = enqueue(text, i, 0, slots, queue, queued, E)
            if i < 0:
                return i, S, E, known
            queued, E = queued + 1, E + 1
            i, goes_on = another(text, i)
            if not goes_on:
                break
        i = follows(text, i, 93)
        if i < 0:
            return OTHER, S, E, known
        ends[S] = E
        S += 1
        i, goes_on = another(text, i)
        if not goes_on:
            known = number_words(text, queue, queued, known, types, slots, spellings, none, words)
            return (follows(text, i, 93) if known >= 0 else known), S, E, known
    return OTHER, S, E, known


@kernel
def find_nexts(keys, offsets, follows, highest, base, slot_keys, slot_rows, nexts):
    """nexts (E,): the state after each entry, -1 for those that are not there and behind ends.

    keys (S,): the words of each state as digits to the ``base``, word + 1, the oldest worth ``highest``; slots: a table
    that `arpa_kernels.fill_map` has filled with them.
    """
    mask = len(slot_keys) - 1
    after = np.empty(len(follows), np.int64)
    for s in range(len(keys)):
        rest = (keys[s] % highest) * base
        for e in range(offsets[s], offsets[s + 1]):
            after[e] = rest + follows[e] + 1
    for e in range(len(after)):
        if e + AHEAD < len(after):
            prefetch(slot_rows, scatter(after[e + AHEAD]) & mask)
            prefetch(slot_keys, scatter(after[e + AHEAD]) & mask)
        nexts[e] = NOTHING
        slot = scatter(after[e]) & mask
        while follows[e] >= 0 and slot_rows[slot] != NOTHING:
            if slot_keys[slot] == after[e]:
                nexts[e] = slot_rows[slot]
                break
            slot = (slot + 1) & mask

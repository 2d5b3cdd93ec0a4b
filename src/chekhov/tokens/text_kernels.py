"""From the bytes of a text to numbers of its tokens, where tokens stand between blanks. One pass, no Python strings."""

from __future__ import annotations

import numpy as np

from chekhov.kernels.jit import inlined, kernel, prefetch

LINE_END = -1
NOTHING = -1
HASH, START, END = 0, 1, 2  # columns of types
BATCH = 64
PLAIN = np.array([not (9 <= byte <= 13 or 28 <= byte <= 32 or byte in (0xC2, 0xE1, 0xE2, 0xE3)) for byte in range(256)])


@inlined
def blank(text, i, end):
    """How many bytes the white space at i has, 0 if it is none: what `str.isspace` says of UTF-8."""
    byte = text[i]
    if byte <= 32:
        return 1 if byte >= 28 or 9 <= byte <= 13 else 0
    if byte < 0xC2 or byte > 0xE3:
        return 0
    if byte == 0xC2:
        return 2 if i + 1 < end and (text[i + 1] == 0x85 or text[i + 1] == 0xA0) else 0
    if byte < 0xE1 or i + 2 >= end:
        return 0
    second, third = text[i + 1], text[i + 2]
    if byte == 0xE1:
        return 3 if second == 0x9A and third == 0x80 else 0
    if byte == 0xE3:
        return 3 if second == 0x80 and third == 0x80 else 0
    if second == 0x80:
        return 3 if third <= 0x8A or third == 0xA8 or third == 0xA9 or third == 0xAF else 0
    return 3 if second == 0x81 and third == 0x9F else 0


@inlined
def equal(text, a, other, b, length):
    for j in range(length):
        if text[a + j] != other[b + j]:
            return False
    return True


@kernel
def hash_types(spellings, types):
    """FNV-1a of each spelling, as `read_tokens` reckons it on the way."""
    for number in range(len(types)):
        key = np.uint64(0xCBF29CE484222325)
        for i in range(types[number, START], types[number, END]):
            key = (key ^ np.uint64(spellings[i])) * np.uint64(0x100000001B3)
        types[number, HASH] = np.int64(key ^ (key >> np.uint64(29)))


@kernel
def fill_slots(slots, types, known):
    """Put the types 0 ... known - 1 into an empty hash table."""
    mask = len(slots) - 1
    for number in range(known):
        slot = types[number, HASH] & mask
        while slots[slot] != NOTHING:
            slot = (slot + 1) & mask
        slots[slot] = number


@kernel
def read_tokens(text, begin, spellings, spelt, types, known, slots, learn, lines, ids):
    """Number the tokens of text[begin:]; returns (where it stopped, tokens and line ends written to ids, types known,
    bytes of spellings used).

    types (room, 3): hash, start, end of type k, which is spelt spellings[start:end]. With ``learn`` new types get the
    next number and are spelt from ``spelt`` on, and it stops where there may be no room for more; else they are
    NOTHING - 1. ``slots``: a power of two of them, numbers of types or NOTHING, found by hash and compared byte by
    byte. ``lines``: LINE_END after each line. Tokens are looked up a batch at a time, so that none waits for memory.
    """
    end, i, written, mask = len(text), begin, 0, len(slots) - 1
    room = min(len(types), len(slots) // 2)
    batch = np.empty((BATCH, 3), np.int64)  # hash, start, end; start -1: the end of a line
    while i < end and not (learn and known + BATCH > room):
        size, before = 0, i
        while i < end and size < BATCH:
            width = blank(text, i, end)
            if width > 0:
                if lines and text[i] == 10:
                    batch[size, START] = NOTHING
                    size += 1
                i += width
                continue
            batch[size, START] = i
            key = np.uint64(0xCBF29CE484222325)
            while i < end and (PLAIN[text[i]] or blank(text, i, end) == 0):
                key = (key ^ np.uint64(text[i])) * np.uint64(0x100000001B3)
                i += 1
            batch[size, HASH], batch[size, END] = np.int64(key ^ (key >> np.uint64(29))), i
            prefetch(slots, batch[size, HASH] & mask)
            size += 1
        if learn and spelt + i - before > len(spellings):
            return before, written, known, spelt
        for t in range(size):
            number = slots[batch[t, HASH] & mask]
            if batch[t, START] >= 0 and number >= 0:
                prefetch(types, (np.int64(number), 0))
        for t in range(size):
            start = batch[t, START]
            if start < 0:
                ids[written] = LINE_END
                written += 1
                continue
            key, length = batch[t, HASH], batch[t, END] - start
            slot = key & mask
            number = slots[slot]
            while number != NOTHING:
                same = types[number, HASH] == key and types[number, END] - types[number, START] == length
                if same and equal(text, start, spellings, types[number, START], length):
                    break
                slot = (slot + 1) & mask
                number = slots[slot]
            if number == NOTHING:
                number = NOTHING - 1
                if learn:
                    number = known
                    types[known, HASH], types[known, START], types[known, END] = key, spelt, spelt + length
                    for j in range(length):
                        spellings[spelt + j] = text[start + j]
                    spelt += length
                    slots[slot] = known
                    known += 1
            ids[written] = number
            written += 1
    return i, written, known, spelt

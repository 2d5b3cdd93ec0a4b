"""From the bytes of a text to numbers of its tokens, where tokens stand between blanks. One pass, no Python strings."""

from __future__ import annotations

import numpy as np

from chekhov.kernels.jit import inlined, kernel, load_64, lowest_one, prefetch
from chekhov.types import UNK

LINE_END = -1
NOTHING = -1
HASH, START, END = 0, 1, 2  # columns of types
BATCH = 64
ONES, HIGH = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
SEED, MIX = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD1B54A32D192ED03)


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
def zeros(bits):
    """The high bit of every zero among eight bytes, and perhaps of some behind the first."""
    return (bits - ONES) & ~bits & HIGH


@inlined
def up_to_32(bits):
    """The high bit of every byte of at most 32, and perhaps of some behind the first."""
    return (bits - ONES * np.uint64(33)) & ~bits & HIGH


@inlined
def mixed(key, bits):
    """The hash of what came before and of eight bytes more."""
    key = (key ^ bits) * MIX
    return key ^ (key >> np.uint64(32))


@inlined
def hash_of(text, i, end):
    """The hash of text[i:end]."""
    key = SEED
    while i + 8 <= end:
        key = mixed(key, load_64(text, i))
        i += 8
    return np.int64(mixed(key, low_bytes(eight(text, i), end - i)) if i < end else key)


@inlined
def equal(text, a, other, b, length):
    """Is text[a:a + length] the same as other[b:b + length]?"""
    end = a + length
    while a + 8 <= end:
        if load_64(text, a) != load_64(other, b):
            return False
        a, b = a + 8, b + 8
    return a == end or low_bytes(eight(text, a) ^ eight(other, b), end - a) == 0


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
def may_be_blank(bits):
    """The high bit of every byte that white space may begin with, and perhaps of some behind the first."""
    lead = np.uint64(0xFC) * ONES & bits ^ np.uint64(0xE0) * ONES
    return up_to_32(bits) | zeros(bits ^ np.uint64(0xC2) * ONES) | zeros(lead)


@inlined
def scan_token(text, i, end):
    """(Where the white space after i begins, or the end; the hash of what is before it)."""
    key, begin = SEED, i
    while i < end:
        bits = eight(text, i)
        found = may_be_blank(bits)
        while found != 0:
            width = lowest_one(found) >> 3
            if i + width >= end:
                break
            if text[i + width] == 32 or blank(text, i + width, end) > 0:
                return i + width, np.int64(mixed(key, low_bytes(bits, width)) if width > 0 else key)
            found &= found - np.uint64(1)
        if i + 8 >= end:
            return end, hash_of(text, begin, end)
        key = mixed(key, bits)
        i += 8
    return end, np.int64(key)


@kernel
def hash_types(spellings, types):
    """The hash of each spelling, as `read_tokens` reckons it."""
    for number in range(len(types)):
        types[number, HASH] = hash_of(spellings, types[number, START], types[number, END])


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
def count_numbers(numbers, counts):
    """Add to counts[k] how often each number k of 0 and more stands there."""
    for number in numbers:
        if number >= 0:
            counts[number] += 1


@kernel
def as_ids(numbers):
    """Numbers of the types of a vocabulary into its ids, in place: `LINE_END` is </s>, what is not known <unk>."""
    for i in range(len(numbers)):
        numbers[i] = numbers[i] + 3 if numbers[i] >= LINE_END else UNK


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
            i, batch[size, HASH] = scan_token(text, i, end)
            batch[size, END] = i
            prefetch(slots, batch[size, HASH] & mask)
            size += 1
        if learn and spelt + i - before > len(spellings):
            return before, written, known, spelt
        for t in range(size):
            number = slots[batch[t, HASH] & mask]
            if batch[t, START] >= 0 and number >= 0:
                prefetch(types, (np.int64(number), 0))
        for t in range(size):
            number = slots[batch[t, HASH] & mask]
            if batch[t, START] >= 0 and number >= 0:
                prefetch(spellings, types[number, START])
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

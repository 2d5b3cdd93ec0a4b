"""Look-ups in a `WordTable`, a batch at a time, so that none waits for memory."""

from __future__ import annotations

import numpy as np

from chekhov.kernels.jit import inlined, kernel, lean, prefetch
from chekhov.tokens.text_kernels import BATCH, BLOCK, END, HASH, START, cut_block, equal, hash_of
from chekhov.types import EOS, UNK

NOTHING = -1
FIRST_ID = 3
HALF = np.int64(32)


@lean
def fill_slots(spellings, starts, slots):
    """Put all words into empty slots."""
    mask = len(slots) - 1
    for number in range(len(starts) - 1):
        key = hash_of(spellings, starts[number], starts[number + 1])
        slot = key & mask
        while slots[slot, 1] != NOTHING:
            slot = (slot + 1) & mask
        slots[slot, 0], slots[slot, 1] = np.int32(key >> HALF), number


@inlined
def walk(slots, key):
    """The number in the first slot whose upper half of the hash is that of ``key``, or `NOTHING`."""
    mask, tag = len(slots) - 1, np.int32(key >> HALF)
    slot, left = key & mask, mask
    number = np.int64(slots[slot, 1])
    while number >= 0 and slots[slot, 0] != tag and left > 0:
        slot = (slot + 1) & mask
        number = np.int64(slots[slot, 1])
        left -= 1
    return number


@lean
def find(text, begin, length, key, spellings, starts, slots):
    """The number of the word text[begin:begin + length], whose hash is ``key``, or `NOTHING`."""
    mask, tag = len(slots) - 1, np.int32(key >> HALF)
    slot = key & mask
    for _ in range(len(slots)):
        number = np.int64(slots[slot, 1])
        if number < 0:
            break
        if slots[slot, 0] == tag and number < len(starts) - 1:
            start = starts[number]
            whole = starts[number + 1] - start == length and start >= 0 and start + length <= len(spellings)
            if whole and equal(text, begin, spellings, start, length):
                return number
        slot = (slot + 1) & mask
    return NOTHING


@inlined
def number_batch(text, batch, size, spellings, starts, slots, numbers):
    """The number of each word of ``batch``, or `NOTHING`; rows without a start have none.

    Each loop asks memory for what the next one reads. Of two words of one hash, which are once in many years, `find`
    tells the second.
    """
    for t in range(size):
        if batch[t, START] >= 0:
            batch[t, HASH] = hash_of(text, batch[t, START], batch[t, END])
            prefetch(slots, (batch[t, HASH] & (len(slots) - 1), 0))
    for t in range(size):
        numbers[t] = NOTHING
        if batch[t, START] >= 0:
            number = walk(slots, batch[t, HASH])
            if 0 <= number < len(starts) - 1:
                numbers[t] = number
                prefetch(starts, number)
    for t in range(size):
        if numbers[t] >= 0:
            prefetch(spellings, starts[numbers[t]])
    for t in range(size):
        if numbers[t] >= 0:
            number, begin = numbers[t], batch[t, START]
            start, length = starts[number], batch[t, END] - begin
            whole = starts[number + 1] - start == length and start >= 0 and start + length <= len(spellings)
            if not (whole and equal(text, begin, spellings, start, length)):
                numbers[t] = find(text, begin, length, batch[t, HASH], spellings, starts, slots)


@kernel
def read_words(text, spellings, starts, slots, lines, ids):
    """The ids of the tokens between blanks, and `EOS` for the end of each line if there are ``lines``: how many."""
    batch, numbers = np.empty((BATCH + BLOCK, 3), np.int64), np.empty(BATCH + BLOCK, np.int64)
    room = np.zeros(2, np.int64), np.zeros(BLOCK, np.int64), np.empty(BLOCK, np.uint8)
    return number_words(text, spellings, starts, slots, lines, ids, batch, numbers, *room)


@lean
def number_words(text, spellings, starts, slots, lines, ids, batch, numbers, state, opened, tail):
    """`read_words`, with room to work in. batch: hash, start, end; start NOTHING: the end of a line."""
    i, written = 0, 0
    while i < len(text) or state[0] > 0:
        size = 0
        while (i < len(text) or state[0] > 0) and size < BATCH:
            size = cut_block(text, i, tail, True, lines, state, opened, batch, size)
            i += BLOCK
        number_batch(text, batch, size, spellings, starts, slots, numbers)
        for t in range(size):
            if batch[t, START] < 0:
                ids[written] = EOS
            else:
                ids[written] = numbers[t] + FIRST_ID if numbers[t] >= 0 else UNK
            written += 1
    return written

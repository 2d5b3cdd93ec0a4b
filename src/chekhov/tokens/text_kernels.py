"""From the bytes of a text to numbers of its tokens, where tokens stand between blanks. One pass, no Python strings."""

from __future__ import annotations

import numpy as np

from chekhov.kernels.jit import bytes_between, inlined, kernel, lean, load_64, lowest_one, prefetch
from chekhov.kernels.sorting_kernels import sort_together

LINE_END = -1
NOTHING = -1
HASH, START, END = 0, 1, 2  # columns of types
BATCH = 64
FIRST_BYTES = np.array([(1 << 8 * count) - 1 for count in range(9)], np.uint64)
BLOCK = 64  # bytes
BLANK = 32
ONE, ONES, HIGH = np.uint64(1), np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
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
def mixed(key, bits):
    """The hash of what came before and of eight bytes more."""
    key = (key ^ bits) * MIX
    return key ^ (key >> np.uint64(32))


@inlined
def part(text, i, count):
    """The first ``count`` of eight bytes from i on: all if there are more, none if it is negative."""
    return eight(text, i) & FIRST_BYTES[min(max(count, 0), 8)]


@inlined
def hash_of(text, i, end):
    """The hash of text[i:end]. Most words have at most 16 bytes: no loop whose end is hard to foresee."""
    n = end - i
    key = part(text, i, n) * MIX + part(text, i + 8, n - 8) * SEED + np.uint64(n)
    if n > 16:
        i += 16
        while i < end:
            key = mixed(key, part(text, i, end - i))
            i += 8
    key = (key ^ (key >> np.uint64(32))) * MIX
    return np.int64(key ^ (key >> np.uint64(29)))


@inlined
def equal(text, a, other, b, length):
    """Is text[a:a + length] the same as other[b:b + length]?"""
    differ = part(text, a, length) ^ part(other, b, length)
    differ |= part(text, a + 8, length - 8) ^ part(other, b + 8, length - 8)
    done = 16
    while done < length and differ == 0:
        differ = part(text, a + done, length - done) ^ part(other, b + done, length - done)
        done += 8
    return differ == 0


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
def cut_block(text, i, tail, unicode, lines, state, starts, batch, size):
    """Cut the 64 bytes from i on into words, which are added to the ``size`` rows of batch; returns how many there are.

    batch[k] gets start and end of a word, or NOTHING for the end of a line, if there are ``lines``. state: is a word
    open that began at starts[0]; how many bytes of white space go on into the next block. Behind the end of the text
    all is white space. tail (64,): room for the last bytes. Without ``unicode`` only ASCII has white space.
    """
    left = len(text) - i
    if left >= 64:
        spaces = bytes_between(text, i, 9, 13) | bytes_between(text, i, 28 if unicode else 32, 32)
        line_ends = bytes_between(text, i, 10, 10)
        leads = bytes_between(text, i, 0xC2, 0xC2) | bytes_between(text, i, 0xE1, 0xE3)
    else:
        tail[:] = 32
        for j in range(left):
            tail[j] = text[i + j]
        spaces = bytes_between(tail, 0, 9, 13) | bytes_between(tail, 0, 28 if unicode else 32, 32)
        line_ends = bytes_between(tail, 0, 10, 10)
        leads = bytes_between(tail, 0, 0xC2, 0xC2) | bytes_between(tail, 0, 0xE1, 0xE3)
    spaces |= (ONE << np.uint64(state[1])) - ONE
    state[1] = 0
    if unicode:
        while leads != 0:
            j = lowest_one(leads)
            width = blank(text, i + j, len(text))
            spaces |= ((ONE << np.uint64(width)) - ONE) << np.uint64(j)
            state[1] = max(0, j + width - 64)
            leads &= leads - ONE
    words = ~spaces
    after_word = words << ONE | np.uint64(state[0])
    begins, ends = words & ~after_word, spaces & after_word
    known, taken = state[0], 0
    while begins != 0:
        starts[known] = i + lowest_one(begins)
        begins &= begins - ONE
        known += 1
    if lines and line_ends != 0:
        events = ends | line_ends
        while events != 0:
            event, j = events & -events, i + lowest_one(events)
            if ends & event != 0:
                batch[size, START], batch[size, END] = starts[taken], j
                taken, size = taken + 1, size + 1
            if line_ends & event != 0:
                batch[size, START] = NOTHING
                size += 1
            events ^= event
    else:
        while ends != 0:
            batch[size, START], batch[size, END] = starts[taken], i + lowest_one(ends)
            taken, size = taken + 1, size + 1
            ends &= ends - ONE
    state[0] = known - taken
    starts[0] = starts[taken]
    return size


@lean
def fill_slots(slots, types, known):
    """Put the types 0 ... known - 1 into an empty hash table."""
    mask = len(slots) - 1
    for number in range(known):
        slot = types[number, HASH] & mask
        while slots[slot] != NOTHING:
            slot = (slot + 1) & mask
        slots[slot] = number


@lean
def count_numbers(numbers, counts):
    """Add to counts[k] how often each number k of 0 and more stands there."""
    for number in numbers:
        if number >= 0:
            counts[number] += 1


@lean
def renumber(numbers, new_numbers, out):
    """new_numbers[k] into ``out`` for each number k; that of -1, the end of a line, stands last."""
    for i in range(len(numbers)):
        number = numbers[i]
        out[i] = new_numbers[number if number >= 0 else len(new_numbers) - 1]


@lean
def set_apart(spellings, types, text):
    """The types one behind the other into ``text``, a blank after each."""
    at = 0
    for number in range(len(types)):
        for i in range(types[number, START], types[number, END]):
            text[at] = spellings[i]
            at += 1
        text[at] = BLANK
        at += 1


@inlined
def eight_of(spellings, begin, end):
    """Eight bytes from ``begin`` on, zeros from ``end`` on: the first one highest, to be sorted as the bytes are."""
    bits = np.uint64(0)
    for i in range(begin, begin + 8):
        bits = (bits << np.uint64(8)) | (np.uint64(spellings[i]) if i < end else np.uint64(0))
    return bits


@lean
def rank_types(spellings, types, counts, order, keys, begins, stack):
    """Sort ``order`` (n,), the numbers of all types: by falling count, those of equal counts by their bytes.

    Runs that are equal so far are sorted by the next eight bytes (Bentley & Sedgewick 1997, multikey quicksort), and
    in the end by length: of two words one of which begins with the other, the shorter one stands first. keys (n,):
    scratch; begins (n + 1,), zeros: does a run begin there? stack: scratch of `sort_together`.
    """
    n, longest, most = len(order), 0, 0
    for number in range(n):
        longest, most = max(longest, types[number, END] - types[number, START]), max(most, counts[number])
    begins[0] = begins[n] = 1
    for at in range(-8, longest + 8, 8):
        start, all_apart = 0, True
        while start < n:
            end = start + 1
            while begins[end] == 0:
                end += 1
            if end - start > 1:
                all_apart = False
                for i in range(start, end):
                    begin, behind = types[order[i], START], types[order[i], END]
                    if at < 0:
                        keys[i] = np.uint64(most - counts[order[i]])
                    elif at < longest:
                        keys[i] = eight_of(spellings, begin + at, behind)
                    else:
                        keys[i] = np.uint64(behind - begin)
                sort_together(keys, order, start, end, stack)
                for i in range(start + 1, end):
                    begins[i] = keys[i] != keys[i - 1]
            start = end
        if all_apart:
            break


@kernel
def read_tokens(text, begin, spellings, spelt, types, known, slots, lines, ids):
    """Number the tokens of text[begin:]; returns (where it stopped, tokens and line ends written to ids, types known,
    bytes of spellings used).

    types (room, 3): hash, start, end of type k, which is spelt spellings[start:end]. New types get the next number and
    are spelt from ``spelt`` on; it stops where there may be no room for more. ``slots``: a power of two of them,
    numbers of types or NOTHING, found by hash and compared byte by byte. ``lines``: LINE_END after each line. Tokens
    are looked up a batch at a time, so that none waits for memory.
    """
    batch = np.empty((BATCH + BLOCK, 3), np.int64)  # hash, start, end; start NOTHING: the end of a line
    room = np.zeros(2, np.int64), np.zeros(BLOCK, np.int64), np.empty(BLOCK, np.uint8)
    return number_tokens(text, begin, spellings, spelt, types, known, slots, lines, ids, batch, *room)


@lean
def number_tokens(text, begin, spellings, spelt, types, known, slots, lines, ids, batch, state, starts, tail):
    """`read_tokens`, with room to work in: batch (BATCH + BLOCK, 3); state (2,) and starts (BLOCK,), zeros; tail."""
    end, i, written, mask = len(text), begin, 0, len(slots) - 1
    room = min(len(types), len(slots) // 2)
    while (i < end or state[0] > 0) and known + BATCH + BLOCK <= room:
        size, before = 0, starts[0] if state[0] > 0 else i + state[1]
        while (i < end or state[0] > 0) and size < BATCH:
            size = cut_block(text, i, tail, True, lines, state, starts, batch, size)
            i += BLOCK
        for t in range(size):
            if batch[t, START] >= 0:
                batch[t, HASH] = hash_of(text, batch[t, START], batch[t, END])
                prefetch(slots, batch[t, HASH] & mask)
        if spelt + i - before > len(spellings):
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
                number = known
                types[known, HASH], types[known, START], types[known, END] = key, spelt, spelt + length
                for j in range(length):
                    spellings[spelt + j] = text[start + j]
                spelt += length
                slots[slot] = known
                known += 1
            ids[written] = number
            written += 1
    return starts[0] if state[0] > 0 else i + state[1], written, known, spelt

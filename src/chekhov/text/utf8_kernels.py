"""Is it text in UTF-8? 64 bytes at once."""

from __future__ import annotations

import numpy as np

from chekhov.kernels.jit import bytes_between, count_ones, inlined, kernel, lean, lowest_one

BLOCK = 64
ONE = np.uint64(1)
START, END, UNKNOWN = (np.frombuffer(mark, np.uint8) for mark in (b"<s>", b"</s>", b"<unk>"))


@inlined
def look_at(text, i, before, found):
    """Add to found what stands in the 64 bytes from i on; before (3,): what the bytes before them ask of these.

    A byte of 0x80 to 0xBF stands where one of the three before it says that its character goes on, and nowhere else;
    behind E0, ED, F0 and F4 not all of these can stand (The Unicode Standard, table 3-7).
    """
    following = bytes_between(text, i, 0x80, 0xBF)
    three, four = bytes_between(text, i, 0xE0, 0xEF), bytes_between(text, i, 0xF0, 0xF4)
    two = bytes_between(text, i, 0xC2, 0xDF) | three | four
    three |= four
    asked = two << ONE | three << np.uint64(2) | four << np.uint64(3) | before[0]
    wrong = asked ^ following
    wrong |= bytes_between(text, i, 0xC0, 0xC1) | bytes_between(text, i, 0xF5, 0xFF)
    low, high = bytes_between(text, i, 0x80, 0x9F), bytes_between(text, i, 0xA0, 0xBF)
    lowest = bytes_between(text, i, 0x80, 0x8F)
    e0, ed = bytes_between(text, i, 0xE0, 0xE0), bytes_between(text, i, 0xED, 0xED)
    f0, f4 = bytes_between(text, i, 0xF0, 0xF0), bytes_between(text, i, 0xF4, 0xF4)
    wrong |= (e0 << ONE | before[1] & ONE) & low | (ed << ONE | before[1] >> ONE & ONE) & high
    wrong |= (f0 << ONE | before[2] & ONE) & lowest | (f4 << ONE | before[2] >> ONE & ONE) & ~lowest & following
    last = np.uint64(63)
    before[0] = two >> last | three >> np.uint64(62) | four >> np.uint64(61)
    before[1] = e0 >> last | ed >> last << ONE
    before[2] = f0 >> last | f4 >> last << ONE
    controls = bytes_between(text, i, 0, 8) | bytes_between(text, i, 14, 25) | bytes_between(text, i, 28, 31)
    found[0] += count_ones(wrong)
    found[1] += count_ones(controls | bytes_between(text, i, 127, 127))
    found[2] += count_ones(bytes_between(text, i, 0, 0))
    found[3] += count_ones(bytes_between(text, i, 13, 13))
    return bytes_between(text, i, 60, 60)


@inlined
def begins(text, i, mark):
    """Does ``mark`` stand at i?"""
    if i + len(mark) > len(text):
        return False
    for j in range(len(mark)):
        if text[i + j] != mark[j]:
            return False
    return True


@inlined
def count_marks(text, i, opened):
    """How many of <s>, </s> and <unk> begin where a bit of ``opened`` is set, in the 64 bytes from i on."""
    marks = 0
    while opened != 0:
        at = i + lowest_one(opened)
        opened &= opened - ONE
        marks += begins(text, at, START) or begins(text, at, END) or begins(text, at, UNKNOWN)
    return marks


@kernel
def survey(text):
    """(how many bytes of a text are not UTF-8 where they stand, control characters, NULs, CRs, marks as <s>)."""
    found = np.zeros(4, np.int64)
    marks = look_through(text, np.zeros(3, np.uint64), found, np.empty(BLOCK, np.uint8))
    return found[0], found[1], found[2], found[3], marks


@lean
def look_through(text, before, found, tail):
    """`survey`, with room to work in: before (3,) and found (4,), zeros, tail (BLOCK,). The number of marks."""
    marks = 0
    whole = len(text) // BLOCK * BLOCK
    for i in range(0, whole, BLOCK):
        marks += count_marks(text, i, look_at(text, i, before, found))
    tail[:] = 32  # which also shows a character that the text breaks off in
    for i in range(whole, len(text)):
        tail[i - whole] = text[i]
    opened = look_at(tail, 0, before, found)
    if opened != 0:
        marks += count_marks(text, whole, opened)
    return marks

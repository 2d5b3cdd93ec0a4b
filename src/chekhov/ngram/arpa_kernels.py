"""Writing and reading the lines of an ARPA file, in blocks of bytes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chekhov.kernels.jit import bits_of, highest_one, inlined, kernel, lean, load_64, prefetch, store_64
from chekhov.ngram.table_kernels import SCRAMBLE, bounds
from chekhov.types import BOS

TAB, NEWLINE, BLANK, MINUS, POINT, ZERO = 9, 10, 32, 45, 46, 48
WIDEST = 40  # bytes that are written of a number at most
LEAST = np.float32(-99.0)  # ARPA's way to write the logarithm of 0
UNITS = 10 ** np.arange(19)
SCALES = 10.0 ** np.arange(26)
ZEROS = np.uint64(0x3030303030303030)
EIGHT = np.uint64(10**8)
RECORD = 32  # bytes
KEPT = 256  # numbers whose digits are kept
NOTHING = -1
AHEAD, NODES_AHEAD = 16, 4  # rows whose memory is asked for before their turn
GOOD, NOT_A_NUMBER, POSITIVE, UNKNOWN_WORD, TOO_FEW, TOO_MANY, END = 0, 1, 2, 3, 4, 5, 6


def decimals_of_sizes() -> NDArray[np.int64]:
    """(160,): with how many decimals a float32 of 2^-k and more, but below 2^(1-k), is read back whatever it is."""
    decimals, unit, apart = [7], 1e-7, 2.0**-23  # floats from 1 on lie ``apart``
    for _ in range(159):
        apart *= 0.5
        more = unit > apart and decimals[-1] < 25
        unit = 0.1 * unit if more else unit
        decimals.append(decimals[-1] + more)
    return np.array(decimals)


DECIMALS = decimals_of_sizes()


@inlined
def put_number(out, at, x):
    """Write a float32 that is 0 or less, with the fewest decimals that any one of its size needs to be read back.

    Zeros behind are left out. Eight bytes are written where there are fewer.
    """
    if x == 0.0:
        out[at] = ZERO
        return at + 1
    size = np.float64(-x)
    out[at] = MINUS
    at += 1
    decimals = DECIMALS[max(0, 1023 - (bits_of(size) >> 52))]
    digits = np.int64(size * SCALES[decimals] + 0.5)
    if decimals <= 16:
        whole = np.int64(size)
        rest = digits - whole * UNITS[decimals]
        if rest == UNITS[decimals]:
            whole, rest = whole + 1, 0
        at = put_whole(out, at, whole)
        sixteen = np.uint64(rest * UNITS[16 - decimals])
        high = sixteen // EIGHT
        first, second = eight_digits(high), eight_digits(sixteen - high * EIGHT)
        if first | second != 0:
            out[at] = POINT
            store_64(out, at + 1, first | ZEROS)
            store_64(out, at + 9, second | ZEROS)
            last = highest_one(second) + 64 if second != 0 else highest_one(first)
            at += 2 + (last >> 3)
        return at
    while digits % 10 == 0 and decimals > 0:
        digits //= 10
        decimals -= 1
    out[at] = ZERO  # it is far below 1
    at += 1
    if decimals > 0:
        out[at] = POINT
        at = put_digits(out, at + 1, digits, decimals)
    return at


@inlined
def eight_digits(number):
    """The digits of a uint64 below 10^8, a byte each, the first lowest: halves, quarters and eighths side by side."""
    high = number // np.uint64(10000)
    fours = high | (number - np.uint64(10000) * high) << np.uint64(32)
    high_pairs = (fours * np.uint64(10486)) >> np.uint64(20) & np.uint64(0x0000007F0000007F)
    pairs = high_pairs | (fours - np.uint64(100) * high_pairs) << np.uint64(16)
    tens = (pairs * np.uint64(103)) >> np.uint64(10) & np.uint64(0x000F000F000F000F)
    return tens | (pairs - np.uint64(10) * tens) << np.uint64(8)


@inlined
def put_whole(out, at, number):
    if number < 10:
        out[at] = ZERO + number
        return at + 1
    return put_digits(out, at, number, 2 if number < 100 else 3 + (number >= 1000))


@inlined
def put_digits(out, at, number, width):
    """The last ``width`` digits of a number: the place behind them."""
    place = at + width
    while place > at:
        place -= 1
        rest = number // 10
        out[place], number = ZERO + number - 10 * rest, rest
    return at + width


@inlined
def copy(out, at, text, begin, end):
    """text[begin:end], eight bytes at a time, so that some more are written: the place behind them."""
    i = begin
    while i < end:
        store_64(out, at + i - begin, load_64(text, i))
        i += 8
    return at + end - begin


@inlined
def put_word(out, at, words, word):
    """A word and a blank; of a short one, all of its record is written. The place behind them."""
    sizes, records, spellings, starts = words
    size = np.int64(sizes[word])
    if size > 0:
        first = RECORD * np.int64(word)
        one, two = load_64(records, first), load_64(records, first + 8)
        three, four = load_64(records, first + 16), load_64(records, first + 24)
        store_64(out, at, one)
        store_64(out, at + 8, two)
        store_64(out, at + 16, three)
        store_64(out, at + 24, four)
        return at + size
    at = copy(out, at, spellings, starts[word], starts[word + 1])
    out[at] = BLANK
    return at + 1


@inlined
def put_kept_number(out, at, x, bits, kept):
    """`put_number` of the float32 x with these ``bits``, if that is not the one that ``kept`` (KEPT, 4) has in its
    place: bits + 1, how many bytes, and these. Back-offs are few: nine in ten are of contexts that stood once."""
    key = np.int64(bits) & 0xFFFFFFFF
    place = (key * SCRAMBLE & 0xFFFFFFFF) * KEPT >> 32
    if kept[place, 0] == key + 1:
        store_64(out, at, np.uint64(kept[place, 2]))
        store_64(out, at + 8, np.uint64(kept[place, 3]))
        return at + kept[place, 1]
    end = put_number(out, at, x)
    if end - at <= 16:
        kept[place, 0], kept[place, 1] = key + 1, end - at
        kept[place, 2], kept[place, 3] = np.int64(load_64(out, at)), np.int64(load_64(out, at + 8))
    return end


@lean
def fill_records(spellings, starts, sizes, records):
    """records (RECORD V,): the spelling of each word and a blank; sizes (V,): their bytes, 0 where they do not fit."""
    for word in range(len(sizes)):
        size = starts[word + 1] - starts[word] + 1
        sizes[word] = size if size <= RECORD else 0
        if size <= RECORD:
            for i in range(size - 1):
                records[RECORD * word + i] = spellings[starts[word] + i]
            records[RECORD * word + size - 1] = BLANK


@lean
def write_lines(table, starts, depth, contexts, deeper, words, node, last_node, entry, most, kept, out):
    """Lines ``p TAB w1 w2 ... [TAB back-off]`` of n-grams of order depth + 1, as many as there is room for.

    They are those of ``node``, from ``entry`` on, and of the nodes behind it up to ``last_node``. contexts (M, depth):
    the words of the nodes of this depth; deeper (.., depth + 1): those of the next, which it fills. words: sizes
    and records (see `fill_records`); spellings, where eight bytes lie behind the last; and where each of these begins.
    ``most``: bytes that a line may take; ``kept``: see `put_kept_number`. Returns (node, entry, bytes).
    """
    nodes, node_floats, entries, entry_floats, _ = table
    first, last, highest, at = starts[depth], starts[depth + 1], depth + 2 == len(starts), 0
    records = words[1]
    while node < last_node:
        low, high = bounds(nodes, entries, node)
        entry = max(entry, low)
        if node + NODES_AHEAD < last_node:  # what is written soon lies anywhere
            for k in range(depth):
                prefetch(records, RECORD * np.int64(contexts[node + NODES_AHEAD - first, k]))
        begin, end = 0, 0  # where in ``out`` the context of this node stands
        while entry < high:
            if at + most > len(out):
                return node, entry, at
            word, later = entries[entry, 0], min(entry + AHEAD, len(entries) - 1)
            prefetch(records, RECORD * np.int64(entries[later, 0]))
            log10_p = max(entry_floats[entry, 1], LEAST)
            at = put_number(out, at, log10_p if depth > 0 or word != BOS else np.float32(0.0))  # KenLM's way
            out[at] = TAB
            at += 1
            if end > begin:
                at = copy(out, at, out, begin, end)
            else:
                begin = at
                for k in range(depth):
                    at = put_word(out, at, words, contexts[node - first, k])
                end = at
            at = put_word(out, at, words, word)
            child = entries[entry, 2] if depth > 0 else 1 + word
            later = np.int64(entries[later, 2])
            if not highest and last <= later < starts[depth + 2]:
                prefetch(nodes, (later, np.int64(1)))
                prefetch(deeper, (later - last, np.int64(0)))
            if not highest and last <= child < starts[depth + 2]:
                for k in range(depth):
                    deeper[child - last, k] = contexts[node - first, k]
                deeper[child - last, depth] = word
                if node_floats[child, 1] != 0.0:
                    out[at - 1] = TAB
                    at = put_kept_number(out, at, max(node_floats[child, 1], LEAST), nodes[child, 1], kept) + 1
            out[at - 1] = NEWLINE
            entry += 1
        node += 1
    return node, entry, at


@inlined
def is_blank(byte):
    return byte in (BLANK, TAB, 13)


@inlined
def is_digit(byte):
    return 48 <= byte <= 57


@lean
def read_number(text, begin, end):
    """(the float that text[begin:end] spells, is it one): [-]digits[.digits][e[+-]digits] in ASCII, nothing else."""
    i, sign, value, power, digits = begin, 1.0, 0.0, 0, 0
    if i < end and text[i] == MINUS:
        i, sign = i + 1, -1.0
    while i < end and is_digit(text[i]):
        value, digits, i = value * 10.0 + (text[i] - ZERO), digits + 1, i + 1
    if i < end and text[i] == POINT:
        i += 1
        while i < end and is_digit(text[i]):
            if value < 1e18:  # what follows is beyond a float64
                value, power = value * 10.0 + (text[i] - ZERO), power - 1
            digits, i = digits + 1, i + 1
    if digits == 0:
        return 0.0, False
    if i < end and (text[i] == 101 or text[i] == 69):  # e, E
        i += 1
        down = i < end and text[i] == MINUS
        if i < end and (text[i] == MINUS or text[i] == 43):
            i += 1
        exponent, first = 0, i
        while i < end and is_digit(text[i]):
            exponent, i = min(exponent * 10 + (text[i] - ZERO), 9999), i + 1
        if i == first:
            return 0.0, False
        power += -exponent if down else exponent
    return sign * value * 10.0**power, i == end


@inlined
def field(text, at):
    """The bounds of the next field of a line, none at its end: two equal places."""
    end = len(text)
    while at < end and is_blank(text[at]):
        at += 1
    begin = at
    while at < end and text[at] != NEWLINE and not is_blank(text[at]):
        at += 1
    return begin, at


@lean
def read_lines(text, at, n, highest, spellings, types, slots, learn, grams, log10_probs, log10_backoffs):
    """Read as many lines of n-grams as ``grams`` (count, n) has rows.

    types (V, 3): hash, start and end in ``spellings`` of each word; with ``learn`` (unigrams; ``spellings`` is the
    text) each word gets the number of its line. Returns (place after them, lines read, what stopped it, where).
    """
    mask, end = len(slots) - 1, len(text)
    for row in range(len(grams)):
        line = at
        begin, at = field(text, at)
        if begin == at or text[begin] == 92:  # an empty line, or a backslash: the section is over
            return line, row, END, begin
        value, good = read_number(text, begin, at)
        if not good:
            return line, row, NOT_A_NUMBER, begin
        if value > 0.0:
            return line, row, POSITIVE, begin
        log10_probs[row] = value
        for k in range(n):
            begin, at = field(text, at)
            if begin == at:
                return line, row, TOO_FEW, begin
            key = np.uint64(0xCBF29CE484222325)
            for i in range(begin, at):
                key = (key ^ np.uint64(text[i])) * np.uint64(0x100000001B3)
            full = np.int64(key ^ (key >> np.uint64(29)))
            slot = full & mask
            number = slots[slot]
            while number != NOTHING:
                same = types[number, 0] == full and types[number, 2] - types[number, 1] == at - begin
                if same:
                    for j in range(at - begin):
                        same = same and text[begin + j] == spellings[types[number, 1] + j]
                    if same:
                        break
                slot = (slot + 1) & mask
                number = slots[slot]
            if learn:
                if number != NOTHING:
                    return line, row, UNKNOWN_WORD, begin
                types[row, 0], types[row, 1], types[row, 2], slots[slot] = full, begin, at, row
                number = row
            elif number == NOTHING:
                return line, row, UNKNOWN_WORD, begin
            grams[row, k] = number
        begin, at = field(text, at)
        log10_backoffs[row] = 0.0
        if begin < at:
            value, good = read_number(text, begin, at)
            if not good or not abs(value) < 1e30:
                return line, row, NOT_A_NUMBER, begin
            if highest and value != 0.0:
                return line, row, TOO_MANY, begin
            log10_backoffs[row] = value
            begin, at = field(text, at)
            if begin < at:
                return line, row, TOO_MANY, begin
        if at < end:
            at += 1  # the line break
    return at, len(grams), GOOD, at


@lean
def fill_map(keys, slot_keys, slot_rows):
    """Put key -> row into an empty open-addressing table; the row of a key that stands there twice, or -1."""
    mask = len(slot_keys) - 1
    for row in range(len(keys)):
        if row + AHEAD < len(keys):  # its memory is asked for before its turn
            prefetch(slot_rows, scatter(keys[row + AHEAD]) & mask)
            prefetch(slot_keys, scatter(keys[row + AHEAD]) & mask)
        slot = scatter(keys[row]) & mask
        while slot_rows[slot] != NOTHING:
            if slot_keys[slot] == keys[row]:
                return row
            slot = (slot + 1) & mask
        slot_keys[slot], slot_rows[slot] = keys[row], row
    return NOTHING


@kernel
def look_up(contexts, words, vocab_size, slot_keys, slot_rows):
    """The rows of the n-grams that are these contexts (rows of the order below, or -1) and words; -1: not there."""
    mask = len(slot_keys) - 1
    rows = np.full(len(contexts), NOTHING, np.int64)
    for i in range(len(contexts)):
        if contexts[i] >= 0:
            key = np.int64(contexts[i]) * vocab_size + words[i]
            slot = scatter(key) & mask
            while slot_rows[slot] != NOTHING:
                if slot_keys[slot] == key:
                    rows[i] = slot_rows[slot]
                    break
                slot = (slot + 1) & mask
    return rows


@inlined
def scatter(key):
    mixed = np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)
    return np.int64(mixed >> np.uint64(20))

"""Looking n-grams up in a `packed.PackedTable`. Every place that is read from it is bounded before it is used."""

from __future__ import annotations

import numpy as np

from chekhov.kernels.jit import count_ones, highest_one, inlined, kernel, lean, load_64, lowest_one, prefetch
from chekhov.ngram.table_kernels import NEAR, NOTHING, WINDOW, bucket, scrambled, unsigned
from chekhov.types import BOS, EOS

COUNT, RECORDS, WIDTH, ENDS, SAMPLES, HINTS = range(6)  # columns of the layout of a level
EACH = 16  # one sample for so many nodes
CODE_BITS = 8
NO_HINT = -(1 << 7)
SLOTS = 32  # words, and words before them, that are looked up side by side
LOWS, HIGHS, LOOKS, GUESSES, WORK_ROWS = range(4, 9)  # of room to work in, as in `table_kernels.score_batches`
WORD, SHOWN, MATCHED, REACH, PLACE, SLOT_COLUMNS = range(6)


@inlined
def record(records, bit):
    """64 bits from ``bit`` on, of which the first 57 are there: word, code of log10 p, code of the back-off."""
    return load_64(records, bit >> 3) >> np.uint64(bit & 7)


@inlined
def word_of(bits_read, word_bits):
    return np.int64(bits_read & np.uint64((1 << word_bits) - 1))


@inlined
def code_of(bits_read, shift):
    return (bits_read >> np.uint64(shift)) & np.uint64((1 << CODE_BITS) - 1)


@inlined
def children(ends, first, last, sample, node, most):
    """(begin, end) of the children of a node, from the place ``sample`` of the node 16 j before it."""
    skip = node & (EACH - 1)
    k, shift = min(first + (sample >> 6), last - 1), np.uint64(sample & 63)
    word = ends[unsigned(k)] >> shift
    word |= (ends[unsigned(k + 1)] << np.uint64(1)) << (np.uint64(63) - shift)
    begin, end = np.int64(sample), np.int64(sample)
    if count_ones(word) > skip:  # as it is where none of the nodes since has many children
        before = np.int64(0)
        if skip > 0:
            before = select(word, skip - 1) + 1
        begin, end = begin + before, begin + before + lowest_one(word >> np.uint64(before))
    else:
        begin, end = children_far(ends, first, last, sample, skip)
    low = min(max(begin - node, 0), most)
    return low, min(max(end - node, low), most)


@inlined
def select(word, k):
    """The place of the one of a uint64 before which there are k, without a branch (Jacobson 1989)."""
    place, half = np.int64(0), 32
    while half > 0:
        ones = count_ones(word & ((np.uint64(1) << np.uint64(half)) - np.uint64(1)))
        is_behind = ones <= k
        k -= ones if is_behind else 0
        place += half if is_behind else 0
        word >>= np.uint64(half if is_behind else 0)
        half >>= 1
    return place


@lean
def children_far(ends, first, last, sample, skip):
    """Where the bits of the children of a node begin and end, ``skip`` nodes after the one that begins at a sample."""
    begin = np.int64(sample)
    k = min(first + (sample >> 6), last - 1)
    word = ends[k] & (np.uint64(0xFFFFFFFFFFFFFFFF) << np.uint64(sample & 63))
    ones = count_ones(word)
    while ones <= skip and k + 1 < last:
        if ones > 0:
            begin = ((k - first) << 6) + highest_one(word) + 1
        skip -= ones
        k += 1
        word = ends[k]
        ones = count_ones(word)
    while skip > 0 and word != 0:
        begin = ((k - first) << 6) + lowest_one(word) + 1
        word &= word - np.uint64(1)
        skip -= 1
    return begin, ((k - first) << 6) + lowest_one(word)


@inlined
def unit(count):
    """By which power of two hints among so many children are counted, so that one fits into 8 bits."""
    return max(np.int64(highest_one(np.uint64(count))) - 11, 0) >> 1


@inlined
def hinted(low, high, guess, hint):
    """Where among the children low ... high to look, if the hint says how far from ``guess``."""
    return min(max(guess + (np.int64(hint) << unit(high - low)), low), high - 1) if hint != NO_HINT else low


@inlined
def find_child(records, at, width, word_bits, look, high, wanted):
    """The record of the word ``wanted`` from ``look`` on, or -1; as `table_kernels.in_window`."""
    end, found, last = look + WINDOW, np.int64(NOTHING), np.int64(0)
    for i in range(WINDOW - 1, -1, -1):
        here = word_of(record(records, at + (look + i) * width), word_bits)
        last = here if i == WINDOW - 1 else last
        found = look + i if here == wanted else found
    found = found if found < high else np.int64(NOTHING)
    place = scrambled(wanted, word_bits)
    if (found < 0) & (end < high) & (scrambled(last, word_bits) < place):
        return child_behind(records, at, width, word_bits, end, high, place)
    return found


@lean
def child_behind(records, at, width, word_bits, low, high, place):
    """The record of a place among low ... high, in their order, or -1."""
    end, near = high, min(low + NEAR, high)
    while low < near and scrambled(word_of(record(records, at + low * width), word_bits), word_bits) < place:
        low += 1
    if low == near:
        while low < high:
            middle = (low + high) >> 1
            if scrambled(word_of(record(records, at + middle * width), word_bits), word_bits) < place:
                low = middle + 1
            else:
                high = middle
    is_there = low < end and scrambled(word_of(record(records, at + low * width), word_bits), word_bits) == place
    return low if is_there else np.int64(NOTHING)


@kernel
def score_rows(table, context, backoffs, lengths, ids, after_eos, log10_probs):
    """log10 p of the words of rows ids (B, T), each after its state, which is changed into the one after them.

    The state of a row is the last words that the model knows, the latest first (context (B, N)), the back-offs of the
    last word, of the last two, ... (backoffs (B, N)), and how many (lengths (B,)); N = order - 1 >= 1. ``after_eos``:
    1 if </s> is followed by <s>, 0 if by nothing.
    """
    (B, T), N = ids.shape, context.shape[1]
    size = max(SLOTS, 2 * N)
    slots, spent = np.zeros((size, SLOT_COLUMNS), np.int64), np.zeros((size, N), np.float32)
    work, ends, p = np.zeros((WORK_ROWS, size + 1), np.int64), np.zeros((size, 2), np.int64), np.zeros(size, np.float32)
    row, t = 0, 0
    while row < B:
        n, pieces = 0, 0
        while row < B and n + N < size:
            for k in range(N):
                slots[n + k, SHOWN], slots[n + k, REACH], slots[n + k, PLACE] = context[row, N - 1 - k], 0, -1
                spent[n + N - 1, k] = backoffs[row, k]
            n += N
            slots[n - 1, REACH] = lengths[row]
            take = min(T - t, size - n)
            for i in range(take):
                word = np.int64(ids[row, t + i])
                slots[n + i, WORD], slots[n + i, PLACE] = word, row * T + t + i
                prefetch(table[0], (word, 0))
            n, t = n + take, t + take
            ends[pieces, 0], ends[pieces, 1] = row, n - 1
            pieces += 1
            if t < T:
                break
            row, t = row + 1, 0
        score_slots(table, n, slots, spent, p, after_eos, work, log10_probs)
        for piece in range(pieces):
            own, last = ends[piece, 0], ends[piece, 1]
            lengths[own] = slots[last, REACH]
            for k in range(lengths[own]):
                context[own, k], backoffs[own, k] = slots[last - k, SHOWN], spent[last, k]


@lean
def score_slots(table, n, slots, spent, p, after_eos, work, log10_probs):
    """log10 p of the words of n slots, each after those before it, level by level: no word waits for memory alone.

    slots: the word; what it is to the next one (<s> after </s>); how many words of the n-gram that was found; how many
    of them are context for the next; its place in log10_probs, or -1 where it is context alone. spent: its back-offs.
    """
    unigrams, unigram_floats, records, ends, samples, hints, codebooks, layout, word_bits = table
    order, flat, here, there, m = len(layout) - 1, log10_probs.reshape(-1), 0, 2, np.int64(0)
    for s in range(n):
        if slots[s, PLACE] < 0:
            continue
        word = unsigned(slots[s, WORD])
        is_end = slots[s, WORD] == EOS
        shown = unsigned(BOS) if is_end else word
        p[s], spent[s, 0] = unigram_floats[word, 0], unigram_floats[shown, 1]
        slots[s, SHOWN], slots[s, MATCHED], slots[s, REACH] = shown, 1, after_eos if is_end else 1
        work[here, m], work[here + 1, m] = s, slots[s, WORD]
        m += slots[s - 1, REACH] > 0
    for level in range(2, order + 1):
        at, width, most = layout[level, RECORDS], layout[level, WIDTH], layout[level, COUNT]
        hints_at, deeper = layout[level, HINTS], np.int64(0)
        if level == 2:
            for i in range(m):
                word = unsigned(work[here + 1, i])
                low = min(max(np.int64(unigrams[word, 2]), 0), most)
                work[LOWS, i] = low
                work[HIGHS, i] = min(max(np.int64(unigrams[word + unsigned(1), 2]), low), most)
        else:
            first = layout[level - 1, ENDS]
            last = layout[level, ENDS] if level < order else len(ends) - 1
            for i in range(m):
                sample = np.int64(samples[unsigned(layout[level - 1, SAMPLES] + work[here + 1, i] // EACH)])
                prefetch(ends, min(first + (sample >> 6), len(ends) - 1))
                work[LOOKS, i] = sample
            for i in range(m):
                work[LOWS, i], work[HIGHS, i] = children(
                    ends, first, last, work[LOOKS, i], work[here + 1, i], most
                )  # fmt: skip
        for i in range(m):
            low, high = work[LOWS, i], work[HIGHS, i]
            wanted = slots[unsigned(work[here, i] - level + 1), SHOWN]
            number, guess = bucket(low, high, scrambled(wanted, word_bits), word_bits)
            number = hints_at + (number if high - low > WINDOW else 0)
            prefetch(hints, number)
            work[LOOKS, i], work[GUESSES, i] = number, guess
        for i in range(m):
            low, high = work[LOWS, i], work[HIGHS, i]
            look = hinted(low, high, work[GUESSES, i], hints[unsigned(work[LOOKS, i])])
            look = look if high - low > WINDOW else low
            prefetch(records, (at + look * width) >> 3)
            work[LOOKS, i] = look
        for i in range(m):
            s = work[here, i]
            wanted = slots[unsigned(s - level + 1), SHOWN]
            e = find_child(records, at, width, word_bits, work[LOOKS, i], work[HIGHS, i], wanted)
            is_there = e >= 0
            e = e if is_there else 0
            found = record(records, at + e * width)
            p[s] = codebooks[level, 0, code_of(found, word_bits)] if is_there else p[s]
            slots[s, MATCHED] = level if is_there else slots[s, MATCHED]
            goes_on = False
            if level < order:
                spent[s, level - 1] = codebooks[level, 1, code_of(found, word_bits + CODE_BITS)]
                slots[s, REACH] = level if is_there & (slots[s, WORD] != EOS) else slots[s, REACH]
                goes_on = is_there & (slots[s - 1, REACH] >= level)
                prefetch(samples, layout[level, SAMPLES] + e // EACH)
            work[there, deeper], work[there + 1, deeper] = s, e
            deeper += goes_on
        here, there, m = there, here, deeper
    for s in range(n):
        if slots[s, PLACE] < 0:
            continue
        total, matched, reach = p[s], slots[s, MATCHED], slots[s - 1, REACH]
        for k in range(order - 1):
            total += spent[s - 1, k] if (k + 1 >= matched) & (k < reach) else np.float32(0.0)
        flat[slots[s, PLACE]] = total

"""Drawing sentences from a back-off table without ever looking at a whole row.

With S(c) the mass of the words that the node of c knows, u < S(c) draws one of them. Else a word of the shorter context
is drawn, again and again until c does not know it: such words have their shares of p(. | c'), so all have p(. | c).
That takes back-off(c) visits of c' on average: as many as the mixture that interpolation is, where that is 1 at most;
more with Katz's, and many at a time.
"""

from __future__ import annotations

import numpy as np

from chekhov.kernels.jit import inlined, kernel, lean, number_of, prefetch
from chekhov.ngram.sentence_kernels import mixed, uniform
from chekhov.ngram.table_kernels import WINDOW, bounded, bounds, bucket, find, scrambled, shorter, word_bits
from chekhov.types import EOS, UNK

SENTENCE, DRAWS, LENGTH, STATE, NODE, PATH, STAGE, LOW, HIGH, SUMS, LOOK, COLUMNS = range(12)  # of a lane
ARRIVED, FEW, GUIDED, MANY, DRAWN = range(5)  # stages of a draw
DRAWS_A_WORD = 1_000_000  # after so many a sentence is broken off: only a damaged table needs them
NOTHING = -1


@inlined
def power_of_ten(x):
    """10^x for x <= 0 to 1e-9 of it: the exponent's bits, and Taylor's series around the middle of 2^[0, 1)."""
    y = max(x * 3.321928094887362, -1000.0)
    whole = np.floor(y)
    z = (y - whole - 0.5) * 0.6931471805599453
    series = 1.0 + z * (1.0 + z * (0.5 + z * (1.0 / 6 + z * (1.0 / 24 + z * (1.0 / 120 + z * (1.0 / 720 + z / 5040))))))
    return number_of((np.int64(whole) + 1023) << 52) * (1.4142135623730951 * series)


@lean
def add_up(log10_probs, sums):
    """sums (n,): the probabilities up to each."""
    total = 0.0
    for i in range(len(sums)):
        total += power_of_ten(np.float64(log10_probs[i])) if log10_probs[i] > -np.inf else 0.0
        sums[i] = total


@lean
def list_large(nodes, entries, many, large, firsts):
    """The root and the nodes with ``many`` entries or more, in order, and where the sums of each begin: how many."""
    found, total = 0, np.int64(0)
    for node in range(len(nodes) - 1):
        low, high = bounds(nodes, entries, node)
        if node == 0 or high - low >= many:
            if found < len(large):
                large[found], firsts[found] = node, total
            found, total = found + 1, total + high - low
    if found < len(firsts):
        firsts[found] = total
    return found


@lean
def fill_sums(nodes, entries, log10_probs, large, firsts, sums, guides, slots):
    """The sums of `add_up` of each large node, its guide, and its slot (node, where they begin) in a table.

    A guide of n entries says at j from where on sums are above j / n: its first i, or n (Chen & Asau 1974).
    """
    for k in range(len(large)):
        low, high = bounds(nodes, entries, large[k])
        first, n, i = firsts[k], high - low, np.int64(0)
        add_up(log10_probs[low:high], sums[first : first + n])
        for j in range(n):
            while i < n and sums[first + i] <= j / n:
                i += 1
            guides[first + j] = i
        slot = slot_of(large[k], slots)
        while slots[slot, 0] >= 0:
            slot = (slot + 1) & (len(slots) - 1)
        slots[slot, 0], slots[slot, 1] = large[k], firsts[k]


@inlined
def slot_of(node, slots):
    """Where a large node is looked for first: there are 2^b slots."""
    return ((np.int64(node) * 0x9E3779B1) >> 12) & (len(slots) - 1)


@inlined
def sums_of_large(node, slots):
    """Where the sums of a large node begin."""
    slot = slot_of(node, slots)
    while slots[slot, 0] != node:
        slot = (slot + 1) & (len(slots) - 1)
    return slots[slot, 1]


@inlined
def ask_for(nodes, slots, node):
    """A node that is looked at in the next turn, and the slot that it has if it is a large one."""
    prefetch(nodes, (node, 0))
    prefetch(slots, (slot_of(node, slots), 0))


@inlined
def first_above(log10_probs, low, high, u):
    """The first of the entries low ... high - 1 up to which the probabilities sum to more than u, or high."""
    mass, i = 0.0, low
    while i < high:
        mass += power_of_ten(np.float64(log10_probs[i, 1]))
        if mass > u:
            break
        i += 1
    return i


@inlined
def ask_for_word(nodes, entries, hints, path, lane, length, word, bits):
    """Where `known_to` will look: what a hint leads to is near enough to its place without it, as a rule."""
    place = scrambled(word, bits)
    for i in range(length):
        low, high = bounds(nodes, entries, path[lane, i])
        if high - low > WINDOW:
            number, low = bucket(low, high, place, bits)
            prefetch(hints, number)
        prefetch(entries, (low, 0))


@inlined
def known_to(nodes, entries, hints, path, lane, length, word, bits):
    """The place in the path of the shortest of its contexts that knows the word, or -1."""
    i = length - 1
    while i >= 0 and find(nodes, entries, hints, path[lane, i], word, bits) < 0:
        i -= 1
    return i


@kernel
def draw_sentences(table, sums_of, many, seed, first, begin, allow_unk, lanes, words, lengths):
    """Sentences first, first + 1, ... of the stream ``seed``, each by draws of its own: words (m, most), lengths (m,).

    A sentence ends with </s>, or without it after ``most`` words. ``lanes`` of them are drawn in turns, one memory
    access at a time, so that one waits for memory while the others work. table: nodes, entries and both as floats;
    sums_of: what `list_large` and `fill_sums` have filled.
    """
    nodes, node_floats, entries, entry_floats, hints = table
    sums, guides, slots = sums_of
    m, most = words.shape
    bits = word_bits(nodes)
    at, path = np.zeros((lanes, COLUMNS), np.int64), np.empty((lanes, 64), np.int64)
    own, us = np.empty(lanes, np.uint64), np.empty(lanes)  # of each lane: the stream of its sentence, its last draw
    at[:, SENTENCE] = NOTHING
    started, running = 0, min(lanes, m)
    for lane in range(running):
        start(at, own, lane, started, seed, first, begin)
        started += 1
    while running > 0:
        for lane in range(lanes):
            sentence, node, stage = at[lane, SENTENCE], at[lane, NODE], at[lane, STAGE]
            if sentence < 0:
                continue
            if stage == ARRIVED:  # the node has come: ask for its entries, or for where to look in their sums
                low, high = bounds(nodes, entries, node)
                us[lane] = uniform(own[lane], at[lane, DRAWS])
                at[lane, DRAWS] += 1
                at[lane, LOW], at[lane, HIGH] = low, high
                if node != 0 and high - low < many:
                    at[lane, STAGE] = FEW
                    prefetch(entries, (low, 0))
                else:
                    at[lane, STAGE], at[lane, SUMS] = GUIDED, sums_of_large(node, slots)
                    prefetch(guides, at[lane, SUMS] + np.int64(us[lane] * (high - low)))
                continue
            low, high, u = at[lane, LOW], at[lane, HIGH], us[lane]
            if stage == GUIDED:
                e = low + guides[at[lane, SUMS] + np.int64(u * (high - low))]
                at[lane, STAGE], at[lane, LOOK] = MANY, e
                prefetch(sums, at[lane, SUMS] + e - low)
                prefetch(entries, (e, 0))
                continue
            length = at[lane, PATH]
            if stage == DRAWN:
                e = at[lane, LOOK]
            elif stage == FEW:
                e = first_above(entry_floats, low, high, u)
            else:
                e, to_sums = at[lane, LOOK], at[lane, SUMS] - low
                while e < high and sums[to_sums + e] <= u:
                    e += 1
            if stage != DRAWN and length > 0 and e < high:  # do the contexts that have backed off know the word?
                at[lane, STAGE], at[lane, LOOK] = DRAWN, e
                ask_for_word(nodes, entries, hints, path, lane, length, np.int64(entries[e, 0]), bits)
                continue
            at[lane, STAGE] = ARRIVED
            if e == high and (node == 0 or node_floats[node, 1] == -np.inf):
                e = max(high - 1, 0)  # by rounding: there is no mass for a shorter context
            if e == high:
                if length < 64:
                    path[lane, length] = node
                    at[lane, PATH] = length + 1
                at[lane, NODE] = shorter(nodes, node)
                ask_for(nodes, slots, at[lane, NODE])
                continue
            word, n = np.int64(entries[e, 0]), at[lane, LENGTH]
            stopped = at[lane, DRAWS] > DRAWS_A_WORD * (n + 1)
            known = known_to(nodes, entries, hints, path, lane, length, word, bits)
            if known >= 0 and not stopped:
                at[lane, PATH], at[lane, NODE] = known + 1, shorter(nodes, path[lane, known])
                continue
            at[lane, PATH] = 0
            if word == UNK and not allow_unk and not stopped:
                at[lane, NODE] = at[lane, STATE]
                continue
            words[sentence, n] = word
            at[lane, LENGTH], at[lane, NODE] = n + 1, bounded(nodes, entries[e, 2])
            if word == EOS or n + 1 == most or stopped:
                lengths[sentence] = n + 1
                if started < m:
                    start(at, own, lane, started, seed, first, begin)
                    started += 1
                else:
                    at[lane, SENTENCE] = NOTHING
                    running -= 1
            at[lane, STATE] = at[lane, NODE]
            ask_for(nodes, slots, at[lane, NODE])


@inlined
def start(at, own, lane, sentence, seed, first, begin):
    """Let a lane begin a sentence."""
    at[lane, SENTENCE], at[lane, DRAWS], at[lane, LENGTH], at[lane, PATH] = sentence, 0, 0, 0
    at[lane, STATE], at[lane, NODE], at[lane, STAGE] = begin, begin, ARRIVED
    own[lane] = mixed(np.uint64(seed) ^ mixed(np.uint64(first + sentence)))


@lean
def pack(words, lengths, out):
    """The first lengths[i] of each row of words (m, most), one behind the other."""
    n = 0
    for i in range(len(lengths)):
        for j in range(lengths[i]):
            out[n] = words[i, j]
            n += 1

"""Looking n-grams up in a `table.Table`. Every index that is read from the table is bounded before it is used."""

from __future__ import annotations

import numpy as np

from chekhov.kernels.jit import inlined, kernel, lean, prefetch
from chekhov.types import EOS

WINDOW = 4  # entries that are read at once; nodes with no more have no hints
NEAR = 12  # entries behind those that are looked through one by one
FEW = 64  # entries of a node where the word is likely to be near its place, whatever the hint
BUCKET = 1
NO_HINT = -(1 << 15)
BATCH = 32  # words that are looked up side by side
LOWS, HIGHS, HINTS, LOOKS, WORK_ROWS = range(4, 9)  # of room to work in: before them two lists of words and their nodes
SCRAMBLE = 0x9E3779B1  # odd, so that every word keeps a place of its own; near 2^32 times the golden ratio
UNSCRAMBLE = pow(SCRAMBLE, -1, 1 << 32)
NOTHING = -1


@inlined
def unsigned(index):
    """An index that is no negative number: of others Numba asks each time whether they count from the end."""
    return np.uint64(index)


@inlined
def bounds(nodes, entries, node):
    """Where the entries of a node begin and end: inside the table, and in this order, whatever the numbers are."""
    row = unsigned(node)
    begin, end = np.int64(nodes[row, 0]), np.int64(nodes[row + unsigned(1), 0])
    end = max(min(end, len(entries)), 0)
    return min(max(begin, 0), end), end


@inlined
def shorter(nodes, node):
    """The node of the context without its first word: always a lower number, so that every search ends."""
    suffix = nodes[node, 2]
    return suffix if 0 <= suffix < node else 0


@inlined
def bounded(nodes, child):
    return child if 0 <= child < len(nodes) - 1 else 0


@inlined
def is_deeper(child, depth, starts):
    """Is the node ``child`` one word deeper than ``depth``: the context and the word, nothing left out?"""
    return depth + 2 < len(starts) and starts[depth + 1] <= child < starts[depth + 2]


@inlined
def word_bits(nodes):
    """How many bits a word's id + 1 has: V is the number of entries of the root."""
    bits, V = np.int64(0), np.int64(nodes[1, 0])
    while V > 0:
        V >>= 1
        bits += 1
    return bits


@inlined
def scrambled(word, bits):
    """The place of a word in the order of entries: as good as random, and different for each word."""
    return (np.int64(word + 1) * SCRAMBLE) & ((np.int64(1) << bits) - 1)


@inlined
def bucket(low, high, place, bits):
    """(the hint of a place among the entries low ... high, where the entries of the place are without it)."""
    number = (place * ((high - low) >> BUCKET)) >> bits
    return (low >> BUCKET) + number, low + (number << BUCKET)


@inlined
def hinted(low, high, look, hint):
    """Where among the entries low ... high to look, if the hint says how far from ``look``."""
    return min(max(look + hint, low), high - 1) if hint != NO_HINT else low


@inlined
def behind(entries, low, high, place, bits):
    """The entry of a place among low ... high, in their order, or -1: for what is not near its hint."""
    end, near = high, min(low + NEAR, high)
    while low < near and scrambled(entries[low, 0], bits) < place:
        low += 1
    if low == near:
        while low < high:
            middle = (low + high) >> 1
            if scrambled(entries[middle, 0], bits) < place:
                low = middle + 1
            else:
                high = middle
    return low if low < end and scrambled(entries[low, 0], bits) == place else np.int64(NOTHING)


@inlined
def in_window(entries, look, high, word, bits):
    """The entry of ``word`` from ``look`` on, or -1."""
    end, found = look + WINDOW, np.int64(NOTHING)
    if end > len(entries):
        for e in range(look, high):
            found = e if entries[e, 0] == word else found
        return found
    for i in range(WINDOW - 1, -1, -1):  # all of them: a branch that is often guessed wrongly costs more
        found = look + i if entries[unsigned(look + i), 0] == word else found
    found = found if found < high else np.int64(NOTHING)
    place = scrambled(word, bits)
    if (found < 0) & (end < high) & (scrambled(entries[unsigned(end - 1), 0], bits) < place):
        return behind(entries, end, high, place, bits)
    return found


@lean
def find(nodes, entries, hints, node, word, bits):
    """The entry of ``word`` in a node, or -1."""
    if node == 0:
        return np.int64(word)
    low, high = bounds(nodes, entries, node)
    look = low
    if high - low > WINDOW:
        number, look = bucket(low, high, scrambled(word, bits), bits)
        look = hinted(low, high, look, hints[number])
    return in_window(entries, look, high, word, bits)


@lean
def fill_hints(firsts, entries, first, hints, bits):
    """Hints of nodes whose entries begin at firsts (m + 1,); ``entries``: from number ``first`` on.

    The place of a word says in which bucket of `1 << BUCKET` entries it is likely to be, were they spread evenly; the
    hint of a bucket says how far from there it begins. A node with no more than `WINDOW` entries has none.
    """
    for node in range(len(firsts) - 1):
        low, high = np.int64(firsts[node]), np.int64(firsts[node + 1])
        if high - low <= WINDOW:
            continue
        count, at, e = (high - low) >> BUCKET, (low >> BUCKET) - (first >> BUCKET), low
        for number in range(count):
            while e < high and (scrambled(entries[e - first, 0], bits) * count) >> bits < number:
                e += 1
            far = e - low - (number << BUCKET)
            hints[at + number] = far if -(1 << 15) < far < 1 << 15 else NO_HINT


@inlined
def step(nodes, node_floats, entries, entry_floats, hints, node, word, bits):
    """(log10 p(word | context of node), the node after it, the node that knew the word)."""
    log10_p = np.float32(0.0)
    e = find(nodes, entries, hints, node, word, bits)
    while e < 0:
        log10_p += node_floats[node, 1]
        node = shorter(nodes, node)
        e = find(nodes, entries, hints, node, word, bits)
    return log10_p + entry_floats[e, 1], bounded(nodes, entries[e, 2]), node


@inlined
def order_of(starts, node):
    """The order of the n-grams of a node: 1 for the root's. Without a branch, see `score_batches`."""
    order = 1
    for depth in range(1, len(starts) - 1):
        order += node >= starts[depth]
    return order


@lean
def score_rows(nodes, node_floats, entries, entry_floats, hints, starts, state, ids, log10_probs, orders):
    """Score the rows of ids (B, T) from state (B,), which is changed into the state after them.

    log10_probs (B, T), orders (B, T): of the n-gram that each probability is of, if there is room for them.
    """
    bits = word_bits(nodes)
    for b in range(len(ids)):
        node = state[b]
        for t in range(ids.shape[1]):
            log10_p, node, knew = step(nodes, node_floats, entries, entry_floats, hints, node, ids[b, t], bits)
            log10_probs[b, t] = log10_p
            if len(orders) > 0:
                orders[b, t] = order_of(starts, knew)
        state[b] = node


@kernel
def score_text(
    nodes, node_floats, entries, entry_floats, hints, starts, state, ids, after_eos, log10_probs, orders
):  # fmt: skip
    """As `score_rows` for one text ids (T,) from the node ``state``; returns the node after it.

    A batch of words is looked up side by side, from the shortest contexts to the longest, so that none waits for
    memory alone: first all nodes are asked for, then all hints, then all entries. ``after_eos``: the node after </s>.
    """
    size = max(1, min(BATCH, len(ids)))
    carry, work = np.zeros(len(starts), np.int64), np.empty((WORK_ROWS, size + 2), np.int64)
    return score_batches(
        nodes, node_floats, entries, entry_floats, hints, starts, state, ids, after_eos, log10_probs, orders, size,
        carry, work,
    )  # fmt: skip


@lean
def score_batches(
    nodes, node_floats, entries, entry_floats, hints, starts, state, ids, after_eos, log10_probs, orders, size,
    carry, work,
):  # fmt: skip
    """`score_text`, ``size`` words at a time, with room to work in: carry (order + 1,), zeros; work (WORK_ROWS, size +
    2).

    At each depth there is a list of the words whose context of so many words is a node. There is hardly a branch:
    which word is found where cannot be foretold, and what is asked of memory ahead is lost with a wrong guess. carry
    [d]: the node of d words for the first word of the next batch, or 0.
    """
    T, order, bits, with_orders = len(ids), len(starts) - 1, word_bits(nodes), len(orders) > 0
    while state > 0:
        depth = 1
        while depth + 1 < order and state >= starts[depth + 1]:
            depth += 1
        if depth < order:
            carry[depth] = state
        state = shorter(nodes, state)
    for first in range(0, T, size):
        count, here, there, n = min(size, T - first), 0, 2, np.int64(0)
        for t in range(count):
            prefetch(entries, (np.int64(ids[first + t]), 0))
            prefetch(nodes, (np.int64(ids[first + t]) + 1, 0))
        n = begin_list(work, here, carry, 1)
        for t in range(count):
            word = np.int64(ids[first + t])
            log10_probs[first + t] = entry_floats[word, 1]
            child = bounded(nodes, entries[word, 2]) if word != EOS else after_eos
            work[here, n], work[here + 1, n] = t + 1, child
            n += child > 0
        if with_orders:
            orders[first : first + count] = 1
        for depth in range(1, order):
            if n > 0 and work[here, n - 1] == count:  # the word is of the next batch
                n -= 1
                carry[depth] = work[here + 1, n]
            deeper, least, most = np.int64(0), np.int64(1), np.int64(0)  # nodes of one word more, if there are any
            if depth + 1 < order:
                deeper, least, most = begin_list(work, there, carry, depth + 1), starts[depth + 1], starts[depth + 2]
            for i in range(n):
                node, t = work[here + 1, i], unsigned(first + work[here, i])
                low, high = bounds(nodes, entries, node)
                log10_probs[t] += node_floats[unsigned(node), 1]  # until the word is found there
                number, look = bucket(low, high, scrambled(ids[t], bits), bits)
                number = number if high - low > WINDOW else 0
                prefetch(hints, number)
                prefetch(entries, (look if high - low <= FEW else low, 0))  # the hint may not say much
                work[LOWS, i], work[HIGHS, i], work[HINTS, i], work[LOOKS, i] = low, high, number, look
            for i in range(n):
                low, high = work[LOWS, i], work[HIGHS, i]
                look = hinted(low, high, work[LOOKS, i], hints[unsigned(work[HINTS, i])])
                look = look if high - low > WINDOW else low
                prefetch(entries, (look, 0))
                prefetch(entries, (min(look + WINDOW - 1, len(entries) - 1), 0))
                work[LOOKS, i] = look
            for i in range(n):
                t = unsigned(first + work[here, i])
                e = in_window(entries, work[LOOKS, i], work[HIGHS, i], ids[t], bits)
                is_there = e >= 0
                e = unsigned(e if is_there else 0)
                log10_p, child = entry_floats[e, 1], np.int64(entries[e, 2])
                log10_probs[t] = log10_p if is_there else log10_probs[t]
                if with_orders:
                    orders[t] = depth + 1 if is_there else orders[t]
                goes_on = is_there & (least <= child) & (child < most)
                child = child if goes_on else 0
                work[there, deeper], work[there + 1, deeper] = work[here, i] + 1, child
                prefetch(nodes, (child, 0))
                deeper += goes_on
            here, there, n = there, here, deeper
    for depth in range(order - 1, 0, -1):
        if carry[depth] > 0:
            return carry[depth]
    return np.int64(0)


@inlined
def begin_list(work, row, carry, depth):
    """The list of a depth begins with what the batch before has left: how long it is."""
    work[row, 0], work[row + 1, 0] = 0, carry[depth]
    length = np.int64(carry[depth] > 0)
    carry[depth] = 0
    return length


@kernel
def advance_rows(nodes, entries, hints, state, words):
    """The nodes (B,) after one word each, words (B,)."""
    after, bits = np.empty(len(state), np.int64), word_bits(nodes)
    for b in range(len(state)):
        node = state[b]
        e = find(nodes, entries, hints, node, words[b], bits)
        while e < 0:
            node = shorter(nodes, node)
            e = find(nodes, entries, hints, node, words[b], bits)
        after[b] = bounded(nodes, entries[e, 2])
    return after


@kernel
def fill_rows(nodes, node_floats, entries, entry_floats, hints, root, state, rows):
    """rows (B, V): log10 p(w | context) of all words, from the empty context, ``root`` (V,), to the longest."""
    V, path = rows.shape[1], np.empty(64, np.int64)
    for b in range(len(state)):
        for w in range(V):
            rows[b, w] = root[w]
        node, length = state[b], 0
        while node > 0 and length < len(path):
            path[length] = node
            node, length = shorter(nodes, node), length + 1
        for i in range(length - 1, -1, -1):
            backoff = node_floats[path[i], 1]
            if backoff != 0.0:
                for w in range(V):
                    rows[b, w] += backoff
            begin, end = bounds(nodes, entries, path[i])
            for e in range(begin, end):
                if 0 <= entries[e, 0] < V:
                    rows[b, entries[e, 0]] = entry_floats[e, 1]


@lean
def probabilities_by_order(nodes, entries, entry_floats, hints, starts, node, ids, p):
    """p (order, T): what each suffix of the context says of each word, 0 for never; untouched: no such node."""
    bits = word_bits(nodes)
    for t in range(len(ids)):
        here, after, depth = node, 0, len(starts) - 2
        while True:
            while starts[depth] > here:
                depth -= 1
            e = find(nodes, entries, hints, here, ids[t], bits)
            p[depth, t] = 10.0 ** entry_floats[e, 1] if e >= 0 else 0.0
            if e >= 0 and after == 0:
                after = bounded(nodes, entries[e, 2])
            if here == 0:
                break
            here = shorter(nodes, here)
        node = after

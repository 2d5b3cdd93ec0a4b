"""Looking n-grams up in a `table.Table`. Every index that is read from the table is bounded before it is used."""

from __future__ import annotations

import numpy as np

from chekhov.kernels.jit import inlined, kernel, prefetch
from chekhov.types import EOS

PLACE, STOP, WANTED, NODE, LOOK, LOW, HIGH = range(7)  # where a lane of `score_text` stands
LINE = 5  # entries in a cache line
NEAR = 8  # entries that are looked at one by one where the first guess was not right
SCRAMBLE = 0x9E3779B1  # odd, so that every word keeps a place of its own; near 2^32 times the golden ratio
UNSCRAMBLE = pow(SCRAMBLE, -1, 1 << 32)
NOTHING = -1


@inlined
def bounds(nodes, entries, node):
    """Where the entries of a node begin and end: inside the table, and in this order, whatever the numbers are."""
    begin, end = np.int64(nodes[node, 0]), np.int64(nodes[node + 1, 0])
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
def first_look(low, high, place, bits):
    """Where among the entries low ... high a place most likely is."""
    return low + ((place * (high - low)) >> bits)


@inlined
def narrow(entries, low, high, look, place, bits):
    """Look at an entry and those near it: (low, high) that the search is now confined to, and where to look next."""
    here = scrambled(entries[look, 0], bits)
    if here < place:
        last, look = min(high, look + NEAR), look + 1
        while look < last:
            here = scrambled(entries[look, 0], bits)
            if here >= place:
                return look, look + 1, look
            look += 1
        jump = (place - here) * (high - look) // ((np.int64(1) << bits) - here)
        return look, high, min(look + jump, high - 1)
    if here > place:
        first, look = max(low, look - NEAR), look - 1
        while look >= first:
            here = scrambled(entries[look, 0], bits)
            if here <= place:
                return look, look + 1, look
            look -= 1
        jump = (here - place) * (look + 1 - low) // (here + 1)
        return low, look + 1, max(look - jump, low)
    return look, look + 1, look


@kernel
def find(nodes, entries, node, word, bits):
    """The entry of ``word`` in a node, or -1."""
    if node == 0:
        return np.int64(word)
    low, high = bounds(nodes, entries, node)
    place = scrambled(word, bits)
    look = first_look(low, high, place, bits)
    while high - low > LINE:
        low, high, look = narrow(entries, low, high, look, place, bits)
    for e in range(low, high):
        if entries[e, 0] == word:
            return np.int64(e)
    return np.int64(NOTHING)


@inlined
def step(nodes, node_floats, entries, entry_floats, node, word, bits):
    """(log10 p(word | context of node), the node after it, the node that knew the word)."""
    log10_p = np.float32(0.0)
    e = find(nodes, entries, node, word, bits)
    while e < 0:
        log10_p += node_floats[node, 1]
        node = shorter(nodes, node)
        e = find(nodes, entries, node, word, bits)
    return log10_p + entry_floats[e, 1], bounded(nodes, entries[e, 2]), node


@kernel
def score_rows(nodes, node_floats, entries, entry_floats, state, ids, log10_probs, known_by):
    """Score the rows of ids (B, T) from state (B,), which is changed into the state after them.

    log10_probs (B, T), known_by (B, T): the node that knew each word, if there is room for it.
    """
    bits = word_bits(nodes)
    for b in range(len(ids)):
        node = state[b]
        for t in range(ids.shape[1]):
            log10_probs[b, t], node, knew = step(nodes, node_floats, entries, entry_floats, node, ids[b, t], bits)
            if len(known_by) > 0:
                known_by[b, t] = knew
        state[b] = node


@kernel
def score_text(
    nodes, node_floats, entries, entry_floats, state, ids, order, lanes, after_eos, log10_probs, known_by
):  # fmt: skip
    """As `score_rows` for one text ids (T,) from the node ``state``; returns the node after it.

    The text is cut into ``lanes`` pieces that are read in turns, one memory access at a time, so that one waits for
    memory while the others work. A piece begins order - 1 words early: the node after those is that of all words
    before. ``after_eos``: the node after </s>.
    """
    T, bits = len(ids), word_bits(nodes)
    size = (T + lanes - 1) // lanes
    at = np.empty((lanes, 7), np.int64)
    log10_p = np.zeros(lanes, np.float32)
    running = 0
    for lane in range(lanes):
        wanted = min(lane * size, T)
        at[lane, WANTED], at[lane, STOP] = wanted, min(wanted + size, T)
        at[lane, PLACE] = max(0, wanted - (order - 1)) if wanted < T else T
        at[lane, NODE] = state if at[lane, PLACE] == 0 else 0
        at[lane, LOOK] = NOTHING
        running += at[lane, PLACE] < at[lane, STOP]
    after = state
    while running > 0:
        for lane in range(lanes):
            place, here = at[lane, PLACE], at[lane, NODE]
            if place >= at[lane, STOP]:
                continue
            word = ids[place]
            if at[lane, LOOK] < 0:  # the node has come: ask for its entries
                low, high, look = np.int64(word), np.int64(word + 1), np.int64(word)
                if here != 0:
                    low, high = bounds(nodes, entries, here)
                    look = first_look(low, high, scrambled(word, bits), bits)
                at[lane, LOW], at[lane, HIGH], at[lane, LOOK] = low, high, look
                prefetch(entries, (look, 0))
                continue
            low, high = at[lane, LOW], at[lane, HIGH]
            if high - low > LINE:
                low, high, look = narrow(entries, low, high, at[lane, LOOK], scrambled(word, bits), bits)
                at[lane, LOW], at[lane, HIGH], at[lane, LOOK] = low, high, look
                prefetch(entries, (look, 0))
                continue
            found = NOTHING if here != 0 else low
            for e in range(low, high if here != 0 else low):
                if entries[e, 0] == word:
                    found = e
            at[lane, LOOK] = NOTHING
            if found < 0:
                log10_p[lane] += node_floats[here, 1]
                at[lane, NODE] = shorter(nodes, here)
            else:
                if place >= at[lane, WANTED]:
                    log10_probs[place] = log10_p[lane] + entry_floats[found, 1]
                    if len(known_by) > 0:
                        known_by[place] = here
                log10_p[lane] = 0.0
                at[lane, NODE] = bounded(nodes, entries[found, 2]) if word != EOS else after_eos
                at[lane, PLACE] += 1
                if place + 1 == at[lane, STOP]:
                    running -= 1
                    if place + 1 == T:
                        after = at[lane, NODE]
            prefetch(nodes, (at[lane, NODE], 0))
    return after


@kernel
def orders_of(known_by, starts):
    """Into nodes that knew words, in place: the order of the n-gram that each probability is of, 1 for the root's."""
    for t in range(len(known_by)):
        order = 1
        while order + 1 < len(starts) and known_by[t] >= starts[order]:
            order += 1
        known_by[t] = order


@kernel
def advance_rows(nodes, entries, state, words):
    """The nodes (B,) after one word each, words (B,)."""
    after, bits = np.empty(len(state), np.int64), word_bits(nodes)
    for b in range(len(state)):
        node = state[b]
        e = find(nodes, entries, node, words[b], bits)
        while e < 0:
            node = shorter(nodes, node)
            e = find(nodes, entries, node, words[b], bits)
        after[b] = bounded(nodes, entries[e, 2])
    return after


@kernel
def fill_rows(nodes, node_floats, entries, entry_floats, root, state, rows):
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


@kernel
def probabilities_by_order(nodes, entries, entry_floats, starts, node, ids, p):
    """p (order, T): what each suffix of the context says of each word, 0 for never; untouched: no such node."""
    bits = word_bits(nodes)
    for t in range(len(ids)):
        here, after, depth = node, 0, len(starts) - 2
        while True:
            while starts[depth] > here:
                depth -= 1
            e = find(nodes, entries, here, ids[t], bits)
            p[depth, t] = 10.0 ** entry_floats[e, 1] if e >= 0 else 0.0
            if e >= 0 and after == 0:
                after = bounded(nodes, entries[e, 2])
            if here == 0:
                break
            here = shorter(nodes, here)
        node = after

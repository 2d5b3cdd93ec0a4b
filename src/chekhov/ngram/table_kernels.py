"""Looking n-grams up in a `table.Table`. Every index that is read from the table is bounded before it is used."""

from __future__ import annotations

import numpy as np

from chekhov.kernels.jit import inlined, kernel, prefetch

LANES = 16  # pieces of a text that are read side by side, so that one waits for memory while the others work
LINE = 5  # entries in a cache line
NOTHING = -1


@inlined
def bounds(nodes, entries, node):
    """Where the entries of a node begin and end."""
    begin, end = nodes[node, 0], nodes[node + 1, 0]
    return max(begin, 0), min(end, len(entries))


@inlined
def shorter(nodes, node):
    """The node of the context without its first word: always a lower number, so that every search ends."""
    suffix = nodes[node, 2]
    return suffix if 0 <= suffix < node else 0


@inlined
def bounded(nodes, child):
    return child if 0 <= child < len(nodes) - 1 else 0


@inlined
def next_look(begin, end):
    """The entry that a binary search of begin ... end looks at next."""
    return np.int64((begin + end) >> 1 if end - begin > LINE else begin)


@kernel
def find(nodes, entries, node, word):
    """The entry of ``word`` in a node, or -1."""
    if node == 0:
        return word
    begin, end = bounds(nodes, entries, node)
    while end - begin > LINE:
        middle = (begin + end) >> 1
        if entries[middle, 0] <= word:
            begin = middle
        else:
            end = middle
    for e in range(begin, end):
        if entries[e, 0] == word:
            return e
    return NOTHING


@inlined
def step(nodes, node_floats, entries, entry_floats, node, word):
    """(log10 p(word | context of node), the node after it, the node that knew the word)."""
    log10_p = np.float32(0.0)
    e = find(nodes, entries, node, word)
    while e < 0:
        log10_p += node_floats[node, 1]
        node = shorter(nodes, node)
        e = find(nodes, entries, node, word)
    return log10_p + entry_floats[e, 1], bounded(nodes, entries[e, 2]), node


@kernel
def score_rows(nodes, node_floats, entries, entry_floats, state, ids, log10_probs, known_by):
    """Score the rows of ids (B, T) from state (B,), which is changed into the state after them.

    log10_probs (B, T), known_by (B, T): the node that knew each word, if there is room for it.
    """
    for b in range(len(ids)):
        node = state[b]
        for t in range(ids.shape[1]):
            log10_probs[b, t], node, knew = step(nodes, node_floats, entries, entry_floats, node, ids[b, t])
            if len(known_by) > 0:
                known_by[b, t] = knew
        state[b] = node


@kernel
def score_text(nodes, node_floats, entries, entry_floats, state, ids, order, log10_probs, known_by):
    """As `score_rows` for one long text ids (T,) from the node ``state``; returns the node after it.

    The text is cut into pieces that are read in turns, one memory access at a time. A piece begins order - 1 words
    early: the node after those is that of all words before.
    """
    T = len(ids)
    size = (T + LANES - 1) // LANES
    place, piece_end, wanted = np.empty(LANES, np.int64), np.empty(LANES, np.int64), np.empty(LANES, np.int64)
    node, begin, end = np.zeros(LANES, np.int64), np.full(LANES, NOTHING, np.int64), np.empty(LANES, np.int64)
    log10_p = np.zeros(LANES, np.float32)
    running = 0
    for lane in range(LANES):
        wanted[lane] = min(lane * size, T)
        place[lane], piece_end[lane] = max(0, wanted[lane] - (order - 1)), min(wanted[lane] + size, T)
        if place[lane] == 0:
            node[lane] = state
        running += wanted[lane] < piece_end[lane]
    after = state
    while running > 0:
        for lane in range(LANES):
            if place[lane] >= piece_end[lane]:
                continue
            word, here = ids[place[lane]], node[lane]
            if begin[lane] < 0:  # the node has come: ask for its entries
                if here == 0:
                    begin[lane], end[lane] = word, word + 1
                    prefetch(entries, (np.int64(word), 0))
                else:
                    low, high = bounds(nodes, entries, here)
                    begin[lane], end[lane] = low, high
                    prefetch(entries, (next_look(low, high), 0))
                continue
            low, high = begin[lane], end[lane]
            if high - low > LINE:
                middle = (low + high) >> 1
                if entries[middle, 0] <= word:
                    low = middle
                else:
                    high = middle
                begin[lane], end[lane] = low, high
                prefetch(entries, (next_look(low, high), 0))
                continue
            found = NOTHING
            for e in range(low, high):
                if entries[e, 0] == word:
                    found = e
            begin[lane] = NOTHING
            if found < 0:
                log10_p[lane] += node_floats[here, 1]
                node[lane] = shorter(nodes, here)
            else:
                if place[lane] >= wanted[lane]:
                    log10_probs[place[lane]] = log10_p[lane] + entry_floats[found, 1]
                    if len(known_by) > 0:
                        known_by[place[lane]] = here
                log10_p[lane] = 0.0
                node[lane] = bounded(nodes, entries[found, 2])
                place[lane] += 1
                if place[lane] == piece_end[lane]:
                    running -= 1
                    if piece_end[lane] == T:
                        after = node[lane]
            prefetch(nodes, (node[lane], 0))
    return after


@kernel
def advance_rows(nodes, entries, state, words):
    """The nodes (B,) after one word each, words (B,)."""
    after = np.empty(len(state), np.int64)
    for b in range(len(state)):
        node = state[b]
        e = find(nodes, entries, node, words[b])
        while e < 0:
            node = shorter(nodes, node)
            e = find(nodes, entries, node, words[b])
        after[b] = bounded(nodes, entries[e, 2])
    return after


@kernel
def fill_rows(nodes, node_floats, entries, entry_floats, state, rows):
    """rows (B, V): log10 p(w | context) of all words, from the empty context to the longest."""
    V, path = rows.shape[1], np.empty(64, np.int64)
    for b in range(len(state)):
        for w in range(V):
            rows[b, w] = entry_floats[w, 1]
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
    for t in range(len(ids)):
        here, after, depth = node, 0, len(starts) - 2
        while True:
            while starts[depth] > here:
                depth -= 1
            e = find(nodes, entries, here, ids[t])
            p[depth, t] = 10.0 ** entry_floats[e, 1] if e >= 0 else 0.0
            if e >= 0 and after == 0:
                after = bounded(nodes, entries[e, 2])
            if here == 0:
                break
            here = shorter(nodes, here)
        node = after

"""The likeliest words after a context, without looking at the whole vocabulary."""

from __future__ import annotations

import numpy as np

from chekhov.kernels.jit import lean
from chekhov.ngram.table_kernels import bounds, find, shorter, word_bits


@lean
def fill_path(nodes, node, path):
    """The nodes of the context and of its ever shorter ends, the empty one last: how many there are."""
    length = 0
    while node > 0 and length < len(path) - 1:
        path[length] = node
        node, length = shorter(nodes, node), length + 1
    path[length] = 0
    return length + 1


@lean
def fill_top(nodes, node_floats, entries, entry_floats, hints, path, firsts, falling, words, log10_probs):
    """The likeliest words and their log10 p, best first, ties by id; returns how many, where fewer are possible.

    ``path``: of `fill_path`. falling[firsts[i]:]: the entries of path[i] by falling p, those that matter only while p
    is high enough; firsts[i] < 0: they are few, and looked at one by one. A word counts where the longest context that
    knows it does; what a shorter one says of it is passed over.
    """
    bits, k, found, backoff = word_bits(nodes), len(words), 0, np.float32(0.0)
    for i in range(len(path)):
        begin, end = bounds(nodes, entries, path[i])
        for j in range(end - begin):
            e = np.int64(falling[firsts[i] + j]) if firsts[i] >= 0 else begin + j
            word, log10_p = entries[e, 0], backoff + entry_floats[e, 1]
            if log10_p == -np.inf:
                continue
            if found == k and log10_p <= log10_probs[k - 1]:
                if firsts[i] >= 0 and log10_p < log10_probs[k - 1]:
                    break
                if log10_p < log10_probs[k - 1] or word > words[k - 1]:
                    continue
            known = False
            for longer in range(i):
                known = known or find(nodes, entries, hints, path[longer], word, bits) >= 0
            if known:
                continue
            found = min(found + 1, k)
            place = found - 1
            while place > 0 and (
                log10_p > log10_probs[place - 1] or (log10_p == log10_probs[place - 1] and word < words[place - 1])
            ):
                words[place], log10_probs[place] = words[place - 1], log10_probs[place - 1]
                place -= 1
            words[place], log10_probs[place] = word, log10_p
        backoff += node_floats[path[i], 1]
    return found

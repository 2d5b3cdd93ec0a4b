"""Entropy pruning over a `table.Table`: what each n-gram is worth, and the table of those that are kept."""

from __future__ import annotations

import math

import numpy as np

from chekhov.kernels.jit import inlined, kernel, lean
from chekhov.ngram.table_kernels import is_deeper, shorter, step, word_bits
from chekhov.types import BOS, EOS

LN10 = math.log(10.0)


@inlined
def power(log10_p):
    """10 to this power; `**` takes four times as long."""
    return math.exp(LN10 * log10_p)


@lean
def context_probs(nodes, entries, entry_floats, starts, p):
    """p (M,): the probability of the words of each node, p(w1) p(w2 | w1) ...; of <s> that of </s>."""
    p[0] = 1.0
    for depth in range(len(starts) - 2):
        for node in range(starts[depth], starts[depth + 1]):
            for e in range(nodes[node, 0], nodes[node + 1, 0]):
                word = EOS if depth == 0 and entries[e, 0] == BOS else e
                child = 1 + entries[e, 0] if depth == 0 else entries[e, 2]
                if is_deeper(child, depth, starts):
                    p[child] = p[node] * power(entry_floats[word, 1])


@kernel
def worths(nodes, node_floats, entries, entry_floats, hints, starts, context_p, worth):
    """worth (E,): how many nats a word more the text costs if an n-gram is left to back off (Stolcke 1998).

    That of an n-gram is at least that of every longer one that begins with it: it cannot go before them.
    """
    bits, D = word_bits(nodes), len(starts) - 2
    highest = np.zeros(len(nodes), np.float64)  # worth of an entry of each node
    for depth in range(D, 0, -1):
        for node in range(starts[depth], starts[depth + 1]):
            begin, end = nodes[node, 0], nodes[node + 1, 0]
            suffix = shorter(nodes, node)
            left, left_below = 1.0, 1.0  # the share of words that were not seen, here and in the shorter context
            for e in range(begin, end):
                log10_q, _, _ = step(nodes, node_floats, entries, entry_floats, hints, suffix, entries[e, 0], bits)
                worth[e] = power(log10_q)
                left -= power(entry_floats[e, 1])
                left_below -= worth[e]
            left = max(left, 1e-12)
            log_before = math.log(left / left_below) if left_below > 1e-9 else 0.0
            for e in range(begin, end):
                p, q = power(entry_floats[e, 1]), worth[e]
                gain = math.inf
                if left_below + q > 1e-9 and p > 0.0 and q > 0.0:
                    log_after = math.log((left + p) / (left_below + q))
                    change = p * (math.log(q / p) + log_after)
                    if left_below > 1e-9:
                        change += left * (log_after - log_before)
                    gain = -context_p[node] * change
                child = entries[e, 2]
                if is_deeper(child, depth, starts):
                    gain = max(gain, highest[child])
                worth[e] = gain
                highest[node] = max(highest[node], gain)


@lean
def count_kept(nodes, starts, worth, threshold, new_nodes, kept):
    """new_nodes (M,): the number of each node in the new table, -1 where nothing is left of it; kept: how many n-grams
    and nodes of each depth stay."""
    at = 0
    for depth in range(len(starts) - 1):
        for node in range(starts[depth], starts[depth + 1]):
            count = 0
            for e in range(nodes[node, 0], nodes[node + 1, 0]):
                count += depth == 0 or worth[e] >= threshold
            kept[0, depth] += count
            new_nodes[node] = -1
            if depth <= 1 or count > 0:
                new_nodes[node] = at
                kept[1, depth] += 1
                at += 1


@lean
def rebuild(nodes, node_floats, entries, entry_floats, starts, worth, threshold, new_nodes, table):
    """Fill the new ``table`` (nodes, their floats, entries, their floats), all but its back-offs."""
    to_nodes, to_node_floats, to_entries, to_entry_floats = table
    for node in range(len(new_nodes)):
        if new_nodes[node] < 0:
            new_nodes[node] = new_nodes[shorter(nodes, node)]  # a lower number, so it is known by now
    at = 0
    for depth in range(len(starts) - 1):
        for node in range(starts[depth], starts[depth + 1]):
            own = new_nodes[node]
            if depth > 1 and to_nodes[own, 0] >= 0:
                continue  # nothing is left of this node: ``own`` is that of its suffix
            to_nodes[own, 0] = at
            to_nodes[own, 2] = new_nodes[shorter(nodes, node)]
            to_node_floats[own, 1] = node_floats[node, 1]  # where `set_backoffs` cannot reckon one
            for e in range(nodes[node, 0], nodes[node + 1, 0]):
                if depth == 0 or worth[e] >= threshold:
                    to_entries[at, 0], to_entries[at, 2] = entries[e, 0], new_nodes[entries[e, 2]]
                    to_entry_floats[at, 1] = entry_floats[e, 1]
                    at += 1
    to_nodes[len(to_nodes) - 1, 0] = at


@lean
def set_backoffs(nodes, node_floats, entries, entry_floats, hints):
    """The back-off of every node but the empty one, shorter contexts first: (1 - sum p) / (1 - sum p')."""
    bits = word_bits(nodes)
    for node in range(1, len(nodes) - 1):
        suffix = shorter(nodes, node)
        left, left_below = 1.0, 1.0
        for e in range(nodes[node, 0], nodes[node + 1, 0]):
            log10_q, _, _ = step(nodes, node_floats, entries, entry_floats, hints, suffix, entries[e, 0], bits)
            left -= power(entry_floats[e, 1])
            left_below -= power(log10_q)
        if left > 1e-9 and left_below > 1e-9:
            node_floats[node, 1] = math.log10(left / left_below)

"""From counts to probabilities, context by context: every smoothing is one line of `weights`."""

from __future__ import annotations

import math

import numpy as np

from chekhov.kernels.jit import inlined, kernel
from chekhov.types import BOS, EOS

DISCOUNT, WITTEN_BELL, JELINEK_MERCER, KATZ, STUPID = 0, 1, 2, 3, 4


@kernel
def counts_of_counts(counts, highest):
    """t[k]: how many of the counts are k, k = 0 ... highest."""
    t = np.zeros(highest + 1, np.int64)
    for count in counts:
        if count <= highest:
            t[count] += 1
    return t


@inlined
def weights(rule, numbers, counts, begin, end):
    """(Z, gamma): p(w | c) = (count - discount(count)) / Z + gamma p(w | c')."""
    total, few_1, few_2, few_3 = 0, 0, 0, 0
    for j in range(begin, end):
        count = counts[j]
        total += count
        few_1 += count == 1
        few_2 += count == 2
        few_3 += count > 2
    if total == 0:
        return 1.0, 1.0
    if rule == DISCOUNT:
        return float(total), (numbers[1] * few_1 + numbers[2] * few_2 + numbers[3] * few_3) / total
    if rule == WITTEN_BELL:
        types = few_1 + few_2 + few_3
        return float(total + types), types / (total + types)
    return total / numbers[0], 1.0 - numbers[0]


@kernel
def estimate(counted, room, rule, numbers, unigrams, node_starts, entry_starts, children, table):
    """Fill in the nodes and entries of a part: depth first, so that p(w | c') is at hand for every p(w | c).

    numbers (order, 4): of each depth, what `weights` needs. unigrams (V,): p(w). node_starts, entry_starts (order,):
    where those of this part and depth begin in the table. children (order, V): the next node of depth d + 1 that ends
    in w: entries and nodes are in the same order, so each entry takes the next. ``counted``: as `count_buckets` has
    filled it. ``table``: nodes, their floats, entries, their floats, see `table.Table`.
    """
    words, counts, _, firsts, parents, _, nodes, _ = counted
    table_nodes, node_floats, table_entries, entry_floats = table
    D, V = len(nodes) - 1, len(unigrams)
    lower = np.empty((D, V))  # p(w | c') for the words of the open node of each depth
    lower[0] = unigrams
    kids = np.empty(V, np.int32)  # for the words of the open node of depth D - 1: their child
    for w in range(V):
        kids[w] = 1 + BOS if w == EOS else 1 + w
    at = np.zeros(D + 2, np.int64)  # the next node of each depth
    for k in range(nodes[1]):
        depth, at[1] = 1, k
        while depth > 0:
            node, base = at[depth], depth * room
            begin, end = base + firsts[base + node], base + firsts[base + node + 1]
            Z, gamma = weights(rule, numbers[depth], counts, begin, end)
            row = node_starts[depth] + node
            table_nodes[row, 0] = entry_starts[depth] + begin - base
            node_floats[row, 1] = math.log(gamma)
            table_nodes[row, 2] = 0 if depth == 1 else node_starts[depth - 1] + parents[base + node]
            for j in range(begin, end):
                w, count = words[j], counts[j]
                above = count - numbers[depth, min(count, 3)] if rule == DISCOUNT else float(count)
                p = above / Z + gamma * lower[depth - 1, w]
                row = entry_starts[depth] + j - base
                table_entries[row, 0] = w
                entry_floats[row, 1] = math.log(p)
                if depth == D:
                    table_entries[row, 2] = kids[w]
                    continue
                lower[depth, w] = p
                child = 1 + BOS
                if w != EOS:
                    child = children[depth, w]
                    children[depth, w] += 1
                table_entries[row, 2] = child
                if depth == D - 1:
                    kids[w] = child
            at[depth] += 1
            if depth < D:
                deeper = depth + 1
                if at[deeper] < nodes[deeper] and parents[deeper * room + at[deeper]] == node:
                    depth = deeper
                    continue
            while depth > 1:  # the next of the same depth, or of the depth above, that belongs to the open one there
                if at[depth] < nodes[depth] and parents[depth * room + at[depth]] == at[depth - 1] - 1:
                    break
                depth -= 1
            if depth == 1:
                depth = 0

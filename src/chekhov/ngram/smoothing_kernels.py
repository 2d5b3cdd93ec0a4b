"""From counts to probabilities, context by context: every smoothing is one line of `weights`."""

from __future__ import annotations

import numpy as np

from chekhov.kernels.jit import bits_of, inlined, kernel, number_of
from chekhov.types import BOS, EOS

# Interpolated: p(w | c) = kept(count) / Z + gamma p(w | c'). Backed off: kept(count) / Z, else gamma p(w | c').
DISCOUNT, WITTEN_BELL, JELINEK_MERCER, KATZ, STUPID, MAXIMUM_LIKELIHOOD, ADD_K = 0, 1, 2, 3, 4, 5, 6
INTERPOLATED = JELINEK_MERCER  # rules up to this one are
NUMBERS = 8  # columns of numbers: what a rule needs at each depth


@kernel
def counts_of_counts(counts, highest):
    """t[k]: how many of the counts are k, k = 0 ... highest."""
    t = np.zeros(highest + 1, np.int64)
    for count in counts:
        if count <= highest:
            t[count] += 1
    return t


@inlined
def kept(rule, numbers, count):
    """What of a count is the n-gram's own."""
    if rule == DISCOUNT:
        return count - numbers[min(count, 3)]
    if rule == KATZ:
        return count * numbers[count] if count < NUMBERS else float(count)
    return count + numbers[0] if rule == ADD_K else float(count)


@inlined
def weights(rule, numbers, counts, begin, end, lost, leaf):
    """(Z, gamma) of a context. ``lost``: the counts that were pruned; ``leaf``: no longer context ends in this one.

    gamma of `KATZ` is the share that is left for unseen words: `estimate` divides it by their share of p(w | c').
    """
    total, few_1, few_2, few_3 = 0, 0, 0, 0
    for j in range(begin, end):
        count = counts[j]
        total += count
        few_1 += count == 1
        few_2 += count == 2
        few_3 += count > 2
    if total == 0:
        return 1.0, 1.0
    total += lost
    if rule == DISCOUNT:
        return float(total), (numbers[1] * few_1 + numbers[2] * few_2 + numbers[3] * few_3 + lost) / total
    types = few_1 + few_2 + few_3
    if rule == WITTEN_BELL:
        return float(total + types), (types + lost) / (total + types)
    if rule == JELINEK_MERCER:
        return total / numbers[0], 1.0 - numbers[0] * (total - lost) / total
    if rule == STUPID:
        return float(total), numbers[0]
    if rule == MAXIMUM_LIKELIHOOD:
        return float(total), 0.0
    if rule == ADD_K:
        Z = total + numbers[0] * numbers[1]
        return Z, numbers[0] * numbers[1] / Z if leaf else 1.0
    own = 0.0
    for j in range(begin, end):
        own += kept(rule, numbers, counts[j])
    if total - own < 1e-9:  # nothing was discounted: leave the unseen words one count
        return total + 1.0, 1.0 / (total + 1.0)
    return float(total), 1.0 - own / total


@inlined
def log10(x):
    """Base-10 logarithm of 0 or a normal number, to 1e-11: ln m = 2 artanh((m - 1) / (m + 1)) of the mantissa."""
    if x <= 0.0:
        return -np.inf
    bits = bits_of(x)
    exponent = (bits >> 52) - 1023
    m = number_of((bits & 0xFFFFFFFFFFFFF) | (1023 << 52))
    if m > 1.4142135623730951:
        m, exponent = m * 0.5, exponent + 1
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    series = 1.0 + z * (1 / 3 + z * (1 / 5 + z * (1 / 7 + z * (1 / 9 + z * (1 / 11)))))
    return 0.8685889638065036 * s * series + exponent * 0.3010299956639812


@kernel
def add_children(words, room, filled, children):
    """Add to children (order, V) how many nodes of depth d + 1 end in each word: as many as entries of depth d."""
    for depth in range(1, len(filled) - 1):
        for e in range(depth * room, depth * room + filled[depth]):
            children[depth, words[e]] += words[e] != EOS


@kernel
def estimate(
    counted, lost, room, node_bounds, entry_begins, rule, numbers, of_word, child_of_word, next_node, next_entry,
    node_rows, entry_rows, table,
):  # fmt: skip
    """Smooth some nodes and their entries: depth first, so that p(w | c') is at hand for every p(w | c).

    node_bounds (2, order): which nodes of each depth of ``counted`` (see `count_buckets`), the first of whose entries
    are entry_begins (order,). numbers (order, NUMBERS): of each depth, what `weights` needs. of_word (V, 2 D), D =
    order - 1, all that is needed of a word in one line of memory: of_word[w, d] is p(w | c) of the open node of depth
    d < D; child_of_word, the same bits as integers, has in [w, D + d] the next node of depth d + 1 that ends in w, for
    d = 1 ... D - 1 (as entries and nodes are in the same order, each entry takes the next), and in [w, D] the child of
    w in the open node of depth D - 1. next_node, next_entry: the numbers in the table of the first ones; node_rows,
    entry_rows: where they are put in ``table``, which is nodes, their floats, entries, their floats, see
    `table.Table`.
    """
    words, counts, _, firsts, parents, _, _, _ = counted
    table_nodes, node_floats, table_entries, entry_floats = table
    D = of_word.shape[1] // 2
    at = node_bounds[0].copy()  # the next node of each depth
    for _ in range(node_bounds[0, 1], node_bounds[1, 1]):
        depth = 1
        while depth > 0:
            node, base = at[depth], depth * room
            begin, end = base + firsts[base + node], base + firsts[base + node + 1]
            deeper, leaf = depth + 1, True
            if depth < D and at[deeper] < node_bounds[1, deeper]:
                leaf = parents[deeper * room + at[deeper]] != node
            gone = lost[base + node] if len(lost) > 0 else 0
            Z, gamma = weights(rule, numbers[depth], counts, begin, end, gone, leaf)
            scale = 1.0 / Z
            if rule == KATZ:
                seen = 0.0
                for j in range(begin, end):
                    seen += of_word[words[j], depth - 1]
                if seen < 1.0 - 1e-9:
                    gamma /= 1.0 - seen
                elif begin < end:  # all words are seen: there is none to keep a share for
                    scale, gamma = scale / (1.0 - gamma), 1.0
            row = node - node_bounds[0, depth] + node_rows[depth]
            shift = next_entry[depth] - entry_begins[depth] - base
            table_nodes[row, 0] = begin + shift
            node_floats[row, 1] = log10(gamma)
            table_nodes[row, 2] = 0
            if depth > 1:
                table_nodes[row, 2] = next_node[depth - 1] + parents[base + node] - node_bounds[0, depth - 1]
            row = entry_rows[depth] - entry_begins[depth] - base
            for j in range(begin, end):
                w, count = words[j], counts[j]
                p = kept(rule, numbers[depth], count) * scale
                if rule <= INTERPOLATED:
                    p += gamma * of_word[w, depth - 1]
                elif rule == ADD_K and not leaf:  # not of the highest order: it only leads on
                    p = 1.0 / numbers[depth, 1]
                table_entries[row + j, 0] = w
                entry_floats[row + j, 1] = min(0.0, log10(p))
                if depth == D:
                    table_entries[row + j, 2] = child_of_word[w, D]
                    continue
                of_word[w, depth] = p
                child = 1 + BOS
                if w != EOS:
                    child = child_of_word[w, D + depth]
                    child_of_word[w, D + depth] += 1
                table_entries[row + j, 2] = child
                if depth == D - 1:
                    child_of_word[w, D] = child
            at[depth] += 1
            if not leaf:
                depth = deeper
                continue
            while depth > 1:  # the next of the same depth, or of the depth above, that belongs to the open one there
                if at[depth] < node_bounds[1, depth] and parents[depth * room + at[depth]] == at[depth - 1] - 1:
                    break
                depth -= 1
            if depth == 1:
                depth = 0

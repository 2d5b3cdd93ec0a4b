"""From counts to probabilities, context by context: every smoothing is one line of `weights`."""

from __future__ import annotations

import numpy as np

from chekhov.kernels.jit import bits_of, inlined, kernel, lean, number_of
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


@lean
def add_children(words, room, filled, children):
    """Add to children (order, V) how many nodes of depth d + 1 end in each word: as many as entries of depth d."""
    for depth in range(1, len(filled) - 1):
        for e in range(depth * room, depth * room + filled[depth]):
            children[depth, words[e]] += words[e] != EOS


@lean
def estimate(
    counted, lost, room, node_bounds, entry_bounds, rule, numbers, unigrams, children, next_node, next_entry, node_rows,
    entry_rows, table, scratch, logs,
):  # fmt: skip
    """Smooth some nodes and their entries, depth by depth, so that p(w | c') is at hand for every p(w | c).

    node_bounds, entry_bounds (2, order): which nodes of each depth of ``counted`` (see `count_buckets`), and which
    entries they have. numbers (order, NUMBERS): of each depth, what `weights` needs. unigrams (V,): p(w). children
    (order, V): the next node of depth d + 1 that ends in w; as entries and nodes are in the same order, each entry
    takes the next. next_node, next_entry: the numbers in the table of the first ones; node_rows, entry_rows: where they
    are put in ``table``, which is nodes, their floats, entries, their floats, see `table.Table`. scratch (3, n), logs
    (n,): room for what is reckoned of the nodes or the entries of a depth.
    """
    words, counts, _, suffixes, firsts, parents, _, _, _ = counted
    table_nodes, node_floats, table_entries, entry_floats = table
    D = len(numbers) - 1
    gammas = scratch[2]
    for depth in range(1, D + 1):
        base, first, last = depth * room, node_bounds[0, depth], node_bounds[1, depth]
        first_entry, suffix_shift = entry_bounds[0, depth], -entry_bounds[0, depth - 1]
        row, parent_shift = node_rows[depth], next_node[depth - 1] - node_bounds[0, depth - 1]
        own, of_suffix = scratch[depth % 2], scratch[1 - depth % 2]  # p(w | c) of this depth, and of the one above it
        deeper = node_bounds[0, depth + 1] if depth < D else 0
        for node in range(first, last):
            begin, end = base + firsts[base + node], base + firsts[base + node + 1]
            leaf = True
            if rule == ADD_K and depth < D:
                below = base + room
                while deeper < node_bounds[1, depth + 1] and parents[below + deeper] == node:
                    leaf, deeper = False, deeper + 1
            gone = lost[base + node] if len(lost) > 0 else 0
            Z, gamma = weights(rule, numbers[depth], counts, begin, end, gone, leaf)
            scale = 1.0 / Z
            if rule == KATZ:
                seen = 0.0
                for j in range(begin, end):
                    seen += unigrams[words[j]] if depth == 1 else of_suffix[suffixes[j] + suffix_shift]
                if seen < 1.0 - 1e-9:
                    gamma /= 1.0 - seen
                elif begin < end:  # all words are seen: there is none to keep a share for
                    scale, gamma = scale / (1.0 - gamma), 1.0
            gammas[node - first] = gamma
            table_nodes[row, 0] = begin - base - first_entry + next_entry[depth]
            table_nodes[row, 2] = parents[base + node] + parent_shift if depth > 1 else 0
            row += 1
            for j in range(begin, end):
                p = kept(rule, numbers[depth], counts[j]) * scale
                if rule <= INTERPOLATED:
                    p += gamma * (unigrams[words[j]] if depth == 1 else of_suffix[suffixes[j] + suffix_shift])
                elif rule == ADD_K and not leaf:  # not of the highest order: it only leads on
                    p = 1.0 / numbers[depth, 1]
                own[j - base - first_entry] = p
        put_logs(gammas[: last - first], np.inf, logs, node_floats[node_rows[depth] :])
        put_logs(own[: entry_bounds[1, depth] - first_entry], 0.0, logs, entry_floats[entry_rows[depth] :])
        row, suffix_row = entry_rows[depth], entry_rows[depth - 1] + suffix_shift
        for j in range(base + first_entry, base + entry_bounds[1, depth]):
            w = words[j]
            table_entries[row, 0] = w
            if depth == D and depth > 1:
                table_entries[row, 2] = table_entries[suffix_row + suffixes[j], 2]
            elif w == EOS:
                table_entries[row, 2] = 1 + BOS
            elif depth == D:
                table_entries[row, 2] = 1 + w
            else:
                table_entries[row, 2] = children[depth, w]
                children[depth, w] += 1
            row += 1


@lean
def put_logs(values, most, logs, rows):
    """rows[:, 1] = log10 of the values, ``most`` at most: side by side first, as the processor takes eight at once."""
    for i in range(len(values)):
        logs[i] = min(most, log10(values[i]))
    for i in range(len(values)):
        rows[i, 1] = logs[i]

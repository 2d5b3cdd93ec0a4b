"""Taking n-grams out of the counts."""

from __future__ import annotations

from chekhov.kernels.jit import kernel


@kernel
def prune(counted, room, thresholds, first_node, next_node, first_entry, next_entry, lost):
    """Keep the n-grams of each order n that stand more than thresholds[n] times in the text; in place.

    ``counted``: as `counting_kernels.count_buckets` has filled it, ``raws`` too. lost[node]: the counts
    of the entries of a node that were taken out, depth d at d * room. first_node, next_node, first_entry, next_entry:
    scratch (room,) for the new numbers of the nodes and the entries of two depths. Where an n-gram is kept, its suffix
    is, too: it stands as often or more.
    """
    words, counts, raws, suffixes, firsts, parents, filled, nodes, offsets = counted
    D = len(filled) - 1
    for d in range(1, D + 1):
        base, e, k = d * room, 0, 0
        begin, bucket = firsts[base], 0
        for node in range(nodes[d]):
            while bucket < offsets.shape[1] and offsets[d, bucket] == node:
                offsets[d, bucket] = k
                bucket += 1
            end = firsts[base + node + 1]
            seen = 0
            for j in range(begin, end):
                seen += raws[base + j]
            next_node[node] = k
            if d == 1 or seen > thresholds[d]:
                firsts[base + k] = e
                parents[base + k] = first_node[parents[base + node]] if d > 1 else 0
                lost[base + k] = 0
                for j in range(begin, end):
                    next_entry[j] = e
                    if raws[base + j] > thresholds[d + 1]:
                        words[base + e], counts[base + e] = words[base + j], counts[base + j]
                        raws[base + e] = raws[base + j]
                        suffixes[base + e] = first_entry[suffixes[base + j]] if d > 1 else 0
                        e += 1
                    else:
                        lost[base + k] += counts[base + j]
                k += 1
            begin = end
        while bucket < offsets.shape[1]:
            offsets[d, bucket] = k
            bucket += 1
        firsts[base + k] = e
        filled[d], nodes[d] = e, k
        first_node[:] = next_node
        first_entry[:] = next_entry

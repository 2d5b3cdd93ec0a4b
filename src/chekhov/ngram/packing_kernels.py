"""Writing a `packed.PackedTable`, and reading a table for it from its longest n-grams back."""

from __future__ import annotations

import numpy as np

from chekhov.kernels.jit import kernel, lean
from chekhov.ngram.packed_kernels import CODE_BITS, EACH, NO_HINT, RECORDS, WIDTH, unit
from chekhov.ngram.table_kernels import BUCKET, WINDOW, find, is_deeper, scrambled, shorter
from chekhov.ngram.table_kernels import word_bits as bits_of_words


@lean
def write_records(words, probs, backoffs, layout, word_bits, records):
    """Pack the records of a level: word, code of log10 p, code of the back-off (none at the highest order)."""
    width, last = layout[WIDTH], len(words)
    for i in range(last):
        bit = layout[RECORDS] + i * width
        value = np.uint64(words[i]) | (np.uint64(probs[i]) << np.uint64(word_bits))
        if len(backoffs) > 0:
            value |= np.uint64(backoffs[i]) << np.uint64(word_bits + CODE_BITS)
        value <<= np.uint64(bit & 7)
        byte = bit >> 3
        while value > 0:
            records[byte] |= np.uint8(value & np.uint64(255))
            value >>= np.uint64(8)
            byte += 1


@lean
def write_ends(child_counts, ends, samples):
    """For each node as many zeros as it has children, then a one; samples[j]: where node 16 j begins."""
    bit = 0
    for i in range(len(child_counts)):
        if i % EACH == 0:
            samples[i // EACH] = bit
        bit += child_counts[i]
        ends[bit >> 6] |= np.uint64(1) << np.uint64(bit & 63)
        bit += 1


@lean
def fill_hints(begins, words, bits, hints):
    """Hints of nodes whose children are words[begins[i]:begins[i + 1]], in the order of `scrambled`: how far from where
    a bucket of them would begin, were they spread evenly, it does begin. Nodes with few have none."""
    for node in range(len(begins) - 1):
        low, high = begins[node], begins[node + 1]
        count, e = (high - low) >> BUCKET, low
        if high - low <= WINDOW:
            continue
        shift = unit(high - low)
        for number in range(count):
            while e < high and (scrambled(words[e], bits) * count) >> bits < number:
                e += 1
            far = (e - low - (number << BUCKET)) >> shift
            hints[(low >> BUCKET) + number] = far if -(1 << 7) < far < 1 << 7 else NO_HINT


@kernel
def read_backwards(nodes, entries, hints, starts, first_words, suffixes):
    """Of each n-gram of a table: its first word, and the entry of the n-gram without it, -1 if there is none."""
    bits = bits_of_words(nodes)
    first = np.zeros(len(nodes), np.int32)  # the first word of each context
    for depth in range(len(starts) - 1):
        for node in range(starts[depth], starts[depth + 1]):
            suffix = shorter(nodes, node)
            whole = depth <= 1 or starts[depth - 1] <= suffix < starts[depth]
            for e in range(nodes[node, 0], nodes[node + 1, 0]):
                word = entries[e, 0]
                first_words[e] = word if depth == 0 else first[node]
                suffixes[e] = -1
                if depth > 0 and whole:
                    suffixes[e] = find(nodes, entries, hints, suffix, word, bits)
                child = 1 + word if depth == 0 else entries[e, 2]
                if is_deeper(child, depth, starts):
                    first[child] = first_words[e]


@lean
def gather_backoffs(nodes, node_floats, entries, starts, log10_backoffs):
    """The back-off of each n-gram as a context, 0 where it is none."""
    for depth in range(len(starts) - 2):
        for node in range(starts[depth], starts[depth + 1]):
            for e in range(nodes[node, 0], nodes[node + 1, 0]):
                child = 1 + entries[e, 0] if depth == 0 else entries[e, 2]
                if is_deeper(child, depth, starts):
                    log10_backoffs[e] = node_floats[child, 1]


@lean
def find_entries(nodes, entries, hints, starts, grams, found):
    """The entry of each n-gram (count, n), -1 for those that are not there."""
    bits, n = bits_of_words(nodes), grams.shape[1]
    for i in range(len(grams)):
        node, e = np.int64(0), np.int64(-1)
        for k in range(n):
            e = find(nodes, entries, hints, node, grams[i, k], bits)
            if e < 0 or k == n - 1:
                break
            node = np.int64(1 + grams[i, k] if k == 0 else entries[e, 2])
            if not is_deeper(node, k, starts):
                e = np.int64(-1)
                break
        found[i] = e

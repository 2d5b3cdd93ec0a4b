"""From ids to the counts of all orders: one sort, then each lower order out of the one above it.

Every target w_i of the text stands with its context read backwards, b x2 x3 ... = w_{i-1} w_{i-2} w_{i-3} ..., which
ends at the start of the sentence. Sorted by (b, x2, x3, ..., w scrambled), all that is known about a context lies
together: its words, and those of all longer contexts that end like it. So everything is done bucket by bucket, a bucket
being the contexts that end in one word b, and buckets need nothing of each other.
"""

from __future__ import annotations

import numpy as np

from chekhov.kernels.jit import highest_one, inlined, kernel, lean
from chekhov.kernels.sorting_kernels import STACK, sort_bucket, sort_numbers
from chekhov.ngram.table_kernels import UNSCRAMBLE, scrambled
from chekhov.types import BOS, EOS

NO_COLUMN = (1 << 31) - 1
AT_ONCE = 1 << 12  # targets that are counted depth by depth, if their buckets are small


@inlined
def last_word(ids, i):
    """The last word of the context of target i: what stands before it, or <s>."""
    return BOS if i == 0 or ids[i - 1] == EOS else ids[i - 1]


@lean
def add_bucket_sizes(ids, begin, end, sizes):
    """Add to sizes (V,) how many of the targets begin ... end of a block of text have each word before them."""
    for i in range(begin, end):
        sizes[last_word(ids, i)] += 1


@lean
def choose(ids, begin, end, first, last, places):
    """places: which of the targets begin ... end have one of the words first ... last - 1 before them. How many."""
    chosen = 0
    for i in range(begin, end):
        places[chosen] = i
        chosen += first <= last_word(ids, i) < last
    return chosen


@lean
def distribute(ids, count, part_of, next_place, places):
    """Lay out all targets 0 ... count - 1 of a text by the part that the word before them belongs to."""
    for i in range(count):
        part = part_of[last_word(ids, i)]
        places[next_place[part]] = i
        next_place[part] += 1


@lean
def fill_keys(ids, places, weights, first, cursor, words_each, bits, D, keys, column_weights):
    """Put the targets at ``places``, all of the buckets first, first + 1, ..., where these go on, and their weights.

    cursor (buckets,): the next column of each bucket in keys (K, m); a column is x2, x3, ... x_D and w, ``words_each``
    ids to an integer, the first highest. An id is stored as id + 1; 0 stands for what lies before the start of a
    sentence, and for the target after the end of a text that breaks off. w is scrambled, as the entries of a table are
    in the order of scrambled words. D words stand before each target, or the text begins there. weights, of each
    place, may be empty: then each counts once.
    """
    for p in range(len(places)):
        i = places[p]
        b = last_word(ids, i) - first
        column = cursor[b]
        cursor[b] += 1
        if len(weights) > 0:
            column_weights[column] = weights[p]
        here = i - 1  # the place of the last context word; -1 or an </s> is the <s> of this sentence
        key, filled, chunk = 0, 0, 0
        for place in range(D):
            if place == D - 1:
                value = scrambled(ids[i], bits) if i < len(ids) else 0
            elif here < 0 or ids[here] == EOS:
                value = 0
            else:
                here -= 1
                value = BOS + 1 if here < 0 or ids[here] == EOS else ids[here] + 1
            key = (key << bits) | value
            filled += 1
            if filled == words_each or place == D - 1:
                keys[chunk, column] = key << (bits * (words_each - filled))
                key, filled, chunk = 0, 0, chunk + 1


@inlined
def word_at(keys, j, place, layout):
    """The id + 1 at ``place`` of column j; 0: before the start of the sentence or after the end of the text."""
    return (keys[layout[place, 0], j] >> layout[place, 1]) & layout[place, 2]


@kernel
def count_buckets(keys, weights, sizes, first_word, bits, words_each, room, counted):
    """Count the buckets of the words first_word, first_word + 1, ...: keys (K, m) holds ``sizes`` targets of each.

    weights (m,): how often each target counts; empty: once.

    A context of d words is a node of depth d = 1 ... D (D = order - 1), and the words that follow it are its entries:
    words[e], counts[e] (see `unite`) and, if it is not empty, raws[e]: how often they follow it; suffixes[e]: the entry
    of the word in the node of depth d - 1. firsts[k]: where the entries of node k begin. parents[k]: its node of depth
    d - 1, the context without its first word. In these arrays depth d begins at d * room. filled[d], nodes[d]: how many
    there are. offsets[d, k]: the first node of bucket k. ``counted`` is all these in this order.

    Some buckets at a time, and one depth after the other, the longest contexts first: each is a pass over arrays.
    """
    firsts, filled, nodes = counted[4], counted[6], counted[7]
    D, most = len(filled) - 1, AT_ONCE
    for size in sizes:  # not sizes.max(), which loads SciPy
        most = max(most, size)
    order, spare, stack = np.empty(most, np.int32), np.empty(most, np.int64), np.empty(STACK, np.int64)
    layout = np.empty((D, 3), np.int64)  # of each place: its row in keys, its shift there, and the mask of an id
    for place in range(D):
        layout[place, 0], layout[place, 1] = place // words_each, bits * (words_each - 1 - place % words_each)
        layout[place, 2] = (1 << bits) - 1
    place_of = np.empty(64, np.int8)  # of a bit of a key
    for bit in range(64):
        place_of[bit] = max(0, words_each - 1 - bit // bits)
    of_columns = np.empty(most, np.int8), np.empty(most, np.int8), np.empty(most, np.int32), np.empty(most, np.int32)
    begins, united, before = np.empty(most + 1, np.int32), np.empty(most, np.int64), np.empty(D + 2, np.int64)
    k, done = 0, 0
    while k < len(sizes):
        last, m = k, 0
        while last < len(sizes) and last - k < AT_ONCE and (m == 0 or m + sizes[last] <= AT_ONCE):
            bucket = keys[:, done + m : done + m + sizes[last]]
            sort_bucket(bucket, order, spare, sizes[last], stack)
            if len(weights) > 0:
                for j in range(sizes[last]):
                    of_columns[3][m + j] = weights[done + m + order[j]]
            m += sizes[last]
            last += 1
        group = keys[:, done : done + m]
        compare_columns(group, sizes[k:last], words_each, place_of, layout, of_columns)
        before[1 : D + 1] = nodes[1:]
        before[D + 1] = 0
        for d in range(D, 0, -1):
            open_nodes(d, k, last, sizes, of_columns, begins, room, counted)
            fill_nodes(d, before, m, len(weights) > 0, of_columns, begins, bits, room, counted, united, spare, stack)
        k, done = last, done + m
    for d in range(1, D + 1):
        firsts[d * room + nodes[d]] = filled[d]


@lean
def compare_columns(keys, sizes, words_each, place_of, layout, of_columns):
    """Fill equal, own, last of some buckets' columns, which are sorted.

    equal[j]: how many words column j shares with the one before it, of x2 ... x_D and w; -1 for the first of a bucket.
    own[j]: how many words its context has, b among them. last[j]: w, or -1 where the text has ended. place_of (64,):
    the place of a bit of a key.
    """
    equal, own, last, _ = of_columns
    D, chunks = len(layout), len(keys)
    shift, mask = layout[D - 1, 1], layout[D - 1, 2]
    for j in range(keys.shape[1]):
        last[j] = ((((keys[chunks - 1, j] >> shift) & mask) * UNSCRAMBLE) & mask) - 1
        length = 1
        for place in range(D - 1):
            length += word_at(keys, j, place, layout) != 0
        own[j] = length
        same = D
        if j > 0:
            for chunk in range(chunks - 1, -1, -1):
                differ = keys[chunk, j] ^ keys[chunk, j - 1]
                if differ != 0:
                    same = chunk * words_each + place_of[highest_one(np.uint64(differ))]
        equal[j] = same
    j = 0
    for size in sizes:
        if size > 0:
            equal[j] = -1
        j += size


@lean
def open_nodes(d, first, last, sizes, of_columns, begins, room, counted):
    """The nodes of depth d of the buckets first ... last - 1: begins[n] is the column that the n-th of them begins at.

    Column j opens one where its context is as long and differs from the one before it.
    """
    equal, own, _, _ = of_columns
    parents, nodes, offsets = counted[5], counted[7], counted[8]
    base, before, n, j = d * room, nodes[d], nodes[d], 0
    parent = nodes[d - 1] - 1
    for k in range(first, last):
        offsets[d, k] = n
        if d == 1:  # one a bucket, though it be empty
            begins[n - before], parents[base + n] = j if sizes[k] > 0 else NO_COLUMN, 0
            n, j = n + 1, j + sizes[k]
            continue
        if d == 2:
            parent = k
        for i in range(j, j + sizes[k]):
            if d > 2:
                parent += (equal[i] < d - 2) & (own[i] >= d - 1)
            begins[n - before], parents[base + n] = i, parent
            n += (equal[i] < d - 1) & (own[i] >= d)
        j += sizes[k]
    nodes[d] = n


@lean
def fill_nodes(d, before, m, weighted, of_columns, begins, bits, room, counted, united, spare, stack):
    """The entries of the nodes of depth d from before[d] on; those of depth d + 1 that end in them are known.

    A context that no longer one ends in is of the highest order, or begins with <s>: it counts how often each word
    follows it. begins: see `open_nodes`.
    """
    equal, _, last, times = of_columns
    words, counts, raws, suffixes, firsts, parents, filled, nodes, _ = counted
    D, base, below = len(filled) - 1, d * room, (d + 1) * room
    e, child = base + filled[d], before[d + 1]
    for node in range(before[d], nodes[d]):
        j, begin = begins[node - before[d]], e
        firsts[base + node] = e - base
        if d < D and child < nodes[d + 1] and parents[below + child] == node:
            first_entry, child = below + firsts[below + child], child + 1
            alone = True
            while child < nodes[d + 1] and parents[below + child] == node:
                alone, child = False, child + 1
            end = below + firsts[below + child]
            if not alone:
                e = unite(first_entry, end, e, base, bits, counted, united, spare, stack)
                continue
            for i in range(first_entry, end):  # most contexts stand after one word only
                words[e], counts[e], suffixes[i] = words[i], 1, e - base
                if len(raws) > 0:
                    raws[e] = raws[i]
                e += 1
            continue
        start = j
        while j < m and (j == start or equal[j] >= D - 1):
            number = times[j] if weighted else 1
            if e > begin and words[e - 1] == last[j]:
                counts[e - 1] += number
            elif last[j] >= 0:
                words[e], counts[e] = last[j], number
                e += 1
            j += 1
        if len(raws) > 0:
            for i in range(begin, e):
                raws[i] = counts[i]
    filled[d] = e - base
    firsts[base + nodes[d]] = filled[d]


@inlined
def unite(first, end, e, base, bits, counted, united, spare, stack):
    """The words after a context, from ``e`` on: the union of those after the longer ones, first ... end.

    Each counts as often as there are different words before the n-gram: Kneser & Ney's adjusted count. They come in the
    order of their words, scrambled. Returns the end.
    """
    words, counts, raws, suffixes, _, _, _, _, _ = counted
    for i in range(first, end):
        united[i - first] = scrambled(words[i], bits) << 32 | (i - first)
    sort_numbers(united, spare, end - first, bits, stack)
    previous = np.int64(-1)
    for i in range(end - first):
        place, own = united[i] >> 32, first + (united[i] & 0xFFFFFFFF)
        if place != previous:
            words[e], counts[e] = words[own], 0
            if len(raws) > 0:
                raws[e] = 0
            e, previous = e + 1, place
        counts[e - 1] += 1
        suffixes[own] = e - 1 - base
        if len(raws) > 0:
            raws[e - 1] += raws[own]
    return e

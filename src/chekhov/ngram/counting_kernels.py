"""From ids to the counts of all orders: one sort, then each lower order out of the one above it.

Every target w_i of the text stands with its context read backwards, b x2 x3 ... = w_{i-1} w_{i-2} w_{i-3} ..., which
ends at the start of the sentence. Sorted by (b, x2, x3, ..., w scrambled), all that is known about a context lies
together: its words, and those of all longer contexts that end like it. So everything is done bucket by bucket, a bucket
being the contexts that end in one word b, and buckets need nothing of each other.
"""

from __future__ import annotations

import numpy as np

from chekhov.kernels.jit import inlined, kernel
from chekhov.ngram.table_kernels import UNSCRAMBLE, scrambled
from chekhov.types import BOS, EOS

SMALL = 24  # runs that are sorted by insertion
FEW = 12  # words that are looked for one by one


@inlined
def last_word(ids, i):
    """The last word of the context of target i: what stands before it, or <s>."""
    return BOS if i == 0 or ids[i - 1] == EOS else ids[i - 1]


@kernel
def add_bucket_sizes(ids, begin, end, sizes):
    """Add to sizes (V,) how many of the targets begin ... end of a block of text have each word before them."""
    for i in range(begin, end):
        sizes[last_word(ids, i)] += 1


@kernel
def choose(ids, begin, end, first, last, places):
    """places: which of the targets begin ... end have one of the words first ... last - 1 before them. How many."""
    chosen = 0
    for i in range(begin, end):
        places[chosen] = i
        chosen += first <= last_word(ids, i) < last
    return chosen


@kernel
def distribute(ids, count, part_of, next_place, places):
    """Lay out all targets 0 ... count - 1 of a text by the part that the word before them belongs to."""
    for i in range(count):
        part = part_of[last_word(ids, i)]
        places[next_place[part]] = i
        next_place[part] += 1


@kernel
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


@kernel
def swap(keys, payload, a, b):
    keys[a], keys[b] = keys[b], keys[a]
    payload[a], payload[b] = payload[b], payload[a]


@kernel
def sort_together(keys, payload, start, end, stack):
    """Sort keys[start:end] and move ``payload`` with them: quicksort, and insertion for short runs."""
    top = 0
    stack[0], stack[1] = start, end
    while top >= 0:
        low, high = stack[top], stack[top + 1]
        top -= 2
        while high - low > SMALL:
            middle, last = (low + high) >> 1, high - 1
            if keys[middle] < keys[low]:
                swap(keys, payload, middle, low)
            if keys[last] < keys[low]:
                swap(keys, payload, last, low)
            if keys[last] < keys[middle]:
                swap(keys, payload, last, middle)
            pivot = keys[middle]
            left, right = low, last
            while left <= right:
                while keys[left] < pivot:
                    left += 1
                while pivot < keys[right]:
                    right -= 1
                if left <= right:
                    swap(keys, payload, left, right)
                    left += 1
                    right -= 1
            if right + 1 - low < high - left:  # the longer part waits: the stack stays short
                top += 2
                stack[top], stack[top + 1] = left, high
                high = right + 1
            else:
                top += 2
                stack[top], stack[top + 1] = low, right + 1
                low = left
        for i in range(low + 1, high):
            key, load = keys[i], payload[i]
            j = i - 1
            while j >= low and keys[j] > key:
                keys[j + 1], payload[j + 1] = keys[j], payload[j]
                j -= 1
            keys[j + 1], payload[j + 1] = key, load


@kernel
def sort_bucket(keys, order, spare, m, stack):
    """Sort the columns keys[:, :m] by their first row, then by the next, and so on."""
    for j in range(m):
        order[j] = j
    sort_together(keys[0], order, 0, m, stack)
    for chunk in range(1, len(keys)):
        for j in range(m):
            spare[j] = keys[chunk, order[j]]
        start = 0
        while start < m:
            end = start + 1
            while end < m and same_so_far(keys, start, end, chunk):
                end += 1
            if end - start > 1:
                sort_together(spare, order, start, end, stack)
            start = end
        for j in range(m):
            keys[chunk, j] = spare[j]


@inlined
def same_so_far(keys, a, b, chunks):
    """Are the first ``chunks`` rows of two columns equal?"""
    for chunk in range(chunks):
        if keys[chunk, a] != keys[chunk, b]:
            return False
    return True


@inlined
def word_at(keys, j, place, layout):
    """The id + 1 at ``place`` of column j; 0: before the start of the sentence or after the end of the text."""
    return (keys[layout[place, 0], j] >> layout[place, 1]) & layout[place, 2]


@kernel
def count_buckets(keys, weights, sizes, first_word, bits, words_each, vocab_size, room, counted):
    """Count the buckets of the words first_word, first_word + 1, ...: keys (K, m) holds ``sizes`` targets of each.

    weights (m,): how often each target counts; empty: once.

    A context of d words is a node of depth d = 1 ... D (D = order - 1), and the words that follow it are its entries:
    words[e], counts[e] (see `close`) and, if it is not empty, raws[e]: how often they follow it. firsts[k]: where the
    entries of node k begin. parents[k]: its node of depth d - 1, the context without its first word. In these arrays
    depth d begins at d * room. filled[d], nodes[d]: how many there are. offsets[d, k]: the first node of bucket k.
    ``counted`` is all these in this order.
    """
    _, _, _, firsts, parents, filled, nodes, offsets = counted
    D = len(filled) - 1
    widest = sizes.max()
    order, spare = np.empty(widest, np.int32), np.empty(widest, np.int64)
    layout = np.empty((D, 3), np.int64)  # of each place: its row in keys, its shift there, and the mask of an id
    for place in range(D):
        layout[place, 0], layout[place, 1] = place // words_each, bits * (words_each - 1 - place % words_each)
        layout[place, 2] = (1 << bits) - 1
    stack, slot = np.empty(256, np.int64), np.zeros(vocab_size, np.int32)
    scratch = np.empty(len(slot), np.int32), np.empty(len(slot), np.int32), np.empty(len(slot), np.int64), stack
    entries_before = np.zeros(D + 2, np.int64)  # of the open node of each depth, one depth below it
    nodes_before = np.zeros(D + 2, np.int64)
    path = np.zeros(D + 1, np.int64)  # id + 1 of the first words of the open nodes of depths 2, 3, ...
    done = 0
    for k in range(len(sizes)):
        m = sizes[k]
        for d in range(1, D + 1):
            offsets[d, k] = nodes[d]
        bucket, own = keys[:, done : done + m], weights[done : done + m]
        sort_bucket(bucket, order, spare, m, stack)
        done += m
        deepest = 1 if first_word + k == BOS else D
        opened = 0  # the depth of the deepest open node
        j = 0
        while j < m:
            shared = min(opened, 1)  # how many words of the open context this one has too
            while 0 < shared < opened and word_at(bucket, j, shared - 1, layout) == path[shared + 1]:
                shared += 1
            while opened > shared:
                below = entries_before[opened], nodes_before[opened]
                close(opened, below, bits, room, counted, slot, scratch)
                opened -= 1
            while opened < deepest and not (opened > 1 and path[opened] == BOS + 1):
                opened += 1
                if opened > 1:
                    path[opened] = word_at(bucket, j, opened - 2, layout)
                if opened < D:
                    entries_before[opened], nodes_before[opened] = filled[opened + 1], nodes[opened + 1]
            j = add_leaf(opened, bucket, own, order, j, m, bits, layout, room, counted)
            opened -= 1
        if m == 0:
            firsts[room + nodes[1]], parents[room + nodes[1]] = filled[1], 0
            nodes[1] += 1
        while opened > 0:
            below = entries_before[opened], nodes_before[opened]
            close(opened, below, bits, room, counted, slot, scratch)
            opened -= 1
    for d in range(1, D + 1):
        firsts[d * room + nodes[d]] = filled[d]


@inlined
def add_leaf(d, keys, weights, order, j, m, bits, layout, room, counted):
    """Column j and those after it with the same context: a node that no longer context ends in. Returns the next j.

    It is a context of the highest order, or one that begins with <s>: it counts how often each word follows it.
    order[j]: where column j stood before the columns were sorted, and its weight still stands.
    """
    words, counts, raws, firsts, parents, filled, nodes, _ = counted
    D, chunks, base = len(filled) - 1, len(keys), d * room
    begin = e = base + filled[d]
    firsts[base + nodes[d]], parents[base + nodes[d]] = filled[d], nodes[d - 1]
    last_shift, mask = layout[D - 1, 1], layout[D - 1, 2]
    start = j
    while j < m:
        if j > start:
            if not same_so_far(keys, start, j, chunks - 1):
                break
            if (keys[chunks - 1, j] >> last_shift >> bits) != (keys[chunks - 1, start] >> last_shift >> bits):
                break
        w = ((((keys[chunks - 1, j] >> last_shift) & mask) * UNSCRAMBLE) & mask) - 1
        times = weights[order[j]] if len(weights) > 0 else 1
        if e > begin and words[e - 1] == w:
            counts[e - 1] += times
        elif w >= 0:
            words[e], counts[e] = w, times
            e += 1
        j += 1
    if len(raws) > 0:
        raws[begin:e] = counts[begin:e]
    filled[d] = e - base
    nodes[d] += 1
    return j


@inlined
def close(d, first_below, bits, room, counted, slot, scratch):
    """The words after a context of depth d, all nodes of depth d + 1 that end in it being known: their union.

    Each counts as often as there are different words before the n-gram: Kneser & Ney's adjusted count. ``first_below``:
    the first entry and the first node of depth d + 1 that belong to it.
    """
    words, counts, raws, firsts, parents, filled, nodes, _ = counted
    first_entry, first_node = first_below
    base, below = d * room, (d + 1) * room
    begin = e = base + filled[d]
    first_entry, last_entry = below + first_entry, below + filled[d + 1]
    firsts[base + nodes[d]], parents[base + nodes[d]] = filled[d], nodes[d - 1]
    nodes[d] += 1
    if nodes[d + 1] - first_node == 1:  # most contexts stand after one word only
        for j in range(first_entry, last_entry):
            words[e], counts[e] = words[j], 1
            if len(raws) > 0:
                raws[e] = raws[j]
            e += 1
        filled[d] = e - base
        return
    few = last_entry - first_entry <= FEW
    for j in range(first_entry, last_entry):
        w, place = words[j], e
        if few:
            for known in range(begin, e):
                if words[known] == w:
                    place = known
        elif begin <= slot[w] < e and words[slot[w]] == w:
            place = slot[w]
        if place == e:
            if not few:
                slot[w] = e
            words[e], counts[e] = w, 0
            if len(raws) > 0:
                raws[e] = 0
            e += 1
        counts[place] += 1
        if len(raws) > 0:
            raws[place] += raws[j]
    filled[d] = e - base
    order, spare, places, stack = scratch
    sort_entries(words, counts, raws, begin, e, bits, order, spare, places, stack)


@kernel
def sort_entries(words, counts, raws, begin, end, bits, order, spare, places, stack):
    """Bring the entries begin ... end into the order of their words, scrambled."""
    ordered = True
    for e in range(begin, end):
        places[e - begin] = scrambled(words[e], bits)
        ordered = ordered and (e == begin or places[e - begin - 1] < places[e - begin])
    if ordered:
        return
    for e in range(end - begin):
        order[e] = e
    sort_together(places, order, 0, end - begin, stack)
    permute(words[begin:end], order, spare)
    permute(counts[begin:end], order, spare)
    if len(raws) > 0:
        permute(raws[begin:end], order, spare)


@kernel
def permute(values, order, spare):
    for j in range(len(values)):
        spare[j] = values[order[j]]
    values[:] = spare[: len(values)]

"""Learning and adding up the weights of `log_linear`, rows of sixteens of float32.

``features`` (types + 2, C): of each type of word, and in the last two rows of what stands before a sentence and after
it. ``templates`` (M, 4): an offset from the word and a column of ``features``, and a second pair of them; a second
column of -1 stands for none. A template that asks for the number of an unknown word, 0, has no feature.
"""

from __future__ import annotations

import numpy as np

from chekhov.kernels.jit import inlined, kernel, prefetch
from chekhov.kernels.vector_kernels import exp, load, reciprocal, splat, square_root, store
from chekhov.labels.log_linear import FIRST_FACTOR, LANES, NUMBER, SECOND_FACTOR

LEAST = np.float32(-80.0)  # e to this power is 0, as far as a sum of probabilities can tell
FIRST, SECOND = np.uint64(FIRST_FACTOR), np.uint64(SECOND_FACTOR)
TYPES_AT_ONCE = 16
NONE, HALF, LOWER = np.uint64(0), np.uint64(32), np.uint64(2**32 - 1)


@inlined
def type_at(tokens, begin, end, place, types):
    """The row of ``features`` of what stands at a place."""
    if place < begin:
        return types
    return types + 1 if place >= end else tokens[place]


@inlined
def code_of(features, templates, j, first, second):
    """The code of template j, given the types at its two places; 0: it has no feature."""
    column, other = templates[j, 1], templates[j, 3]
    value = features[first, column]
    if column == NUMBER and value == 0:
        return NONE
    code = (np.uint64(j + 1) * FIRST ^ np.uint64(value)) * SECOND
    code ^= code >> HALF
    if other >= 0:
        value = features[second, other]
        if other == NUMBER and value == 0:
            return NONE
        code = (code ^ np.uint64(value)) * SECOND
        code ^= code >> HALF
    return code


@inlined
def slot_of(slots, code):
    """Where a code is, or would be: a slot holds the upper half of a code, and the number of its row, from 1."""
    mask = np.uint64(len(slots) - 1)
    place = code & mask
    while slots[place] != NONE and slots[place] >> HALF != code >> HALF:
        place = (place + np.uint64(1)) & mask
    return place


@inlined
def row_of(slots, code, width):
    """Where the weights of a feature begin; -1: it is not known."""
    if code == NONE:
        return np.int64(-1)
    return (np.int64(slots[slot_of(slots, code)] & LOWER) - 1) * width


@kernel
def fill(slots, codes):
    for row in range(len(codes)):
        place = slot_of(slots, codes[row])
        if slots[place] == NONE:
            slots[place] = codes[row] >> HALF << HALF | np.uint64(row + 1)


@kernel
def count(features, tokens, begins, templates, seen, slots, codes, counts):
    """Fill ``codes`` and ``counts`` with the features that are seen again, as many as there is room for; returns how
    many. ``seen``: bits, zeros."""
    types, mask, found = len(features) - 2, np.uint64(8 * len(seen) - 1), 0
    for sentence in range(len(begins) - 1):
        begin, end = begins[sentence], begins[sentence + 1]
        for place in range(begin, end):
            for j in range(len(templates)):
                first = type_at(tokens, begin, end, place + templates[j, 0], types)
                second = type_at(tokens, begin, end, place + templates[j, 2], types)
                code = code_of(features, templates, j, first, second)
                if code == NONE:
                    continue
                bit = code >> np.uint64(20) & mask  # not the bits that choose a slot alone
                byte, own = bit >> np.uint64(3), np.uint8(1) << np.uint8(bit & np.uint64(7))
                if seen[byte] & own == 0:
                    seen[byte] |= own
                    continue
                slot = slot_of(slots, code)
                if slots[slot] != NONE:
                    counts[np.int64(slots[slot] & LOWER) - 1] += 1
                elif found < len(codes):
                    codes[found], counts[found] = code, 2
                    found += 1
                    slots[slot] = code >> HALF << HALF | np.uint64(found)
    return found


@inlined
def add(weights, row, out, at, width):
    for k in range(0, width, LANES):
        store(out, at + k, load(out, at + k) + load(weights, row + k))


@inlined
def find_all(slots, codes, rows, count, weights, width):
    """Fill ``rows`` with where the weights of each code begin, or -1. Memory is asked for all of them at once: one by
    one, each would wait for the one before."""
    mask = np.uint64(len(slots) - 1)
    for c in range(count):
        prefetch(slots, np.int64(codes[c] & mask))
    for c in range(count):
        rows[c] = row_of(slots, codes[c], width)
        if rows[c] >= 0:
            for k in range(0, width, LANES):
                prefetch(weights, rows[c] + k)


@kernel
def learn(features, tokens, begins, templates, order, tags, slots, weights, squares, width, count, rate):
    """A pass over the sentences in this order, a step of AdaGrad (Duchi, Hazan & Singer 2011) for each word: down the
    gradient of -ln p(tag). ``width``: of a row, ``count`` tags and zeros behind them. Returns the sum of -ln p."""
    types = len(features) - 2
    codes, rows = np.empty(len(templates), np.uint64), np.empty(len(templates), np.int64)
    scores, loss = np.empty(width, np.float32), 0.0
    for sentence in order:
        begin, end = begins[sentence], begins[sentence + 1]
        for place in range(begin, end):
            scores[:] = 0
            for j in range(len(templates)):
                first = type_at(tokens, begin, end, place + templates[j, 0], types)
                second = type_at(tokens, begin, end, place + templates[j, 2], types)
                codes[j] = code_of(features, templates, j, first, second)
            find_all(slots, codes, rows, len(templates), weights, width)
            for j in range(len(templates)):
                if rows[j] >= 0:
                    add(weights, rows[j], scores, 0, width)
            most, total = scores[0], np.float32(0)
            for k in range(1, count):
                most = max(most, scores[k])
            for k in range(count):
                scores[k] = max(scores[k] - most, LEAST)
            for k in range(0, width, LANES):
                store(scores, k, exp(load(scores, k)))
            for k in range(count):
                total += scores[k]
            for k in range(count):
                scores[k] /= total
            scores[count:] = 0
            loss -= np.log(scores[tags[place]])
            scores[tags[place]] -= np.float32(1)
            for k in range(0, width, LANES):
                gradient = load(scores, k)
                for j in range(len(templates)):
                    row = rows[j] + k
                    if rows[j] >= 0:
                        square = load(squares, row) + gradient * gradient
                        store(squares, row, square)
                        step = splat(rate) * gradient * reciprocal(square_root(square))
                        store(weights, row, load(weights, row) - step)
    return loss


@kernel
def score(features, tokens, begins, templates, reach, slots, weights, width, count, out):
    """Fill ``out`` (words, count). What a type says to its neighbours, up to ``reach`` to either side, is added up
    once."""
    types, sides, longest = len(features) - 2, 2 * reach + 1, np.int64(0)
    own, crossing = np.empty(len(templates), np.int64), np.empty(len(templates), np.int64)
    owns, crossings = 0, 0
    for j in range(len(templates)):
        if templates[j, 3] >= 0 and templates[j, 0] != templates[j, 2]:
            crossing[crossings] = j
            crossings += 1
        else:
            own[owns] = j
            owns += 1
    for sentence in range(len(begins) - 1):
        longest = max(longest, begins[sentence + 1] - begins[sentence])
    room = max(owns * TYPES_AT_ONCE, crossings * longest)
    codes, rows = np.empty(room, np.uint64), np.empty(room, np.int64)
    table = np.zeros(len(features) * sides * width, np.float32)
    for start in range(0, len(features), TYPES_AT_ONCE):
        end = min(start + TYPES_AT_ONCE, len(features))
        for kind in range(start, end):
            for c in range(owns):
                codes[(kind - start) * owns + c] = code_of(features, templates, own[c], kind, kind)
        find_all(slots, codes, rows, (end - start) * owns, weights, width)
        for kind in range(start, end):
            for c in range(owns):
                row = rows[(kind - start) * owns + c]
                if row >= 0:
                    add(weights, row, table, (kind * sides + templates[own[c], 0] + reach) * width, width)
    scores = np.empty(longest * width, np.float32)
    for sentence in range(len(begins) - 1):
        begin, end = begins[sentence], begins[sentence + 1]
        for place in range(begin, end):
            for c in range(crossings):
                j = crossing[c]
                first = type_at(tokens, begin, end, place + templates[j, 0], types)
                second = type_at(tokens, begin, end, place + templates[j, 2], types)
                codes[(place - begin) * crossings + c] = code_of(features, templates, j, first, second)
        find_all(slots, codes, rows, (end - begin) * crossings, weights, width)
        scores[: (end - begin) * width] = 0
        for at in range(begin - reach, end + reach):
            kind = type_at(tokens, begin, end, at, types)
            for side in range(sides):
                place = at - side + reach
                if begin <= place < end:
                    add(table, (kind * sides + side) * width, scores, (place - begin) * width, width)
        for place in range(begin, end):
            for c in range(crossings):
                row = rows[(place - begin) * crossings + c]
                if row >= 0:
                    add(weights, row, scores, (place - begin) * width, width)
            for k in range(count):
                out[place, k] = scores[(place - begin) * width + k]

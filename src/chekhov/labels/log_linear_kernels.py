"""Learning and adding up the weights of `log_linear`, rows of sixteens of float32.

``features`` (types + 2, C): of each type of word, and in the last two rows of what stands before a sentence and after
it. ``templates`` (M, 4): an offset from the word and a column of ``features``, and a second pair of them; a second
column of -1 stands for none. A template that asks for the number of an unknown word, 0, has no feature.
"""

from __future__ import annotations

import numpy as np

from chekhov.kernels.jit import inlined, kernel
from chekhov.kernels.vector_kernels import exp, load, reciprocal, splat, square_root, store
from chekhov.labels.log_linear import FIRST_FACTOR, LANES, NUMBER, SECOND_FACTOR

LEAST = np.float32(-80.0)  # e to this power is 0, as far as a sum of probabilities can tell
FIRST, SECOND = np.uint64(FIRST_FACTOR), np.uint64(SECOND_FACTOR)


@inlined
def type_at(tokens, begin, end, place, types):
    """The row of ``features`` of what stands at a place."""
    if place < begin:
        return types
    return types + 1 if place >= end else tokens[place]


@inlined
def row_of(features, templates, j, first, second, mask, width):
    """Where the weights of template j begin, given the types at its two places; -1: it has no feature."""
    column, other = templates[j, 1], templates[j, 3]
    value = features[first, column]
    if column == NUMBER and value == 0:
        return -1
    code = (np.uint64(j + 1) * FIRST ^ np.uint64(value)) * SECOND
    code ^= code >> np.uint64(32)
    if other >= 0:
        value = features[second, other]
        if other == NUMBER and value == 0:
            return -1
        code = (code ^ np.uint64(value)) * SECOND
        code ^= code >> np.uint64(32)
    return np.int64(code & mask) * width


@inlined
def add(weights, row, out, at, width):
    for k in range(0, width, LANES):
        store(out, at + k, load(out, at + k) + load(weights, row + k))


@kernel
def learn(features, tokens, begins, templates, order, tags, weights, squares, width, count, rate):
    """A pass over the sentences in this order, a step of AdaGrad (Duchi, Hazan & Singer 2011) for each word: down the
    gradient of -ln p(tag). ``width``: of a row, ``count`` tags and zeros behind them. Returns the sum of -ln p."""
    types, mask = len(features) - 2, np.uint64(len(weights) // width - 1)
    rows, scores, loss = np.empty(len(templates), np.int64), np.empty(width, np.float32), 0.0
    for sentence in order:
        begin, end = begins[sentence], begins[sentence + 1]
        for place in range(begin, end):
            scores[:] = 0
            for j in range(len(templates)):
                first = type_at(tokens, begin, end, place + templates[j, 0], types)
                second = type_at(tokens, begin, end, place + templates[j, 2], types)
                rows[j] = row_of(features, templates, j, first, second, mask, width)
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
def score(features, tokens, begins, templates, reach, weights, width, count, out):
    """Fill ``out`` (words, count). What a type says at an offset, up to ``reach`` to either side, is added up once."""
    types, mask, sides = len(features) - 2, np.uint64(len(weights) // width - 1), 2 * reach + 1
    table = np.zeros(len(features) * sides * width, np.float32)
    crossing = np.empty(len(templates), np.int64)
    crossings = 0
    for j in range(len(templates)):
        if templates[j, 3] >= 0 and templates[j, 0] != templates[j, 2]:
            crossing[crossings] = j
            crossings += 1
            continue
        for kind in range(len(features)):
            row = row_of(features, templates, j, kind, kind, mask, width)
            if row >= 0:
                add(weights, row, table, (kind * sides + templates[j, 0] + reach) * width, width)
    scores = np.empty(width, np.float32)
    for sentence in range(len(begins) - 1):
        begin, end = begins[sentence], begins[sentence + 1]
        for place in range(begin, end):
            scores[:] = 0
            for side in range(sides):
                kind = type_at(tokens, begin, end, place + side - reach, types)
                add(table, (kind * sides + side) * width, scores, 0, width)
            for c in range(crossings):
                j = crossing[c]
                first = type_at(tokens, begin, end, place + templates[j, 0], types)
                second = type_at(tokens, begin, end, place + templates[j, 2], types)
                row = row_of(features, templates, j, first, second, mask, width)
                if row >= 0:
                    add(weights, row, scores, 0, width)
            out[place] = scores[:count]

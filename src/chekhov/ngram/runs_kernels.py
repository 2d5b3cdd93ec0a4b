"""Sorted n-grams with their counts: made of sort keys, checked, and laid out as the sort keys of another vocabulary."""

from __future__ import annotations

import numpy as np

from chekhov.kernels.jit import inlined, kernel, lean
from chekhov.kernels.sorting_kernels import STACK, same_so_far, sort_bucket
from chekhov.ngram.table_kernels import UNSCRAMBLE, scrambled
from chekhov.types import BOS, EOS


@kernel
def collapse(keys, weights, sizes, counts, distinct):
    """Sort the buckets of keys (K, m), ``sizes`` columns each, and leave of equal columns the first. How many are left.

    counts (m,): how often each stood there, by its weight if there are ``weights``. distinct[k]: how many bucket k has.
    """
    widest = 0
    for size in sizes:
        widest = max(widest, size)
    order, spare, stack = np.empty(widest, np.int32), np.empty(widest, np.int64), np.empty(STACK, np.int64)
    done, filled = 0, 0
    for k in range(len(sizes)):
        begin, m = filled, sizes[k]
        bucket = keys[:, done : done + m]
        sort_bucket(bucket, order, spare, m, stack)
        for j in range(m):
            times = weights[done + order[j]] if len(weights) > 0 else 1
            if j > 0 and same_so_far(bucket, j - 1, j, len(keys)):
                counts[filled - 1] += times
                continue
            spare[filled - begin] = j  # columns are moved when all of the bucket have been compared
            counts[filled] = times
            filled += 1
        for e in range(begin, filled):
            for chunk in range(len(keys)):
                keys[chunk, e] = keys[chunk, done + spare[e - begin]]
        distinct[k] = filled - begin
        done += m
    return filled


@inlined
def value_at(keys, row, place, bits, words_each):
    """What stands at a place of a row of keys (M, K): an id + 1, 0 before the start; the last place is scrambled."""
    shift = bits * (words_each - 1 - place % words_each)
    return (keys[row, place // words_each] >> shift) & ((1 << bits) - 1)


@inlined
def word_of(value, bits):
    """The id behind the scrambled value of a last place."""
    return ((value * UNSCRAMBLE) & ((1 << bits) - 1)) - 1


@lean
def sound(keys, counts, sizes, D, bits, words_each):
    """Can these be the n-grams of a text? ``sizes`` (V,): so many rows of keys (M, K) have each word last before w."""
    V, row = len(sizes), 0
    for b in range(V):
        for _ in range(sizes[b]):
            ended = b == BOS
            if counts[row] < 1 or b == EOS:
                return False
            for place in range(D - 1):
                value = value_at(keys, row, place, bits, words_each)
                if ended != (value == 0) or value > V or value == EOS + 1:
                    return False
                ended = ended or value == BOS + 1
            w = word_of(value_at(keys, row, D - 1, bits, words_each), bits)
            if not 0 <= w < V or w == BOS:
                return False
            row += 1
    return True


@lean
def add_word_counts(keys, counts, weight, id_of, place, bits, words_each, totals):
    """Add to totals (V,) how often the word id_of[w] stands at the end of an n-gram."""
    for row in range(len(counts)):
        totals[id_of[word_of(value_at(keys, row, place, bits, words_each), bits)]] += weight * counts[row]


@lean
def fill_keys_anew(keys, counts, weight, starts, buckets, id_of, old, first, cursor, new, new_keys, new_weights):
    """`counting_kernels.fill_keys` of stored n-grams whose ids become id_of[id], each counting ``weight`` as often.

    buckets: which of theirs belong here, rows starts[b] ... starts[b + 1] each. old, new: (D, bits, words_each) of keys
    (M, K) and of new_keys (K, m); of a longer n-gram the words next to w are taken.
    """
    D, bits, words_each = old
    new_D, new_bits, new_words_each = new
    for b in buckets:
        k = id_of[b] - first
        for row in range(starts[b], starts[b + 1]):
            column = cursor[k]
            cursor[k] += 1
            new_weights[column] = weight * counts[row]
            key, filled, chunk = 0, 0, 0
            for place in range(new_D):
                if place == new_D - 1:
                    w = word_of(value_at(keys, row, D - 1, bits, words_each), bits)
                    value = scrambled(id_of[w], new_bits)
                else:
                    value = value_at(keys, row, place, bits, words_each)
                    if value > 0:
                        value = id_of[value - 1] + 1
                key = (key << new_bits) | value
                filled += 1
                if filled == new_words_each or place == new_D - 1:
                    new_keys[chunk, column] = key << (new_bits * (new_words_each - filled))
                    key, filled, chunk = 0, 0, chunk + 1

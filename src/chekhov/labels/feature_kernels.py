"""Hashes of the affixes and shapes of words."""

from __future__ import annotations

import numpy as np

from chekhov.kernels.jit import kernel
from chekhov.labels.features import SYMBOL


@kernel
def hash_features(lower, lower_begins, raw_classes, raw_begins, buckets, prefixes, suffixes, out):
    """Fill ``out`` (words, prefixes + suffixes + 1): the bucket of each affix of the lower-cased word, and its shape.

    FNV-1a, 64 bits, over code points. An affix that is longer than the word is the word. The shape is the word's
    character classes, runs of one class counted up to two, of pictures as one: so many of them are no other word.
    """
    basis, prime = np.uint64(14695981039346656037), np.uint64(1099511628211)
    for word in range(len(out)):
        begin, end = lower_begins[word], lower_begins[word + 1]
        value = basis
        for k in range(prefixes):
            if begin + k < end:
                value = (value ^ np.uint64(lower[begin + k])) * prime
            out[word, k] = (value ^ (value >> np.uint64(32))) % np.uint64(buckets)
        value = basis
        for k in range(suffixes):
            if end - 1 - k >= begin:
                value = (value ^ np.uint64(lower[end - 1 - k])) * prime
            out[word, prefixes + k] = (value ^ (value >> np.uint64(32))) % np.uint64(buckets)
        value, run, last = basis, 0, np.uint8(255)
        for place in range(raw_begins[word], raw_begins[word + 1]):
            run = run + 1 if raw_classes[place] == last else 1
            last = raw_classes[place]
            if run <= (1 if last == SYMBOL else 2):
                value = (value ^ np.uint64(last)) * prime
        out[word, prefixes + suffixes] = (value ^ (value >> np.uint64(32))) % np.uint64(buckets)

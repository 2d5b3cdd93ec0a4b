"""The look-ups of `chekhov.kenlm`: a model is one integer, the address of where its arrays lie.

Handing an array to a kernel costs a microsecond, an integer a tenth of that: what one word costs to look up.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray
from numba.core import cgutils, types
from numba.extending import intrinsic

from chekhov.kernels.jit import inlined, kernel, prefetch
from chekhov.ngram.table_kernels import bounded, bounds, find, shorter
from chekhov.types import BOS, EOS, UNK

# Places in the array of int64 that a model is: addresses and lengths.
NODES, NODE_ROWS, ENTRIES, ENTRY_ROWS, SLOTS, SLOT_COUNT, TYPES, TYPE_COUNT, SPELLINGS, STARTS, ORDER, BITS = range(12)


@intrinsic
def pointer(context: Any, address: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(address), code


@inlined
def arrays(model):
    """nodes, their floats, entries, their floats, the first node of each depth, and the bits of a word."""
    places = carray(pointer(model), 12, np.int64)
    rows, entry_rows = places[NODE_ROWS], places[ENTRY_ROWS]
    return (
        carray(pointer(places[NODES]), (rows, 3), np.int32),
        carray(pointer(places[NODES]), (rows, 3), np.float32),
        carray(pointer(places[ENTRIES]), (entry_rows, 3), np.int32),
        carray(pointer(places[ENTRIES]), (entry_rows, 3), np.float32),
        carray(pointer(places[STARTS]), places[ORDER] + 1, np.int64),
        places[BITS],
    )


@kernel
def word_id(model, text, begin, end):
    """The id of the word text[begin:end], `UNK` if it is none."""
    places = carray(pointer(model), 12, np.int64)
    slots = carray(pointer(places[SLOTS]), (places[SLOT_COUNT], 2), np.int64)
    words = carray(pointer(places[TYPES]), (places[TYPE_COUNT], 3), np.int64)
    spellings = carray(pointer(places[SPELLINGS]), max(1, words[len(words) - 1, 2]), np.uint8)
    key = np.uint64(0xCBF29CE484222325)
    for i in range(begin, end):
        key = (key ^ np.uint64(text[i])) * np.uint64(0x100000001B3)
    full = np.int64(key ^ (key >> np.uint64(29)))
    slot = full & (len(slots) - 1)
    while slots[slot, 1] >= 0:
        if slots[slot, 0] != full:
            slot = (slot + 1) & (len(slots) - 1)
            continue
        number = slots[slot, 1]
        start = words[number, 1]
        if words[number, 2] - start == end - begin:
            same = True
            for j in range(end - begin):
                same = same and text[begin + j] == spellings[start + j]
            if same:
                return number
        slot = (slot + 1) & (len(slots) - 1)
    return UNK


@inlined
def look_up(table, node, word):
    """(log10 p, the node after it, the order of the n-gram that it is the probability of)."""
    nodes, node_floats, entries, entry_floats, starts, bits = table
    log10_p = np.float32(0.0)
    prefetch(entries, (np.int64(word), 0))
    prefetch(nodes, (np.int64(1 + word), 0))
    suffix = np.int64(shorter(nodes, node))
    prefetch(nodes, (suffix, 0))  # on the way while the entries come
    e = find(nodes, entries, node, word, bits)
    while e < 0:
        log10_p += node_floats[node, 1]
        node = suffix
        suffix = np.int64(shorter(nodes, node))
        prefetch(nodes, (suffix, 0))
        e = find(nodes, entries, node, word, bits)
    order = 1
    while node >= starts[order]:
        order += 1
    after = bounded(nodes, entries[e, 2]) if word != EOS else 0
    while after > 0:  # a context that says nothing about what follows is no part of the state
        begin, end = bounds(nodes, entries, after)
        if begin < end or node_floats[after, 1] != 0.0:
            break
        after = shorter(nodes, after)
    return log10_p + entry_floats[e, 1], after, order


@kernel
def base_score(model, node, word):
    """(log10 p, the node after it) of one word."""
    log10_p, after, _ = look_up(arrays(model), node, word)
    return log10_p, after


@kernel
def base_full_score(model, node, word):
    return look_up(arrays(model), node, word)


@inlined
def is_blank(byte):
    return byte == 32 or 9 <= byte <= 13


@kernel
def score_sentence(model, text, bos, eos):
    """log10 p of all words between blanks."""
    table = arrays(model)
    total, node, i, end = np.float32(0.0), 1 + BOS if bos and len(table[4]) > 2 else 0, 0, len(text)
    while i < end:
        if is_blank(text[i]):
            i += 1
            continue
        begin = i
        while i < end and not is_blank(text[i]):
            i += 1
        log10_p, node, _ = look_up(table, node, word_id(model, text, begin, i))
        total += log10_p
    if eos:
        log10_p, node, _ = look_up(table, node, EOS)
        total += log10_p
    return total


@kernel
def score_words(model, text, bos, eos, log10_probs, orders, unknown):
    """As `score_sentence`, each word's own: returns how many there are."""
    table = arrays(model)
    node, i, end, n = 1 + BOS if bos and len(table[4]) > 2 else 0, 0, len(text), 0
    while i < end:
        if is_blank(text[i]):
            i += 1
            continue
        begin = i
        while i < end and not is_blank(text[i]):
            i += 1
        word = word_id(model, text, begin, i)
        log10_probs[n], node, orders[n] = look_up(table, node, word)
        unknown[n] = word == UNK
        n += 1
    if eos:
        log10_probs[n], node, orders[n] = look_up(table, node, EOS)
        unknown[n] = False
        n += 1
    return n

"""The look-ups of `chekhov.kenlm`: a model is one integer, the address of where its arrays lie.

Handing an array to a kernel costs a microsecond, an integer a tenth of that: what one word costs to look up.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray
from numba.core import cgutils, types
from numba.extending import intrinsic

from chekhov.kernels.jit import brief, inlined, kernel, prefetch
from chekhov.ngram.table_kernels import (
    BUCKET,
    WINDOW,
    bounded,
    bounds,
    bucket,
    hinted,
    in_window,
    score_text,
    scrambled,
    shorter,
)
from chekhov.tokens.text_kernels import BATCH, BLOCK, cut_block, equal, hash_of
from chekhov.types import BOS, EOS, UNK

# Places in the array of int64 that a model is: addresses and lengths. LOOKS: where `look_up` writes, under the lock.
(
    NODES, NODE_ROWS, ENTRIES, ENTRY_ROWS, HINTS, SLOTS, SLOT_COUNT, TYPES, TYPE_COUNT, SPELLINGS, STARTS, ORDER, BITS,
    LOOKS, PLACES,
) = range(15)  # fmt: skip
MAX_ORDER = 16


@intrinsic
def pointer(context: Any, address: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(address), code


@inlined
def arrays(model):
    """nodes, their floats, entries, their floats, hints, the first node of each depth, and the bits of a word."""
    places = carray(pointer(model), PLACES, np.int64)
    rows, entry_rows = places[NODE_ROWS], places[ENTRY_ROWS]
    return (
        carray(pointer(places[NODES]), (rows, 3), np.int32),
        carray(pointer(places[NODES]), (rows, 3), np.float32),
        carray(pointer(places[ENTRIES]), (entry_rows, 3), np.int32),
        carray(pointer(places[ENTRIES]), (entry_rows, 3), np.float32),
        carray(pointer(places[HINTS]), entry_rows >> BUCKET, np.int16),
        carray(pointer(places[STARTS]), places[ORDER] + 1, np.int64),
        places[BITS],
    )


@kernel
def word_ids(model, text, eos, ids):
    """The ids of the words between blanks, `UNK` for those that are none, and `EOS` if ``eos``: returns how many.

    A batch at a time, so that none waits for memory. A hash that fits is believed only if the spelling is the same.
    """
    places = carray(pointer(model), PLACES, np.int64)
    slots = carray(pointer(places[SLOTS]), (places[SLOT_COUNT], 2), np.int64)
    words = carray(pointer(places[TYPES]), (places[TYPE_COUNT], 3), np.int64)
    spellings = carray(pointer(places[SPELLINGS]), max(1, words[len(words) - 1, 2]), np.uint8)
    entries = carray(pointer(places[ENTRIES]), (places[ENTRY_ROWS], 3), np.int32)
    batch, mask = np.empty((BATCH + BLOCK, 3), np.int64), len(slots) - 1
    state, starts, tail = np.zeros(2, np.int64), np.zeros(BLOCK, np.int64), np.empty(BLOCK, np.uint8)
    i, n, end = 0, 0, len(text)
    while i < end or state[0] > 0:
        size = 0
        while (i < end or state[0] > 0) and size < BATCH:
            size = cut_block(text, i, tail, False, False, state, starts, batch, size)
            i += BLOCK
        for t in range(size):
            batch[t, 0] = hash_of(text, batch[t, 1], batch[t, 2])
            prefetch(slots, (batch[t, 0] & mask, 0))
        for t in range(size):
            slot = batch[t, 0] & mask
            while slots[slot, 1] >= 0 and slots[slot, 0] != batch[t, 0]:
                slot = (slot + 1) & mask
            number = slots[slot, 1]
            ids[n + t] = number
            if number >= 0:
                prefetch(words, (number, 0))
                prefetch(entries, (number, 0))
        for t in range(size):
            if ids[n + t] >= 0:
                prefetch(spellings, words[ids[n + t], 1])
        for t in range(size):
            begin, length = batch[t, 1], batch[t, 2] - batch[t, 1]
            slot = batch[t, 0] & mask
            number = np.int64(ids[n + t])
            while number >= 0:
                start = words[number, 1]
                if words[number, 2] - start == length and equal(text, begin, spellings, start, length):
                    break
                while True:  # on to the next of the same hash: once in many years
                    passed = slots[slot, 1] == number
                    slot = (slot + 1) & mask
                    if passed:
                        break
                while slots[slot, 1] >= 0 and slots[slot, 0] != batch[t, 0]:
                    slot = (slot + 1) & mask
                number = slots[slot, 1]
            ids[n + t] = number if number >= 0 else UNK
        n += size
    if eos:
        ids[n] = EOS
        n += 1
    return n


@inlined
def look_up(model, node, word):
    """(log10 p, the node after it, the order of the n-gram that it is the probability of).

    All contexts are asked for at once, before it is known which of them has the word.
    """
    nodes, node_floats, entries, entry_floats, hints, starts, bits = arrays(model)
    looks = carray(pointer(carray(pointer(model), PLACES, np.int64)[LOOKS]), (MAX_ORDER, 4), np.int64)
    prefetch(entries, (np.int64(word), 0))
    prefetch(nodes, (np.int64(1 + word), 0))
    place, count, context = scrambled(word, bits), 0, node
    while context > 0 and count < MAX_ORDER:
        low, high = bounds(nodes, entries, context)
        looks[count, 0], looks[count, 1], looks[count, 2], looks[count, 3] = context, low, high, -1
        if high - low > WINDOW:
            looks[count, 3], looks[count, 1] = bucket(low, high, place, bits)
            prefetch(hints, looks[count, 3])
        else:
            prefetch(entries, (low, 0))
            prefetch(entries, (min(low + WINDOW // 2, len(entries) - 1), 0))
        context, count = np.int64(shorter(nodes, context)), count + 1
    for i in range(count):
        if looks[i, 3] >= 0:
            low, high = bounds(nodes, entries, looks[i, 0])
            looks[i, 1] = hinted(low, high, looks[i, 1], hints[looks[i, 3]])
            prefetch(entries, (looks[i, 1], 0))
            prefetch(entries, (min(looks[i, 1] + WINDOW // 2, len(entries) - 1), 0))
    log10_p, knew, e = np.float32(0.0), np.int64(0), np.int64(-1)
    for i in range(count):
        found = in_window(entries, looks[i, 1], looks[i, 2], word, bits)
        if found >= 0:  # the shorter contexts lead to what the next word may have to back off to
            prefetch(nodes, (np.int64(bounded(nodes, entries[found, 2])), 0))
        if e < 0:
            e, knew = found, looks[i, 0]
            if e < 0:
                log10_p += node_floats[knew, 1]
    if e < 0:
        e, knew = np.int64(word), np.int64(0)
    order = 1
    while knew >= starts[order]:
        order += 1
    after = np.int64(bounded(nodes, entries[e, 2])) if word != EOS else np.int64(0)
    if 0 < after < starts[2]:  # a word that says nothing about what follows is no part of the state
        begin, end = bounds(nodes, entries, after)
        after = after if begin < end or node_floats[after, 1] != 0.0 else np.int64(0)
    return log10_p + entry_floats[e, 1], after, order


@brief
def base_score(model, node, word):
    """(log10 p, the node after it) of one word."""
    log10_p, after, _ = look_up(model, node, word)
    return log10_p, after


@brief
def base_full_score(model, node, word):
    return look_up(model, node, word)


@kernel
def score_words(model, address, length, bos, eos, ids, log10_probs, known_by):
    """log10 p, and the node that knew it if there is room, of the words between blanks of a text: how many there are.

    The text is ``length`` bytes at ``address``; ids and log10_probs have room for half of them and two.
    """
    nodes, node_floats, entries, entry_floats, hints, starts, _ = arrays(model)
    text = carray(pointer(address), length, np.uint8)
    n, order = word_ids(model, text, eos, ids), len(starts) - 1
    begin = 1 + BOS if bos and order > 1 else 0
    score_text(nodes, node_floats, entries, entry_floats, hints, starts, begin, ids[:n], 0, log10_probs, known_by)
    return n


@kernel
def score_sentence(model, address, length, bos, eos):
    """log10 p of all words between blanks of a text: ``length`` bytes at ``address``."""
    room = length // 2 + 2
    log10_probs = np.empty(room, np.float32)
    n = score_words(model, address, length, bos, eos, np.empty(room, np.int32), log10_probs, np.empty(0, np.int64))
    total = np.float32(0.0)
    for t in range(n):
        total += log10_probs[t]
    return total


@kernel
def full_scores(model, address, length, bos, eos, log10_probs, orders, unknown):
    """As `score_words`, and the order of the n-gram that each is of, and whether the word is unknown."""
    ids, known_by = np.empty(len(orders), np.int32), np.empty(len(orders), np.int64)
    n = score_words(model, address, length, bos, eos, ids, log10_probs, known_by)
    starts = arrays(model)[5]
    for t in range(n):
        order = 1
        while known_by[t] >= starts[order]:
            order += 1
        orders[t], unknown[t] = order, ids[t] == UNK
    return n

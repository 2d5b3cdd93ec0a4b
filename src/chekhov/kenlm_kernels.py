"""The look-ups of `chekhov.kenlm`: a model is one integer, the address of where its arrays lie.

Handing an array to a kernel costs a microsecond, an integer a tenth of that: what one word costs to look up.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray
from numba.core import cgutils, types
from numba.extending import intrinsic

from chekhov.kernels.jit import brief, inlined, kernel, lean, prefetch
from chekhov.ngram.table_kernels import BATCH as SIDE_BY_SIDE
from chekhov.ngram.table_kernels import (
    WINDOW,
    WORK_ROWS,
    bounded,
    bounds,
    bucket,
    hinted,
    in_window,
    order_of,
    score_batches,
    scrambled,
    shorter,
)
from chekhov.tokens.text_kernels import BATCH, BLOCK, END, START, cut_block, hash_of, part
from chekhov.tokens.word_table_kernels import FIRST_ID, find, number_batch
from chekhov.types import BOS, EOS, UNK

# Places in the array of int64 that a model is: addresses and lengths. LOOKS: where `look_up` writes, under the lock.
(
    NODES, NODE_ROWS, ENTRIES, ENTRY_ROWS, HINTS, HINT_COUNT, SLOTS, SLOT_COUNT, WORDS, WORD_COUNT, SPELLINGS,
    SPELLING_BYTES, STARTS, ORDER, BITS, LOOKS, PLACES,
) = range(17)  # fmt: skip
# And in that which is a thread's room to work in: see `kenlm.Scratch`.
(
    MODEL, IDS, LOG10_PROBS, ORDERS, RECORDS, ROWS, NUMBERS, CUT, OPENED, TAIL, CARRY, WORK, ROOM, ROOM_ORDER,
    SCRATCH_PLACES,
) = range(15)  # fmt: skip
RECORD, RECORD_ORDER, RECORD_UNKNOWN = 8, 4, 5  # bytes of what `full_scores` writes of a word, log10 p first
WITH_BOS, WITH_EOS = 1, 2  # flags of a sentence
UNK_BYTES, BOS_BYTES, EOS_BYTES = (np.uint64(int.from_bytes(mark, "little")) for mark in (b"<unk>", b"<s>", b"</s>"))
LESS_THAN = 60  # <
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
        carray(pointer(places[HINTS]), places[HINT_COUNT], np.int16),
        carray(pointer(places[STARTS]), places[ORDER] + 1, np.int64),
        places[BITS],
    )


@inlined
def words_of(model):
    """spellings, starts and slots of the `WordTable`."""
    places = carray(pointer(model), PLACES, np.int64)
    return (
        carray(pointer(places[SPELLINGS]), places[SPELLING_BYTES], np.uint8),
        carray(pointer(places[WORDS]), places[WORD_COUNT], np.int64),
        carray(pointer(places[SLOTS]), (places[SLOT_COUNT], 2), np.int32),
    )


@inlined
def marked(id, text, begin, length):
    """``id``, or that of the mark which text[begin:begin + length], beginning with <, is."""
    spelt = part(text, begin, length) if length <= 5 else np.uint64(0)
    id = UNK if spelt == UNK_BYTES else id
    id = BOS if spelt == BOS_BYTES else id
    return EOS if spelt == EOS_BYTES else id


@inlined
def room_of(scratch):
    """What a `Scratch` holds: ids, log10_probs, orders, records; room for `fill_ids` and `score_batches`."""
    places = carray(pointer(scratch), SCRATCH_PLACES, np.int64)
    words, order = places[ROOM], places[ROOM_ORDER]
    return (
        carray(pointer(places[IDS]), words, np.int32),
        carray(pointer(places[LOG10_PROBS]), words, np.float32),
        carray(pointer(places[ORDERS]), words, np.int8),
        carray(pointer(places[RECORDS]), (words, RECORD), np.uint8),
        carray(pointer(places[ROWS]), (BATCH + BLOCK, 3), np.int64),
        carray(pointer(places[NUMBERS]), BATCH + BLOCK, np.int64),
        carray(pointer(places[CUT]), 2, np.int64),
        carray(pointer(places[OPENED]), BLOCK, np.int64),
        carray(pointer(places[TAIL]), BLOCK, np.uint8),
        carray(pointer(places[CARRY]), order + 1, np.int64),
        carray(pointer(places[WORK]), (WORK_ROWS, SIDE_BY_SIDE + 2), np.int64),
    )


@lean
def fill_ids(nodes, entries, spellings, starts, slots, text, eos, ids, batch, numbers, state, opened, tail):
    """The ids of the words between blanks, `UNK` for those that are none, and `EOS` if ``eos``: returns how many.

    With room to work in, as `word_table_kernels.number_words` has it.
    """
    i, n, end = 0, 0, len(text)
    while i < end or state[0] > 0:
        size = 0
        while (i < end or state[0] > 0) and size < BATCH:
            size = cut_block(text, i, tail, False, False, state, opened, batch, size)
            i += BLOCK
        number_batch(text, batch, size, spellings, starts, slots, numbers)
        for t in range(size):
            id, begin = numbers[t] + FIRST_ID if numbers[t] >= 0 else UNK, batch[t, START]
            prefetch(entries, (id, 0))
            prefetch(nodes, (id + 1, 0))
            if text[begin] == LESS_THAN:
                id = marked(id, text, begin, batch[t, END] - begin)
            ids[n + t] = id
        n += size
    if eos:
        ids[n] = EOS
        n += 1
    return n


@brief
def word_id(model, address, length):
    """The id of one word: ``length`` bytes at ``address``."""
    text = carray(pointer(address), length, np.uint8)
    spellings, starts, slots = words_of(model)
    if length == 0:
        return UNK
    number = find(text, 0, length, hash_of(text, 0, length), spellings, starts, slots)
    id = number + FIRST_ID if number >= 0 else UNK
    return marked(id, text, 0, length) if text[0] == LESS_THAN else id


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
            prefetch(entries, (min(low + WINDOW - 1, len(entries) - 1), 0))
        context, count = np.int64(shorter(nodes, context)), count + 1
    for i in range(count):
        if looks[i, 3] >= 0:
            low, high = bounds(nodes, entries, looks[i, 0])
            looks[i, 1] = hinted(low, high, looks[i, 1], hints[looks[i, 3]])
            prefetch(entries, (looks[i, 1], 0))
            prefetch(entries, (min(looks[i, 1] + WINDOW - 1, len(entries) - 1), 0))
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
    order = order_of(starts, knew)
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
def score_words(scratch, address, length, flags, with_orders):
    """log10 p, and the order of its n-gram if asked for, of the words between blanks of a text: how many there are.

    The text is ``length`` bytes at ``address``; ``scratch`` has room for half of them and two.
    """
    model = carray(pointer(scratch), SCRATCH_PLACES, np.int64)[MODEL]
    ids, log10_probs, orders, _, batch, numbers, cut, opened, tail, carry, work = room_of(scratch)
    nodes, node_floats, entries, entry_floats, hints, starts, _ = arrays(model)
    spellings, word_starts, slots = words_of(model)
    text, eos = carray(pointer(address), length, np.uint8), flags & WITH_EOS != 0
    cut[0] = cut[1] = 0
    n = fill_ids(nodes, entries, spellings, word_starts, slots, text, eos, ids, batch, numbers, cut, opened, tail)
    for depth in range(len(carry)):
        carry[depth] = 0
    begin = 1 + BOS if flags & WITH_BOS and len(starts) > 2 else 0
    score_batches(
        nodes, node_floats, entries, entry_floats, hints, starts, begin, ids[:n], 0, log10_probs,
        orders if with_orders else orders[:0], SIDE_BY_SIDE, carry, work,
    )  # fmt: skip
    return n


@kernel
def score_sentence(scratch, address, length, flags):
    """log10 p of all words between blanks of a text: ``length`` bytes at ``address``."""
    n = score_words(scratch, address, length, flags, False)
    total, log10_probs = np.float32(0.0), room_of(scratch)[1]
    for t in range(n):
        total += log10_probs[t]
    return total


@kernel
def full_scores(scratch, address, length, flags):
    """A record of each word: log10 p, the order of the n-gram that it is of, whether it is unknown. How many."""
    n = score_words(scratch, address, length, flags, True)
    ids, log10_probs, orders, records = room_of(scratch)[:4]
    places = carray(pointer(scratch), SCRATCH_PLACES, np.int64)
    floats = carray(pointer(places[RECORDS]), (places[ROOM], RECORD // 4), np.float32)
    for t in range(n):
        floats[t, 0], records[t, RECORD_ORDER], records[t, RECORD_UNKNOWN] = log10_probs[t], orders[t], ids[t] == UNK
    return n

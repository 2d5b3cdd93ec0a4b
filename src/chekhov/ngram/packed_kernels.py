"""Looking n-grams up in a `packed.PackedTable`. Every place that is read from it is bounded before it is used."""

from __future__ import annotations

import numpy as np

from chekhov.kernels.jit import count_ones, highest_one, inlined, kernel, lean, load_64, lowest_one, prefetch
from chekhov.ngram.table_kernels import find, is_deeper, scrambled, shorter
from chekhov.ngram.table_kernels import word_bits as bits_of_words
from chekhov.types import BOS, EOS

COUNT, RECORDS, WIDTH, ENDS, SAMPLES = range(5)  # columns of the layout of a level
EACH = 64  # one sample for so many nodes
CODE_BITS = 8
NEAR = 8  # records that are looked at one by one where the first guess was not right
SMALL = 6  # records that are looked through one by one
LANES = 16  # rows that are read in turns
ROW, PLACE, STAGE, LEVEL, LOW, HIGH, LOOK, LENGTH, NODE = range(9)  # where a lane stands
START, SEARCH, SAMPLE, CHILDREN = range(4)  # what it does next


@inlined
def field(records, bit, shift, width):
    """``width`` bits of the record that begins at ``bit``, from its bit ``shift`` on."""
    place = bit + shift
    return np.int64((load_64(records, place >> 3) >> np.uint64(place & 7)) & np.uint64((1 << width) - 1))


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
    """For each node as many zeros as it has children, then a one; samples[j]: where node 64 j begins."""
    bit = 0
    for i in range(len(child_counts)):
        if i % EACH == 0:
            samples[i // EACH] = bit
        bit += child_counts[i]
        ends[bit >> 6] |= np.uint64(1) << np.uint64(bit & 63)
        bit += 1


@inlined
def children(ends, first, last, sample, node, most):
    """(begin, end) of the children of a node, from the place ``sample`` of the node 64 j before it."""
    skip = node & (EACH - 1)
    begin = sample
    k = min(first + (sample >> 6), last - 1)
    word = ends[k] & (np.uint64(0xFFFFFFFFFFFFFFFF) << np.uint64(sample & 63))
    ones = count_ones(word)
    while ones <= skip and k + 1 < last:
        if ones > 0:
            begin = ((k - first) << 6) + highest_one(word) + 1
        skip -= ones
        k += 1
        word = ends[k]
        ones = count_ones(word)
    while skip > 0 and word != 0:
        begin = ((k - first) << 6) + lowest_one(word) + 1
        word &= word - np.uint64(1)
        skip -= 1
    end = ((k - first) << 6) + lowest_one(word)
    low = min(max(begin - node, 0), most)
    return low, min(max(end - node, low), most)


@inlined
def first_look(low, high, place, bits):
    """Where among the records low ... high a place most likely is."""
    return low + ((place * (high - low)) >> bits)


@inlined
def narrow(records, at, width, word_bits, low, high, look, place):
    """Look at a record and those near it: (low, high) that the search is now confined to, and where to look next."""
    here = scrambled(field(records, at + look * width, 0, word_bits), word_bits)
    if here < place:
        last, look = min(high, look + NEAR), look + 1
        while look < last:
            here = scrambled(field(records, at + look * width, 0, word_bits), word_bits)
            if here >= place:
                return look, look + 1, look
            look += 1
        jump = (place - here) * (high - look) // ((np.int64(1) << word_bits) - here)
        return look, high, min(look + jump, high - 1)
    if here > place:
        first, look = max(low, look - NEAR), look - 1
        while look >= first:
            here = scrambled(field(records, at + look * width, 0, word_bits), word_bits)
            if here <= place:
                return look, look + 1, look
            look -= 1
        jump = (here - place) * (look + 1 - low) // (here + 1)
        return low, look + 1, max(look - jump, low)
    return look, look + 1, look


@inlined
def first_children(unigrams, layout, word):
    low = min(max(np.int64(unigrams[word, 2]), 0), layout[2, COUNT])
    return low, min(max(np.int64(unigrams[word + 1, 2]), low), layout[2, COUNT])


@kernel
def score_rows(table, context, backoffs, lengths, ids, after_eos, log10_probs):
    """log10 p of the words of rows ids (B, T), each after its state, which is changed into the one after them.

    The state of a row is the last words that the model knows, the latest first (context (B, N)), the back-offs of the
    last word, of the last two, ... (backoffs (B, N)), and how many (lengths (B,)); N = order - 1 >= 1. ``after_eos``:
    1 if </s> is followed by <s>, 0 if by nothing. Sixteen rows are read in turns, one memory access at a time.
    """
    unigrams, unigram_floats, records, ends, samples, codebooks, layout, word_bits = table
    order = len(layout) - 1
    N = order - 1
    B, T = ids.shape
    at = np.zeros((LANES, 9), np.int64)
    p, found_backoffs = np.zeros(LANES, np.float32), np.zeros((LANES, N), np.float32)
    next_row, running = 0, 0
    for lane in range(LANES):
        at[lane, ROW] = -1
        if next_row < B and T > 0:
            at[lane, ROW], at[lane, STAGE] = next_row, START
            prefetch(unigrams, (np.int64(ids[next_row, 0]), 0))
            next_row += 1
            running += 1
    while running > 0:
        for lane in range(LANES):
            row = at[lane, ROW]
            if row < 0:
                continue
            word, stage, length = np.int64(ids[row, at[lane, PLACE]]), at[lane, STAGE], lengths[row]
            level, done = at[lane, LEVEL], False
            if stage == START:
                p[lane], found_backoffs[lane, 0] = unigram_floats[word, 0], unigram_floats[word, 1]
                at[lane, LENGTH] = 1
                if length == 0:
                    done = True
                else:
                    level = 2
                    at[lane, LOW], at[lane, HIGH] = first_children(unigrams, layout, word)
            elif stage == SAMPLE:
                sample = layout[level, SAMPLES] + (at[lane, NODE] >> 6)
                at[lane, LOOK] = samples[sample]
                prefetch(ends, min(layout[level, ENDS] + (at[lane, LOOK] >> 6), len(ends) - 1))
                at[lane, STAGE] = CHILDREN
                continue
            elif stage == CHILDREN:
                last = layout[level + 1, ENDS] if level + 1 < order else len(ends)
                most = layout[level + 1, COUNT]
                at[lane, LOW], at[lane, HIGH] = children(
                    ends, layout[level, ENDS], last, at[lane, LOOK], at[lane, NODE], most
                )
                level += 1
            else:
                low, high, look = at[lane, LOW], at[lane, HIGH], at[lane, LOOK]
                first, width = layout[level, RECORDS], layout[level, WIDTH]
                wanted = context[row, level - 2]
                if high - low > SMALL:
                    place = scrambled(wanted, word_bits)
                    low, high, look = narrow(records, first, width, word_bits, low, high, look, place)
                    at[lane, LOW], at[lane, HIGH], at[lane, LOOK] = low, high, look
                    prefetch(records, (first + look * width) >> 3)
                    continue
                e = np.int64(-1)
                for i in range(low, high):
                    if field(records, first + i * width, 0, word_bits) == wanted:
                        e = i
                done = True
                if e >= 0:
                    bit = first + e * width
                    p[lane] = codebooks[level, 0, field(records, bit, word_bits, CODE_BITS)]
                    at[lane, LENGTH] = level
                    if level < order:
                        code = field(records, bit, word_bits + CODE_BITS, CODE_BITS)
                        found_backoffs[lane, level - 1] = codebooks[level, 1, code]
                        if level - 1 < length:
                            done = False
                            at[lane, NODE], at[lane, STAGE] = e, SAMPLE
                            prefetch(samples, layout[level, SAMPLES] + (e >> 6))
                            continue
            if not done:  # a range of records to search: ask for the likeliest
                at[lane, LEVEL] = level
                low, high = at[lane, LOW], at[lane, HIGH]
                wanted = context[row, level - 2]
                look = first_look(low, high, scrambled(wanted, word_bits), word_bits) if high - low > SMALL else low
                at[lane, LOOK], at[lane, STAGE] = look, SEARCH
                prefetch(records, (layout[level, RECORDS] + look * layout[level, WIDTH]) >> 3)
                continue
            known = at[lane, LENGTH]
            total = p[lane]
            for k in range(known - 1, length):
                total += backoffs[row, k]
            log10_probs[row, at[lane, PLACE]] = total
            if word == EOS:
                lengths[row] = after_eos
                context[row, 0], backoffs[row, 0] = BOS, unigram_floats[BOS, 1]
            else:
                known = min(known, N)
                for k in range(known - 1, 0, -1):
                    context[row, k] = context[row, k - 1]
                context[row, 0] = word
                for k in range(known):
                    backoffs[row, k] = found_backoffs[lane, k]
                lengths[row] = known
            at[lane, STAGE] = START
            at[lane, PLACE] += 1
            if at[lane, PLACE] == T:
                at[lane, ROW], at[lane, PLACE] = -1, 0
                running -= 1
                if next_row < B:
                    at[lane, ROW] = next_row
                    next_row += 1
                    running += 1
            if at[lane, ROW] >= 0:
                prefetch(unigrams, (np.int64(ids[at[lane, ROW], at[lane, PLACE]]), 0))


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

"""Walking a `sentence_chain.SentenceChain`, and finding in its text what a walk has copied."""

from __future__ import annotations

import numpy as np

from chekhov.kernels.jit import inlined, kernel, lean

GRAM = 3  # words of the spans that the index of a text leads to
NO_END, TOO_LONG, TOO_SHORT, COPIED = range(4)  # why a walk was thrown away


@inlined
def mixed(number):
    """The finaliser of SplitMix64 (Steele, Lea & Flood 2014)."""
    number = (number ^ (number >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    number = (number ^ (number >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return number ^ (number >> np.uint64(31))


@inlined
def uniform(seed, count):
    """Draw ``count`` of the stream ``seed``: SplitMix64, [0, 1)."""
    number = mixed(np.uint64(seed) + np.uint64(count + 1) * np.uint64(0x9E3779B97F4A7C15))
    return np.float64(number >> np.uint64(11)) * (1.0 / (1 << 53))


@inlined
def draw(offsets, cumulative, state, u):
    """The entry of the follower that u in [0, 1) stands for: each has the share of its weight."""
    low, high = offsets[state], offsets[state + 1] - 1
    target = u * cumulative[high]
    while low < high:
        middle = (low + high) >> 1
        if cumulative[middle] > target:
            high = middle
        else:
            low = middle + 1
    return low


@lean
def draw_followers(offsets, follows, cumulative, state, seed, drawn):
    """Fill ``drawn`` with followers of one state."""
    for i in range(len(drawn)):
        drawn[i] = follows[draw(offsets, cumulative, state, uniform(seed, i))]


@lean
def walk(chain, widths, state, prefix, seed, tries, limits, overlap, text, words, thrown_away):
    """A sentence that keeps the limits, in ``words``: its length; 0 where ``tries`` walks found none.

    ``chain``: offsets, follows (-1 ends a sentence), cumulative weights, next states. The walk goes on from ``state``
    with the ``prefix`` of words before it. limits: the least and the most words, and characters, blanks between words
    among them; widths (V,): the characters of each word. overlap: whether to check, the share of a
    sentence and the number of words that may stand in the ``text`` (its ids, and its index, see `index_grams`) as they
    are; and how many words of a sentence always do. thrown_away (4,) counts why walks were.
    """
    offsets, follows, cumulative, nexts = chain
    least, most, least_characters, most_characters = limits
    count = np.int64(0)
    prefix_characters = np.int64(-1)
    for i in range(len(prefix)):
        words[i] = prefix[i]
        prefix_characters += widths[prefix[i]] + 1
    for _ in range(tries):
        n, here, why, characters = len(prefix), state, TOO_SHORT, prefix_characters
        while True:
            e = draw(offsets, cumulative, here, uniform(seed, count))
            count += 1
            if follows[e] < 0:
                why = -1
                break
            if n >= most or n == len(words):
                why = TOO_LONG if n >= most else NO_END
                break
            words[n] = follows[e]
            characters += widths[follows[e]] + 1
            n += 1
            here = nexts[e]
            if here < 0:
                why = -1
                break
        if why < 0 and (n > most or characters > most_characters):
            why = TOO_LONG
        if why < 0 and (n < least or characters < least_characters):
            why = TOO_SHORT
        if why < 0 and overlap[0] > 0.0 and n > 0:
            allowed = min(np.int64(overlap[2]), np.int64(np.rint(overlap[1] * n)))
            if is_copied(words, n, min(n, allowed + 1), np.int64(overlap[3]), text):
                why = COPIED
        if why < 0:
            return n
        thrown_away[why] += 1
    return 0


@inlined
def bucket(a, b, c, bits):
    number = np.uint64(a) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(b)
    number = number * np.uint64(0xBF58476D1CE4E5B9) + np.uint64(c)
    return np.int64(mixed(number) >> np.uint64(64 - bits))


@lean
def index_grams(ids, bits, begins, places):
    """Sort the places of all spans of three words by their hash: those of bucket h are places[begins[h]:begins[h + 1]].

    begins (2^bits + 1,), places (N - 2,).
    """
    for i in range(len(places)):
        begins[bucket(ids[i], ids[i + 1], ids[i + 2], bits) + 1] += 1
    for h in range(len(begins) - 1):
        begins[h + 1] += begins[h]
    for i in range(len(places) - 1, -1, -1):
        h = bucket(ids[i], ids[i + 1], ids[i + 2], bits)
        begins[h + 1] -= 1
        places[begins[h + 1]] = i
    for h in range(len(begins) - 1):
        begins[h] = begins[h + 1]
    begins[len(begins) - 1] = len(places)


@lean
def is_copied(words, n, length, always, text):
    """Does any span of ``length`` of the n words stand in the text? Spans of up to ``always`` words do.

    The span is looked for where the rarest three words of it stand.
    """
    ids, begins, places, bits = text
    if length <= always:
        return True
    if length < GRAM or len(places) == 0:
        return False
    for start in range(n - length + 1):
        fewest, at = np.int64(1 << 60), start
        for i in range(start, start + length - GRAM + 1):
            h = bucket(words[i], words[i + 1], words[i + 2], bits)
            if begins[h + 1] - begins[h] < fewest:
                fewest, at = np.int64(begins[h + 1] - begins[h]), i
        h = bucket(words[at], words[at + 1], words[at + 2], bits)
        for k in range(begins[h], begins[h + 1]):
            first = places[k] - (at - start)
            if first < 0 or first + length > len(ids):
                continue
            same = 0
            while same < length and ids[first + same] == words[start + same]:
                same += 1
            if same == length:
                return True
    return False


@lean
def longest_copied(words, n, text):
    """(start, length) of the longest span of the n words that stands in the text: three words or more, else (0, 0)."""
    ids, begins, places, bits = text
    best, where = 0, 0
    for start in range(n - GRAM + 1):
        if start + best >= n:
            break
        h = bucket(words[start], words[start + 1], words[start + 2], bits)
        for k in range(begins[h], begins[h + 1]):
            first, same = places[k], 0
            while start + same < n and first + same < len(ids) and ids[first + same] == words[start + same]:
                same += 1
            if same > best and same >= GRAM:
                best, where = same, start
    return where, best


@lean
def number_entries(ids, ends, base, order, keys):
    """keys (N + M,): of each word of each sentence, and of its end, the ``order`` words before it and itself as digits
    to the ``base``, the oldest the highest: word + 1, 0 for the end and for before the beginning."""
    at, begin = 0, 0
    highest = np.int64(1)
    for _ in range(order - 1):
        highest *= base
    for end in ends:
        state = np.int64(0)
        for i in range(begin, end):
            keys[at] = state * base + ids[i] + 1
            state = (state % highest) * base + ids[i] + 1
            at += 1
        keys[at] = state * base
        at += 1
        begin = end


@kernel
def sort_pairs(keys, places, low, bits, into_keys, into_places):
    """Copy pairs in the order of bits low ... low + bits of their keys, equal ones as they stand: a pass of a radix
    sort."""
    begins = np.zeros((1 << bits) + 1, np.int64)
    mask = (np.int64(1) << bits) - 1
    for i in range(len(keys)):
        begins[((keys[i] >> low) & mask) + 1] += 1
    for h in range(1 << bits):
        begins[h + 1] += begins[h]
    for i in range(len(keys)):
        h = (keys[i] >> low) & mask
        into_keys[begins[h]], into_places[begins[h]] = keys[i], places[i]
        begins[h] += 1


@lean
def count_entries(keys, base):
    """How many states (keys // base) and entries there are in sorted keys."""
    S, E, state, entry = 0, 0, np.int64(-1), np.int64(-1)
    for key in keys:
        if key != entry:
            E += 1
            entry = key
            if key // base != state:
                S += 1
                state = key // base
    return S, E


@lean
def find_entries(keys, places, base, weights, ranks, states, examples, offsets, sums):
    """From sorted keys (N,), each its state times ``base`` and its word + 1, to states and entries, which are left in
    keys[:E], their words, and places[:E], a place in the text where each stands.

    places (N,): where each stands in the text. ranks (N,): the state of each place; states (S, k): its words, from the
    digits of the key, or, where these are none, examples (S,): a place of each state; offsets (S + 1,): where its
    entries begin; sums (E,): their weights (of places, or 1) added up within a state.
    """
    S, E, state, entry, total = -1, -1, np.int64(-1), np.int64(-1), 0.0
    for i in range(len(keys)):
        place = places[i]
        if keys[i] != entry:
            entry = keys[i]
            E += 1
            if entry // base != state:
                state = entry // base
                S += 1
                offsets[S], total, digits = E, 0.0, state
                if len(examples) > 0:
                    examples[S] = place
                else:
                    for j in range(states.shape[1] - 1, -1, -1):
                        states[S, j] = digits % base - 1
                        digits //= base
            keys[E], places[E] = entry - state * base - 1, place
        total += weights[place] if len(weights) > 0 else 1.0
        sums[E] = total
        ranks[place] = S
    offsets[S + 1] = E + 1


@lean
def find_nexts(follows, places, ranks, nexts):
    """nexts (E,): the state after each entry, -1 behind an end."""
    for e in range(len(nexts)):
        nexts[e] = ranks[places[e] + 1] if follows[e] >= 0 else -1


@lean
def add_up(weights, offsets, sums):
    """sums (E,): the weights added up within each state."""
    for s in range(len(offsets) - 1):
        total = 0.0
        for e in range(offsets[s], offsets[s + 1]):
            total += weights[e]
            sums[e] = total

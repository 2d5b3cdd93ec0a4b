"""markovify's JSON, written: what stands in it are pieces, spelt words and the marks between them, and numbers.

Piece n is ``pieces[starts[n] : starts[n + 1]]``: the V words first, then the beginning and the end of a sentence, then
the marks in the order of `writing.MARKS`.
"""

from __future__ import annotations

from chekhov.kernels.jit import inlined, kernel

BEGIN, END, OPEN, COMMA, TO_FOLLOWERS, COLON, CLOSE, NEXT_SENTENCE = range(8)  # behind the V words


@inlined
def put(out, at, pieces, starts, n):
    size = starts[n + 1] - starts[n]
    for i in range(size):
        out[at + i] = pieces[starts[n] + i]
    return at + size


@inlined
def put_whole(out, at, number):
    """A whole number above 0, in decimal."""
    size, rest = 0, number
    while rest > 0:
        size, rest = size + 1, rest // 10
    for i in range(size):
        out[at + size - 1 - i] = 48 + number % 10
        number //= 10
    return at + size


@kernel
def write_chain(states, offsets, follows, amounts, pieces, starts, out):
    """``[[state, followers], ...]`` without the outer brackets. states (S, k), offsets (S + 1,), follows (E,): as in a
    `SentenceChain`; amounts (E,): how often each word followed. Returns how many bytes were written."""
    V = len(starts) - 9  # eight pieces are no words, and the last start is the end
    at = 0
    for s in range(len(states)):
        at = put(out, at, pieces, starts, V + OPEN)
        for j in range(states.shape[1]):
            if j:
                at = put(out, at, pieces, starts, V + COMMA)
            at = put(out, at, pieces, starts, states[s, j] if states[s, j] >= 0 else V + BEGIN)
        at = put(out, at, pieces, starts, V + TO_FOLLOWERS)
        for e in range(offsets[s], offsets[s + 1]):
            if e > offsets[s]:
                at = put(out, at, pieces, starts, V + COMMA)
            at = put(out, at, pieces, starts, follows[e] if follows[e] >= 0 else V + END)
            at = put(out, at, pieces, starts, V + COLON)
            at = put_whole(out, at, amounts[e])
        at = put(out, at, pieces, starts, V + CLOSE)
        if s < len(states) - 1:
            at = put(out, at, pieces, starts, V + COMMA)
    return at


@kernel
def write_sentences(ids, ends, pieces, starts, out):
    """``["word", ...], [...]``, the outermost brackets left out. ids (N,), ends (M,). Returns how many bytes."""
    V = len(starts) - 9
    at = i = 0
    for m in range(len(ends)):
        while i < ends[m]:
            at = put(out, at, pieces, starts, ids[i])
            i += 1
            if i < ends[m]:
                at = put(out, at, pieces, starts, V + COMMA)
        if m < len(ends) - 1:
            at = put(out, at, pieces, starts, V + NEXT_SENTENCE)
    return at

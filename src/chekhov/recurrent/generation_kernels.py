"""One step of a stack of cells, and the output layer after it, for some streams at once: `generator` calls them.

``streams`` (B, S) float32 is the state: for each layer h, of an LSTM c too, ``units`` numbers each; behind them, of
residual layers, what the output layer reads (else the last h is it). ``matrices`` holds all weights in the order in
which a step reads them: of each layer and each block of units the panel for its input, then that for h (the first layer
has none for its input); the output layer; then the matrix that makes the first layer's input of an embedding.
``numbers`` goes beside it, panel by panel.

That input depends on the token alone, so it is made once: ``inputs`` keeps it, in row token % slots, and ``kept`` whose
it is. A stream's numbers are the same whatever streams are beside it.

``rounded`` (2 * B + 16 rows of ``plan[ROW]``) is room for what is multiplied, ``floats`` for 2 * B scales, one
embedding, two times 16 rows of a panel's sums and, where tokens share slots, the inputs of B streams.
"""

from __future__ import annotations

import math

import numpy as np

from chekhov.kernels.integer_kernels import (
    by_tiles,
    highest_of,
    larger,
    numbers_in_a_word,
    panel_product,
    put_row,
    tile_product,
    tile_results,
    tiles_for,
    total_of,
)
from chekhov.kernels.jit import inlined, kernel, prefetch
from chekhov.kernels.tile_kernels import tiles_off
from chekhov.kernels.vector_kernels import LANES, LOG2_E, load, power_of_two, sigmoid, splat, store, tanh

# places in ``plan``
LAYERS, UNITS, STREAM, RESIDUAL, VOCABULARY, ROW, EMBEDDING = 0, 1, 2, 3, 4, 5, 6
HEAD, HEAD_NUMBERS, INPUT, INPUT_NUMBERS, SHOWN, KEPT_ROW = 7, 8, 9, 10, 11, 12
PLAN = 13

BOS, EOS = 1, 2
ROWS = 16  # that share one reading of a panel
FEW = 3  # rows that are no less quickly multiplied one by one
WIDTH = 4 * LANES
LOWEST, ZERO = np.float32(-3.0e38), np.float32(0.0)
put_1, put_6 = panel_product(1, 4, add=False), panel_product(6, 4, add=False)
add_1, add_6 = panel_product(1, 4, add=True), panel_product(6, 4, add=True)


tiles, put_results, add_results = tile_product(4), tile_results(4, add=False), tile_results(4, add=True)


@inlined
def put_tile(rows, a, a0, a_row, floats, s, matrices, p, words, numbers, n, out, o, o_row, t):
    """``rows`` rows times a panel, with its bias. ``floats[t:]``: room for sums. bfloat16 is always multiplied in the
    same way, since the sums of `tiles` have an order of their own."""
    if by_tiles(matrices) and (rows > FEW or numbers_in_a_word(matrices) == 2):
        tiles(a, a0, a_row, matrices, p, words, floats, t)
        put_results(matrices, floats, t, rows, floats, s, numbers, n, out, o, o_row)
        return
    sixes = rows // 6 * 6
    for r in range(0, sixes, 6):
        put_6(a, a0 + r * a_row, a_row, floats, s + r, matrices, p, words, numbers, n, out, o + r * o_row, o_row)
    for r in range(sixes, rows):
        put_1(a, a0 + r * a_row, a_row, floats, s + r, matrices, p, words, numbers, n, out, o + r * o_row, o_row)


@inlined
def add_tile(rows, a, a0, a_row, floats, s, matrices, p, words, numbers, n, out, o, o_row, t):
    """The same, added to what is there."""
    if by_tiles(matrices) and (rows > FEW or numbers_in_a_word(matrices) == 2):
        tiles(a, a0, a_row, matrices, p, words, floats, t)
        add_results(matrices, floats, t, rows, floats, s, numbers, n, out, o, o_row)
        return
    sixes = rows // 6 * 6
    for r in range(0, sixes, 6):
        add_6(a, a0 + r * a_row, a_row, floats, s + r, matrices, p, words, numbers, n, out, o + r * o_row, o_row)
    for r in range(sixes, rows):
        add_1(a, a0 + r * a_row, a_row, floats, s + r, matrices, p, words, numbers, n, out, o + r * o_row, o_row)


@kernel
def outside(tokens, plan):
    """Whether a token is none of the vocabulary's."""
    for b in range(len(tokens)):
        if tokens[b] < 0 or tokens[b] >= plan[VOCABULARY]:
            return True
    return False


@kernel
def keep_input(matrices, numbers, plan, inputs, kept, embedding, token, G, rounded, floats, e):
    """The first layer's input W x + b for a token, in its slot; ``floats[e:]``: room for an embedding."""
    slot = token % len(kept)
    if kept[slot] == token:
        return slot
    size = plan[EMBEDDING]
    for i in range(size):
        floats[e + i] = ZERO
    for i in range(embedding.shape[1]):
        floats[e + i] = embedding[token, i]
    floats[0] = put_row(floats, e, size, rounded, 0)
    words = size // numbers_in_a_word(matrices)
    for n in range(0, G, WIDTH):
        put_1(
            rounded, 0, 0, floats, 0, matrices, plan[INPUT] + n * size, words, numbers, plan[INPUT_NUMBERS] + 3 * n,
            inputs, slot * plan[KEPT_ROW] + n, 0,
        )  # fmt: skip
    kept[slot] = token
    return slot


@kernel
def find_inputs(matrices, numbers, plan, inputs, kept, embedding, tokens, G, rounded, floats, e, gathered, sources):
    """``sources[b]``: where in ``inputs`` the row of stream b begins; where tokens may share slots, the rows are copied
    to ``floats[gathered:]`` and sources tells where there."""
    for b in range(len(tokens)):
        token = tokens[b]
        if token == BOS:
            token = EOS
        slot = keep_input(matrices, numbers, plan, inputs, kept, embedding, token, G, rounded, floats, e)
        sources[b] = slot * plan[KEPT_ROW]
        if len(kept) < plan[VOCABULARY]:
            sources[b] = gathered + b * G
            for i in range(0, G, LANES):
                store(floats, sources[b] + i, load(inputs, slot * plan[KEPT_ROW] + i))


@kernel
def lstm_step(matrices, numbers, plan, inputs, kept, embedding, tokens, streams, after, rounded, floats, sources):
    """Reads a token of each stream: ``after`` becomes the state. False if a token is none of the vocabulary's."""
    if outside(tokens, plan):
        return False
    B, units, S, row, residual = len(tokens), plan[UNITS], plan[STREAM], plan[ROW], plan[RESIDUAL]
    shown, G = plan[SHOWN], 4 * units
    z = 2 * B + plan[EMBEDDING]
    t = z + ROWS * WIDTH
    gathered = t + ROWS * WIDTH
    find_inputs(matrices, numbers, plan, inputs, kept, embedding, tokens, G, rounded, floats, 2 * B, gathered, sources)
    copied = len(kept) < plan[VOCABULARY]
    words = units // numbers_in_a_word(matrices)
    tiles_for(matrices, words)
    panel, place, number = units * WIDTH, 0, 0
    for b in range(B):
        store(after, b * S + S - LANES, splat(ZERO))  # belongs to nothing
    for layer in range(plan[LAYERS]):
        hidden = layer * 2 * units
        below = shown if residual else hidden - 2 * units
        for b in range(B):
            if layer > 0:
                floats[b] = put_row(after, b * S + below, units, rounded, b * row)
            floats[B + b] = put_row(streams, b * S + hidden, units, rounded, (B + b) * row)
        for u in range(0, units, LANES):
            from_below, beside = place, number
            if layer > 0:
                place += panel
                number += 3 * WIDTH
            for first in range(0, B, ROWS):
                rows = min(ROWS, B - first)
                if layer > 0:
                    put_tile(
                        rows, rounded, first * row, row, floats, first, matrices, from_below, words, numbers, beside,
                        floats, z, WIDTH, t,
                    )  # fmt: skip
                else:
                    for r in range(rows):
                        source = sources[first + r] + 4 * u
                        for i in range(0, WIDTH, LANES):
                            if copied:
                                store(floats, z + r * WIDTH + i, load(floats, source + i))
                            else:
                                store(floats, z + r * WIDTH + i, load(inputs, source + i))
                add_tile(
                    rows, rounded, (B + first) * row, row, floats, B + first, matrices, place, words, numbers, number,
                    floats, z, WIDTH, t,
                )  # fmt: skip
                for r in range(rows):
                    at, own = z + r * WIDTH, (first + r) * S + hidden + u
                    if B > ROWS:  # the same lines of the streams that come next
                        prefetch(streams, own + units + ROWS * S)
                        prefetch(after, own + ROWS * S)
                        prefetch(after, own + units + ROWS * S)
                    i = sigmoid(load(floats, at))
                    f = sigmoid(load(floats, at + LANES))
                    g = tanh(load(floats, at + 2 * LANES))
                    o = sigmoid(load(floats, at + 3 * LANES))
                    cell = f * load(streams, own + units) + i * g
                    new = o * tanh(cell)
                    store(after, own, new)
                    store(after, own + units, cell)
                    if residual:
                        out = (first + r) * S + shown + u
                        if layer > 0:
                            new = new + load(after, out)
                        store(after, out, new)
            place += panel
            number += 3 * WIDTH
    tiles_off()
    return True


@kernel
def log_probs_step(matrices, numbers, plan, streams, out, rounded, floats):
    """``out`` (B, V): log p(next token | state), by the output layer; <s> has -inf."""
    units, S, V, row = plan[UNITS], plan[STREAM], plan[VOCABULARY], plan[ROW]
    B = len(streams) // S
    z = 2 * B + plan[EMBEDDING]
    t = z + ROWS * WIDTH
    words = units // numbers_in_a_word(matrices)
    tiles_for(matrices, words)
    for b in range(B):
        floats[b] = put_row(streams, b * S + plan[SHOWN], units, rounded, b * row)
    for n in range(0, V, WIDTH):
        panel, beside = plan[HEAD] + n * units, plan[HEAD_NUMBERS] + 3 * n
        across = min(WIDTH, V - n)
        for first in range(0, B, ROWS):
            rows, a0 = min(ROWS, B - first), first * row
            if across == WIDTH:
                at = first * V + n
                put_tile(rows, rounded, a0, row, floats, first, matrices, panel, words, numbers, beside, out, at, V, t)
            else:
                put_tile(
                    rows, rounded, a0, row, floats, first, matrices, panel, words, numbers, beside, floats, z, WIDTH, t
                )
                for r in range(rows):
                    for i in range(across):
                        out[(first + r) * V + n + i] = floats[z + r * WIDTH + i]
    tiles_off()
    for b in range(B):
        normalise(out, b * V, V)


@kernel
def normalise(out, o, V):
    """out[o : o + V] less its logsumexp, without <s>."""
    out[o + BOS] = -np.inf
    whole = V // LANES * LANES
    top = splat(LOWEST)
    for i in range(0, whole, LANES):
        top = larger(top, load(out, o + i))
    most = highest_of(top)
    for i in range(whole, V):
        most = max(most, out[o + i])
    total = splat(ZERO)
    for i in range(0, whole, LANES):
        total = total + power_of_two((load(out, o + i) - splat(most)) * splat(LOG2_E))
    mass = np.float64(total_of(total))
    for i in range(whole, V):
        mass += math.exp(out[o + i] - most)
    log_mass = np.float32(most + math.log(mass))
    for i in range(0, whole, LANES):
        store(out, o + i, load(out, o + i) - splat(log_mass))
    for i in range(whole, V):
        out[o + i] -= log_mass

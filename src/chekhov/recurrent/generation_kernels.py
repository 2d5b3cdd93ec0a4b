"""One step of a stack of cells, and the output layer after it, for some streams at once: `generator` calls them.

``streams`` (B, S) float32 is the state: for each layer h, of an LSTM c too, ``units`` numbers each; behind them, of
residual layers, what the output layer reads (else the last h is it). ``matrices`` holds all weights in the order in
which a step reads them: of each layer and each block of units the panel for its input, then that for h (the first layer
has none for its input); the output layer; then the matrix that makes the first layer's input of an embedding.
``numbers`` goes beside it, panel by panel.

That input depends on the token alone, so it is made once: ``inputs`` keeps it, in row token % slots, and ``kept`` whose
it is. A stream's numbers are the same whatever streams are beside it.

``rounded`` (2 * B + 16 rows of ``plan[ROW]``) is room for what is multiplied, ``floats`` for 2 * B scales, one
embedding, three times 16 rows of a panel's sums and, where tokens share slots, the inputs of B streams.
"""

from __future__ import annotations

import math

import numpy as np

from chekhov.kernels.integer_kernels import (
    by_tiles,
    highest_of,
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
from chekhov.kernels.vector_kernels import (
    LANES,
    LOG2_E,
    above_zero,
    first_lanes,
    load,
    maximum,
    power_of_two,
    sigmoid,
    splat,
    store,
    tanh,
)

# places in ``plan``
LAYERS, UNITS, HIDDEN, GATES, STATES, ACTIVATION, RESIDUAL, STREAM, SHOWN, ROW = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9
EMBEDDING, VOCABULARY, KEPT_ROW, HEAD, HEAD_NUMBERS, INPUT, INPUT_NUMBERS = 10, 11, 12, 13, 14, 15, 16
PLAN = 17
TANH, RELU, SIGMOID, IDENTITY = 0, 1, 2, 3  # ``plan[ACTIVATION]``

BOS, EOS = 1, 2
ROWS = 16  # that share one reading of a panel
FEW = 3  # rows that are no less quickly multiplied one by one
WIDE, NARROW = 4 * LANES, 3 * LANES  # of a panel: of a GRU's three gates it is narrow
TILE = ROWS * WIDE + 5 * LANES  # sums of a panel; not 4 KiB, lest what is stored in one seems to be loaded from another
LOWEST, ZERO = np.float32(-3.0e38), np.float32(0.0)


def rows_times_panel(vectors, *, onto=False):
    """(a function for ``rows`` rows times a panel of ``vectors`` * 16 columns, with its bias, or onto what is there
    without it; the product of one row). ``floats[t:]``: room for sums. bfloat16 is always multiplied in the same way,
    since the sums of tiles have an order of their own."""
    one, six = panel_product(1, vectors, onto=onto), panel_product(6, vectors, onto=onto)
    tiles, results = tile_product(vectors), tile_results(vectors, onto=onto)

    @inlined
    def times(rows, a, a0, a_row, floats, s, matrices, p, words, numbers, n, out, o, o_row, t):
        if by_tiles(matrices) and (rows > FEW or numbers_in_a_word(matrices) == 2):
            tiles(a, a0, a_row, matrices, p, words, floats, t)
            results(matrices, floats, t, rows, floats, s, numbers, n, out, o, o_row)
            return
        sixes = rows // 6 * 6
        for r in range(0, sixes, 6):
            six(a, a0 + r * a_row, a_row, floats, s + r, matrices, p, words, numbers, n, out, o + r * o_row, o_row)
        for r in range(sixes, rows):
            one(a, a0 + r * a_row, a_row, floats, s + r, matrices, p, words, numbers, n, out, o + r * o_row, o_row)

    return times, one


wide_panel, wide_1 = rows_times_panel(4)
wide_panel_onto, _ = rows_times_panel(4, onto=True)
narrow_panel, narrow_1 = rows_times_panel(3)


@kernel
def outside(tokens, plan):
    """Whether a token is none of the vocabulary's."""
    for b in range(len(tokens)):
        if tokens[b] < 0 or tokens[b] >= plan[VOCABULARY]:
            return True
    return False


@kernel
def keep_input(matrices, numbers, plan, inputs, kept, embedding, token, rounded, floats, e):
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
    into = slot * plan[KEPT_ROW]
    width = NARROW if plan[GATES] == 3 else WIDE
    for n in range(0, plan[GATES] * plan[UNITS], width):
        panel, beside = plan[INPUT] + n * size, plan[INPUT_NUMBERS] + 3 * n
        if width == NARROW:
            narrow_1(rounded, 0, 0, floats, 0, matrices, panel, words, numbers, beside, inputs, into + n, 0)
        else:
            wide_1(rounded, 0, 0, floats, 0, matrices, panel, words, numbers, beside, inputs, into + n, 0)
    kept[slot] = token
    return slot


@kernel
def find_inputs(matrices, numbers, plan, inputs, kept, embedding, tokens, rounded, floats, e, gathered, sources):
    """``sources[b]``: where in ``inputs`` the row of stream b begins; where tokens may share slots, the rows are copied
    to ``floats[gathered:]`` and sources tells where there."""
    G = plan[GATES] * plan[UNITS]
    for b in range(len(tokens)):
        token = tokens[b]
        if token == BOS:
            token = EOS
        slot = keep_input(matrices, numbers, plan, inputs, kept, embedding, token, rounded, floats, e)
        sources[b] = slot * plan[KEPT_ROW]
        if len(kept) < plan[VOCABULARY]:
            for i in range(0, G, LANES):
                store(floats, gathered + b * G + i, load(inputs, sources[b] + i))
            sources[b] = gathered + b * G


@inlined
def lstm_units(floats, z, streams, after, own, units):
    """Sixteen units of h and c, at ``own`` and ``units`` behind it."""
    i = sigmoid(load(floats, z))
    f = sigmoid(load(floats, z + LANES))
    g = tanh(load(floats, z + 2 * LANES))
    o = sigmoid(load(floats, z + 3 * LANES))
    cell = f * load(streams, own + units) + i * g
    store(after, own + units, cell)
    store(after, own, o * tanh(cell))


@inlined
def gru_units(floats, z, y, streams, after, own):
    """Sixteen units of h. z: what comes from below, y: from h, its bias included, which the reset gate multiplies."""
    r = sigmoid(load(floats, z) + load(floats, y))
    keep = sigmoid(load(floats, z + LANES) + load(floats, y + LANES))
    n = tanh(load(floats, z + 2 * LANES) + r * load(floats, y + 2 * LANES))
    store(after, own, n + keep * (load(streams, own) - n))


@inlined
def elman_units(floats, z, after, own, left, activation):
    """Sixty-four units of h, of which ``left`` are units; the rest is 0."""
    for i in range(0, WIDE, LANES):
        new = load(floats, z + i)
        if activation == TANH:
            new = tanh(new)
        elif activation == RELU:
            new = above_zero(new, new)
        elif activation == SIGMOID:
            new = sigmoid(new)
        store(after, own + i, first_lanes(new, left - i))


@kernel
def advance_step(matrices, numbers, plan, inputs, kept, embedding, tokens, streams, after, rounded, floats, sources):
    """Reads a token of each stream: ``after`` becomes the state. False if a token is none of the vocabulary's."""
    if outside(tokens, plan):
        return False
    B, units, S, row, residual = len(tokens), plan[UNITS], plan[STREAM], plan[ROW], plan[RESIDUAL]
    gates, states, shown = plan[GATES], plan[STATES], plan[SHOWN]
    width = NARROW if gates == 3 else WIDE
    z = 2 * B + plan[EMBEDDING]
    y, t = z + TILE, z + 2 * TILE
    gathered = z + 3 * TILE
    find_inputs(matrices, numbers, plan, inputs, kept, embedding, tokens, rounded, floats, 2 * B, gathered, sources)
    copied = len(kept) < plan[VOCABULARY]
    words = units // numbers_in_a_word(matrices)
    tiles_for(matrices, words)
    panel, place, number = units * width, 0, 0
    for b in range(B):
        store(after, b * S + S - LANES, splat(ZERO))  # belongs to nothing
    for layer in range(plan[LAYERS]):
        hidden = layer * states * units
        below = shown if residual else hidden - states * units
        for b in range(B):
            if layer > 0:
                floats[b] = put_row(after, b * S + below, units, rounded, b * row)
            floats[B + b] = put_row(streams, b * S + hidden, units, rounded, (B + b) * row)
        for u in range(0, units, width // gates):
            from_below, beside = place, number
            if layer > 0:
                place += panel
                number += 3 * width
            for first in range(0, B, ROWS):
                rows = min(ROWS, B - first)
                a, s = first * row, B + first
                if layer == 0:
                    for r in range(rows):
                        source = sources[first + r] + gates * u
                        for i in range(0, width, LANES):
                            if copied:
                                store(floats, z + r * WIDE + i, load(floats, source + i))
                            else:
                                store(floats, z + r * WIDE + i, load(inputs, source + i))
                if gates == 3:
                    if layer > 0:
                        narrow_panel(
                            rows, rounded, a, row, floats, first, matrices, from_below, words, numbers, beside,
                            floats, z, WIDE, t,
                        )  # fmt: skip
                    narrow_panel(
                        rows, rounded, a + B * row, row, floats, s, matrices, place, words, numbers, number,
                        floats, y, WIDE, t,
                    )  # fmt: skip
                else:
                    if layer > 0:
                        wide_panel(
                            rows, rounded, a, row, floats, first, matrices, from_below, words, numbers, beside,
                            floats, z, WIDE, t,
                        )  # fmt: skip
                    wide_panel_onto(
                        rows, rounded, a + B * row, row, floats, s, matrices, place, words, numbers, number,
                        floats, z, WIDE, t,
                    )  # fmt: skip
                for r in range(rows):
                    own = (first + r) * S + hidden + u
                    if B > ROWS:  # the same lines of the streams that come next
                        prefetch(streams, own + (states - 1) * units + ROWS * S)
                        prefetch(after, own + ROWS * S)
                        prefetch(after, own + (states - 1) * units + ROWS * S)
                    if gates == 4:
                        lstm_units(floats, z + r * WIDE, streams, after, own, units)
                    elif gates == 3:
                        gru_units(floats, z + r * WIDE, y + r * WIDE, streams, after, own)
                    else:
                        left = plan[HIDDEN] - u
                        elman_units(floats, z + r * WIDE, after, own, left, plan[ACTIVATION])
                    if residual:
                        out = (first + r) * S + shown + u
                        for i in range(0, width // gates, LANES):
                            new = load(after, own + i)
                            if layer > 0:
                                new = new + load(after, out + i)
                            store(after, out + i, new)
            place += panel
            number += 3 * width
    tiles_off()
    return True


@kernel
def log_probs_step(matrices, numbers, plan, streams, out, rounded, floats):
    """``out`` (B, V): log p(next token | state), by the output layer; <s> has -inf."""
    units, S, V, row = plan[UNITS], plan[STREAM], plan[VOCABULARY], plan[ROW]
    B = len(streams) // S
    z = 2 * B + plan[EMBEDDING]
    t = z + 2 * TILE
    words = units // numbers_in_a_word(matrices)
    tiles_for(matrices, words)
    for b in range(B):
        floats[b] = put_row(streams, b * S + plan[SHOWN], units, rounded, b * row)
    for n in range(0, V, WIDE):
        panel, beside = plan[HEAD] + n * units, plan[HEAD_NUMBERS] + 3 * n
        across = min(WIDE, V - n)
        for first in range(0, B, ROWS):
            rows, a0 = min(ROWS, B - first), first * row
            if across == WIDE:
                at = first * V + n
                wide_panel(
                    rows, rounded, a0, row, floats, first, matrices, panel, words, numbers, beside, out, at, V, t
                )
            else:
                wide_panel(
                    rows, rounded, a0, row, floats, first, matrices, panel, words, numbers, beside, floats, z, WIDE, t
                )
                for r in range(rows):
                    for i in range(across):
                        out[(first + r) * V + n + i] = floats[z + r * WIDE + i]
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
        top = maximum(load(out, o + i), top)
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

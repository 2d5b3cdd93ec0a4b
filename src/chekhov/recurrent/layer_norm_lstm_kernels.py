"""The LSTM with layer norm over a whole sequence, forward and backward, for some rows of the batch:
`layer_norm_lstm_sequence` calls them.

Arrays are as in `lstm_kernels`; row b at time t is line b * T + t. ``own``: of every 16 units, after another, the gains
of W x and of U h and the biases, each i, f, g, o, then gain and bias of the cell state. ``scales`` (lines, 4): what
W x, U h and c were divided by, inverted, and before the last of these the mean of c.

A step multiplies U and h of all rows before it looks at any gate, since every gate needs the mean of all.
"""

from __future__ import annotations

import numba
import numpy as np

from chekhov.kernels.integer_kernels import total_of
from chekhov.kernels.jit import kernel
from chekhov.kernels.matmul_kernels import ONE, PANEL, ROWS, ZERO, product, rows_at_once
from chekhov.kernels.tile_kernels import tiles_off, tiles_on
from chekhov.kernels.vector_kernels import LANES, copy, first_lanes, fma, load, sigmoid, splat, store, tanh

F, G, O = LANES, 2 * LANES, 3 * LANES  # where a gate of 16 units stands behind i
FOUR = 4 * LANES  # a block of units: 16 of each gate
GAIN_H, BIAS, GAIN_C, BIAS_C = FOUR, 2 * FOUR, 3 * FOUR, 3 * FOUR + LANES  # in a block of ``own``, behind gains of W x
OWN = 14  # numbers of ``own`` for a unit
APART = 32  # numbers between two rows of a buffer, so that they do not share lines of the cache
EPSILON = np.float32(1e-5)  # added to the variance


@numba.njit(inline="always")
def spread_of_gates(a, at, H):
    """Mean and 1 / sqrt(variance + epsilon) of the 4 H numbers of a line that begins at ``at``."""
    count = np.float32(4 * H)
    i, f, g, o = splat(ZERO), splat(ZERO), splat(ZERO), splat(ZERO)
    for u in range(0, H, LANES):
        i = i + load(a, at + 4 * u)
        f = f + load(a, at + 4 * u + F)
        g = g + load(a, at + 4 * u + G)
        o = o + load(a, at + 4 * u + O)
    mean = total_of((i + f) + (g + o)) / count
    center = splat(mean)
    i, f, g, o = splat(ZERO), splat(ZERO), splat(ZERO), splat(ZERO)
    for u in range(0, H, LANES):
        d_i, d_f = load(a, at + 4 * u) - center, load(a, at + 4 * u + F) - center
        d_g, d_o = load(a, at + 4 * u + G) - center, load(a, at + 4 * u + O) - center
        if u + LANES > H:
            d_i, d_f = first_lanes(d_i, H - u), first_lanes(d_f, H - u)
            d_g, d_o = first_lanes(d_g, H - u), first_lanes(d_o, H - u)
        i, f, g, o = fma(d_i, d_i, i), fma(d_f, d_f, f), fma(d_g, d_g, g), fma(d_o, d_o, o)
    return mean, ONE / np.sqrt(total_of((i + f) + (g + o)) / count + EPSILON)


@numba.njit(inline="always")
def spread_of_units(a, at, H):
    """The same of H numbers."""
    total, squares = splat(ZERO), splat(ZERO)
    for u in range(0, H, LANES):
        total = total + load(a, at + u)
    mean = total_of(total) / np.float32(H)
    for u in range(0, H, LANES):
        d = load(a, at + u) - splat(mean)
        if u + LANES > H:
            d = first_lanes(d, H - u)
        squares = fma(d, d, squares)
    return mean, ONE / np.sqrt(total_of(squares) / np.float32(H) + EPSILON)


@kernel
def layer_norm_lstm_forward(
    inputs, recurrent, gates, own, panels, h, c, cells, outputs, previous, scales, T, H, units, first, last
):
    """``inputs``: in, W x of every step; out, normalised. ``recurrent``: out, U h, likewise. ``gates``: out, i, f, g
    and o. ``h`` and ``c`` (B, units): the state, in and out. ``cells``: c of every step, ``previous``: h before it."""
    tiles_on()
    rows = last - first
    at_once = rows_at_once(panels)
    whole = (rows + at_once - 1) // at_once * at_once
    width, across = units + APART, 4 * units + APART
    hidden, z = np.zeros(whole * width, panels.dtype), np.zeros(whole * across, np.float32)
    opened = np.zeros(units, np.float32)  # o of a row
    for r in range(rows):
        for u in range(0, units, LANES):
            store(hidden, r * width + u, load(h, (first + r) * units + u))
    for s in range(T):
        for column in range(0, 4 * units, PANEL):
            for r in range(0, rows, at_once):
                here, place = min(at_once, rows - r), r * across + column
                product(here, hidden, r * width, width, panels, column * units, units, z, place, across, False)
        for r in range(rows):
            b, row = first + r, r * across
            line, state = b * T + s, b * units
            at = line * 4 * units
            mean_x, scale_x = spread_of_gates(inputs, at, H)
            mean_h, scale_h = spread_of_gates(z, row, H)
            for u in range(0, units, LANES):
                x, y = at + 4 * u, row + 4 * u
                for gate in range(0, FOUR, LANES):
                    by_x = (load(inputs, x + gate) - splat(mean_x)) * splat(scale_x)
                    by_h = (load(z, y + gate) - splat(mean_h)) * splat(scale_h)
                    if u + LANES > H:  # 0 in what was filled up, lest 0 times infinity spread from there
                        by_x, by_h = first_lanes(by_x, H - u), first_lanes(by_h, H - u)
                    store(inputs, x + gate, by_x)
                    store(recurrent, x + gate, by_h)
                    p = OWN * u + gate
                    by_h = fma(by_h, load(own, p + GAIN_H), load(own, p + BIAS))
                    store(z, y + gate, fma(by_x, load(own, p), by_h))
                i, f, g, o = load(z, y), load(z, y + F), load(z, y + G), load(z, y + O)
                i, f, g, o = sigmoid(i), sigmoid(f), tanh(g), sigmoid(o)
                cell = f * load(c, state + u) + i * g
                store(gates, x, i)
                store(gates, x + F, f)
                store(gates, x + G, g)
                store(gates, x + O, o)
                store(opened, u, o)
                store(c, state + u, cell)
                store(cells, line * units + u, cell)
            mean_c, scale_c = spread_of_units(c, state, H)
            for u in range(0, units, LANES):
                cell = (load(c, state + u) - splat(mean_c)) * splat(scale_c)
                new = load(opened, u) * tanh(fma(cell, load(own, OWN * u + GAIN_C), load(own, OWN * u + BIAS_C)))
                if u + LANES > H:
                    new = first_lanes(new, H - u)
                copy(hidden, r * width + u, previous, line * units + u)
                store(hidden, r * width + u, new)
                store(h, state + u, new)
                store(outputs, line * units + u, new)
            scales[4 * line], scales[4 * line + 1] = scale_x, scale_h
            scales[4 * line + 2], scales[4 * line + 3] = mean_c, scale_c
    tiles_off()


@numba.njit(inline="always")
def add_to(sums, at, value):
    store(sums, at, load(sums, at) + value)


@kernel
def layer_norm_lstm_backward(
    inputs, recurrent, gates, own, panels, cells, c_start, scales, d_outputs, d_inputs, d_recurrent, d_own, dh, dc,
    T, H, units, first, last,
):  # fmt: skip
    """``d_inputs`` and ``d_recurrent``: the gradients of W x and of U h. ``dh`` and ``dc`` (B, units): of the last
    state, in, and of the first, out. ``d_own`` (blocks of 8 rows, 14 * units): sums to the gradient of ``own``.

    Of y = (a - mean) s the gradient is s (dy - mean of dy - y mean of dy y).
    """
    tiles_on()
    rows = last - first
    at_once = rows_at_once(panels)
    whole = (rows + at_once - 1) // at_once * at_once
    width, across = 4 * units + APART, (units + PANEL - 1) // PANEL * PANEL + APART
    gradients, z = np.zeros(whole * width, panels.dtype), np.zeros(whole * across, np.float32)
    # Of a row: the gradient of c normalised, and of the gates before their functions.
    slopes, d_gates = np.zeros(units, np.float32), np.zeros(4 * units, np.float32)
    one, zero = splat(ONE), splat(ZERO)
    for s in range(T - 1, -2, -1):  # -1: the gradient of the first state
        for column in range(0, units, PANEL):
            for r in range(0, rows, at_once):
                here, place, panel = min(at_once, rows - r), r * across + column, column * 4 * units
                product(here, gradients, r * width, width, panels, panel, 4 * units, z, place, across, False)
        for r in range(rows):
            b = first + r
            line, state = b * T + s, b * units
            at, sums = line * 4 * units, b // ROWS * OWN * units
            if s < 0:
                for u in range(0, units, LANES):
                    store(dh, state + u, load(z, r * across + u))
                continue
            scale_x, scale_h = splat(scales[4 * line]), splat(scales[4 * line + 1])
            mean_c, scale_c = splat(scales[4 * line + 2]), splat(scales[4 * line + 3])
            total, moment = zero, zero
            for u in range(0, units, LANES):
                d_hidden = load(z, r * across + u) + load(d_outputs, line * units + u)
                if s == T - 1:
                    d_hidden = d_hidden + load(dh, state + u)
                p = OWN * u
                o, gain = load(gates, at + 4 * u + O), load(own, p + GAIN_C)
                cell = (load(cells, line * units + u) - mean_c) * scale_c
                shown = tanh(fma(cell, gain, load(own, p + BIAS_C)))
                d_o, d = d_hidden * shown * o * (one - o), d_hidden * o * (one - shown * shown)
                if u + LANES > H:
                    d_o, d = first_lanes(d_o, H - u), first_lanes(d, H - u)
                add_to(d_own, sums + p + BIAS_C, d)
                add_to(d_own, sums + p + GAIN_C, d * cell)
                d = d * gain
                total, moment = total + d, fma(d, cell, moment)
                store(slopes, u, d)
                store(d_gates, 4 * u + O, d_o)
            mean, turn = splat(total_of(total) / np.float32(H)), splat(total_of(moment) / np.float32(H))
            total_x, moment_x, total_h, moment_h = zero, zero, zero, zero
            for u in range(0, units, LANES):
                x, p = at + 4 * u, OWN * u
                q, place = sums + p, line * units + u
                cell = (load(cells, place) - mean_c) * scale_c
                d_cell = load(dc, state + u) + scale_c * (load(slopes, u) - mean - cell * turn)
                if u + LANES > H:
                    d_cell = first_lanes(d_cell, H - u)
                c_before = load(c_start, state + u) if s == 0 else load(cells, place - units)
                i, f, g = load(gates, x), load(gates, x + F), load(gates, x + G)
                store(dc, state + u, d_cell * f)
                d_i, d_f = d_cell * g * i * (one - i), d_cell * c_before * f * (one - f)
                d_g, d_o = d_cell * i * (one - g * g), load(d_gates, 4 * u + O)
                if u + LANES > H:
                    d_i, d_f, d_g = first_lanes(d_i, H - u), first_lanes(d_f, H - u), first_lanes(d_g, H - u)
                store(d_gates, 4 * u, d_i)
                store(d_gates, 4 * u + F, d_f)
                store(d_gates, 4 * u + G, d_g)
                for gate in range(0, FOUR, LANES):
                    d, by_x, by_h = load(d_gates, 4 * u + gate), load(inputs, x + gate), load(recurrent, x + gate)
                    add_to(d_own, q + gate, d * by_x)
                    add_to(d_own, q + gate + GAIN_H, d * by_h)
                    add_to(d_own, q + gate + BIAS, d)
                    d_x, d_h = d * load(own, p + gate), d * load(own, p + gate + GAIN_H)
                    total_x, moment_x = total_x + d_x, fma(d_x, by_x, moment_x)
                    total_h, moment_h = total_h + d_h, fma(d_h, by_h, moment_h)
            count = np.float32(4 * H)
            mean_x, turn_x = splat(total_of(total_x) / count), splat(total_of(moment_x) / count)
            mean_h, turn_h = splat(total_of(total_h) / count), splat(total_of(moment_h) / count)
            for u in range(0, units, LANES):
                for gate in range(0, FOUR, LANES):
                    x, p, d = at + 4 * u + gate, OWN * u + gate, load(d_gates, 4 * u + gate)
                    d_x = scale_x * (d * load(own, p) - mean_x - load(inputs, x) * turn_x)
                    d_h = scale_h * (d * load(own, p + GAIN_H) - mean_h - load(recurrent, x) * turn_h)
                    if u + LANES > H:
                        d_x, d_h = first_lanes(d_x, H - u), first_lanes(d_h, H - u)
                    store(d_inputs, x, d_x)
                    store(d_recurrent, x, d_h)
                    store(gradients, r * width + 4 * u + gate, d_h)
    tiles_off()

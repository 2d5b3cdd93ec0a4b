"""The LSTM over a whole sequence, forward and backward, for some rows of the batch: `lstm_sequence` calls them.

Arrays are flat. ``units`` is H filled up to a multiple of 16; a row of gates is 4 * units long and interleaved, 16
units of i, f, g, o after another. Row b at time t is line b * b_line + t * t_line of ``gates``, ``cells``, ``outputs``
and ``previous``. A row ends after ``lengths[b]`` steps: its state stays, its outputs are 0. ``reverse`` reads it from
its end. Gates, outputs and panels are float32, or all bfloat16 (uint16); states and sums are float32.
"""

from __future__ import annotations

import numpy as np

from chekhov.kernels.jit import kernel, prefetch
from chekhov.kernels.matmul_kernels import ONE, PANEL, ROWS, ZERO, add_product, rows_at_once
from chekhov.kernels.tile_kernels import tiles_off, tiles_on
from chekhov.kernels.vector_kernels import LANES, copy, first_lanes, load, sigmoid, splat, store, tanh

FOUR = 4 * LANES  # a block of units: 16 of each gate
APART = 32  # numbers between two rows of a buffer, so that they do not share lines of the cache


@kernel
def lstm_forward(
    gates, bias, panels, h, c, cells, outputs, previous, lengths, T, H, units, b_line, t_line, first, last, reverse
):
    """``gates``: in, W x of every step; out, i, f, g and o. ``h`` and ``c`` (B, units): the state, in and out.
    ``cells``: c of every step, ``previous``: h before it, both for `lstm_backward`."""
    tiles_on()
    rows = last - first
    at_once = rows_at_once(panels)
    G = 4 * units
    width = units + APART
    buffer = (rows + at_once - 1) // at_once * at_once * width
    hidden = np.zeros(2 * buffer, panels.dtype)
    z = np.zeros(at_once * FOUR, np.float32)
    ahead = -t_line if reverse else t_line  # what the next step will read is asked for: it lies a line of gates away
    for r in range(rows):
        for u in range(0, units, LANES):
            store(hidden, r * width + u, load(h, (first + r) * units + u))
    for s in range(T):
        now, after = s % 2 * buffer, (1 - s % 2) * buffer
        for u in range(0, units, LANES):
            for r0 in range(0, rows, at_once):
                here = min(at_once, rows - r0)
                for r in range(here):
                    b = first + r0 + r
                    t = lengths[b] - 1 - s if reverse and s < lengths[b] else s
                    at = (b * b_line + t * t_line) * G + 4 * u
                    for i in range(0, FOUR, LANES):
                        store(z, r * FOUR + i, load(gates, at + i) + load(bias, 4 * u + i))
                        prefetch(gates, at + i + ahead * G)
                    line = (b * b_line + t * t_line + ahead) * units + u
                    prefetch(cells, line)
                    prefetch(outputs, line)
                    prefetch(previous, line)
                for half in range(2):
                    panel = (u // LANES * 2 + half) * PANEL * units
                    add_product(here, hidden, now + r0 * width, width, panels, panel, units, z, half * PANEL, FOUR)
                for r in range(here):
                    b = first + r0 + r
                    state, own = b * units + u, (r0 + r) * width + u
                    if s >= lengths[b]:
                        line = b * b_line + s * t_line
                        store(outputs, line * units + u, splat(ZERO))
                        store(previous, line * units + u, splat(ZERO))
                        copy(hidden, now + own, hidden, after + own)
                        continue
                    t = lengths[b] - 1 - s if reverse else s
                    line = b * b_line + t * t_line
                    i = sigmoid(load(z, r * FOUR))
                    f = sigmoid(load(z, r * FOUR + LANES))
                    g = tanh(load(z, r * FOUR + 2 * LANES))
                    o = sigmoid(load(z, r * FOUR + 3 * LANES))
                    cell = f * load(c, state) + i * g
                    new = o * tanh(cell)
                    if u + LANES > H:  # 0 in what was filled up, lest 0 times infinity spread from there
                        new = first_lanes(new, H - u)
                    at = line * G + 4 * u
                    store(gates, at, i)
                    store(gates, at + LANES, f)
                    store(gates, at + 2 * LANES, g)
                    store(gates, at + 3 * LANES, o)
                    store(c, state, cell)
                    store(h, state, new)
                    store(cells, line * units + u, cell)
                    store(outputs, line * units + u, new)
                    copy(hidden, now + own, previous, line * units + u)
                    store(hidden, after + own, new)
    tiles_off()


@kernel
def lstm_backward(
    gates, panels, cells, c_start, d_outputs, d_gates, d_bias, dh, dc, lengths, T, H, units, b_line, t_line, first,
    last, reverse,
):  # fmt: skip
    """``d_gates``: the gradient of what `lstm_forward` was given as gates. ``dh`` and ``dc`` (B, units): the gradient
    of the last state, in, and of the first, out. ``d_bias`` (blocks of 8 rows, 4 * units): sums to the bias's."""
    tiles_on()
    rows = last - first
    at_once = rows_at_once(panels)
    G = 4 * units
    width = G + APART
    buffer = (rows + at_once - 1) // at_once * at_once * width
    gradients = np.zeros(2 * buffer, panels.dtype)
    z = np.zeros(at_once * PANEL, np.float32)
    one = splat(ONE)
    ahead = -t_line if reverse else t_line
    for s in range(T - 1, -2, -1):  # -1: the gradient of the first state
        now, after = s % 2 * buffer, (1 - s % 2) * buffer
        for u0 in range(0, units, PANEL):
            across = min(PANEL, units - u0)
            for r0 in range(0, rows, at_once):
                here = min(at_once, rows - r0)
                for r in range(here):
                    b = first + r0 + r
                    t = lengths[b] - 1 - s if reverse and s < lengths[b] else s
                    for i in range(0, across, LANES):
                        value = splat(ZERO)
                        line = b * b_line + t * t_line
                        if s >= 0 and s < lengths[b]:
                            value = load(d_outputs, line * units + u0 + i)
                        prefetch(d_outputs, (line - ahead) * units + u0 + i)
                        prefetch(cells, (line - 2 * ahead) * units + u0 + i)
                        for gate in range(0, FOUR, LANES):
                            prefetch(gates, (line - ahead) * G + 4 * (u0 + i) + gate)
                            prefetch(d_gates, (line - ahead) * G + 4 * (u0 + i) + gate)
                        if s == lengths[b] - 1:
                            value = value + load(dh, b * units + u0 + i)
                        store(z, r * PANEL + i, value)
                add_product(here, gradients, after + r0 * width, width, panels, u0 * G, G, z, 0, PANEL)
                for r in range(here):
                    b = first + r0 + r
                    for i0 in range(0, across, LANES):
                        u = u0 + i0
                        state, own = b * units + u, now + (r0 + r) * width + 4 * u
                        line = b * b_line + s * t_line
                        if s < 0:
                            store(dh, state, load(z, r * PANEL + i0))
                            continue
                        if s >= lengths[b]:
                            for i in range(0, FOUR, LANES):
                                store(d_gates, line * G + 4 * u + i, splat(ZERO))
                            continue
                        before = line - t_line
                        if reverse:
                            line = b * b_line + (lengths[b] - 1 - s) * t_line
                            before = line + t_line
                        if s == 0:
                            c_before = load(c_start, state)
                        else:
                            c_before = load(cells, before * units + u)
                        at = line * G + 4 * u
                        i = load(gates, at)
                        f = load(gates, at + LANES)
                        g = load(gates, at + 2 * LANES)
                        o = load(gates, at + 3 * LANES)
                        shown = tanh(load(cells, line * units + u))
                        d_hidden = load(z, r * PANEL + i0)
                        d_cell = load(dc, state) + d_hidden * o * (one - shown * shown)
                        di = d_cell * g * i * (one - i)
                        df = d_cell * c_before * f * (one - f)
                        dg = d_cell * i * (one - g * g)
                        do = d_hidden * shown * o * (one - o)
                        if u + LANES > H:
                            di = first_lanes(di, H - u)
                            df = first_lanes(df, H - u)
                            dg = first_lanes(dg, H - u)
                            do = first_lanes(do, H - u)
                        store(dc, state, d_cell * f)
                        store(gradients, own, di)
                        store(gradients, own + LANES, df)
                        store(gradients, own + 2 * LANES, dg)
                        store(gradients, own + 3 * LANES, do)
                        store(d_gates, at, di)
                        store(d_gates, at + LANES, df)
                        store(d_gates, at + 2 * LANES, dg)
                        store(d_gates, at + 3 * LANES, do)
                        block = b // ROWS * G + 4 * u
                        store(d_bias, block, load(d_bias, block) + di)
                        store(d_bias, block + LANES, load(d_bias, block + LANES) + df)
                        store(d_bias, block + 2 * LANES, load(d_bias, block + 2 * LANES) + dg)
                        store(d_bias, block + 3 * LANES, load(d_bias, block + 3 * LANES) + do)
    tiles_off()

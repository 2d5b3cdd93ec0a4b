"""The LSTM over a whole sequence, forward and backward, for some rows of the batch: `lstm_sequence` calls them.

Arrays are flat. ``units`` is H filled up to a multiple of 16; a row of gates is 4 * units long and interleaved, 16
units of i, f, g, o after another. Row b at time t is line b * b_line + t * t_line of ``gates``, ``cells``, ``outputs``
and ``previous``. A row ends after ``lengths[b]`` steps: its state stays, its outputs are 0. ``reverse`` reads it from
its end. Gates, outputs and panels are float32, or all bfloat16 (uint16); states and sums are float32.

``panels`` hold U alone, and ``gates`` W x; or, where ``width_x`` is not 0, W and U side by side: then x (a line of
``inputs``, ``width_x`` long) and h are multiplied together in every step, and nothing is expected of ``gates``.

``zone``: (share, threshold, seed of c, seed of h) of zoneout; a share of 0 is none. The mask is a function of the seed
and of line * H + u, as in `dropout_kernels.drop`: drawn in both directions, never kept.

``peepholes``: 16 of p_i, p_f, p_o after another, if ``peephole``.
"""

from __future__ import annotations

import numpy as np

from chekhov.kernels.jit import inlined, kernel, prefetch
from chekhov.kernels.matmul_kernels import ONE, PANEL, ROWS, ZERO, product, rows_at_once
from chekhov.kernels.tile_kernels import tiles_off, tiles_on
from chekhov.kernels.vector_kernels import LANES, copy, first_lanes, load, sigmoid, splat, store, tanh
from chekhov.recurrent.dropout_kernels import kept

FOUR = 4 * LANES  # a block of units: 16 of each gate
APART = 32  # numbers between two rows of a buffer, so that they do not share lines of the cache


@inlined
def staying(share, threshold, seed, place):
    """How much of 16 old numbers stays: by the seed 0 or 1 of each; without a threshold what that is on average."""
    if threshold == 0:
        return splat(share)
    return splat(ONE) - kept(splat(ONE), seed, place, threshold)


@kernel
def lstm_forward(
    inputs, width_x, gates, bias, panels, h, c, cells, outputs, previous, peephole, peepholes, zone, lengths, T, H,
    units, b_line, t_line, first, last, reverse,
):  # fmt: skip
    """``gates``: out, i, f, g and o. ``h`` and ``c`` (B, units): the state, in and out. ``cells``: c of every step,
    ``previous``: h before it, both for `lstm_backward`."""
    tiles_on()
    rows = last - first
    at_once = rows_at_once(panels)
    share, threshold, seed_c, seed_h = zone
    G, K = 4 * units, width_x + units
    width = K + APART
    buffer = (rows + at_once - 1) // at_once * at_once * width
    hidden = np.zeros(2 * buffer, panels.dtype)  # x and h of this step, and of the next
    z = np.zeros(at_once * FOUR, np.float32)
    one = splat(ONE)
    ahead = -t_line if reverse else t_line  # what the next step will touch is asked for: it lies a line of gates away
    for r in range(rows):
        for u in range(0, units, LANES):
            store(hidden, r * width + width_x + u, load(h, (first + r) * units + u))
    for s in range(T):
        now, after = s % 2 * buffer, (1 - s % 2) * buffer
        for r in range(rows):
            b = first + r
            line = b * b_line + (lengths[b] - 1 - s if reverse and s < lengths[b] else s) * t_line
            for x in range(0, width_x, LANES):
                copy(inputs, line * width_x + x, hidden, now + r * width + x)
        for u in range(0, units, LANES):
            for r0 in range(0, rows, at_once):
                here = min(at_once, rows - r0)
                for half in range(2):
                    panel = (u // LANES * 2 + half) * PANEL * K
                    product(here, hidden, now + r0 * width, width, panels, panel, K, z, half * PANEL, FOUR, False)
                for r in range(here):
                    b = first + r0 + r
                    state, own = b * units + u, (r0 + r) * width + width_x + u
                    if s >= lengths[b]:
                        line = b * b_line + s * t_line
                        store(outputs, line * units + u, splat(ZERO))
                        store(previous, line * units + u, splat(ZERO))
                        copy(hidden, now + own, hidden, after + own)
                        continue
                    t = lengths[b] - 1 - s if reverse else s
                    line = b * b_line + t * t_line
                    at, place = line * G + 4 * u, line * units + u
                    i = load(z, r * FOUR) + load(bias, 4 * u)
                    f = load(z, r * FOUR + LANES) + load(bias, 4 * u + LANES)
                    g = load(z, r * FOUR + 2 * LANES) + load(bias, 4 * u + 2 * LANES)
                    o = load(z, r * FOUR + 3 * LANES) + load(bias, 4 * u + 3 * LANES)
                    if width_x == 0:
                        i = i + load(gates, at)
                        f = f + load(gates, at + LANES)
                        g = g + load(gates, at + 2 * LANES)
                        o = o + load(gates, at + 3 * LANES)
                    c_before = load(c, state)
                    if peephole:
                        i = i + load(peepholes, 3 * u) * c_before
                        f = f + load(peepholes, 3 * u + LANES) * c_before
                    i = sigmoid(i)
                    f = sigmoid(f)
                    g = tanh(g)
                    for gate in range(0, FOUR, PANEL):
                        prefetch(gates, at + ahead * G + gate)
                    prefetch(cells, place + ahead * units)
                    prefetch(outputs, place + ahead * units)
                    prefetch(previous, place + ahead * units)
                    cell = f * c_before + i * g
                    if peephole:
                        o = o + load(peepholes, 3 * u + 2 * LANES) * cell
                    o = sigmoid(o)
                    new = o * tanh(cell)
                    if share > ZERO:
                        stays = staying(share, threshold, seed_c, line * H + u)
                        cell = stays * c_before + (one - stays) * cell
                        stays = staying(share, threshold, seed_h, line * H + u)
                        new = stays * load(h, state) + (one - stays) * new
                    if u + LANES > H:  # 0 in what was filled up, lest 0 times infinity spread from there
                        new = first_lanes(new, H - u)
                    store(gates, at, i)
                    store(gates, at + LANES, f)
                    store(gates, at + 2 * LANES, g)
                    store(gates, at + 3 * LANES, o)
                    store(c, state, cell)
                    store(h, state, new)
                    store(cells, place, cell)
                    store(outputs, place, new)
                    copy(hidden, now + own, previous, place)
                    store(hidden, after + own, new)
    tiles_off()


@kernel
def lstm_backward(
    gates, panels, width_x, cells, c_start, d_outputs, d_gates, d_inputs, d_bias, dh, dc, peephole, peepholes,
    d_peepholes, zone, lengths, T, H, units, b_line, t_line, first, last, reverse,
):  # fmt: skip
    """``d_gates``: the gradient of the gates before their functions; ``d_inputs``: of x, if ``width_x`` is not 0.

    ``dh`` and ``dc`` (B, units): the gradient of the last state, in, and of the first, out. ``d_bias`` (blocks of 8
    rows, 4 * units) and ``d_peepholes`` (blocks of 8 rows, 3 * units): sums to their gradients.
    """
    tiles_on()
    rows = last - first
    at_once = rows_at_once(panels)
    share, threshold, seed_c, seed_h = zone
    G = 4 * units
    width = G + APART
    buffer = (rows + at_once - 1) // at_once * at_once * width
    gradients = np.zeros(2 * buffer, panels.dtype)
    z = np.zeros(at_once * PANEL, np.float32)
    one = splat(ONE)
    ahead = -t_line if reverse else t_line
    for s in range(T - 1, -2, -1):  # -1: the gradient of the first state
        now, after = s % 2 * buffer, (1 - s % 2) * buffer
        for column in range(0, width_x + units, PANEL):
            u0 = column - width_x
            across = min(PANEL, units - u0)
            for r0 in range(0, rows, at_once):
                here = min(at_once, rows - r0)
                product(here, gradients, after + r0 * width, width, panels, column * G, G, z, 0, PANEL, False)
                if u0 < 0:  # the inputs of the step after this one
                    for r in range(here):
                        b = first + r0 + r
                        if s + 1 < T:
                            line = b * b_line + (s + 1) * t_line
                            if reverse and s + 1 < lengths[b]:
                                line = b * b_line + (lengths[b] - 2 - s) * t_line
                            for i in range(0, PANEL, LANES):
                                value = load(z, r * PANEL + i)
                                if s + 1 >= lengths[b]:
                                    value = splat(ZERO)
                                store(d_inputs, line * width_x + column + i, value)
                    continue
                for r in range(here):
                    b = first + r0 + r
                    line = b * b_line + s * t_line
                    before = line - t_line
                    if reverse and s < lengths[b]:
                        line = b * b_line + (lengths[b] - 1 - s) * t_line
                        before = line + t_line
                    for i0 in range(0, across, LANES):
                        u = u0 + i0
                        state, own = b * units + u, now + (r0 + r) * width + 4 * u
                        at, place = line * G + 4 * u, line * units + u
                        if s >= lengths[b]:
                            for i in range(0, FOUR, LANES):
                                store(d_gates, at + i, splat(ZERO))
                            continue
                        d_hidden = load(z, r * PANEL + i0)
                        if s == lengths[b] - 1 or share > ZERO:
                            d_hidden = d_hidden + load(dh, state)
                        if s < 0:
                            store(dh, state, d_hidden)
                            continue
                        d_hidden = d_hidden + load(d_outputs, place)
                        prefetch(d_outputs, place - ahead * units)
                        prefetch(cells, place - 2 * ahead * units)
                        for gate in range(0, FOUR, PANEL):
                            prefetch(gates, at - ahead * G + gate)
                            prefetch(d_gates, at - ahead * G + gate)
                        if s == 0:
                            c_before = load(c_start, state)
                        else:
                            c_before = load(cells, before * units + u)
                        i = load(gates, at)
                        f = load(gates, at + LANES)
                        g = load(gates, at + 2 * LANES)
                        o = load(gates, at + 3 * LANES)
                        d_cell, d_kept = load(dc, state), splat(ZERO)
                        if share > ZERO:
                            cell = f * c_before + i * g
                            stays = staying(share, threshold, seed_c, line * H + u)
                            d_kept, d_cell = stays * d_cell, (one - stays) * d_cell
                            stays = staying(share, threshold, seed_h, line * H + u)
                            store(dh, state, stays * d_hidden)
                            d_hidden = (one - stays) * d_hidden
                        else:
                            cell = load(cells, place)
                        shown = tanh(cell)
                        do = d_hidden * shown * o * (one - o)
                        d_cell = d_cell + d_hidden * o * (one - shown * shown)
                        if peephole:
                            d_cell = d_cell + do * load(peepholes, 3 * u + 2 * LANES)
                        di = d_cell * g * i * (one - i)
                        df = d_cell * c_before * f * (one - f)
                        dg = d_cell * i * (one - g * g)
                        if u + LANES > H:
                            di = first_lanes(di, H - u)
                            df = first_lanes(df, H - u)
                            dg = first_lanes(dg, H - u)
                            do = first_lanes(do, H - u)
                        if peephole:
                            d_kept = d_kept + di * load(peepholes, 3 * u) + df * load(peepholes, 3 * u + LANES)
                            sums = b // ROWS * 3 * units + 3 * u
                            store(d_peepholes, sums, load(d_peepholes, sums) + di * c_before)
                            store(d_peepholes, sums + LANES, load(d_peepholes, sums + LANES) + df * c_before)
                            store(d_peepholes, sums + 2 * LANES, load(d_peepholes, sums + 2 * LANES) + do * cell)
                        store(dc, state, d_cell * f + d_kept)
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

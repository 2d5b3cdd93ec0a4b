"""The GRU (reset after the product) over a whole sequence, forward and backward: as `lstm_kernels`, which says how
arrays lie, but gates are interleaved by 32 units: 32 of r, z, n after another. ``units`` is a multiple of 32."""

from __future__ import annotations

import numpy as np

from chekhov.kernels.jit import kernel, prefetch
from chekhov.kernels.matmul_kernels import ONE, PANEL, ROWS, ZERO, product, rows_at_once
from chekhov.kernels.tile_kernels import tiles_off, tiles_on
from chekhov.kernels.vector_kernels import LANES, copy, first_lanes, load, sigmoid, splat, store, tanh

THREE = 3 * PANEL  # a block of units: 32 of each gate
APART = 32  # numbers between two rows of a buffer, so that they do not share lines of the cache


@kernel
def gru_forward(
    gates, bias, inner_bias, panels, h, outputs, previous, inner, lengths, T, H, units, b_line, t_line, first, last,
    reverse,
):  # fmt: skip
    """``gates``: in, W x of every step; out, r, z and n. ``inner``: U h + b' of n, which r multiplies."""
    tiles_on()
    rows = last - first
    at_once = rows_at_once(panels)
    G = 3 * units
    width = units + APART
    buffer = (rows + at_once - 1) // at_once * at_once * width
    hidden = np.zeros(2 * buffer, panels.dtype)
    z = np.zeros(at_once * THREE, np.float32)
    ahead = -t_line if reverse else t_line  # what the next step will read is asked for
    for r in range(rows):
        for u in range(0, units, LANES):
            store(hidden, r * width + u, load(h, (first + r) * units + u))
    for s in range(T):
        now, after = s % 2 * buffer, (1 - s % 2) * buffer
        for u0 in range(0, units, PANEL):
            for r0 in range(0, rows, at_once):
                here = min(at_once, rows - r0)
                for gate in range(3):
                    panel = (u0 // PANEL * 3 + gate) * PANEL * units
                    product(here, hidden, now + r0 * width, width, panels, panel, units, z, gate * PANEL, THREE, False)
                for r in range(here):
                    b = first + r0 + r
                    for i in range(0, PANEL, LANES):
                        u = u0 + i
                        own = (r0 + r) * width + u
                        if s >= lengths[b]:
                            line = b * b_line + s * t_line
                            store(outputs, line * units + u, splat(ZERO))
                            store(previous, line * units + u, splat(ZERO))
                            copy(hidden, now + own, hidden, after + own)
                            continue
                        line = b * b_line + (lengths[b] - 1 - s if reverse else s) * t_line
                        at = line * G + 3 * u0 + i
                        reset = load(z, r * THREE + i) + load(gates, at) + load(bias, 3 * u0 + i)
                        update = load(z, r * THREE + PANEL + i) + load(gates, at + PANEL)
                        reset = sigmoid(reset)
                        update = sigmoid(update + load(bias, 3 * u0 + PANEL + i))
                        shown = load(z, r * THREE + 2 * PANEL + i) + load(inner_bias, u)
                        n = tanh(load(gates, at + 2 * PANEL) + load(bias, 3 * u0 + 2 * PANEL + i) + reset * shown)
                        for gate in range(0, THREE, PANEL):
                            prefetch(gates, at + gate + ahead * G)
                        prefetch(outputs, (line + ahead) * units + u)
                        prefetch(previous, (line + ahead) * units + u)
                        prefetch(inner, (line + ahead) * units + u)
                        new = n + update * (load(h, b * units + u) - n)
                        if u + LANES > H:  # 0 in what was filled up, lest 0 times infinity spread from there
                            new = first_lanes(new, H - u)
                        store(gates, at, reset)
                        store(gates, at + PANEL, update)
                        store(gates, at + 2 * PANEL, n)
                        store(inner, line * units + u, shown)
                        store(h, b * units + u, new)
                        store(outputs, line * units + u, new)
                        copy(hidden, now + own, previous, line * units + u)
                        store(hidden, after + own, new)
    tiles_off()


@kernel
def gru_backward(
    gates, panels, previous, inner, d_outputs, d_gates, d_inner, d_bias, d_inner_bias, dh, lengths, T, H, units,
    b_line, t_line, first, last, reverse,
):  # fmt: skip
    """``d_gates``: the gradient of W x; ``d_inner``: of U h + b', which differs from it in n. ``dh`` (B, units): the
    gradient of the last state, in, and of the first, out. Biases: sums of every 8 rows."""
    tiles_on()
    rows = last - first
    at_once = rows_at_once(panels)
    G = 3 * units
    width = G + APART
    buffer = (rows + at_once - 1) // at_once * at_once * width
    gradients = np.zeros(2 * buffer, panels.dtype)
    z = np.zeros(at_once * PANEL, np.float32)
    one = splat(ONE)
    ahead = -t_line if reverse else t_line
    for s in range(T - 1, -2, -1):  # -1: the gradient of the first state
        now, after = s % 2 * buffer, (1 - s % 2) * buffer
        for u0 in range(0, units, PANEL):
            for r0 in range(0, rows, at_once):
                here = min(at_once, rows - r0)
                product(here, gradients, after + r0 * width, width, panels, u0 * G, G, z, 0, PANEL, False)
                for r in range(here):
                    b = first + r0 + r
                    for i in range(0, PANEL, LANES):
                        u = u0 + i
                        d_hidden = load(z, r * PANEL + i) + load(dh, b * units + u)
                        if s < 0:
                            store(dh, b * units + u, d_hidden)
                            continue
                        line = b * b_line + (lengths[b] - 1 - s if reverse and s < lengths[b] else s) * t_line
                        at = line * G + 3 * u0 + i
                        if s >= lengths[b]:
                            for gate in range(0, THREE, PANEL):
                                store(d_gates, at + gate, splat(ZERO))
                                store(d_inner, at + gate, splat(ZERO))
                            continue
                        d_hidden = d_hidden + load(d_outputs, line * units + u)
                        prefetch(d_outputs, (line - ahead) * units + u)
                        prefetch(previous, (line - ahead) * units + u)
                        prefetch(inner, (line - ahead) * units + u)
                        for gate in range(0, THREE, PANEL):
                            prefetch(gates, at + gate - ahead * G)
                            prefetch(d_gates, at + gate - ahead * G)
                            prefetch(d_inner, at + gate - ahead * G)
                        reset = load(gates, at)
                        update = load(gates, at + PANEL)
                        n = load(gates, at + 2 * PANEL)
                        d_update = d_hidden * (load(previous, line * units + u) - n) * update * (one - update)
                        d_n = d_hidden * (one - update) * (one - n * n)
                        d_reset = d_n * load(inner, line * units + u) * reset * (one - reset)
                        d_product = d_n * reset
                        if u + LANES > H:
                            d_update = first_lanes(d_update, H - u)
                            d_n = first_lanes(d_n, H - u)
                            d_reset = first_lanes(d_reset, H - u)
                            d_product = first_lanes(d_product, H - u)
                        own = now + (r0 + r) * width + 3 * u0 + i
                        store(dh, b * units + u, d_hidden * update)
                        store(gradients, own, d_reset)
                        store(gradients, own + PANEL, d_update)
                        store(gradients, own + 2 * PANEL, d_product)
                        store(d_gates, at, d_reset)
                        store(d_gates, at + PANEL, d_update)
                        store(d_gates, at + 2 * PANEL, d_n)
                        store(d_inner, at, d_reset)
                        store(d_inner, at + PANEL, d_update)
                        store(d_inner, at + 2 * PANEL, d_product)
                        block = b // ROWS * G + 3 * u0 + i
                        store(d_bias, block, load(d_bias, block) + d_reset)
                        store(d_bias, block + PANEL, load(d_bias, block + PANEL) + d_update)
                        store(d_bias, block + 2 * PANEL, load(d_bias, block + 2 * PANEL) + d_n)
                        block = b // ROWS * units + u
                        store(d_inner_bias, block, load(d_inner_bias, block) + d_product)
    tiles_off()

"""The GRU with the reset gate before the product (Cho et al. 2014) over a whole sequence: as `gru_kernels`, but a step
has two products, one after the other: U h of r and z, then U (r h) of n."""

from __future__ import annotations

import numpy as np

from chekhov.kernels.jit import kernel, prefetch
from chekhov.kernels.matmul_kernels import ONE, PANEL, ROWS, ZERO, product, rows_at_once
from chekhov.kernels.tile_kernels import tiles_off, tiles_on
from chekhov.kernels.vector_kernels import LANES, copy, first_lanes, load, sigmoid, splat, store, tanh

TWO, THREE = 2 * PANEL, 3 * PANEL  # a block of units: 32 of each gate
APART = 32  # numbers between two rows of a buffer, so that they do not share lines of the cache


@kernel
def gru_before_forward(
    gates, bias, panels, h, outputs, previous, inner, lengths, T, H, units, b_line, t_line, first, last, reverse
):
    """``gates``: in, W x of every step; out, r, z and n. ``inner``: r h, which U of n multiplies."""
    tiles_on()
    rows = last - first
    at_once = rows_at_once(panels)
    G = 3 * units
    width = units + APART
    buffer = (rows + at_once - 1) // at_once * at_once * width
    hidden, shown = np.zeros(buffer, panels.dtype), np.zeros(buffer, panels.dtype)  # h, and r h
    z = np.zeros(at_once * TWO, np.float32)
    ahead = -t_line if reverse else t_line  # what the next step will read is asked for
    for r in range(rows):
        for u in range(0, units, LANES):
            store(hidden, r * width + u, load(h, (first + r) * units + u))
    for s in range(T):
        for u0 in range(0, units, PANEL):
            for r0 in range(0, rows, at_once):
                here = min(at_once, rows - r0)
                for r in range(here):
                    b = first + r0 + r
                    line = b * b_line + (lengths[b] - 1 - s if reverse and s < lengths[b] else s) * t_line
                    at = line * G + 3 * u0
                    for i in range(0, TWO, LANES):
                        store(z, r * TWO + i, load(gates, at + i) + load(bias, 3 * u0 + i))
                    for i in range(0, THREE, LANES):
                        prefetch(gates, at + i + ahead * G)
                for gate in range(2):
                    panel = (u0 // PANEL * 3 + gate) * PANEL * units
                    product(here, hidden, r0 * width, width, panels, panel, units, z, gate * PANEL, TWO, True)
                for r in range(here):
                    b = first + r0 + r
                    if s >= lengths[b]:
                        continue
                    line = b * b_line + (lengths[b] - 1 - s if reverse else s) * t_line
                    for i in range(0, PANEL, LANES):
                        u = u0 + i
                        reset = sigmoid(load(z, r * TWO + i))
                        kept = reset * load(h, b * units + u)
                        if u + LANES > H:  # 0 in what was filled up, lest 0 times infinity spread from there
                            kept = first_lanes(kept, H - u)
                        store(gates, line * G + 3 * u0 + i, reset)
                        store(gates, line * G + 3 * u0 + PANEL + i, sigmoid(load(z, r * TWO + PANEL + i)))
                        store(shown, (r0 + r) * width + u, kept)
        for u0 in range(0, units, PANEL):
            panel = (u0 // PANEL * 3 + 2) * PANEL * units
            for r0 in range(0, rows, at_once):
                here = min(at_once, rows - r0)
                for r in range(here):
                    b = first + r0 + r
                    line = b * b_line + (lengths[b] - 1 - s if reverse and s < lengths[b] else s) * t_line
                    for i in range(0, PANEL, LANES):
                        at = line * G + 3 * u0 + TWO + i
                        store(z, r * TWO + i, load(gates, at) + load(bias, 3 * u0 + TWO + i))
                        prefetch(outputs, (line + ahead) * units + u0 + i)
                        prefetch(previous, (line + ahead) * units + u0 + i)
                        prefetch(inner, (line + ahead) * units + u0 + i)
                product(here, shown, r0 * width, width, panels, panel, units, z, 0, TWO, True)
                for r in range(here):
                    b = first + r0 + r
                    for i in range(0, PANEL, LANES):
                        u = u0 + i
                        own = (r0 + r) * width + u
                        if s >= lengths[b]:
                            line = b * b_line + s * t_line
                            store(outputs, line * units + u, splat(ZERO))
                            store(previous, line * units + u, splat(ZERO))
                            store(inner, line * units + u, splat(ZERO))
                            continue
                        line = b * b_line + (lengths[b] - 1 - s if reverse else s) * t_line
                        at = line * G + 3 * u0 + i
                        update = load(gates, at + PANEL)
                        n = tanh(load(z, r * TWO + i))
                        new = n + update * (load(h, b * units + u) - n)
                        if u + LANES > H:
                            new = first_lanes(new, H - u)
                        store(gates, at + TWO, n)
                        store(h, b * units + u, new)
                        store(outputs, line * units + u, new)
                        copy(hidden, own, previous, line * units + u)
                        copy(shown, own, inner, line * units + u)
                        store(hidden, own, new)
    tiles_off()


@kernel
def gru_before_backward(
    gates, panels, inner_panels, previous, d_outputs, d_gates, d_two, d_inner, d_bias, dh, lengths, T, H, units, b_line,
    t_line, first, last, reverse,
):  # fmt: skip
    """``panels`` are those of U of r and z, ``inner_panels`` those of n. ``d_gates``: the gradient of W x; ``d_two``:
    that of r and z alone, ``d_inner``: of n alone. ``dh`` (B, units): the gradient of the last state, in, and of the
    first, out. Biases: sums of every 8 rows."""
    tiles_on()
    rows = last - first
    at_once = rows_at_once(panels)
    G, D = 3 * units, 2 * units
    width, inner_width = D + APART, units + APART
    blocks = (rows + at_once - 1) // at_once * at_once
    buffer = blocks * width
    gradients, slopes = np.zeros(2 * buffer, panels.dtype), np.zeros(blocks * inner_width, panels.dtype)
    z = np.zeros(at_once * PANEL, np.float32)
    one = splat(ONE)
    ahead = -t_line if reverse else t_line
    for s in range(T - 1, -2, -1):  # -1: the gradient of the first state
        now, after = s % 2 * buffer, (1 - s % 2) * buffer
        for u0 in range(0, units, PANEL):  # n and z
            for r0 in range(0, rows, at_once):
                here = min(at_once, rows - r0)
                for r in range(here):
                    b = first + r0 + r
                    line = b * b_line + (lengths[b] - 1 - s if reverse and s < lengths[b] else s) * t_line
                    for i in range(0, PANEL, LANES):
                        value = load(dh, b * units + u0 + i)
                        if s >= 0 and s < lengths[b]:
                            value = value + load(d_outputs, line * units + u0 + i)
                        store(z, r * PANEL + i, value)
                        prefetch(d_outputs, (line - ahead) * units + u0 + i)
                        prefetch(previous, (line - ahead) * units + u0 + i)
                        prefetch(d_inner, (line - ahead) * units + u0 + i)
                    for i in range(0, THREE, LANES):
                        prefetch(gates, (line - ahead) * G + 3 * u0 + i)
                        prefetch(d_gates, (line - ahead) * G + 3 * u0 + i)
                    for i in range(0, TWO, LANES):
                        prefetch(d_two, (line - ahead) * D + 2 * u0 + i)
                product(here, gradients, after + r0 * width, width, panels, u0 * D, D, z, 0, PANEL, True)
                for r in range(here):
                    b = first + r0 + r
                    for i in range(0, PANEL, LANES):
                        u = u0 + i
                        d_hidden = load(z, r * PANEL + i)
                        if s < 0:
                            store(dh, b * units + u, d_hidden)
                            continue
                        line = b * b_line + (lengths[b] - 1 - s if reverse and s < lengths[b] else s) * t_line
                        at = line * G + 3 * u0 + i
                        if s >= lengths[b]:
                            for gate in range(0, THREE, PANEL):
                                store(d_gates, at + gate, splat(ZERO))
                            for gate in range(0, TWO, PANEL):
                                store(d_two, line * D + 2 * u0 + i + gate, splat(ZERO))
                            store(d_inner, line * units + u, splat(ZERO))
                            continue
                        update = load(gates, at + PANEL)
                        n = load(gates, at + TWO)
                        d_update = d_hidden * (load(previous, line * units + u) - n) * update * (one - update)
                        d_n = d_hidden * (one - update) * (one - n * n)
                        if u + LANES > H:
                            d_update = first_lanes(d_update, H - u)
                            d_n = first_lanes(d_n, H - u)
                        store(dh, b * units + u, d_hidden * update)
                        store(gradients, now + (r0 + r) * width + 2 * u0 + PANEL + i, d_update)
                        store(slopes, (r0 + r) * inner_width + u, d_n)
                        store(d_gates, at + PANEL, d_update)
                        store(d_gates, at + TWO, d_n)
                        store(d_two, line * D + 2 * u0 + PANEL + i, d_update)
                        store(d_inner, line * units + u, d_n)
                        block = b // ROWS * G + 3 * u0 + i
                        store(d_bias, block + PANEL, load(d_bias, block + PANEL) + d_update)
                        store(d_bias, block + TWO, load(d_bias, block + TWO) + d_n)
        if s < 0:
            continue
        for u0 in range(0, units, PANEL):  # r, through the product of n
            for r0 in range(0, rows, at_once):
                here = min(at_once, rows - r0)
                product(
                    here, slopes, r0 * inner_width, inner_width, inner_panels, u0 * units, units, z, 0, PANEL, False
                )
                for r in range(here):
                    b = first + r0 + r
                    if s >= lengths[b]:
                        continue
                    line = b * b_line + (lengths[b] - 1 - s if reverse else s) * t_line
                    for i in range(0, PANEL, LANES):
                        u = u0 + i
                        at = line * G + 3 * u0 + i
                        d_product, reset = load(z, r * PANEL + i), load(gates, at)
                        d_reset = d_product * load(previous, line * units + u) * reset * (one - reset)
                        if u + LANES > H:
                            d_reset = first_lanes(d_reset, H - u)
                        store(dh, b * units + u, load(dh, b * units + u) + d_product * reset)
                        store(gradients, now + (r0 + r) * width + 2 * u0 + i, d_reset)
                        store(d_gates, at, d_reset)
                        store(d_two, line * D + 2 * u0 + i, d_reset)
                        block = b // ROWS * G + 3 * u0 + i
                        store(d_bias, block, load(d_bias, block) + d_reset)
    tiles_off()

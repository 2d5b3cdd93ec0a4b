"""The simple recurrent network over a whole sequence, forward and backward: as `lstm_kernels`, which says how arrays
lie, with one gate. ``units`` is a multiple of 32."""

from __future__ import annotations

import numpy as np

from chekhov.kernels.jit import kernel, prefetch
from chekhov.kernels.matmul_kernels import ONE, PANEL, ROWS, ZERO, product, rows_at_once
from chekhov.kernels.tile_kernels import tiles_off, tiles_on
from chekhov.kernels.vector_kernels import LANES, above_zero, copy, first_lanes, load, sigmoid, splat, store, tanh

APART = 32  # numbers between two rows of a buffer, so that they do not share lines of the cache
TANH, RELU, SIGMOID = 0, 1, 2


@kernel
def elman_forward(
    gates, bias, panels, h, outputs, previous, lengths, T, H, units, b_line, t_line, first, last, reverse, activation
):
    """``gates``: W x of every step."""
    tiles_on()
    rows = last - first
    at_once = rows_at_once(panels)
    width = units + APART
    buffer = (rows + at_once - 1) // at_once * at_once * width
    hidden = np.zeros(2 * buffer, panels.dtype)
    z = np.zeros(at_once * PANEL, np.float32)
    ahead = -t_line if reverse else t_line
    for r in range(rows):
        for u in range(0, units, LANES):
            store(hidden, r * width + u, load(h, (first + r) * units + u))
    for s in range(T):
        now, after = s % 2 * buffer, (1 - s % 2) * buffer
        for u0 in range(0, units, PANEL):
            for r0 in range(0, rows, at_once):
                here = min(at_once, rows - r0)
                product(here, hidden, now + r0 * width, width, panels, u0 * units, units, z, 0, PANEL, False)
                for r in range(here):
                    b = first + r0 + r
                    for u in range(u0, u0 + PANEL, LANES):
                        own = (r0 + r) * width + u
                        if s >= lengths[b]:
                            line = b * b_line + s * t_line
                            store(outputs, line * units + u, splat(ZERO))
                            store(previous, line * units + u, splat(ZERO))
                            copy(hidden, now + own, hidden, after + own)
                            continue
                        line = b * b_line + (lengths[b] - 1 - s if reverse else s) * t_line
                        prefetch(gates, (line + ahead) * units + u)
                        prefetch(outputs, (line + ahead) * units + u)
                        prefetch(previous, (line + ahead) * units + u)
                        new = load(z, r * PANEL + u - u0) + load(gates, line * units + u) + load(bias, u)
                        if activation == TANH:
                            new = tanh(new)
                        elif activation == RELU:
                            new = above_zero(new, new)
                        else:
                            new = sigmoid(new)
                        if u + LANES > H:
                            new = first_lanes(new, H - u)
                        store(h, b * units + u, new)
                        store(outputs, line * units + u, new)
                        copy(hidden, now + own, previous, line * units + u)
                        store(hidden, after + own, new)
    tiles_off()


@kernel
def elman_backward(
    panels, outputs, d_outputs, d_gates, d_bias, dh, lengths, T, H, units, b_line, t_line, first, last, reverse,
    activation,
):  # fmt: skip
    """``d_gates``: the gradient of W x. ``dh`` (B, units): of the last state, in, and of the first, out."""
    tiles_on()
    rows = last - first
    at_once = rows_at_once(panels)
    width = units + APART
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
                product(here, gradients, after + r0 * width, width, panels, u0 * units, units, z, 0, PANEL, False)
                for r in range(here):
                    b = first + r0 + r
                    for u in range(u0, u0 + PANEL, LANES):
                        d = load(z, r * PANEL + u - u0)
                        if s == lengths[b] - 1:
                            d = d + load(dh, b * units + u)
                        if s < 0:
                            store(dh, b * units + u, d)
                            continue
                        if s >= lengths[b]:
                            store(d_gates, (b * b_line + s * t_line) * units + u, splat(ZERO))
                            continue
                        line = b * b_line + (lengths[b] - 1 - s if reverse else s) * t_line
                        d = d + load(d_outputs, line * units + u)
                        prefetch(d_outputs, (line - ahead) * units + u)
                        prefetch(outputs, (line - ahead) * units + u)
                        prefetch(d_gates, (line - ahead) * units + u)
                        out = load(outputs, line * units + u)
                        if activation == TANH:
                            d = d * (one - out * out)
                        elif activation == RELU:
                            d = above_zero(out, d)
                        else:
                            d = d * out * (one - out)
                        if u + LANES > H:
                            d = first_lanes(d, H - u)
                        store(gradients, now + (r0 + r) * width + u, d)
                        store(d_gates, line * units + u, d)
                        block = b // ROWS * units + u
                        store(d_bias, block, load(d_bias, block) + d)
    tiles_off()

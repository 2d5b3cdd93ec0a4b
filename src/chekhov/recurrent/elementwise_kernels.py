"""What each elementwise cell does with sixteen units in one step, and how gradients come back: on vectors alone.

``a``, ``a_2``, ``a_3``: what stands before the gates, in the order of `scan_formulas`, which has the formulas; ``v``
and ``v_2``: the cell's own vectors; ``x``: the input where a cell takes it as it is; ``c`` and ``new``: the state
before and after the step.
"""

from __future__ import annotations

import numba
import numpy as np

from chekhov.kernels.vector_kernels import (
    LOG2_E,
    ONE,
    above_zero,
    one_minus_power_of_two,
    power_of_two,
    reciprocal,
    sigmoid,
    splat,
    square_root,
    tanh,
)

MINGRU, MINLSTM, QRNN, SRU, RGLRU, INDRNN_RELU, INDRNN_TANH, INDRNN_SIGMOID = range(8)
ALPHA = np.float32(3**0.5)  # of SRU
ZERO, TWICE, TINY = np.float32(0.0), np.float32(2.0), np.float32(1e-18)


@numba.njit(inline="always")
def advance(kind, a, a_2, a_3, v, x, c):
    """The state after a step, from that before it."""
    if kind == MINGRU:  # h' = (1 - z) h + z n
        z = sigmoid(a)
        new = c * (splat(ONE) - z) + z * a_2
    elif kind == MINLSTM:  # h' = f / (f + i) h + i / (f + i) n
        f, i = sigmoid(a), sigmoid(a_2)
        new = (f * c + i * a_3) * reciprocal(f + i)
    elif kind == QRNN:  # c' = f c + (1 - f) tanh
        n = tanh(a)
        new = n + sigmoid(a_2) * (c - n)
    elif kind == SRU:  # c' = f c + (1 - f) n
        f = sigmoid(a + v * c)
        new = f * c + (splat(ONE) - f) * a_3
    elif kind == RGLRU:  # h' = e^y h + sqrt(1 - e^2y) i x, y = r log a
        y = sigmoid(a) * v * splat(LOG2_E)
        new = power_of_two(y) * c + square_root(one_minus_power_of_two(splat(TWICE) * y)) * sigmoid(a_2) * x
    else:  # h' = f(a + u h)
        new = a + v * c
        if kind == INDRNN_RELU:
            new = above_zero(new, new)
        elif kind == INDRNN_TANH:
            new = tanh(new)
        else:
            new = sigmoid(new)
    return new


@numba.njit(inline="always")
def shown(kind, a_2, a_3, v_2, x, c, new):
    """What the cell puts out."""
    if kind == QRNN:
        out = sigmoid(a_3) * new
    elif kind == SRU:
        skip = splat(ALPHA) * x
        r = sigmoid(a_2 + v_2 * c)
        out = r * new + (splat(ONE) - r) * skip
    else:
        out = new
    return out


@numba.njit(inline="always")
def back(kind, a, a_2, a_3, v, v_2, x, c, new, d_out, d_new):
    """Of the gradients of the output and of the state after a step: those of a, a_2, a_3, v, v_2, x and c."""
    one, zero = splat(ONE), splat(ZERO)
    d = d_out + d_new
    d_a, d_a_2, d_a_3, d_v, d_v_2, d_x = zero, zero, zero, zero, zero, zero
    if kind == MINGRU:
        z = sigmoid(a)
        d_a_2 = d * z
        d_c = d - d_a_2
        d_a = d_c * z * (a_2 - c)
    elif kind == MINLSTM:
        f, i = sigmoid(a), sigmoid(a_2)
        scale = reciprocal(f + i)
        d_c, d_a_3 = d * f * scale, d * i * scale
        d_kept = d_c * i * scale * (c - a_3)
        d_a, d_a_2 = d_kept * (one - f), d_kept * (i - one)
    elif kind == QRNN:
        n, f, o = tanh(a), sigmoid(a_2), sigmoid(a_3)
        d_a_3 = d_out * new * o * (one - o)
        d = d_new + d_out * o
        d_c = d * f
        d_n = d - d_c
        d_a, d_a_2 = d_n * (one - n * n), d_n * f * (c - n)
    elif kind == SRU:
        f, r = sigmoid(a + v * c), sigmoid(a_2 + v_2 * c)
        skip = splat(ALPHA) * x
        d_skip = d_out * (one - r)
        d_x = splat(ALPHA) * d_skip
        d_a_2 = d_skip * r * (new - skip)
        d = d_new + d_out * r
        d_a_3 = d * (one - f)
        d_a = d_a_3 * f * (c - a_3)
        d_v, d_v_2 = d_a * c, d_a_2 * c
        d_c = d * f + d_a * v + d_a_2 * v_2
    elif kind == RGLRU:
        r, i = sigmoid(a), sigmoid(a_2)
        log_a = r * v
        y = log_a * splat(LOG2_E)
        decay, scale = power_of_two(y), square_root(one_minus_power_of_two(splat(TWICE) * y))
        d_taken = d * scale
        d_x = d_taken * i
        d_a_2 = d_x * x * (one - i)
        d_c = d * decay
        d_log_a = d_c * (c - i * x * decay * reciprocal(scale + splat(TINY)))
        d_a = d_log_a * log_a * (one - r)
        d_v = d_log_a * r
    else:
        d_a = d
        if kind == INDRNN_RELU:
            d_a = above_zero(new, d)
        elif kind == INDRNN_TANH:
            d_a = d * (one - new * new)
        else:
            d_a = d * new * (one - new)
        d_v = d_a * c
        d_c = d_a * v
    return d_a, d_a_2, d_a_3, d_v, d_v_2, d_x, d_c

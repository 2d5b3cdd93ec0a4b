"""What the recurrent kernels compute, in plain NumPy and float64: the formulas step by step, and their gradients.

B rows, T steps, H units. A row of length n stops after n steps: its state stays and its later outputs are 0.
``reverse`` reads a row from its last step to its first. Gradients by backpropagation through time (Werbos 1990).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]
Zones = tuple[Array, Array]


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def order(b: int, lengths: Any, *, reverse: bool) -> range:
    """The times at which row b is read, in turn."""
    return range(lengths[b] - 1, -1, -1) if reverse else range(lengths[b])


def no_zones(xs: Array, h: Array) -> Zones:
    nothing = np.zeros((*xs.shape[:2], h.shape[1]))
    return nothing, nothing


def lstm(
    xs: Array, h0: Array, c0: Array, W: Array, U: Array, b: Array, lengths: Any,
    *, reverse: bool = False, zones: Zones | None = None, p: Array | None = None,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """xs (B, T, I), h0 and c0 (B, H), W (4H, I), U (4H, H), b (4H) -> outputs (B, T, H), h and c at the end (B, H).

    i, f, g, o = sigmoid, sigmoid, tanh, sigmoid of W x + U h + b
    c' = f c + i g,   h' = o tanh(c')

    ``p`` (3H), peepholes: i, f and o = sigmoid of W x + U h + b + p * c, of o p * c'.
    ``zones`` z, y, each (B, T, H), of zoneout: z c + (1 - z) c' and y h + (1 - y) h' are kept in place of c' and h'.
    """
    z, y = no_zones(xs, h0) if zones is None else zones
    p_i, p_f, p_o = np.split(np.zeros(3 * h0.shape[1]) if p is None else p, 3)
    outputs, h, c = np.zeros((*xs.shape[:2], h0.shape[1])), h0.copy(), c0.copy()
    for row in range(len(xs)):
        for t in order(row, lengths, reverse=reverse):
            i, f, g, o = np.split(W @ xs[row, t] + U @ h[row] + b, 4)
            c_new = sigmoid(f + p_f * c[row]) * c[row] + sigmoid(i + p_i * c[row]) * np.tanh(g)
            h_new = sigmoid(o + p_o * c_new) * np.tanh(c_new)
            c[row] = z[row, t] * c[row] + (1 - z[row, t]) * c_new
            outputs[row, t] = h[row] = y[row, t] * h[row] + (1 - y[row, t]) * h_new
    return outputs, h, c


def lstm_gradients(
    xs: Array, h0: Array, c0: Array, W: Array, U: Array, b: Array, lengths: Any, d_outputs: Array, dh: Array, dc: Array,
    *, reverse: bool = False, zones: Zones | None = None, p: Array | None = None,
) -> tuple[Array, ...]:  # fmt: skip
    """The gradients of xs, h0, c0, W, U, b (and p), given those of outputs and of the last h and c."""
    d_xs, dh, dc = np.zeros_like(xs), dh.copy(), dc.copy()
    dW, dU, db = np.zeros_like(W), np.zeros_like(U), np.zeros_like(b)
    z, y = no_zones(xs, h0) if zones is None else zones
    p_i, p_f, p_o = np.split(np.zeros(3 * h0.shape[1]) if p is None else p, 3)
    dp = np.zeros(3 * h0.shape[1])
    for row in range(len(xs)):
        h, c, steps = h0[row], c0[row], []
        for t in order(row, lengths, reverse=reverse):
            i, f, g, o = np.split(W @ xs[row, t] + U @ h + b, 4)
            i, f, g = sigmoid(i + p_i * c), sigmoid(f + p_f * c), np.tanh(g)
            c_new = f * c + i * g
            o = sigmoid(o + p_o * c_new)
            steps.append((t, h, c, i, f, g, o, c_new))
            h = y[row, t] * h + (1 - y[row, t]) * o * np.tanh(c_new)
            c = z[row, t] * c + (1 - z[row, t]) * c_new
        for t, h, c, i, f, g, o, c_new in reversed(steps):
            d_hidden, shown = dh[row] + d_outputs[row, t], np.tanh(c_new)
            d_new = (1 - y[row, t]) * d_hidden
            d_o = d_new * shown * o * (1 - o)
            d_cell = (1 - z[row, t]) * dc[row] + d_new * o * (1 - shown**2) + d_o * p_o
            d = np.concatenate(
                [
                    d_cell * g * i * (1 - i),
                    d_cell * c * f * (1 - f),
                    d_cell * i * (1 - g**2),
                    d_o,
                ]
            )
            dW += np.outer(d, xs[row, t])
            dU += np.outer(d, h)
            db += d
            d_xs[row, t], dh[row] = W.T @ d, U.T @ d + y[row, t] * d_hidden
            d_i, d_f, _, _ = np.split(d, 4)
            dc[row] = d_cell * f + z[row, t] * dc[row] + d_i * p_i + d_f * p_f
            dp += np.concatenate([d_i * c, d_f * c, d_o * c_new])
    return d_xs, dh, dc, dW, dU, db, *(() if p is None else (dp,))


def gru(
    xs: Array, h0: Array, W: Array, U: Array, b: Array, b_hh: Array, lengths: Any, *, reverse: bool = False
) -> tuple[Array, Array]:
    """xs (B, T, I), h0 (B, H), W (3H, I), U (3H, H), b and b_hh (3H) -> outputs (B, T, H), h at the end.

    r, z = sigmoid of W x + b + U h + b_hh,   n = tanh(W x + b + r (U h + b_hh)),   h' = z h + (1 - z) n
    """
    outputs, h = np.zeros((*xs.shape[:2], h0.shape[1])), h0.copy()
    for row in range(len(xs)):
        for t in order(row, lengths, reverse=reverse):
            (x_r, x_z, x_n), (h_r, h_z, h_n) = np.split(W @ xs[row, t] + b, 3), np.split(U @ h[row] + b_hh, 3)
            z, n = sigmoid(x_z + h_z), np.tanh(x_n + sigmoid(x_r + h_r) * h_n)
            outputs[row, t] = h[row] = z * h[row] + (1 - z) * n
    return outputs, h


def gru_gradients(
    xs: Array, h0: Array, W: Array, U: Array, b: Array, b_hh: Array, lengths: Any, d_outputs: Array, dh: Array,
    *, reverse: bool = False,
) -> tuple[Array, ...]:  # fmt: skip
    """The gradients of xs, h0, W, U, b, b_hh, given those of outputs and of the last h."""
    d_xs, dh = np.zeros_like(xs), dh.copy()
    dW, dU, db, db_hh = (np.zeros_like(array) for array in (W, U, b, b_hh))
    for row in range(len(xs)):
        h, steps = h0[row], []
        for t in order(row, lengths, reverse=reverse):
            (x_r, x_z, x_n), (h_r, h_z, h_n) = np.split(W @ xs[row, t] + b, 3), np.split(U @ h + b_hh, 3)
            r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
            n = np.tanh(x_n + r * h_n)
            steps.append((t, h, r, z, n, h_n))
            h = z * h + (1 - z) * n
        for t, h, r, z, n, h_n in reversed(steps):
            d_hidden = dh[row] + d_outputs[row, t]
            d_n = d_hidden * (1 - z) * (1 - n**2)
            d_r, d_z = d_n * h_n * r * (1 - r), d_hidden * (h - n) * z * (1 - z)
            d_x, d_h = np.concatenate([d_r, d_z, d_n]), np.concatenate([d_r, d_z, d_n * r])
            dW += np.outer(d_x, xs[row, t])
            dU += np.outer(d_h, h)
            db += d_x
            db_hh += d_h
            d_xs[row, t], dh[row] = W.T @ d_x, d_hidden * z + U.T @ d_h
    return d_xs, dh, dW, dU, db, db_hh


def gru_before(
    xs: Array, h0: Array, W: Array, U: Array, b: Array, lengths: Any, *, reverse: bool = False
) -> tuple[Array, Array]:
    """As `gru` with one vector b (3H), but n = tanh(W x + b + U (r h))."""
    outputs, h, H = np.zeros((*xs.shape[:2], h0.shape[1])), h0.copy(), h0.shape[1]
    for row in range(len(xs)):
        for t in order(row, lengths, reverse=reverse):
            (x_r, x_z, x_n), (h_r, h_z) = np.split(W @ xs[row, t] + b, 3), np.split(U[: 2 * H] @ h[row], 2)
            z, n = sigmoid(x_z + h_z), np.tanh(x_n + U[2 * H :] @ (sigmoid(x_r + h_r) * h[row]))
            outputs[row, t] = h[row] = z * h[row] + (1 - z) * n
    return outputs, h


def gru_before_gradients(
    xs: Array, h0: Array, W: Array, U: Array, b: Array, lengths: Any, d_outputs: Array, dh: Array,
    *, reverse: bool = False,
) -> tuple[Array, ...]:  # fmt: skip
    """The gradients of xs, h0, W, U, b, given those of outputs and of the last h."""
    d_xs, dh, H = np.zeros_like(xs), dh.copy(), h0.shape[1]
    dW, dU, db = (np.zeros_like(array) for array in (W, U, b))
    for row in range(len(xs)):
        h, steps = h0[row], []
        for t in order(row, lengths, reverse=reverse):
            (x_r, x_z, x_n), (h_r, h_z) = np.split(W @ xs[row, t] + b, 3), np.split(U[: 2 * H] @ h, 2)
            r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
            n = np.tanh(x_n + U[2 * H :] @ (r * h))
            steps.append((t, h, r, z, n))
            h = z * h + (1 - z) * n
        for t, h, r, z, n in reversed(steps):
            d_hidden = dh[row] + d_outputs[row, t]
            d_n, d_z = d_hidden * (1 - z) * (1 - n**2), d_hidden * (h - n) * z * (1 - z)
            d_kept = U[2 * H :].T @ d_n
            d_two = np.concatenate([d_kept * h * r * (1 - r), d_z])
            d = np.concatenate([d_two, d_n])
            dW += np.outer(d, xs[row, t])
            dU += np.concatenate([np.outer(d_two, h), np.outer(d_n, r * h)])
            db += d
            d_xs[row, t], dh[row] = W.T @ d, d_hidden * z + d_kept * r + U[: 2 * H].T @ d_two
    return d_xs, dh, dW, dU, db


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "tanh": np.tanh,
    "relu": lambda x: x * (x > 0),
    "sigmoid": sigmoid,
}
SLOPES: dict[str, Callable[[Array], Array]] = {  # of f, at f(x)
    "tanh": lambda h: 1 - h**2,
    "relu": lambda h: (h > 0).astype(np.float64),
    "sigmoid": lambda h: h * (1 - h),
}


def elman(
    xs: Array, h0: Array, W: Array, U: Array, b: Array, lengths: Any, *, reverse: bool = False, activation: str = "tanh"
) -> tuple[Array, Array]:
    """xs (B, T, I), h0 (B, H), W (H, I), U (H, H), b (H) -> outputs (B, T, H), h at the end: h' = f(W x + U h + b)."""
    outputs, h = np.zeros((*xs.shape[:2], h0.shape[1])), h0.copy()
    for row in range(len(xs)):
        for t in order(row, lengths, reverse=reverse):
            outputs[row, t] = h[row] = ACTIVATIONS[activation](W @ xs[row, t] + U @ h[row] + b)
    return outputs, h


def elman_gradients(
    xs: Array, h0: Array, W: Array, U: Array, b: Array, lengths: Any, d_outputs: Array, dh: Array,
    *, reverse: bool = False, activation: str = "tanh",
) -> tuple[Array, ...]:  # fmt: skip
    """The gradients of xs, h0, W, U, b, given those of outputs and of the last h."""
    d_xs, dh = np.zeros_like(xs), dh.copy()
    dW, dU, db = (np.zeros_like(array) for array in (W, U, b))
    for row in range(len(xs)):
        h, steps = h0[row], []
        for t in order(row, lengths, reverse=reverse):
            before, h = h, ACTIVATIONS[activation](W @ xs[row, t] + U @ h + b)
            steps.append((t, before, h))
        for t, before, h in reversed(steps):
            d = (dh[row] + d_outputs[row, t]) * SLOPES[activation](h)
            dW += np.outer(d, xs[row, t])
            dU += np.outer(d, before)
            db += d
            d_xs[row, t], dh[row] = W.T @ d, U.T @ d
    return d_xs, dh, dW, dU, db

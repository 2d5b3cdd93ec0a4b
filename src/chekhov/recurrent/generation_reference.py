"""What the generation kernels compute for a stream, in plain NumPy and float64, the quantised arithmetic too.

Weights as PyTorch's cells have them: W (gH, I), U (gH, H), two bias vectors (gH).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chekhov.kernels.reference import ACTIVATIONS, sigmoid

Array = NDArray[np.float64]


def quantise(x: Any) -> tuple[NDArray[np.int64], float]:
    """A vector as whole numbers -127 .. 127 and a scale. What is whole is decided in float32, as the kernels do it."""
    x = np.asarray(x, np.float32)
    most = np.abs(x).max()
    factor = np.float32(127) / most if most > 1e-30 else np.float32(0)
    return np.rint(x * factor).astype(np.int64), float(most / np.float32(127))


def to_bf16(x: Any) -> Array:
    """The nearest bfloat16, ties to even, of what is finite."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    nearest = (bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)
    return nearest.astype(np.uint32).view(np.float32).astype(np.float64)


def product(W: Any, x: Any, precision: str) -> Array:
    """W x. int8: a scale for each row of W and one for x, the sum in whole numbers."""
    if precision == "bf16":
        return np.asarray(to_bf16(W) @ to_bf16(x))
    if precision == "float32":
        return np.asarray(W, np.float64) @ np.asarray(x, np.float64)
    q_x, s_x = quantise(x)
    scales = np.abs(np.asarray(W, np.float32)).max(1) / np.float32(127)
    with np.errstate(invalid="ignore"):
        q_w = np.rint(np.where(scales[:, None] > 0, np.asarray(W, np.float32) / scales[:, None], 0)).astype(np.int64)
    return scales.astype(np.float64) * s_x * (q_w @ q_x)


def lstm(from_below: Array, U: Any, h: Array, c: Array, precision: str) -> tuple[Array, Array]:
    """``from_below`` (4H): W x + b. -> h, c."""
    i, f, g, o = np.split(from_below + product(U, h, precision), 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def gru(from_below: Array, U: Any, b_hh: Any, h: Array, precision: str, update: str) -> Array:
    """``from_below`` (3H): W x + b. -> h. The reset gate multiplies the product; ``update`` as `GRU`'s."""
    (x_r, x_z, x_n), (h_r, h_z, h_n) = np.split(from_below, 3), np.split(product(U, h, precision) + b_hh, 3)
    z, n = sigmoid(x_z + h_z), np.tanh(x_n + sigmoid(x_r + h_r) * h_n)
    keep = z if update == "keep" else 1 - z
    return keep * h + (1 - keep) * n


def elman(from_below: Array, U: Any, h: Array, precision: str, activation: str) -> Array:
    """``from_below`` (H): W x + b. -> h"""
    a = from_below + product(U, h, precision)
    return a if activation == "identity" else ACTIVATIONS[activation](a)


def log_softmax(W: Any, bias: Any, features: Array, precision: str) -> Array:
    """The output layer, without <s>."""
    logits = product(W, features, precision) + bias
    logits[1] = -np.inf
    return logits - logits.max() - np.log(np.exp(logits - logits.max()).sum())

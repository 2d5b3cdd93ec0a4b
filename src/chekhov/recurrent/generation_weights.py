"""The weights of a net as the generation kernels read them: panels, one after the other, in the precision asked for."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

LANES = 16
LINE = 64  # bytes of a line of the cache
KINDS: dict[str, Any] = {"int8": np.int8, "bf16": np.uint16, "float32": np.float32}
PER_WORD = {"int8": 4, "bf16": 2, "float32": 1}  # numbers in 32 bits
Array = NDArray[Any]


class Matrix(NamedTuple):
    weights: Tensor  # (panels, width, K)
    bias: Tensor  # (panels, width)


class Place(NamedTuple):
    matrices: int  # where its first panel begins
    numbers: int


class Quantised(NamedTuple):
    q: Tensor  # whole numbers -127 .. 127 as int8, shape of the weights
    scale: Tensor  # float32, one for each row: weights ~ scale * q


def quantise(weights: Tensor) -> Quantised:
    """Symmetric, a scale for each row along the last axis; a row of zeros has the scale 0."""
    scale = weights.abs().amax(-1) / 127
    q = torch.where(scale[..., None] > 0, weights / scale[..., None], 0.0).round().clamp(-127, 127)
    return Quantised(q.to(torch.int8), scale)


def up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple


def aligned(size: int, dtype: Any) -> Array:
    """Zeros that begin with a line of the cache; NumPy asks for large pages where there are many."""
    bytes_each = np.dtype(dtype).itemsize
    memory = np.zeros(size * bytes_each + LINE, np.uint8)
    first = -memory.ctypes.data % LINE
    return memory[first : first + size * bytes_each].view(dtype)


def unit_panels(W: Tensor, bias: Tensor, gates: int, units: int, width: int, depth: int = 1) -> Matrix:
    """W (gates * H, K), bias (gates * H) -> panels of ``width``, 16 units of each gate after another; H filled up to
    ``units``, K to ``depth`` or at least to a multiple of 16."""
    H, K = len(W) // gates, W.shape[1]
    W = F.pad(W.view(gates, H, K), (0, max(depth, up(K, LANES)) - K, 0, units - H))
    bias = F.pad(bias.view(gates, H), (0, units - H))
    block = width // gates
    W = W.view(gates, units // block, block, -1).transpose(0, 1).reshape(units // block, width, -1)
    return Matrix(W, bias.view(gates, units // block, block).transpose(0, 1).reshape(units // block, width))


class Packer:
    """Collects matrices, then lays them out. `add` interleaves several panel by panel."""

    def __init__(self, precision: str):
        self.precision = precision
        self.parts: list[tuple[Matrix, ...]] = []
        self.end = Place(0, 0)

    def add(self, *matrices: Matrix) -> Place:
        """Where the first panel of the first matrix will be."""
        found = self.end
        self.parts.append(matrices)
        size = sum(matrix.weights.numel() for matrix in matrices)
        self.end = Place(found.matrices + size, found.numbers + 3 * sum(matrix.bias.numel() for matrix in matrices))
        return found

    def arrays(self) -> tuple[Array, NDArray[np.float32]]:
        """``matrices`` and ``numbers`` of the kernels."""
        matrices = aligned(max(1, self.end.matrices), KINDS[self.precision])
        numbers = aligned(max(1, self.end.numbers), np.float32)
        place = number = 0
        for part in self.parts:
            packed = [self._packed(matrix) for matrix in part]
            for panel in range(len(part[0].weights)):
                for words, beside in packed:
                    matrices[place : place + words[panel].size] = words[panel]
                    numbers[number : number + beside[panel].size] = beside[panel]
                    place, number = place + words[panel].size, number + beside[panel].size
        return matrices, numbers

    def _packed(self, matrix: Matrix) -> tuple[Array, NDArray[np.float32]]:
        """(panels, words * width * numbers in a word) and (panels, 3 * width): bias, scale, -128 * sum of a row."""
        W, (panels, width) = matrix.weights, matrix.bias.shape
        beside = np.zeros((panels, 3, width), np.float32)
        beside[:, 0] = matrix.bias.numpy()
        if self.precision == "int8":
            W, scale = quantise(W)
            beside[:, 1] = scale.numpy()
            beside[:, 2] = (-128 * W.sum(-1, dtype=torch.int32)).numpy().view(np.float32)
        elif self.precision == "bf16":
            W = W.to(torch.bfloat16).view(torch.int16)
        words = W.view(panels, width, -1, PER_WORD[self.precision]).transpose(1, 2).reshape(panels, -1)
        return words.numpy().view(KINDS[self.precision]), beside.reshape(panels, -1)

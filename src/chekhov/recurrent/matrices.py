"""Tensors as the kernels want them: flat NumPy views, padded units, panels, and products in either precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from chekhov.kernels import matmul_kernels, packing_kernels
from chekhov.kernels.threads import in_threads
from chekhov.recurrent.workspace import take

LANES, PANEL, ROWS = 16, 32, 8
Flat = np.ndarray[Any, Any]


def up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple


def flat(tensor: Tensor) -> Flat:
    """The same memory as a NumPy array; bfloat16 as uint16."""
    tensor = tensor.detach().reshape(-1)
    return tensor.numpy() if tensor.dtype == torch.float32 else tensor.view(torch.uint16).numpy()


def words(tensor: Tensor) -> Flat:
    """The same memory as 32-bit words."""
    return tensor.detach().reshape(-1).view(torch.int32).numpy().view(np.uint32)


def pad(tensor: Tensor, *sizes: int) -> Tensor:
    """Zeros behind the last dimensions up to these sizes; contiguous, the tensor itself if it is so already."""
    amounts: list[int] = []
    for have, want in zip(reversed(tensor.shape), reversed(sizes)):
        amounts += [0, want - have]
    return F.pad(tensor, amounts).contiguous() if any(amounts) else tensor.contiguous()


def interleave(stacked: Tensor) -> Tensor:
    """(gates, units, ...) -> (gates * units, ...): 16 units of each gate after another. A view where it can be."""
    gates, units = stacked.shape[:2]
    return stacked.view(gates, units // LANES, LANES, *stacked.shape[2:]).transpose(0, 1)


def fresh(W: Tensor, size: int, *, zero: bool) -> Tensor:
    panels = take(size, dtype=W.dtype)
    return panels.zero_() if zero else panels


def separate(lines: Tensor, gates: int, size: int) -> Tensor:
    """The inverse: (gates * units, ...) -> (gates * size, ...) in float32, without the padding."""
    units = len(lines) // gates
    stacked = lines.view(units // LANES, gates, LANES, *lines.shape[1:]).transpose(0, 1)
    out = take(gates, units, *lines.shape[1:])
    out.view(stacked.shape).copy_(stacked)
    return out.view(gates, units, *lines.shape[1:])[:, :size].reshape(gates * size, *lines.shape[1:])


def column_panels(W: Tensor) -> Tensor:
    """W (gates, units, K) -> panels for x W^T, columns interleaved; K a multiple of 16 words of 32 bits."""
    gates, units, _ = W.shape
    panels = fresh(W, up(gates * units, PANEL) * W.shape[2], zero=gates * units % PANEL != 0)
    packing_kernels.pack_columns(words(W), gates, units, W.shape[2] * W.element_size() // 4, words(panels))
    return panels


def row_panels(W: Tensor) -> Tensor:
    """W (gates, units, K) -> panels for g W, g (lines, gates * units) interleaved; K a multiple of 16."""
    gates, units, K = W.shape
    panels = fresh(W, gates * units * up(K, PANEL), zero=K % PANEL != 0)
    if W.dtype == torch.float32:
        packing_kernels.pack_rows(words(W), gates, units, K, words(panels))
    else:
        packing_kernels.pack_pairs_of_rows(flat(W), gates, units, K, flat(panels))
    return panels


def by_rows(function: Callable[[int, int], Any], rows: int) -> None:
    """``function(first, last)`` for parts of the rows, whole blocks of 8, in as many threads as torch would use."""
    blocks = up(rows, ROWS) // ROWS
    threads = min(torch.get_num_threads(), blocks)
    edges = [min(rows, blocks * i // threads * ROWS) for i in range(threads + 1)] if threads else []
    for _ in in_threads(lambda edge: function(*edge), list(zip(edges, edges[1:])), max(1, threads)):
        pass


def times_panels(lines: Tensor, panels: Tensor, columns: int) -> Tensor:
    """lines (M, K) float32 times panels of (K, columns) -> (M, columns); columns a multiple of 16."""
    M, K = lines.shape
    out = take(M, columns)
    a, b, c = flat(lines), flat(panels), flat(out)

    def part(first: int, last: int) -> None:
        matmul_kernels.matmul(a, first * K, K, b, c[first * columns :], columns, last - first, K, columns)

    by_rows(part, M)
    return out


def turned(lines: Tensor) -> Tensor:
    """lines (N, G) float32 -> lines^T (G, N); G a multiple of 16."""
    (N, G) = lines.shape
    out = take(G, N)
    packing_kernels.transpose_lines(words(lines), N, G, words(out), N)
    return out


def line_panels(lines: Tensor) -> Tensor:
    """lines (N, K) float32 -> panels for g lines, g (M, N); K a multiple of 16."""
    N, K = lines.shape
    panels = fresh(lines, N * up(K, PANEL), zero=K % PANEL != 0)
    packing_kernels.pack_lines(words(lines), N, K, words(panels))
    return panels

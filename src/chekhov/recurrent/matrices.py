"""Tensors as the kernels want them: flat NumPy views, padded units, panels, and products in either precision."""

from __future__ import annotations

import itertools
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


def interleave(stacked: Tensor, width: int) -> Tensor:
    """(gates, units, ...) -> (blocks, gates, width, ...): ``width`` units of each gate after another. A view."""
    gates, units = stacked.shape[:2]
    return stacked.view(gates, units // width, width, *stacked.shape[2:]).transpose(0, 1)


def fresh(W: Tensor, size: int, *, zero: bool) -> Tensor:
    panels = take(size, dtype=W.dtype)
    return panels.zero_() if zero else panels


def separate(lines: Tensor, gates: int, size: int, width: int, columns: int) -> Tensor:
    """The inverse: (gates * units, ...) -> (gates * size, columns) in float32, without the padding."""
    whole, rest = divmod(size, width)
    blocks = lines.view(-1, gates, width, lines.numel() // len(lines))[..., :columns]
    out = take(gates, size, columns)
    for gate in range(gates):
        out[gate, : whole * width].view(whole, width, columns).copy_(blocks[:whole, gate])
        if rest:
            out[gate, whole * width :].copy_(blocks[whole, gate, :rest])
    return out.view(gates * size, columns)


def column_panels(W: Tensor, width: int) -> Tensor:
    """W (gates, units, K) -> panels for x W^T, columns interleaved; K a multiple of 16 words of 32 bits."""
    gates, units, K = W.shape
    panels = fresh(W, up(gates * units, PANEL) * K, zero=gates * units % PANEL != 0)
    packing_kernels.pack_columns(words(W), gates, units, K * W.element_size() // 4, width, words(panels))
    return panels


def row_panels(W: Tensor, width: int) -> Tensor:
    """W (gates, units, K) -> panels for g W, g (lines, gates * units) interleaved; K a multiple of 16."""
    gates, units, K = W.shape
    panels = fresh(W, gates * units * up(K, PANEL), zero=K % PANEL != 0)
    if W.dtype == torch.float32:
        packing_kernels.pack_rows(words(W), gates, units, K, width, words(panels))
    else:
        packing_kernels.pack_pairs_of_rows(flat(W), gates, units, K, width, flat(panels))
    return panels


def by_rows(function: Callable[[int, int], Any], rows: int) -> None:
    """``function(first, last)`` for parts of the rows, whole blocks of 8, in as many threads as torch would use."""
    blocks = up(rows, ROWS) // ROWS
    threads = min(torch.get_num_threads(), blocks)
    edges = [min(rows, blocks * i // threads * ROWS) for i in range(threads + 1)] if threads else []
    for _ in in_threads(lambda edge: function(*edge), itertools.pairwise(edges), max(1, threads)):
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


class Projection:
    """W x of all steps at once, and its gradients: W (gates * H, I), xs (B, T, I) or (T, B, I); columns interleaved."""

    def __init__(self, xs: Tensor, W: Tensor, gates: int, units: int, width: int, *, bf16: bool):
        I, count = xs.shape[2], xs.shape[0] * xs.shape[1]
        self.shape, self.gates, self.width, self.bf16 = xs.shape, gates, width, bf16
        stacked = pad(W.view(gates, -1, I), gates, units, I if bf16 else up(I, LANES))
        if bf16:
            self.lines = xs.reshape(count, I).to(torch.bfloat16)
            blocks = interleave(stacked, width)
            self.W = take(gates * units, I, dtype=torch.bfloat16)
            self.W.view(blocks.shape).copy_(blocks)
        else:
            self.lines, self.W = pad(xs.reshape(count, I), count, up(I, LANES)), stacked

    def forward(self) -> Tensor:
        """(B * T, gates * units)"""
        if self.bf16:
            return torch.mm(self.lines, self.W.t(), out=take(len(self.lines), len(self.W), dtype=torch.bfloat16))
        return times_panels(self.lines, column_panels(self.W, self.width), self.gates * self.W.shape[1])

    def input_gradient(self, d_gates: Tensor) -> Tensor:
        count, I = len(d_gates), self.shape[2]
        if self.bf16:
            return torch.mm(d_gates, self.W, out=take(count, I, dtype=torch.bfloat16)).view(self.shape)
        return times_panels(d_gates, row_panels(self.W, self.width), self.W.shape[2])[:, :I].reshape(self.shape)


def weight_gradients(d_gates: Tensor, sides: list[Tensor], sizes: list[int], gates: int, H: int, width: int) -> Any:
    """d_gates^T side for each side (lines, K): (gates * H, size), in float32."""
    if d_gates.dtype == torch.float32:
        turned_gates = turned(d_gates)
        found = [times_panels(turned_gates, line_panels(side), side.shape[1]) for side in sides]
    else:
        G = d_gates.shape[1]
        found = [torch.mm(d_gates.t(), side, out=take(G, side.shape[1], dtype=side.dtype)) for side in sides]
    return [separate(d, gates, H, width, size) for d, size in zip(found, sizes)]

"""Tensors as the kernels want them: flat NumPy views, padded units, panels, and products in either precision."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from chekhov.kernels import dispatch, matmul_kernels, matrix_kernels, packing_kernels
from chekhov.kernels.threads import side_by_side
from chekhov.recurrent.workspace import take

LANES, PANEL, ROWS = 16, 32, 8
Flat = np.ndarray[Any, Any]


def up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple


def flat(tensor: Tensor) -> Flat:
    """The same memory as a NumPy array; bfloat16 as uint16."""
    tensor = tensor.detach() if tensor.requires_grad else tensor
    return (tensor if tensor.dtype == torch.float32 else tensor.view(torch.uint16)).numpy().reshape(-1)


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
    side_by_side(lambda edge: function(*edge), list(itertools.pairwise(edges)))


def times_panels(lines: Tensor, panels: Tensor, columns: int, out: Tensor | None = None) -> Tensor:
    """lines (M, K) float32 times panels of (K, columns) -> (M, columns), ``out``; columns a multiple of 16."""
    M, K = lines.shape
    out = take(M, columns) if out is None else out
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


def bfloat_lines(lines: Tensor) -> Tensor:
    """lines (N, K) in bfloat16, both up to multiples of 32: zeros behind. The same memory, if it is so already."""
    N, K = lines.shape
    if lines.dtype == torch.bfloat16 and N % PANEL == K % PANEL == 0 and lines.is_contiguous():
        return lines.detach()
    found = fresh_lines(N, up(K, PANEL))
    found[:N, :K].copy_(lines)
    found[:N, K:].zero_()
    return found


def fresh_lines(N: int, K: int, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    """(N, K) that hold anything; of bfloat16, there are zeros in further rows up to a multiple of 32."""
    if dtype == torch.float32:
        return take(N, K)
    found = take(up(N, PANEL), K, dtype=dtype)
    found[N:].zero_()
    return found


def arranged(sides: list[tuple[Tensor, int]], gates: int, units: int, dtype: torch.dtype, width: int = 0) -> Tensor:
    """Matrices (gates * H, K) of float32, each filled up with zeros to its number of columns, side by side: (gates,
    units, columns), or, interleaved by ``width``, (gates * units, columns)."""
    H, columns = len(sides[0][0]) // gates, sum(size for _, size in sides)
    found = take(gates * units, columns, dtype=dtype)
    if units != H:
        found.zero_()
    target, step = flat(found), width or units
    for gate in range(gates):
        for unit in range(0, H, step):
            line, left = unit * gates + gate * step, 0
            for W, size in sides:
                place, rows = line * columns + left, min(step, H - unit)
                packing_kernels.fill_rows(flat(W), gate * H + unit, rows, W.shape[1], target, place, columns, size)
                left += size
    return found if width else found.view(gates, units, columns)


def sums_of_products(left: Tensor, rights: list[Tensor], sizes: list[int], gates: int, H: int, width: int) -> Any:
    """left^T right for left (N, G), its columns interleaved, and one or two (N, K), all in bfloat16: its first ``size``
    columns, (gates * H, size) in float32."""
    N, G = left.shape
    units = G // gates
    first_units = np.arange(units).reshape(-1, 1, width)[:, :, ::LANES] + np.zeros((1, gates, 1), np.int64)
    places = (first_units + np.arange(gates)[:, None] * H).reshape(-1)
    rows = np.clip(H - first_units, 0, LANES).reshape(-1)
    found = [take(gates * H, size) for size in sizes]
    sides = [(flat(right), right.shape[1], size, flat(out)) for right, size, out in zip(rights, sizes, found)]
    one, other = (*sides, (sides[0][0], 0, 0, sides[0][3]))[:2]
    a = flat(left)

    def part(first: int, last: int) -> None:
        columns = first * PANEL, min(G, last * PANEL)
        matrix_kernels.sum_products(a, G, *columns, *one, *other, N, places, rows, False)

    by_rows(part, G // PANEL)
    return found


def torch_multiplies() -> bool:
    """Whether large products in float32 are PyTorch's: it is a third faster than `matmul_kernels` without AVX-512."""
    return dispatch.chosen().name == "avx2"


INSIDE = 3 << 18  # bytes of weights that stay in a core's own cache


class Projection:
    """W x of all steps at once, and its gradients: W (gates * H, I), xs (B, T, I) or (T, B, I); columns interleaved.

    ``inside``: how long a line of x is, if a kernel that has W and U at hand is to multiply by both in its steps; 0 if
    not. ``recurrent`` is what it multiplies by, (gates, units, inside + units).
    """

    def __init__(
        self, xs: Tensor, W: Tensor, gates: int, units: int, width: int, *, bf16: bool, U: Tensor | None = None
    ):
        I, count = xs.shape[2], xs.shape[0] * xs.shape[1]
        self.shape, self.gates, self.units, self.width, self.bf16 = xs.shape, gates, units, width, bf16
        self.by_torch = bf16 or torch_multiplies()
        lines, dtype = xs.reshape(count, I), torch.bfloat16 if bf16 else torch.float32
        K = up(I, PANEL if bf16 else LANES)
        self.lines = bfloat_lines(lines) if bf16 else pad(lines, count, K)
        tiles = bf16 and dispatch.chosen().name == "amx" and U is not None
        self.inside = K if tiles and gates * units * (K + units) * dtype.itemsize <= INSIDE else 0
        if U is not None:
            self.recurrent = arranged([(W, K), (U, units)] if self.inside else [(U, units)], gates, units, dtype)
        if not self.inside:
            self.W = arranged([(W, K)], gates, units, dtype, width if self.by_torch else 0)

    def forward(self) -> Tensor:
        """(B * T, gates * units)"""
        if self.inside:
            return take(len(self.lines), self.gates * self.units, dtype=torch.bfloat16)
        if self.by_torch:
            return torch.mm(self.lines, self.W.t(), out=take(len(self.lines), len(self.W), dtype=self.W.dtype))
        return times_panels(self.lines, column_panels(self.W, self.width), self.gates * self.units)

    def input_gradient(self, d_gates: Tensor, d_inputs: Tensor | None = None) -> Tensor:
        count, I = math.prod(self.shape[:2]), self.shape[2]
        if self.inside and d_inputs is not None:
            found = d_inputs
        elif self.by_torch:
            found = torch.mm(d_gates, self.W, out=take(len(d_gates), self.W.shape[1], dtype=self.W.dtype))
        else:
            found = times_panels(d_gates, row_panels(self.W, self.width), self.W.shape[2])
        return found[:count, :I].reshape(self.shape)


def weight_gradients(d_gates: Tensor, sides: list[Tensor], sizes: list[int], gates: int, H: int, width: int) -> Any:
    """d_gates^T side for each side (lines, K): (gates * H, size), in float32."""
    if d_gates.dtype == torch.bfloat16:
        return sums_of_products(d_gates, sides, sizes, gates, H, width)
    if torch_multiplies():
        found = [torch.mm(d_gates.t(), side, out=take(d_gates.shape[1], side.shape[1])) for side in sides]
        return [separate(d, gates, H, width, size) for d, size in zip(found, sizes)]
    turned_gates = turned(d_gates)
    found = [times_panels(turned_gates, line_panels(side), side.shape[1]) for side in sides]
    return [separate(d, gates, H, width, size) for d, size in zip(found, sizes)]

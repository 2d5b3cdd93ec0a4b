"""Products by our kernels where nothing is trained: a line's numbers are to the bit the same whatever lines stand
beside it, which PyTorch does not promise."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from chekhov.recurrent.sequences import runs_here

LANES, PANEL = 16, 32


def linear(layer: nn.Linear, xs: Tensor) -> Tensor:
    """The layer of xs (..., I); where gradients are kept, or there are no kernels, it is PyTorch's."""
    if torch.is_grad_enabled() or not runs_here(xs, layer.weight):
        return layer(xs)
    size = layer.out_features
    found = product(xs.reshape(-1, layer.in_features), packed(layer.weight.detach(), 1), -(-size // PANEL) * PANEL)
    return (found[:, :size] + layer.bias).view(*xs.shape[:-1], size)


def packed(W: Tensor, gates: int) -> Tensor:
    """W (gates * H, I) -> panels for x W^T, H filled up to a multiple of 16."""
    from chekhov.recurrent.matrices import arranged, column_panels, up

    sides = [(W, up(W.shape[1], LANES))]
    return column_panels(arranged(sides, gates, up(len(W) // gates, LANES), W.dtype), LANES)


def product(lines: Tensor, panels: Tensor, columns: int) -> Tensor:
    """lines (N, I) -> (N, columns). Not in the workspace's memory: it would keep a piece for every size, and there are
    as many as there are texts."""
    from chekhov.recurrent.matrices import pad, times_panels, up

    lines = pad(lines, len(lines), up(lines.shape[1], LANES))
    return times_panels(lines, panels, columns, torch.empty(len(lines), columns))

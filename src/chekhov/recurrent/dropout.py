"""Dropout (Srivastava et al. 2014), and locked: the same units of a row at every step (Gal & Ghahramani 2016)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from chekhov.kernels import dispatch


def dropout(x: Tensor, share: float, training: bool, *, locked: bool = False) -> Tensor:
    """x (.., H) -> x / (1 - share), each number 0 with probability ``share``; x itself where not ``training``.

    ``locked``: x is (B, T, H), and a row's mask is that of all its steps. The draws come from PyTorch's generator.
    """
    if not training or share == 0:
        return x
    if x.device.type == "cpu" and x.dtype in (torch.float32, torch.bfloat16) and dispatch.chosen().compiled:
        found: Tensor = Dropout.apply(x, share, x.shape[1] if locked else 1)
        return found
    if locked:
        return x * F.dropout(x.new_ones(len(x), 1, x.shape[2]), share)
    return F.dropout(x, share)


class Dropout(torch.autograd.Function):
    """The mask is a function of a seed, so that the backward pass draws it again."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, share: float, steps: int) -> Tensor:
        ctx.settings = share, steps, int(torch.randint(1 << 62, ()))
        return dropped(x, *ctx.settings)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return Again.apply(gradient, *ctx.settings), None, None


class Again(torch.autograd.Function):
    """The same mask: linear, and so its own gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, *settings: Any) -> Tensor:
        ctx.settings = settings
        return dropped(x, *settings)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return Again.apply(gradient, *ctx.settings), None, None, None


def dropped(x: Tensor, share: float, steps: int, seed: int) -> Tensor:
    from chekhov.recurrent import dropout_kernels
    from chekhov.recurrent.matrices import flat
    from chekhov.recurrent.workspace import take

    x = x.contiguous()
    out = take(*x.shape, dtype=x.dtype)
    width = x.shape[-1] if x.dim() else 1
    lines = x.numel() // max(1, width)
    scale = np.float32(1 / (1 - share))
    dropout_kernels.drop(flat(x), flat(out), lines, width, steps, scale, seed, threshold(share))
    return out


def threshold(share: float) -> int:
    """Below which ``share`` of all 32-bit hashes lie; at least 1."""
    return max(1, min(round(share * 2**32), 2**32 - 1))

"""The linear recurrence h_t = a_t * h_{t-1} + b_t, which needs no matrix product from one step to the next."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class LinearScan(torch.autograd.Function):
    """a (B, T, H), b (B, T, H), h_0 (B, H) -> h (B, T, H).

    Backward is the same recurrence from the end: with g_t the gradient that reaches h_t from all sides,
    dh_t = g_t + a_{t+1} * dh_{t+1}, db_t = dh_t, da_t = dh_t * h_{t-1}.
    """

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, start: Tensor) -> Tensor:
        out = torch.empty_like(b)
        h = start
        for t in range(b.shape[1]):
            h = torch.addcmul(b[:, t], a[:, t], h)
            out[:, t] = h
        ctx.save_for_backward(a, out, start)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        a, out, start = ctx.saved_tensors
        (g,) = gradients
        dh = torch.empty_like(g)
        running = torch.zeros_like(start)
        for t in range(g.shape[1] - 1, -1, -1):
            running = running + g[:, t]
            dh[:, t] = running
            running = running * a[:, t]
        before = torch.cat([start[:, None], out[:, :-1]], dim=1)
        return dh * before, dh, running


def linear_scan(a: Tensor, b: Tensor, start: Tensor) -> Tensor:
    """h (B, T, H) of h_t = a_t * h_{t-1} + b_t with h_0 = ``start`` (B, H), in the dtype of ``start``."""
    return LinearScan.apply(a.to(start.dtype), b.to(start.dtype), start)

"""The cross-entropy of a linear layer's logits in bfloat16, by kernels: the logits never lie in memory as a whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from chekhov.kernels import dispatch
from chekhov.recurrent.sequences import in_bf16

WORDS = 512  # whose logits' gradients are at hand at once
MANY = 1024  # words whose logits are worth keeping out of memory without tiles, too


def linear_cross_entropy(features: Tensor, W: Tensor, b: Tensor, targets: Tensor) -> Tensor:
    """The mean of -log softmax(W h + b)[target] in nats: features (N, H), W (V, H), b (V,), targets (N,) -> ().

    Under autocast to bfloat16, where there are kernels for it, h and W are rounded to it and all sums, logits
    among them, are float32; the gradient of the logits is rounded again. Else PyTorch computes it.
    """
    path = dispatch.chosen()
    pays = path.name == "amx" or (path.bf16 and len(W) >= MANY)
    if in_bf16() and features.device.type == "cpu" and pays and len(features):
        found: Tensor = LinearCrossEntropy.apply(features, W, b, targets)
        return found
    return F.cross_entropy(F.linear(features, W, b).float(), targets)


class LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, W: Tensor, b: Tensor, targets: Tensor) -> Tensor:
        from chekhov.kernels import packing_kernels
        from chekhov.recurrent import cross_entropy_kernels
        from chekhov.recurrent.matrices import PANEL, bfloat_lines, by_rows, column_panels, flat, fresh_lines, up
        from chekhov.recurrent.workspace import take

        (N, H), V = features.shape, len(W)
        lines, rows = bfloat_lines(features), fresh_lines(V, up(H, PANEL))
        packing_kernels.fill_rows(flat(W), 0, V, H, flat(rows), 0, rows.shape[1], rows.shape[1])
        (count, K), blocks = lines.shape, len(rows) // PANEL
        powers = take(len(rows), count, dtype=torch.bfloat16)
        maxima, sums, shown = take(blocks, count), take(blocks, count), take(count)
        ids = np.full(count, -1)
        ids[:N] = targets.numpy()
        panels = column_panels(lines[None], PANEL)
        arrays = [flat(a) for a in (rows, panels, b)]
        found = [flat(a) for a in (powers, maxima, sums, shown)]

        def part(first: int, last: int) -> None:
            cross_entropy_kernels.exponentials(*arrays, ids, *found, first, last, V, count, K)

        by_rows(part, blocks)
        most = maxima.max(dim=0).values
        log_sums = most + (sums * (maxima - most).exp()).sum(dim=0).log()
        losses = log_sums - shown
        ctx.kept = lines, rows, powers, maxima, log_sums, losses, ids
        ctx.sizes, ctx.dtype = (N, H, V), features.dtype
        return losses[:N].mean()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        from chekhov.kernels import matrix_kernels
        from chekhov.recurrent import cross_entropy_kernels
        from chekhov.recurrent.matrices import LANES, PANEL, flat
        from chekhov.recurrent.workspace import take

        lines, rows, powers, maxima, log_sums, losses, ids = ctx.kept
        (N, H, V), (count, K) = ctx.sizes, lines.shape
        shares = torch.zeros(count)
        shares[:N] = gradient / N
        target_slopes = torch.where(shares != 0, torch.expm1(-losses) * shares, 0)
        pairs = take(count, K, dtype=torch.bfloat16)
        matrix_kernels.pair_lines(flat(lines), 0, count, K, flat(pairs))
        dW, d_features, d_bias = take(V, H), take(count, K), take(len(rows))
        d_logits = take(min(len(rows), WORDS), count, dtype=torch.bfloat16)
        given = [flat(a) for a in (powers, maxima, log_sums, shares)]
        slopes, weights = flat(d_logits), flat(rows)
        places, corner = np.arange(0, len(rows), LANES), np.zeros(PANEL * PANEL, np.float32)
        within = np.clip(V - places, 0, LANES)
        every = np.arange(0, count, LANES), np.full(count // LANES, LANES)
        for first in range(0, len(rows), WORDS):
            words = min(WORDS, len(rows) - first)
            blocks = first // PANEL, (first + words) // PANEL
            part = slice(first // LANES, (first + words) // LANES)
            cross_entropy_kernels.slopes(*given, ids, flat(target_slopes), slopes, flat(d_bias), *blocks, count)
            matrix_kernels.add_products(
                slopes, count, flat(pairs), count, 0, words, H, flat(dW), places[part], within[part], corner, True
            )
            own = weights[first * K :]
            matrix_kernels.sum_products(
                slopes,
                count,
                0,
                count,
                own,
                K,
                K,
                flat(d_features),
                own,
                0,
                0,
                flat(d_features),
                words,
                *every,
                first > 0,
            )
        return d_features[:N, :H].to(ctx.dtype), dW, d_bias[:V], None

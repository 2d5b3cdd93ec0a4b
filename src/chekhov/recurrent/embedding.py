"""Rows of a matrix by their numbers, and a gradient that lies in memory used again."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from chekhov.recurrent.sequences import runs_here


def embedding(ids: Tensor, weight: Tensor) -> Tensor:
    """ids (...) -> (..., E), rows of weight (N, E). IndexError where an id is no row's.

    The gradient of all rows is some megabytes, and PyTorch takes fresh ones for every step: to fault them in costs more
    than to fill them.
    """
    if torch.is_grad_enabled() and weight.requires_grad and runs_here(weight, weight):
        found: Tensor = Embedding.apply(ids, weight)
        return found
    return F.embedding(ids, weight)


class Embedding(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, ids: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(ids)
        ctx.rows = len(weight)
        return F.embedding(ids, weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        (ids,) = ctx.saved_tensors
        if torch.is_grad_enabled():  # a second derivative is wanted
            return None, torch.ops.aten.embedding_dense_backward(gradient, ids, ctx.rows, -1, False)
        from chekhov.recurrent.embedding_kernels import sum_by_row
        from chekhov.recurrent.matrices import flat
        from chekhov.recurrent.workspace import take

        out = take(ctx.rows, gradient.shape[-1])
        sum_by_row(flat(gradient.contiguous()), ids.reshape(-1).numpy(), flat(out), gradient.shape[-1])
        return None, out

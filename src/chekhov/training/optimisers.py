"""What turns gradients into steps: the optimisers, and clipping."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from chekhov.training.loop import Plan

OPTIMISERS = ("adamw", "sgd")


def make_optimiser(model: nn.Module, plan: Plan) -> torch.optim.Optimizer:
    """AdamW (Loshchilov & Hutter 2019) with betas 0.9 and 0.99, or SGD, with ``plan.momentum`` if that is not 0."""
    weights = list(model.parameters())
    if plan.optimiser == "sgd":
        return torch.optim.SGD(weights, lr=plan.lr, momentum=plan.momentum, weight_decay=plan.weight_decay, fused=True)
    return torch.optim.AdamW(weights, lr=plan.lr, betas=(0.9, 0.99), weight_decay=plan.weight_decay, fused=True)


def clip(model: nn.Module, *, norm: float, value: float | None) -> float:
    """Bring the gradient down to the global norm (Pascanu, Mikolov & Bengio 2013), or each entry into [-value, value].

    Returns the norm that it had. A norm keeps the gradient's direction, a value does not.
    """
    weights = list(model.parameters())
    if value is None:
        return float(nn.utils.clip_grad_norm_(weights, norm))
    before = float(nn.utils.get_total_norm([weight.grad for weight in weights if weight.grad is not None]))
    nn.utils.clip_grad_value_(weights, value)
    return before

"""What turns gradients into steps: the optimisers, and clipping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from chekhov.training.muon import Muon, matrices_of
from chekhov.training.precision import multiplies_bf16

if TYPE_CHECKING:
    from chekhov.training.loop import Plan

OPTIMISERS = ("muon", "adamw", "sgd")


def make_optimisers(model: nn.Module, plan: Plan) -> list[torch.optim.Optimizer]:
    """AdamW (Loshchilov & Hutter 2019) with betas 0.9 and 0.99, beside Muon for the matrices of cells if that is asked
    for; or SGD, with ``plan.momentum`` if that is not 0."""
    given: dict[str, Any] = {"lr": plan.lr, "weight_decay": plan.weight_decay}
    if plan.optimiser == "sgd":
        return [torch.optim.SGD(model.parameters(), momentum=plan.momentum, fused=True, **given)]
    matrices = matrices_of(model) if plan.optimiser == "muon" else []
    apart = {id(matrix) for matrix, _ in matrices}
    rest = [weight for weight in model.parameters() if id(weight) not in apart]
    found: list[torch.optim.Optimizer] = [torch.optim.AdamW(rest, betas=(0.9, 0.99), fused=True, **given)]
    bf16 = plan.precision == "bf16" and multiplies_bf16()
    return [*found, Muon(matrices, bf16=bf16, **given)] if matrices else found


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

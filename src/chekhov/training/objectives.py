"""What a training step minimises. One loop serves all: the carry is the state that crosses windows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from chekhov.batches.streams import Batch
from chekhov.recurrent.cross_entropy import linear_cross_entropy
from chekhov.recurrent.language_model import RecurrentLM
from chekhov.state import map_state

Carry = Any
Objective = Callable[[Batch, Carry], tuple[Tensor, Carry]]


def next_token(model: RecurrentLM, precision: str, *, alpha: float = 0.0, beta: float = 0.0) -> Objective:
    """Cross-entropy of the next token in nats per token; truncated BPTT: the state goes on, the gradient is cut.

    ``alpha`` and ``beta``: of `Penalised`.
    """

    def objective(batch: Batch, carry: Carry) -> tuple[Tensor, Carry]:
        inputs, targets = torch.from_numpy(batch.inputs), torch.from_numpy(batch.targets)
        cells = model.stack.initial_state(len(inputs)) if batch.first or carry is None else carry
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            outputs, cells = model.outputs(inputs, cells)
            features = model.dropped(outputs)
            loss = linear_cross_entropy(features.flatten(0, 1), model.head.weight, model.head.bias, targets.flatten())
            if alpha or beta:
                loss = Penalised.apply(loss, features, outputs, alpha, beta)
        return loss, map_state(lambda tensor: tensor.detach().float(), cells)

    return objective


class Penalised(torch.autograd.Function):
    """``loss`` as it is, with the gradient of loss + activation penalties (Merity, McCann & Socher 2017, "Revisiting
    activation regularization for language RNNs", AR and TAR), so that what is reported stays the cross-entropy:

        alpha * mean of features^2  +  beta * mean of (outputs_t+1 - outputs_t)^2

    features and outputs (B, T, H): of the last layer, after and before dropout.
    """

    @staticmethod
    def forward(ctx: Any, loss: Tensor, features: Tensor, outputs: Tensor, alpha: float, beta: float) -> Tensor:
        ctx.save_for_backward(features, outputs)
        ctx.shares = alpha, beta
        return loss.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (features, outputs), (alpha, beta) = ctx.saved_tensors, ctx.shares
        d_features = d_outputs = None
        if alpha:
            d_features = features * (2 * alpha / features.numel() * float(gradient))
        if beta and outputs.shape[1] > 1:
            steps = outputs[:, 1:] - outputs[:, :-1]
            steps *= 2 * beta / steps.numel() * float(gradient)
            d_outputs = F.pad(steps, (0, 0, 1, 0))
            d_outputs[:, :-1] -= steps
        return gradient, d_features, d_outputs, None, None

"""What a training step minimises. One loop serves all: the carry is the state that crosses windows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from chekhov.batches.streams import Batch
from chekhov.recurrent.cross_entropy import linear_cross_entropy
from chekhov.recurrent.language_model import RecurrentLM
from chekhov.state import map_state

Carry = Any
Objective = Callable[[Batch, Carry], tuple[Tensor, Carry]]


def next_token(model: RecurrentLM, precision: str) -> Objective:
    """Cross-entropy of the next token in nats per token; truncated BPTT: the state goes on, the gradient is cut."""

    def objective(batch: Batch, carry: Carry) -> tuple[Tensor, Carry]:
        inputs, targets = torch.from_numpy(batch.inputs), torch.from_numpy(batch.targets)
        cells = model.stack.initial_state(len(inputs)) if batch.first or carry is None else carry
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            features, cells = model(inputs, cells)
            loss = linear_cross_entropy(features.flatten(0, 1), model.head.weight, model.head.bias, targets.flatten())
        return loss, map_state(lambda tensor: tensor.detach().float(), cells)

    return objective

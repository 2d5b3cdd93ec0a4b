"""Training a small net on a classic task (`batches.memory_tasks`), and whether it has solved it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chekhov.batches.memory_tasks import MemoryTask, TaskBatch
from chekhov.errors import check_range
from chekhov.recurrent.cell import Cell
from chekhov.recurrent.language_model import CELLS
from chekhov.training.optimisers import clip

SOLVED_ACCURACY, SOLVED_ERROR = 0.99, 0.01
EVERY, TESTED = 50, 1000  # steps between measurements; fresh rows of each


@dataclass(frozen=True)
class TaskResult:
    """loss: nats, or the mean squared error; accuracy: of the answers (0 for numbers); curve: steps and loss, fresh."""

    task: str
    cell: str
    seed: int
    steps: int
    loss: float
    accuracy: float
    solved: bool
    curve: list[tuple[int, float]]


class TaskNet(nn.Module):
    def __init__(self, cell: Cell, outputs: int):
        super().__init__()
        self.cell, self.head = cell, nn.Linear(cell.hidden_size, outputs)

    def forward(self, xs: Tensor) -> Tensor:
        """(B, T, I) -> (B, T, outputs)."""
        features, _ = self.cell.unroll(xs, self.cell.initial_state(len(xs)))
        return self.head(features)


def train_on_task(
    task: MemoryTask,
    cell: str,
    *,
    hidden_size: int = 32,
    batch_size: int = 32,
    max_steps: int = 2000,
    lr: float = 3e-3,
    clip_norm: float = 1.0,
    seed: int = 0,
    cell_options: dict[str, Any] | None = None,
    prepare: Callable[[Any], Any] = lambda cell: cell,
) -> TaskResult:
    """Until it is solved or ``max_steps`` are over; every batch is fresh, so that nothing can be learnt by heart.

    prepare: changes the cell before training, for instance its forget bias. Raises `UsageError` for a size out of
    range.
    """
    for name, value in (("hidden_size", hidden_size), ("batch_size", batch_size), ("max_steps", max_steps)):
        check_range(name, value, 1, 1 << 20)
    torch.manual_seed(seed)
    rng, fresh = np.random.default_rng(seed), np.random.default_rng(1_000_000 + seed)
    net = TaskNet(prepare(CELLS[cell](task.inputs, hidden_size, **(cell_options or {}))), max(1, task.classes))
    optimiser = torch.optim.Adam(net.parameters(), lr=lr)
    curve: list[tuple[int, float]] = []
    loss, accuracy, step = task.baseline, task.chance, 0
    while step < max_steps:
        step += 1
        optimiser.zero_grad()
        loss_of(net, task, task.make(rng, batch_size))[0].backward()
        clip(net, norm=clip_norm, value=None)
        optimiser.step()
        if step % EVERY == 0 or step == max_steps:
            with torch.no_grad():
                measured, accuracy = loss_of(net, task, task.make(fresh, TESTED))
            loss = float(measured)
            curve.append((step, loss))
            if is_solved(task, loss, accuracy):
                break
    return TaskResult(task.name, cell, seed, step, loss, accuracy, is_solved(task, loss, accuracy), curve)


def is_solved(task: MemoryTask, loss: float, accuracy: float) -> bool:
    return accuracy >= SOLVED_ACCURACY if task.classes else loss < SOLVED_ERROR


def loss_of(net: TaskNet, task: MemoryTask, batch: TaskBatch) -> tuple[Tensor, float]:
    """Mean over all that is asked for, and the accuracy there."""
    asked = torch.from_numpy(batch.mask).bool()
    outputs, targets = net(torch.from_numpy(batch.xs))[asked], torch.from_numpy(batch.targets)[asked]
    if not task.classes:
        return F.mse_loss(outputs[:, 0], targets), 0.0
    return F.cross_entropy(outputs, targets), float((outputs.argmax(1) == targets).float().mean())

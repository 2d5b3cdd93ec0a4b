"""The contract of a recurrent cell: one step by the formula, and the same step over a whole sequence."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn


class Cell(nn.Module, ABC):
    """h_t = f(x_t, h_{t-1}): the same weights at every step.

    A subclass writes `step` as its textbook formula. `unroll` is that step in a loop; a fast kernel may take its
    place if it computes the same (``chekhov.testing.check_cell``).
    """

    input_size: int
    hidden_size: int

    @abstractmethod
    def initial_state(self, batch_size: int) -> Any:
        """The state before the first step: zeros, batch first."""

    @abstractmethod
    def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        """x (B, I), state -> output (B, H), new state."""

    def trace_step(self, x: Tensor, state: Any) -> tuple[dict[str, Tensor], Any]:
        """x (B, I), state -> all that `step` computes on its way, by name, each (B, H), and the new state.

        ``hidden_state`` is the output; gates are named with what they do (``forget_gate``), and what stood before
        their sigmoid or tanh is ``..._pre_activation``.
        """
        output, state = self.step(x, state)
        return {"hidden_state": output}, state

    def unroll(self, xs: Tensor, state: Any) -> tuple[Tensor, Any]:
        """xs (B, T, I), state -> outputs (B, T, H), state after the last step."""
        outputs = []
        for t in range(xs.shape[1]):
            output, state = self.step(xs[:, t], state)
            outputs.append(output)
        return torch.stack(outputs, dim=1), state

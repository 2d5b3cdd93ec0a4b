"""Recurrences that are elementwise: no matrix product from one step to the next."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from chekhov.recurrent.cell import Cell
from chekhov.recurrent.scan_formulas import COEFFICIENTS, STEPS
from chekhov.recurrent.sequences import by_formula, runs_here, scan_sequence


class ScanCell(Cell):
    """A cell whose gates see the input through one product, ``projection``, and its state unit by unit.

    ``kind`` names its formula in `scan_formulas`. The state is one tensor (B, H), unless the cell says otherwise.
    Biases start at 0, unless it does; weights as ``nn.Linear``'s.
    """

    kind: str

    def hold(self, input_size: int, hidden_size: int, gates: int, *, inputs: int | None = None) -> None:
        """``inputs``: what the gates see, if it is not x alone."""
        self.input_size, self.hidden_size = input_size, hidden_size
        self.projection = nn.Linear(inputs or input_size, gates * hidden_size)
        nn.init.zeros_(self.projection.bias)

    def fill_bias(self, gate: int, value: float) -> None:
        with torch.no_grad():
            self.projection.bias.view(-1, self.hidden_size)[gate].fill_(value)

    def initial_state(self, batch_size: int) -> Any:
        return self.projection.weight.new_zeros(batch_size, self.hidden_size)

    def gates(self, x: Tensor) -> tuple[Tensor, ...]:
        """W x + b, gate by gate."""
        return self.projection(x).split(self.hidden_size, dim=-1)

    def vectors(self) -> Tensor:
        """What the cell has of its own beside the projection (V, H)."""
        return self.projection.weight.new_zeros(0, self.hidden_size)

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        named, state = self.trace_step(x, state)
        return named["hidden_state"], state

    def unroll(self, xs: Tensor, state: Any) -> tuple[Tensor, Any]:
        return Cell.unroll(self, xs, state) if by_formula() and xs.shape[1] else self.scan(xs, state)

    def scan(self, xs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """All steps at once: by kernels where they run, else in PyTorch, in the dtype of the state."""
        if xs.shape[1] == 0:
            return state.new_zeros(len(xs), 0, self.hidden_size), state
        W, b = self.projection.weight, self.projection.bias
        if runs_here(xs, W):
            return scan_sequence(xs, state, W, b, self.vectors(), kind=self.kind)
        gates = [gate.to(state.dtype) for gate in self.gates(xs)]
        if self.kind in COEFFICIENTS:
            kept, taken, o = COEFFICIENTS[self.kind](xs, gates, self.vectors())
            states = linear_scan(kept, taken, state)
            return (states if o is None else o * states), states[:, -1]
        outputs = []
        for t in range(xs.shape[1]):
            own = [gate[:, t] for gate in gates]
            output, state = STEPS[self.kind](xs[:, t], own, self.vectors(), state)
            outputs.append(output)
        return torch.stack(outputs, dim=1), state


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

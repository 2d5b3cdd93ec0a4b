"""minGRU: a gated unit whose gates look at the input alone, so that its recurrence is linear in the state."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from chekhov.recurrent.cell import Cell
from chekhov.recurrent.scan import linear_scan


class MinGRU(Cell):
    r"""minGRU (Feng, Tung, Ahmed, Bengio & Hajimirsadeghi 2024, "Were RNNs all we needed?", section 3.1).

        z  = sigmoid(W_z x + b_z)         update gate
        n  = W_n x + b_n                  candidate
        h' = (1 - z) * h + z * n

    Neither gate nor candidate sees h: one layer is a learnt moving average, and only a stack of them computes. The
    state is h (B, H). Biases of z start at -1, so that a new unit remembers a few steps.
    """

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        self.projection = nn.Linear(input_size, 2 * hidden_size)  # z, n
        with torch.no_grad():
            self.projection.bias.zero_()
            self.projection.bias[:hidden_size] = -1.0

    def initial_state(self, batch_size: int) -> Tensor:
        return self.projection.weight.new_zeros(batch_size, self.hidden_size)

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        h = self.trace_step(x, state)[1]
        return h, h

    def trace_step(self, x: Tensor, state: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        a_z, n = self.projection(x).chunk(2, dim=-1)
        z = torch.sigmoid(a_z)
        h = (1 - z) * state + z * n
        return {"update_gate": z, "candidate": n, "update_gate_pre_activation": a_z, "hidden_state": h}, h

    def unroll(self, xs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        if xs.shape[1] == 0:
            return xs.new_zeros(len(xs), 0, self.hidden_size), state
        z, n = self.projection(xs).chunk(2, dim=-1)
        z = torch.sigmoid(z)
        outputs = linear_scan(1 - z, z * n, state)
        return outputs, outputs[:, -1]

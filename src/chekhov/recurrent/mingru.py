"""minGRU: a gated unit whose gates look at the input alone, so that its recurrence is linear in the state."""

from __future__ import annotations

import torch
from torch import Tensor

from chekhov.recurrent.scan import ScanCell


class MinGRU(ScanCell):
    r"""minGRU (Feng, Tung, Ahmed, Bengio & Hajimirsadeghi 2024, "Were RNNs all we needed?", section 3.1).

        z  = sigmoid(W_z x + b_z)         update gate
        n  = W_n x + b_n                  candidate
        h' = (1 - z) * h + z * n

    Neither gate nor candidate sees h: one layer is a learnt moving average, and only a stack of them computes. The
    state is h (B, H). Biases of z start at -1, so that a new unit remembers a few steps.
    """

    kind = "mingru"

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        self.hold(input_size, hidden_size, gates=2)  # z, n
        self.fill_bias(0, -1.0)

    def trace_step(self, x: Tensor, state: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        a_z, n = self.gates(x)
        z = torch.sigmoid(a_z)
        h = (1 - z) * state + z * n
        return {"update_gate": z, "candidate": n, "update_gate_pre_activation": a_z, "hidden_state": h}, h

"""minLSTM: an LSTM whose gates look at the input alone and share one unit of memory out among themselves."""

from __future__ import annotations

import torch
from torch import Tensor

from chekhov.recurrent.scan import ScanCell


class MinLSTM(ScanCell):
    r"""minLSTM (Feng, Tung, Ahmed, Bengio & Hajimirsadeghi 2024, "Were RNNs all we needed?", section 3.2).

        f  = sigmoid(W_f x + b_f)         forget gate
        i  = sigmoid(W_i x + b_i)         input gate
        n  = W_n x + b_n                  candidate
        h' = f / (f + i) * h + i / (f + i) * n

    The shares f / (f + i) and i / (f + i) sum to 1, so that h stays of the size of its candidates. There is no output
    gate: the state is h (B, H). Biases of f start at 1 and of i at -1, so that a new unit remembers a few steps.
    """

    kind = "minlstm"

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        self.hold(input_size, hidden_size, gates=3)  # f, i, n
        self.fill_bias(0, 1.0)
        self.fill_bias(1, -1.0)

    def trace_step(self, x: Tensor, state: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        a_f, a_i, n = self.gates(x)
        f, i = torch.sigmoid(a_f), torch.sigmoid(a_i)
        h = f / (f + i) * state + i / (f + i) * n
        before = {"forget_gate_pre_activation": a_f, "input_gate_pre_activation": a_i}
        return {"forget_gate": f, "input_gate": i, "candidate": n, **before, "hidden_state": h}, h

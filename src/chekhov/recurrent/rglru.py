"""The real-gated linear recurrent unit of Griffin: a linear recurrence that takes in less the more it keeps."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chekhov.recurrent.scan import ScanCell

C = 8.0
LEAST, MOST = 0.9, 0.999  # of a^c at the start


class RGLRU(ScanCell):
    r"""RG-LRU (De et al. 2024, "Griffin", section 2.4, equations 1 to 4).

        r  = sigmoid(W_a x + b_a)                     recurrence gate
        i  = sigmoid(W_x x + b_x)                     input gate
        a  = sigmoid(Lambda) ^ (c r)                  c = 8
        h' = a * h + sqrt(1 - a^2) * (i * x)

    Where inputs and units differ in number, a third product W x + b takes the place of x. The state is h (B, H).
    Lambda starts so that sigmoid(Lambda)^c is uniform in [0.9, 0.999].
    """

    kind = "rglru"

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        self.hold(input_size, hidden_size, gates=2 if input_size == hidden_size else 3)  # r, i, x
        kept = torch.empty(hidden_size).uniform_(LEAST, MOST) ** (1 / C)
        self.Lambda = nn.Parameter(torch.logit(kept))

    def vectors(self) -> Tensor:
        """log a where r is 1."""
        return C * F.logsigmoid(self.Lambda)[None]

    def trace_step(self, x: Tensor, state: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        a_r, a_i, *own = self.gates(x)
        r, i = torch.sigmoid(a_r), torch.sigmoid(a_i)
        log_a = C * r * F.logsigmoid(self.Lambda)
        taken = i * (own[0] if own else x)
        h = torch.exp(log_a) * state + torch.sqrt(-torch.expm1(2 * log_a)) * taken
        before = {"recurrence_gate_pre_activation": a_r, "input_gate_pre_activation": a_i}
        gates = {"recurrence_gate": r, "input_gate": i}
        return {**gates, **before, "decay": torch.exp(log_a), "taken_in": taken, "hidden_state": h}, h

"""The simple recurrent unit: gates that see each unit's own state and no other's, and a way past the memory."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from chekhov.recurrent.cell import Cell
from chekhov.recurrent.scan import ScanCell
from chekhov.recurrent.scan_formulas import ALPHA
from chekhov.recurrent.sequences import by_formula


class SRUState(NamedTuple):
    c: Tensor  # (B, H) what is kept; what is shown depends on the input besides


class SRU(ScanCell):
    r"""Simple recurrent unit (Lei, Zhang, Wang, Dai & Artzi 2018, equations 1 to 7).

        f  = sigmoid(W_f x + v_f * c + b_f)           forget gate
        r  = sigmoid(W_r x + v_r * c + b_r)           reset gate
        c' = f * c + (1 - f) * (W x + b)
        h' = r * c' + (1 - r) * alpha x               alpha = sqrt(3), that of b_r = 0: section 3.2

    Where inputs and units differ in number, a fourth product W_x x + b_x takes the place of x. The state is
    ``SRUState(c)``, c (B, H). Weights start uniform in +-sqrt(3 / I), the vectors v in +-sqrt(3 / H) (section 3.2); b_f
    starts at 1, so that a new unit remembers a few steps. The paper has no b and b_x.
    """

    kind = "sru"

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        self.hold(input_size, hidden_size, gates=3 if input_size == hidden_size else 4)  # f, r, candidate, x
        self.v = nn.Parameter(torch.empty(2, hidden_size).uniform_(-1, 1) * (3 / hidden_size) ** 0.5)  # v_f, v_r
        nn.init.uniform_(self.projection.weight, -((3 / input_size) ** 0.5), (3 / input_size) ** 0.5)
        self.fill_bias(0, 1.0)

    def initial_state(self, batch_size: int) -> SRUState:
        return SRUState(super().initial_state(batch_size))

    def vectors(self) -> Tensor:
        return self.v

    def trace_step(self, x: Tensor, state: SRUState) -> tuple[dict[str, Tensor], SRUState]:
        from_x_f, from_x_r, n, *own = self.gates(x)
        v_f, v_r = self.v
        a_f, a_r = from_x_f + v_f * state.c, from_x_r + v_r * state.c
        f, r = torch.sigmoid(a_f), torch.sigmoid(a_r)
        c = f * state.c + (1 - f) * n
        h = r * c + (1 - r) * ALPHA * (own[0] if own else x)
        before = {"forget_gate_pre_activation": a_f, "reset_gate_pre_activation": a_r}
        return {"forget_gate": f, "reset_gate": r, "candidate": n, **before, "cell_state": c, "hidden_state": h}, (
            SRUState(c)
        )

    def unroll(self, xs: Tensor, state: SRUState) -> tuple[Tensor, SRUState]:
        if by_formula() and xs.shape[1]:
            return Cell.unroll(self, xs, state)
        outputs, c = self.scan(xs, state.c)
        return outputs, SRUState(c)

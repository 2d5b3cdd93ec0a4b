"""The independently recurrent net: an Elman net whose units each see their own past and no other's."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from chekhov.errors import UsageError
from chekhov.recurrent.formulas import ACTIVATIONS
from chekhov.recurrent.scan import ScanCell
from chekhov.recurrent.scan_formulas import STEPS


class IndRNN(ScanCell):
    r"""Independently recurrent network (Li, Li, Cook, Zhu & Gao 2018, equation 4).

        h' = f(W x + u * h + b)

    f is ``relu`` (the paper's), ``tanh`` or ``sigmoid``. The gradient through t steps of a unit is a product of t
    factors f' u: it neither vanishes nor explodes while |u| is near 1. The state is h (B, H); u starts uniform in
    [0, 1] (section 4.1, for texts without end).
    """

    def __init__(self, input_size: int, hidden_size: int, *, activation: str = "relu"):
        super().__init__()
        self.kind = f"indrnn_{activation}"
        if self.kind not in STEPS:
            what = f"the activation {activation!r} is unknown"
            known = [name for name in ACTIVATIONS if f"indrnn_{name}" in STEPS]
            raise UsageError("E-TRAIN-010", what, mend=f"choose one of {', '.join(known)}")
        self.activation = activation
        self.hold(input_size, hidden_size, gates=1)
        self.u = nn.Parameter(torch.rand(hidden_size))

    def vectors(self) -> Tensor:
        return self.u[None]

    def trace_step(self, x: Tensor, state: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        a = self.projection(x) + self.u * state
        h = ACTIVATIONS[self.activation](a)
        return {"pre_activation": a, "hidden_state": h}, h

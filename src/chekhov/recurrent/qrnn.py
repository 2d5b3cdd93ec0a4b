"""The quasi-recurrent network: gates from a convolution over the input, and a pooling that alone is recurrent."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from chekhov.recurrent.cell import Cell
from chekhov.recurrent.scan import ScanCell
from chekhov.recurrent.sequences import by_formula

GATES = ("candidate", "forget_gate", "output_gate")


class QRNNState(NamedTuple):
    c: Tensor  # (B, H) what is kept
    x: Tensor  # (B, I) the input before: the convolution sees it, too


class QRNN(ScanCell):
    r"""Quasi-recurrent network with fo-pooling, window 2 (Bradbury, Merity, Xiong & Socher 2017, equations 2 and 4).

        z    = tanh(W_z [x_{t-1}; x_t] + b_z)         candidate
        f, o = sigmoid(W [x_{t-1}; x_t] + b)          forget and output gate
        c'   = f * c + (1 - f) * z
        h'   = o * c'

    The state is ``QRNNState(c, x)``: c (B, H) and the input before (B, I), zeros before the text. The paper has no
    biases; those of f start at 1, so that a new unit remembers a few steps.
    """

    kind = "qrnn"

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        self.hold(input_size, hidden_size, gates=3, inputs=2 * input_size)  # z, f, o
        self.fill_bias(1, 1.0)

    def initial_state(self, batch_size: int) -> QRNNState:
        return QRNNState(
            super().initial_state(batch_size), self.projection.weight.new_zeros(batch_size, self.input_size)
        )

    def trace_step(self, x: Tensor, state: QRNNState) -> tuple[dict[str, Tensor], QRNNState]:
        before = self.gates(torch.cat([state.x, x], dim=1))
        z, f, o = torch.tanh(before[0]), torch.sigmoid(before[1]), torch.sigmoid(before[2])
        c = f * state.c + (1 - f) * z
        named = {f"{gate}_pre_activation": a for gate, a in zip(GATES, before, strict=True)}
        gates = dict(zip(GATES, (z, f, o), strict=True))
        return {**gates, **named, "cell_state": c, "hidden_state": o * c}, QRNNState(c, x)

    def unroll(self, xs: Tensor, state: QRNNState) -> tuple[Tensor, QRNNState]:
        if by_formula() and xs.shape[1]:
            return Cell.unroll(self, xs, state)
        seen = torch.cat([state.x[:, None].to(xs.dtype), xs], dim=1)  # (B, T + 1, I)
        outputs, c = self.scan(torch.cat([seen[:, :-1], xs], dim=2), state.c)
        return outputs, QRNNState(c, seen[:, -1].to(state.x.dtype))

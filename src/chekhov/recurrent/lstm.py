"""Long short-term memory: the cell that can keep a thing in mind for as long as its forget gate stays open."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from chekhov.recurrent.sequences import by_formula, lstm_sequence, runs_here, torch_is_faster
from chekhov.recurrent.weights import TorchCell

GATES = ("input_gate", "forget_gate", "candidate", "output_gate")  # in PyTorch's order


class LSTMState(NamedTuple):
    h: Tensor  # (B, H) hidden state: what is shown
    c: Tensor  # (B, H) cell state: what is kept


class LSTM(TorchCell):
    r"""Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate: Gers, Schmidhuber & Cummins 2000).

        i, f, o = sigmoid(W x + U h + b)      input, forget and output gate
        g       = tanh(W x + U h + b)         candidate
        c'      = f * c + i * g               cell state: what is kept
        h'      = o * tanh(c')                hidden state: what is shown

    The state is ``LSTMState(h, c)``, each (B, H). Weights are PyTorch's: W ``weight_ih_l0`` (4H, I), U ``weight_hh_l0``
    (4H, H), b the sum of two bias vectors (4H), gates in the order i, f, g, o. U starts orthogonal, gate by gate; the
    forget bias starts at 1 (Jozefowicz, Zaremba & Sutskever 2015), so that early in training little is forgotten.
    """

    def __init__(self, input_size: int, hidden_size: int, *, bias: bool = True):
        super().__init__()
        self.hold(
            nn.LSTM(input_size, hidden_size, bias=bias, batch_first=True), gates=4
        )  # the parameters, and a fast unroll
        if bias:
            with torch.no_grad():
                self.parameters_by_letter()[2].chunk(4)[1].fill_(1.0)  # i, f, g, o

    def initial_state(self, batch_size: int) -> LSTMState:
        zeros = super().initial_state(batch_size)
        return LSTMState(zeros, zeros)

    def step(self, x: Tensor, state: LSTMState) -> tuple[Tensor, LSTMState]:
        state = self.trace_step(x, state)[1]
        return state.h, state

    def trace_step(self, x: Tensor, state: LSTMState) -> tuple[dict[str, Tensor], LSTMState]:
        W, U, b_ih, b_hh = self.parameters_by_letter()
        before = (x @ W.t() + state.h @ U.t() + b_ih + b_hh).chunk(4, dim=1)  # each (B, H)
        i, f, o = (torch.sigmoid(before[gate]) for gate in (0, 1, 3))
        g = torch.tanh(before[2])
        c = f * state.c + i * g
        h = o * torch.tanh(c)
        gates = dict(zip(GATES, (i, f, g, o), strict=True))
        named = {f"{gate}_pre_activation": a for gate, a in zip(GATES, before, strict=True)}
        return {**gates, **named, "cell_state": c, "hidden_state": h}, LSTMState(h, c)

    def unroll(self, xs: Tensor, state: LSTMState) -> tuple[Tensor, LSTMState]:
        if by_formula():
            return super().unroll(xs, state)
        W, U, b_ih, b_hh = self.parameters_by_letter()
        if runs_here(xs, W) and not torch_is_faster(self.hidden_size):
            outputs, h, c = lstm_sequence(xs, state.h, state.c, W, U, b_ih + b_hh)
            return outputs, LSTMState(h, c)
        outputs, (h, c) = self.by_torch(xs, (state.h[None].contiguous(), state.c[None].contiguous()))
        return outputs, LSTMState(h[0], c[0])

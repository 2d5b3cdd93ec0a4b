"""Long short-term memory: the cell that can keep a thing in mind for as long as its forget gate stays open."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from chekhov.recurrent.cell import Cell


class LSTMState(NamedTuple):
    h: Tensor  # (B, H) hidden state: what is shown
    c: Tensor  # (B, H) cell state: what is kept


class LSTM(Cell):
    r"""Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate: Gers, Schmidhuber & Cummins 2000).

        i, f, o = sigmoid(W x + U h + b)      input, forget and output gate
        g       = tanh(W x + U h + b)         candidate
        c'      = f * c + i * g               cell state: what is kept
        h'      = o * tanh(c')                hidden state: what is shown

    The state is ``LSTMState(h, c)``, each (B, H). Weights are PyTorch's: W ``weight_ih_l0`` (4H, I), U ``weight_hh_l0``
    (4H, H), b the sum of two bias vectors (4H), gates in the order i, f, g, o. U starts orthogonal, gate by gate; the
    forget bias starts at 1 (Jozefowicz, Zaremba & Sutskever 2015), so that early in training little is forgotten.
    """

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        self.weights = nn.LSTM(input_size, hidden_size, batch_first=True)  # the parameters, and a fast unroll
        with torch.no_grad():
            _, U, b_ih, b_hh = self.parameters_by_letter()
            for gate in U.chunk(4):
                nn.init.orthogonal_(gate)
            b_ih.zero_()
            b_hh.zero_()
            b_ih.chunk(4)[1].fill_(1.0)  # i, f, g, o

    def parameters_by_letter(self) -> tuple[nn.Parameter, nn.Parameter, nn.Parameter, nn.Parameter]:
        """W (4H, I), U (4H, H) and the two vectors whose sum is b, each (4H)."""
        get = self.weights.get_parameter
        return get("weight_ih_l0"), get("weight_hh_l0"), get("bias_ih_l0"), get("bias_hh_l0")

    def initial_state(self, batch_size: int) -> LSTMState:
        zeros = self.parameters_by_letter()[1].new_zeros(batch_size, self.hidden_size)
        return LSTMState(zeros, zeros)

    def step(self, x: Tensor, state: LSTMState) -> tuple[Tensor, LSTMState]:
        W, U, b_ih, b_hh = self.parameters_by_letter()
        gates = x @ W.t() + state.h @ U.t() + b_ih + b_hh  # (B, 4H)
        i, f, g, o = gates.chunk(4, dim=1)
        c = torch.sigmoid(f) * state.c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, LSTMState(h, c)

    def unroll(self, xs: Tensor, state: LSTMState) -> tuple[Tensor, LSTMState]:
        outputs, (h, c) = self.weights(xs, (state.h[None].contiguous(), state.c[None].contiguous()))
        return outputs, LSTMState(h[0], c[0])

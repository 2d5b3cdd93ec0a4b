"""Long short-term memory: the cell that can keep a thing in mind for as long as its forget gate stays open."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from chekhov.errors import check_range
from chekhov.recurrent.sequences import Zoneout, by_formula, lstm_sequence, runs_here, torch_is_faster
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

    ``zoneout`` (Krueger et al. 2017, equation 3): at every step of training each unit of c and of h keeps its old value
    with this probability; else it is z * old + (1 - z) * new, the expectation. `UsageError` unless 0 <= z <= 0.99.

    ``peephole`` (Gers & Schmidhuber 2000, "Recurrent nets that time and count"): gates see the cell state as well, each
    unit its own, i and f by p * c, o by p * c', before zoneout; ``peepholes`` (3H) start at 0.
    """

    def __init__(
        self, input_size: int, hidden_size: int, *, zoneout: float = 0.0, peephole: bool = False, bias: bool = True
    ):
        super().__init__()
        check_range("zoneout", zoneout, 0.0, 0.99)
        self.zoneout = zoneout
        self.peepholes = nn.Parameter(torch.zeros(3 * hidden_size)) if peephole else None  # of i, f, o
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
        a_i, a_f, a_g, a_o = (x @ W.t() + state.h @ U.t() + b_ih + b_hh).chunk(4, dim=1)  # each (B, H)
        if self.peepholes is not None:
            p_i, p_f, p_o = self.peepholes.chunk(3)
            a_i, a_f = a_i + p_i * state.c, a_f + p_f * state.c
        i, f, g = torch.sigmoid(a_i), torch.sigmoid(a_f), torch.tanh(a_g)
        c = f * state.c + i * g
        if self.peepholes is not None:
            a_o = a_o + p_o * c
        o = torch.sigmoid(a_o)
        h = o * torch.tanh(c)
        if self.zoneout:
            c, h = self._zoned_out(state.c, c), self._zoned_out(state.h, h)
        gates = dict(zip(GATES, (i, f, g, o), strict=True))
        named = {f"{gate}_pre_activation": a for gate, a in zip(GATES, (a_i, a_f, a_g, a_o), strict=True)}
        return {**gates, **named, "cell_state": c, "hidden_state": h}, LSTMState(h, c)

    def _zoned_out(self, old: Tensor, new: Tensor) -> Tensor:
        if self.training:
            return torch.where(torch.rand_like(new) < self.zoneout, old, new)
        return self.zoneout * old + (1 - self.zoneout) * new

    @property
    def extras(self) -> list[str]:
        """What it has beyond PyTorch's LSTM, by name."""
        return [name for name, there in (("zoneout", self.zoneout), ("peephole", self.peepholes is not None)) if there]

    def unroll(self, xs: Tensor, state: LSTMState) -> tuple[Tensor, LSTMState]:
        if by_formula():
            return super().unroll(xs, state)
        W, U, b_ih, b_hh = self.parameters_by_letter()
        if runs_here(xs, W) and (self.extras or not torch_is_faster(self.hidden_size)):
            zoneout = drawn(self.zoneout, training=self.training)
            outputs, h, c = lstm_sequence(xs, state.h, state.c, W, U, b_ih + b_hh, zoneout=zoneout, p=self.peepholes)
            return outputs, LSTMState(h, c)
        if self.extras:
            return super().unroll(xs, state)
        outputs, (h, c) = self.by_torch(xs, (state.h[None].contiguous(), state.c[None].contiguous()))
        return outputs, LSTMState(h[0], c[0])


def drawn(share: float, *, training: bool) -> Zoneout | None:
    """Zoneout of one sequence, its seeds from PyTorch's generator."""
    if share == 0:
        return None
    if not training:
        return Zoneout(share, None)
    c, h = torch.randint(1 << 62, (2,)).tolist()
    return Zoneout(share, (c, h))

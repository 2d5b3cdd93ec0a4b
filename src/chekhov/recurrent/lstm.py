"""Long short-term memory: the cell that can keep a thing in mind for as long as its forget gate stays open."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from chekhov.errors import UsageError, check_range
from chekhov.recurrent.formulas import normalised
from chekhov.recurrent.sequences import (
    Zoneout,
    by_formula,
    layer_norm_lstm_sequence,
    lstm_by_torch,
    lstm_sequence,
    runs_here,
    torch_is_faster,
)
from chekhov.recurrent.weights import TorchCell
from chekhov.recurrent.workspace import take

GATES = ("input_gate", "forget_gate", "candidate", "output_gate")  # in PyTorch's order


class LSTMState(NamedTuple):
    h: Tensor  # (B, H) hidden state: what is shown
    c: Tensor  # (B, H) cell state: what is kept


class Norm(nn.Module):
    """The vectors of layer norm, in the order in which `layer_norm_lstm_formula` takes them."""

    def __init__(self, hidden_size: int):
        super().__init__()
        self.gain_ih = nn.Parameter(torch.ones(4 * hidden_size))
        self.gain_hh = nn.Parameter(torch.ones(4 * hidden_size))
        self.gain_c = nn.Parameter(torch.ones(hidden_size))
        self.bias_c = nn.Parameter(torch.zeros(hidden_size))


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

    ``coupled`` (Greff et al. 2017, "CIFG"): i = 1 - f, what is forgotten makes room. Weights and peepholes are those of
    f, g, o and of f, o; W and U are a quarter smaller.

    ``layer_norm`` (Ba, Kiros & Hinton 2016, supplement, equations 20 to 22): W x, U h and, before it is shown, c' are
    normalised apart, the first two over all four gates together:

        i, f, g, o before their functions = gain_ih * norm(W x) + gain_hh * norm(U h) + b
        h' = o * tanh(gain_c * norm(c') + bias_c)          norm(a) = (a - mean a) / sqrt(var a + 1e-5)

    ``norm`` has the four vectors; gains start at 1. The paper's biases of the first two and its b are one sum here: the
    two vectors of b. `UsageError` together with another option.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        zoneout: float = 0.0,
        peephole: bool = False,
        coupled: bool = False,
        layer_norm: bool = False,
        bias: bool = True,
    ):
        super().__init__()
        check_range("zoneout", zoneout, 0.0, 0.99)
        if layer_norm and (zoneout or peephole or coupled):
            what = "an LSTM with layer norm has neither zoneout nor peepholes nor coupled gates"
            raise UsageError("E-TRAIN-020", what, mend="leave out --layer-norm, or the other option")
        self.zoneout, self.coupled = zoneout, coupled
        self.norm = Norm(hidden_size) if layer_norm else None
        seeing = 2 if coupled else 3  # gates: i, f, o
        self.peepholes = nn.Parameter(torch.zeros(seeing * hidden_size)) if peephole else None
        make = nn.GRU if coupled else nn.LSTM  # the parameters, and of the plain one a fast unroll
        self.hold(make(input_size, hidden_size, bias=bias, batch_first=True), gates=3 if coupled else 4)
        if bias:
            with torch.no_grad():
                self.parameters_by_letter()[2].chunk(self.gates)[-3].fill_(1.0)  # i, f, g, o

    def initial_state(self, batch_size: int) -> LSTMState:
        zeros = super().initial_state(batch_size)
        return LSTMState(zeros, zeros)

    def step(self, x: Tensor, state: LSTMState) -> tuple[Tensor, LSTMState]:
        state = self.trace_step(x, state)[1]
        return state.h, state

    def trace_step(self, x: Tensor, state: LSTMState) -> tuple[dict[str, Tensor], LSTMState]:
        W, U, b_ih, b_hh = self.parameters_by_letter()
        by_x, by_h = x @ W.t(), state.h @ U.t()
        if self.norm is not None:
            by_x, by_h = normalised(by_x) * self.norm.gain_ih, normalised(by_h) * self.norm.gain_hh
        *rest, a_f, a_g, a_o = (by_x + by_h + b_ih + b_hh).chunk(self.gates, dim=1)  # each (B, H)
        if self.peepholes is not None:
            *p_i, p_f, p_o = self.peepholes.chunk(self.gates - 1)
            a_f = a_f + p_f * state.c
            rest = [a + p * state.c for a, p in zip(rest, p_i, strict=True)]
        f, g = torch.sigmoid(a_f), torch.tanh(a_g)
        a_i, i = (-a_f, 1 - f) if self.coupled else (rest[0], torch.sigmoid(rest[0]))
        c = f * state.c + i * g
        if self.peepholes is not None:
            a_o = a_o + p_o * c
        o = torch.sigmoid(a_o)
        h = o * torch.tanh(c if self.norm is None else normalised(c) * self.norm.gain_c + self.norm.bias_c)
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
        own = {"zoneout": self.zoneout, "peepholes": self.peepholes is not None, "coupled gates": self.coupled}
        own |= {"layer norm": self.norm is not None}
        return [name for name, there in own.items() if there]

    def as_four_gates(self) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """W, U, b and peepholes of i, f, g, o: coupled gates by 1 - sigmoid(a) = sigmoid(-a)."""
        W, U, b_ih, b_hh = self.parameters_by_letter()
        b, p, H = b_ih + b_hh, self.peepholes, self.hidden_size
        if not self.coupled:
            return W, U, b, p
        W, U, b = (NegatedBefore.apply(own, H) for own in (W, U, b))
        return W, U, b, None if p is None else NegatedBefore.apply(p, H)

    def unroll(self, xs: Tensor, state: LSTMState) -> tuple[Tensor, LSTMState]:
        if by_formula():
            return super().unroll(xs, state)
        W, U, b, p = self.as_four_gates()
        if runs_here(xs, W) and (self.extras or not torch_is_faster(self.hidden_size)):
            if self.norm is not None:
                outputs, h, c = layer_norm_lstm_sequence(xs, state.h, state.c, W, U, b, *self.norm.parameters())
                return outputs, LSTMState(h, c)
            zoneout = drawn(self.zoneout, training=self.training)
            outputs, h, c = lstm_sequence(xs, state.h, state.c, W, U, b, zoneout=zoneout, p=p)
            return outputs, LSTMState(h, c)
        if self.extras:
            return super().unroll(xs, state)
        ends = state.h[None].contiguous(), state.c[None].contiguous()
        outputs, (h, c) = lstm_by_torch(self.by_torch, xs, ends)
        return outputs, LSTMState(h[0], c[0])


class NegatedBefore(torch.autograd.Function):
    """own (N, ..) -> (H + N, ..): the first H rows negated, and own behind; in memory that is used again, since large
    matrices would be paid for in page faults."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, H: int) -> Tensor:
        ctx.H = H
        if own.dtype != torch.float32:
            return torch.cat([-own[:H], own])
        out = take(H + len(own), *own.shape[1:])
        torch.neg(own[:H], out=out[:H])
        out[H:].copy_(own)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        H = ctx.H
        if torch.is_grad_enabled() or gradient.dtype != torch.float32:
            return torch.cat([gradient[H : 2 * H] - gradient[:H], gradient[2 * H :]]), None
        out = take(len(gradient) - H, *gradient.shape[1:])
        torch.sub(gradient[H : 2 * H], gradient[:H], out=out[:H])
        out[H:].copy_(gradient[2 * H :])
        return out, None


def drawn(share: float, *, training: bool) -> Zoneout | None:
    """Zoneout of one sequence, its seeds from PyTorch's generator."""
    if share == 0:
        return None
    if not training:
        return Zoneout(share, None)
    c, h = torch.randint(1 << 62, (2,)).tolist()
    return Zoneout(share, (c, h))

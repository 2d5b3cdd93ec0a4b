"""The simple recurrent network: the chapter's formula."""

from __future__ import annotations

from torch import Tensor, nn

from chekhov.errors import UsageError
from chekhov.recurrent.cell import Cell
from chekhov.recurrent.formulas import ACTIVATIONS
from chekhov.recurrent.sequences import by_formula, elman_sequence, runs_here
from chekhov.recurrent.weights import TorchCell


class Elman(TorchCell):
    r"""h_t = f(W_xh x_t + W_hh h_{t-1} + b), without ``bias`` the chapter's (Elman 1990, "Finding structure in time").

    f is ``tanh``, ``relu`` (then W_hh starts as the identity: Le, Jaitly & Hinton 2015), ``sigmoid``, or ``identity``:
    a linear net, with W_hh = beta I and W_xh = eta I the momentum of gradient descent. The state is h (B, H); weights
    as in `TorchCell`, b the sum of two vectors. The gradient through t steps is a product of t factors diag(f') W_hh:
    it vanishes or explodes, and the net forgets.
    """

    def __init__(self, input_size: int, hidden_size: int, *, activation: str = "tanh", bias: bool = True):
        super().__init__()
        if activation not in ACTIVATIONS:
            what = f"the activation {activation!r} is unknown"
            raise UsageError("E-TRAIN-010", what, mend=f"choose one of {', '.join(ACTIVATIONS)}")
        self.activation = activation
        kernel = "relu" if activation == "relu" else "tanh"  # torch has no others: they run through `step`
        self.hold(nn.RNN(input_size, hidden_size, nonlinearity=kernel, bias=bias, batch_first=True), gates=1)
        if activation == "relu":
            nn.init.eye_(self.weights.get_parameter("weight_hh_l0"))

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        h = self.trace_step(x, state)[1]
        return h, h

    def trace_step(self, x: Tensor, state: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        W_xh, W_hh, b, b_hh = self.parameters_by_letter()
        a = x @ W_xh.t() + state @ W_hh.t() + b + b_hh
        h = ACTIVATIONS[self.activation](a)
        return {"pre_activation": a, "hidden_state": h}, h

    def unroll(self, xs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        if by_formula() or self.activation == "identity":
            return Cell.unroll(self, xs, state)
        W, U, b, b_hh = self.parameters_by_letter()
        if runs_here(xs, W):
            return elman_sequence(xs, state, W, U, b + b_hh, activation=self.activation)
        if self.activation == "sigmoid":
            return Cell.unroll(self, xs, state)
        outputs, last = self.by_torch(xs, state[None].contiguous())
        return outputs, last[0]

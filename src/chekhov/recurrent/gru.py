"""The gated recurrent unit, in each of the forms in which it has been published."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from chekhov.errors import UsageError
from chekhov.recurrent.cell import Cell
from chekhov.recurrent.sequences import by_formula, gru_before_sequence, gru_sequence, runs_here
from chekhov.recurrent.weights import TorchCell

RESETS, UPDATES = ("after", "before"), ("keep", "replace")


class GRU(TorchCell):
    r"""Gated recurrent unit (Cho et al. 2014, "Learning phrase representations", equations 5 to 8).

        r, z = sigmoid(W x + U h + b)                    reset and update gate
        n    = tanh(W x + b + r * (U h + b'))            reset="after" the product: torch, cuDNN, Keras
        n    = tanh(W x + b + U (r * h) + b')            reset="before" it: Cho et al., colah
        h'   = z * h + (1 - z) * n                       update="keep": z is what stays; Cho et al., torch
        h'   = (1 - z) * h + z * n                       update="replace": z is what comes; colah, Chung et al. 2014

    The two meanings of z are one function: `GRU` of the one with the weights of z negated is that of the other. The
    state is h (B, H); gates in PyTorch's order r, z, n. Without a flag it is ``nn.GRU``.
    """

    def __init__(
        self, input_size: int, hidden_size: int, *, reset: str = "after", update: str = "keep", bias: bool = True
    ):
        super().__init__()
        for name, value, known in (("reset", reset, RESETS), ("update", update, UPDATES)):
            if value not in known:
                what = f"--{name} {value} is unknown"
                raise UsageError("E-TRAIN-010", what, mend=f"choose one of {', '.join(known)}")
        self.reset, self.update = reset, update
        self.hold(nn.GRU(input_size, hidden_size, bias=bias, batch_first=True), gates=3)

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        h = self.trace_step(x, state)[1]
        return h, h

    def trace_step(self, x: Tensor, state: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        W, U, b, b_hh = self.parameters_by_letter()
        h = state
        from_x = x @ W.t() + b  # (B, 3H)
        x_r, x_z, x_n = from_x.chunk(3, dim=1)
        if self.reset == "after":
            h_r, h_z, h_n = (h @ U.t() + b_hh).chunk(3, dim=1)
            a_r = x_r + h_r
            r = torch.sigmoid(a_r)
            a_n = x_n + r * h_n
        else:
            U_rz, U_n = U.split([2 * self.hidden_size, self.hidden_size])
            b_rz, b_n = b_hh.split([2 * self.hidden_size, self.hidden_size])
            h_r, h_z = (h @ U_rz.t() + b_rz).chunk(2, dim=1)
            a_r = x_r + h_r
            r = torch.sigmoid(a_r)
            a_n = x_n + (r * h) @ U_n.t() + b_n
        a_z = x_z + h_z
        z, n = torch.sigmoid(a_z), torch.tanh(a_n)
        keep = z if self.update == "keep" else 1 - z
        h = keep * h + (1 - keep) * n
        before = {"reset_gate_pre_activation": a_r, "update_gate_pre_activation": a_z, "candidate_pre_activation": a_n}
        return {"reset_gate": r, "update_gate": z, "candidate": n, **before, "hidden_state": h}, h

    def unroll(self, xs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        if by_formula():
            return Cell.unroll(self, xs, state)
        W, U, b, b_hh = self.parameters_by_letter()
        if runs_here(xs, W):
            if self.update == "replace":  # sigmoid(-z) is what stays
                sign = torch.ones(3, 1).index_fill(0, torch.tensor(1), -1.0).expand(3, self.hidden_size).reshape(-1)
                W, U, b, b_hh = W * sign[:, None], U * sign[:, None], b * sign, b_hh * sign
            if self.reset == "before":
                return gru_before_sequence(xs, state, W, U, b + b_hh)
            return gru_sequence(xs, state, W, U, b, b_hh)
        if self.reset == "before" or self.update == "replace":
            return Cell.unroll(self, xs, state)
        outputs, last = self.by_torch(xs, state[None].contiguous())
        return outputs, last[0]

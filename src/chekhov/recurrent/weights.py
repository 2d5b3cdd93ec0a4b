"""Cells whose weights are PyTorch's, so that its own kernel can unroll them and weights can be exchanged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from chekhov.recurrent.cell import Cell
from chekhov.recurrent.dropout import dropout


class TorchCell(Cell):
    """A cell that keeps its parameters in a one-layer ``nn.RNN``, ``nn.GRU`` or ``nn.LSTM``, named ``weights``.

    W ``weight_ih_l0`` (gH, I), U ``weight_hh_l0`` (gH, H) and two bias vectors (gH), for g gates one below the other.
    U starts orthogonal, gate by gate (Saxe, McClelland & Ganguli 2014), the biases start at 0.
    """

    weights: nn.RNNBase
    gates: int
    dropped: Tensor | None = None  # what stands for U within `weights_dropped`

    def hold(self, weights: nn.RNNBase, gates: int) -> None:
        self.weights, self.gates = weights, gates
        self.input_size, self.hidden_size = weights.input_size, weights.hidden_size
        with torch.no_grad():
            for gate in weights.get_parameter("weight_hh_l0").chunk(gates):
                nn.init.orthogonal_(gate)
            if weights.bias:
                weights.get_parameter("bias_ih_l0").zero_()
                weights.get_parameter("bias_hh_l0").zero_()

    def parameters_by_letter(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """W (gH, I), U (gH, H) and the two vectors b (gH): zeros for a cell without biases."""
        W, own = self.weights.get_parameter("weight_ih_l0"), self.weights.get_parameter("weight_hh_l0")
        U = own if self.dropped is None else self.dropped
        if not self.weights.bias:
            zeros = U.new_zeros(len(U))
            return W, U, zeros, zeros
        return W, U, self.weights.get_parameter("bias_ih_l0"), self.weights.get_parameter("bias_hh_l0")

    def by_torch(self, xs: Tensor, state: Any) -> Any:
        """The sequence by PyTorch's own module."""
        if self.dropped is None:
            return self.weights(xs, state)
        return torch.func.functional_call(self.weights, {"weight_hh_l0": self.dropped}, (xs, state))

    def initial_state(self, batch_size: int) -> Any:
        return self.weights.get_parameter("weight_hh_l0").new_zeros(batch_size, self.hidden_size)


@contextmanager
def weights_dropped(cells: Iterable[Any], share: float) -> Iterator[None]:
    """DropConnect on U (Wan et al. 2013; Merity, Keskar & Socher 2018): each weight 0 with this probability, the same
    ones at every step of what is unrolled inside."""
    held = [cell for cell in cells if isinstance(cell, TorchCell)]
    for cell in held:
        cell.dropped = dropout(cell.weights.get_parameter("weight_hh_l0"), share, True)
    try:
        yield
    finally:
        for cell in held:
            cell.dropped = None

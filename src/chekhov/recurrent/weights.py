"""Cells whose weights are PyTorch's, so that its own kernel can unroll them and weights can be exchanged."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from chekhov.recurrent.cell import Cell


class TorchCell(Cell):
    """A cell that keeps its parameters in a one-layer ``nn.RNN``, ``nn.GRU`` or ``nn.LSTM``, named ``weights``.

    W ``weight_ih_l0`` (gH, I), U ``weight_hh_l0`` (gH, H) and two bias vectors (gH), for g gates one below the other.
    U starts orthogonal, gate by gate (Saxe, McClelland & Ganguli 2014), the biases start at 0.
    """

    weights: nn.RNNBase
    gates: int

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
        W, U = self.weights.get_parameter("weight_ih_l0"), self.weights.get_parameter("weight_hh_l0")
        if not self.weights.bias:
            zeros = U.new_zeros(len(U))
            return W, U, zeros, zeros
        return W, U, self.weights.get_parameter("bias_ih_l0"), self.weights.get_parameter("bias_hh_l0")

    def initial_state(self, batch_size: int) -> Any:
        return self.weights.get_parameter("weight_hh_l0").new_zeros(batch_size, self.hidden_size)

"""Weights from and to PyTorch's own recurrent modules: one layer of a module is one cell."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import nn

from chekhov.errors import ModelError
from chekhov.recurrent.bidirectional import Bidirectional
from chekhov.recurrent.elman import Elman
from chekhov.recurrent.gru import GRU
from chekhov.recurrent.lstm import LSTM
from chekhov.recurrent.stack import Stack
from chekhov.recurrent.weights import TorchCell

SUFFIXES = ("", "_reverse")
NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def from_torch(module: nn.RNNBase) -> Stack | Bidirectional:
    """The same function as ``nn.RNN``, ``nn.GRU`` or ``nn.LSTM``, of our cells; `ModelError` for projections."""
    if module.proj_size:
        raise ModelError("E-MODEL-022", "the module has a projection", mend="convert one without proj_size")
    directions = [
        [_cell(module, layer, suffix) for layer in range(module.num_layers)]
        for suffix in SUFFIXES[: 1 + module.bidirectional]
    ]
    if module.bidirectional:
        return Bidirectional(directions[0], directions[1], module.dropout)
    return Stack(directions[0], module.dropout)


def to_torch(stack: Stack | Bidirectional) -> nn.RNNBase:
    """The same function as a module of PyTorch. `ModelError` for cells that PyTorch has not, and residual layers."""
    if isinstance(stack, Bidirectional):
        directions = [list(stack.forward_cells), list(stack.backward_cells)]
    else:
        directions = [list(stack.cells)]
    first, residual = directions[0][0], isinstance(stack, Stack) and stack.residual
    for cell in itertools.chain(*directions):
        if isinstance(cell, LSTM) and cell.extras:
            what, mend = f"PyTorch has no LSTM with {' and '.join(cell.extras)}", "convert one without"
            raise ModelError("E-MODEL-022", what, mend=mend)
    if not isinstance(first, TorchCell) or residual or not _runs_on_torch(first):
        raise ModelError("E-MODEL-022", "PyTorch has no such cell", mend="convert an LSTM, a GRU or an Elman net")
    flags: dict[str, Any] = {"num_layers": len(directions[0]), "bidirectional": len(directions) == 2}
    if isinstance(first, Elman):
        flags["nonlinearity"] = first.activation
    make: Any = type(first.weights)
    module: nn.RNNBase = make(
        first.input_size,
        first.hidden_size,
        bias=first.weights.bias,
        batch_first=True,
        dropout=stack.dropout,
        **flags,
    ).to(first.weights.get_parameter("weight_hh_l0").dtype)
    with torch.no_grad():
        for cells, suffix in zip(directions, SUFFIXES, strict=False):
            for layer, cell in enumerate(cells):
                for name in NAMES if first.weights.bias else NAMES[:2]:
                    own: Any = cell.get_parameter(f"weights.{name}_l0")
                    module.get_parameter(f"{name}_l{layer}{suffix}").copy_(own)
    return module


def negate_update_gate(cell: GRU) -> GRU:
    """The same function with the other meaning of z: sigmoid(-a) = 1 - sigmoid(a)."""
    other = GRU(
        cell.input_size,
        cell.hidden_size,
        reset=cell.reset,
        update="replace" if cell.update == "keep" else "keep",
        bias=cell.weights.bias,
    ).to(cell.weights.get_parameter("weight_hh_l0").dtype)
    other.load_state_dict(cell.state_dict())
    with torch.no_grad():
        for weight in other.weights.parameters():
            weight.chunk(3)[1].neg_()
    return other


def _runs_on_torch(cell: TorchCell) -> bool:
    if isinstance(cell, GRU):
        return cell.reset == "after" and cell.update == "keep"
    return not isinstance(cell, Elman) or cell.activation != "sigmoid"


def _cell(module: nn.RNNBase, layer: int, suffix: str) -> TorchCell:
    weight = module.get_parameter(f"weight_ih_l{layer}{suffix}")
    size, hidden = weight.shape[1], module.hidden_size
    cell: TorchCell
    if isinstance(module, nn.LSTM):
        cell = LSTM(size, hidden, bias=module.bias)
    elif isinstance(module, nn.GRU):
        cell = GRU(size, hidden, bias=module.bias)
    elif isinstance(module, nn.RNN):
        cell = Elman(size, hidden, activation=module.nonlinearity, bias=module.bias)
    else:
        raise ModelError("E-MODEL-022", f"{type(module).__name__} is no RNN, GRU or LSTM", mend="convert one of these")
    cell = cell.to(weight.dtype)
    with torch.no_grad():
        for name in NAMES if module.bias else NAMES[:2]:
            cell.weights.get_parameter(f"{name}_l0").copy_(module.get_parameter(f"{name}_l{layer}{suffix}"))
    return cell

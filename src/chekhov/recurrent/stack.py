"""Layers of cells, the output of one the input of the next; a stack of cells is a cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from chekhov.recurrent.cell import Cell


class Stack(Cell):
    """x -> cell 1 -> dropout -> cell 2 -> ... (Zaremba, Sutskever & Vinyals 2014: dropout between layers only)."""

    def __init__(self, cells: Sequence[Cell], dropout: float = 0.0):
        super().__init__()
        self.cells = nn.ModuleList(cells)
        self.input_size, self.hidden_size, self.dropout = cells[0].input_size, cells[-1].hidden_size, dropout

    def initial_state(self, batch_size: int) -> tuple[Any, ...]:
        return tuple(cell.initial_state(batch_size) for cell in self.cells)  # type: ignore[operator]

    def step(self, x: Tensor, state: tuple[Any, ...]) -> tuple[Tensor, tuple[Any, ...]]:
        return self._through("step", x, state)

    def unroll(self, xs: Tensor, state: tuple[Any, ...]) -> tuple[Tensor, tuple[Any, ...]]:
        return self._through("unroll", xs, state)

    def _through(self, verb: str, x: Tensor, state: tuple[Any, ...]) -> tuple[Tensor, tuple[Any, ...]]:
        states = []
        for layer, (cell, layer_state) in enumerate(zip(self.cells, state, strict=True)):
            if layer > 0:
                x = F.dropout(x, self.dropout, self.training)
            x, layer_state = getattr(cell, verb)(x, layer_state)
            states.append(layer_state)
        return x, tuple(states)

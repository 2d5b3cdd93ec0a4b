"""Layers of cells, the output of one the input of the next; a stack of cells is a cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from chekhov.recurrent.cell import Cell
from chekhov.recurrent.dropout import dropout


class Stack(Cell):
    """x -> cell 1 -> dropout -> cell 2 -> ... (Zaremba, Sutskever & Vinyals 2014: dropout between layers only).

    ``locked``: a row's dropout takes the same units at every step (Gal & Ghahramani 2016).
    ``residual``: from the second layer on, what a layer puts out is added to what it was given (He et al. 2016).
    """

    def __init__(self, cells: Sequence[Cell], dropout: float = 0.0, *, residual: bool = False, locked: bool = False):
        super().__init__()
        self.cells, self.residual, self.locked = nn.ModuleList(cells), residual, locked
        self.input_size, self.hidden_size, self.dropout = cells[0].input_size, cells[-1].hidden_size, dropout

    def initial_state(self, batch_size: int) -> tuple[Any, ...]:
        return tuple(cell.initial_state(batch_size) for cell in self.cells)  # type: ignore[operator]

    def step(self, x: Tensor, state: tuple[Any, ...]) -> tuple[Tensor, tuple[Any, ...]]:
        return self._through("step", x, state)

    def trace_step(self, x: Tensor, state: tuple[Any, ...]) -> tuple[dict[str, Tensor], tuple[Any, ...]]:
        """Names begin with ``layers.0.``, ``layers.1.``, ...; ``features`` is what the stack puts out. No dropout."""
        named: dict[str, Tensor] = {}
        states = []
        for layer, (cell, layer_state) in enumerate(zip(self.cells, state, strict=True)):
            own, layer_state = cell.trace_step(x, layer_state)  # type: ignore[operator]
            named |= {f"layers.{layer}.{name}": value for name, value in own.items()}
            x = own["hidden_state"] + x if self.residual and layer > 0 else own["hidden_state"]
            states.append(layer_state)
        return {**named, "features": x}, tuple(states)

    def unroll(self, xs: Tensor, state: tuple[Any, ...]) -> tuple[Tensor, tuple[Any, ...]]:
        return self._through("unroll", xs, state)

    def _through(self, verb: str, x: Tensor, state: tuple[Any, ...]) -> tuple[Tensor, tuple[Any, ...]]:
        states = []
        for layer, (cell, layer_state) in enumerate(zip(self.cells, state, strict=True)):
            below = x
            if layer > 0:
                below = dropout(x, self.dropout, self.training, locked=self.locked and verb == "unroll")
            x, layer_state = getattr(cell, verb)(below, layer_state)
            if self.residual and layer > 0:
                x = x + below
            states.append(layer_state)
        return x, tuple(states)

"""Cells to experiment with: small, at their start, all with the same random inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn

from chekhov.errors import UsageError, check_range
from chekhov.inspection.gradients import Gradients, cell_gradients
from chekhov.recurrent.cell import Cell
from chekhov.recurrent.elman import Elman
from chekhov.recurrent.language_model import CELLS
from chekhov.recurrent.lstm import LSTM
from chekhov.recurrent.weights import TorchCell

OPEN = 50.0  # a bias with which a sigmoid is 1, to the last bit
INITS = ("orthogonal", "uniform")


def cec(input_size: int, hidden_size: int) -> LSTM:
    """The LSTM of 1997, without a forget gate: f = 1 always (Hochreiter & Schmidhuber 1997, section 4)."""
    cell = LSTM(input_size, hidden_size)
    with torch.no_grad():
        for letter in cell.parameters_by_letter():
            letter.chunk(4)[1].zero_()
    return set_forget_bias(cell, OPEN)


def set_forget_bias(cell: LSTM, bias: float) -> LSTM:
    with torch.no_grad():
        cell.parameters_by_letter()[2].chunk(4)[1].fill_(bias)
    return cell


MAKERS: dict[str, Callable[..., Any]] = {
    **CELLS,
    "relu": partial(Elman, activation="relu"),
    "linear": partial(Elman, activation="identity"),
    "lstm-1997": cec,
}


def make_cells(
    names: Sequence[str],
    hidden_size: int,
    *,
    forget_biases: Sequence[float] = (),
    spectral_radius: float | None = None,
    init: str = "orthogonal",
    seed: int = 0,
) -> dict[str, Cell]:
    """Cells of as many inputs as units, by the name that a curve gets; an LSTM for each of ``forget_biases``.

    spectral_radius: what W_hh of simple nets is scaled to. init: W_hh orthogonal (chekhov's start), or all weights
    uniform in +-1/sqrt(H) (PyTorch's). Raises `UsageError` for a name or number that cannot be.
    """
    check_range("hidden_size", hidden_size, 1, 1024)
    if spectral_radius is not None:
        check_range("spectral_radius", spectral_radius, 0.0, 100.0)
    if init not in INITS:
        raise UsageError("E-GRAD-004", f"the start {init!r} is unknown", mend=f"one of {', '.join(INITS)}")
    cells: dict[str, Cell] = {}
    for name in names:
        if name not in MAKERS:
            raise UsageError("E-GRAD-004", f"the cell {name!r} is unknown", mend=f"one of {', '.join(MAKERS)}")
        for bias in forget_biases if name == "lstm" and forget_biases else (None,):
            torch.manual_seed(seed)
            cell = MAKERS[name](hidden_size, hidden_size)
            if init == "uniform":
                start_uniformly(cell)
            if isinstance(cell, Elman) and spectral_radius is not None:
                scale(cell, spectral_radius)
            if bias is not None:
                check_range("forget_bias", bias, -100.0, 100.0)
                set_forget_bias(cell, bias)
            cells[name if bias is None else f"{name}, f bias {bias:g}"] = cell
    return cells


def start_uniformly(cell: Cell) -> None:
    """PyTorch's start of its recurrent modules, biases 0 (an LSTM's forget gates: as they were)."""
    if isinstance(cell, TorchCell):
        bound = cell.hidden_size**-0.5
        for letter in cell.parameters_by_letter()[:2]:
            nn.init.uniform_(letter, -bound, bound)


@torch.no_grad()
def scale(cell: Elman, spectral_radius: float) -> None:
    """Scale W_hh to a spectral radius: of an orthogonal one all singular values become that, too."""
    U = cell.parameters_by_letter()[1]
    U *= spectral_radius / torch.linalg.eigvals(U).abs().max()


def family(
    cells: dict[str, Cell], *, distance: int = 100, sequences: int = 8, input_scale: float = 1.0, seed: int = 0
) -> list[Gradients]:
    """`cell_gradients` of each, with the same inputs: normal, of standard deviation ``input_scale``."""
    check_range("distance", distance, 1, 100_000)
    check_range("sequences", sequences, 1, 10_000)
    check_range("input_scale", input_scale, 0.0, 1e6)
    found = []
    for name, cell in cells.items():
        generator = torch.Generator().manual_seed(seed)
        xs = input_scale * torch.randn(sequences, distance, cell.input_size, generator=generator)
        found.append(cell_gradients(name, cell, xs, seed=seed))
    return found

"""Curves of `gradients.Gradients` as a picture, and as blocks on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chekhov.inspection.gradients import Gradients

BLOCKS = "▁▂▃▄▅▆▇█"
COLUMNS = 41
LOWEST, HIGHEST = 1e-12, 1e4  # of a terminal's curve
BINS = 20


def curve(norms: NDArray[np.float64]) -> str:
    """log10 of the norms against distance, blocks from 1e-12 to 1e4; blank where it is less."""
    at = np.unique(np.linspace(0, len(norms) - 1, min(COLUMNS, len(norms))).astype(int))
    low, high = np.log10(LOWEST), np.log10(HIGHEST)
    shown = ""
    for value in norms[at]:
        level = (np.log10(min(max(value, 1e-300), HIGHEST)) - low) / (high - low)
        shown += " " if value < LOWEST else BLOCKS[round(float(level) * (len(BLOCKS) - 1))]
    return shown


def histogram(values: NDArray[np.float64]) -> str:
    """How often a gate is 0 to 0.05, 0.05 to 0.1, ... as blocks."""
    counts, _ = np.histogram(values, BINS, (0.0, 1.0))
    return "".join(BLOCKS[round(count / max(1, counts.max()) * (len(BLOCKS) - 1))] for count in counts)


def plot_gradients(found: Sequence[Gradients], out: Path, title: str) -> None:
    """|dL/ds| against distance, h solid and c dashed; below it the gates, if there are any."""
    from chekhov.training.plot import load_matplotlib, save_figure

    pyplot = load_matplotlib()
    gated = [each for each in found if each.gates]
    figure, axes = pyplot.subplots(
        1, 1 + bool(gated), figsize=(12 if gated else 7, 4.8), layout="constrained", squeeze=False
    )
    left = axes[0, 0]
    for i, each in enumerate(found):
        for part, norms in each.norms.items():
            dashed = "--" if part.endswith("c") else "-"
            label = each.name if len(each.norms) == 1 else f"{each.name}: {part}"
            left.semilogy(np.where(norms > 0, norms, np.nan), dashed, color=f"C{i}", label=label)
    left.axhline(1, color="grey", linewidth=0.8, linestyle=":")
    left.set(xlabel="steps back from the loss", ylabel="|dL/d state|", title=title)
    left.set_ylim(bottom=max(left.get_ylim()[0], 1e-20))
    left.grid(alpha=0.3)
    left.legend(fontsize="small")
    if gated:
        right = axes[0, 1]
        for i, each in enumerate(found):
            for j, (gate, values) in enumerate(each.gates.items()):
                counts, edges = np.histogram(values, BINS, (0.0, 1.0), density=True)
                style = ("-", "--", ":", "-.")[j % 4]
                label = f"{each.name}: {gate.replace('_', ' ')}"
                right.plot((edges[1:] + edges[:-1]) / 2, counts, style, color=f"C{i}", label=label)
        right.set(xlabel="gate", ylabel="density", title="how open the gates are")
        right.grid(alpha=0.3)
        right.legend(fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
    save_figure(figure, out)

"""The curves of the rifle test as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any


def plot_rifles(reports: Sequence[Any], out: Path) -> None:
    """Loss against length of context, one curve a model; beside it the accuracy on planted rifles, if any has one."""
    from chekhov.training.plot import load_matplotlib, save_figure

    pyplot = load_matplotlib()
    planted = [report for report in reports if report.planted]
    figure, axes = pyplot.subplots(
        1, 1 + bool(planted), figsize=(11 if planted else 7, 4.5), layout="constrained", squeeze=False
    )
    left = axes[0, 0]
    colours = {report.model: f"C{i}" for i, report in enumerate(reports)}
    for report in reports:
        if report.horizon:
            d, loss = zip(*report.horizon.curve, strict=True)
            colour = colours[report.model]
            left.plot(d, loss, marker=".", label=report.model, color=colour)
            left.axvline(report.horizon.horizon, color=colour, linestyle=":", linewidth=1)
    left.set(xscale="log", xlabel="tokens of context", ylabel="nats per token", title="horizon (dotted)")
    left.grid(alpha=0.3)
    left.legend()
    if planted:
        right = axes[0, 1]
        for report in planted:
            d, accuracy, _ = zip(*report.planted, strict=True)
            right.plot(d, accuracy, marker="o", label=report.model, color=colours[report.model])
        chance = 1 / planted[0].alternatives
        right.axhline(chance, color="grey", linestyle="--", linewidth=1, label="chance")
        right.axhline((1 + chance) / 2, color="grey", linestyle=":", linewidth=1, label="half-way")
        right.set(xscale="log", ylim=(0, 1.03), xlabel="words between the rifle and the shot", ylabel="accuracy")
        right.set_title("does it go off?")
        right.set_xticks(d, [str(each) for each in d], minor=False)
        right.minorticks_off()
        right.grid(alpha=0.3)
        right.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    save_figure(figure, out)

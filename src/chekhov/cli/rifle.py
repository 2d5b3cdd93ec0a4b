"""``chekhov rifle DIR...``: how far back does each model remember?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chekhov.cli.options import Encoding
from chekhov.cli.output import note, print_json

if TYPE_CHECKING:
    from chekhov.tasks.rifle import RifleReport

BLOCKS = "▁▂▃▄▅▆▇█"


def rifle(
    models: Annotated[list[str], typer.Argument(metavar="DIR...", help="Model folders.")],
    text: Annotated[list[str], typer.Option(help="Held-out text. [a demo's own test part]")] = [],  # noqa: B006
    items: Annotated[int, typer.Option(help="Planted rifles at each distance, for models of demo:rifle-*.")] = 500,
    farthest: Annotated[int, typer.Option(help="The longest context, in tokens.")] = 1000,
    positions: Annotated[int, typer.Option(help="Places of the text where the horizon is measured.")] = 1000,
    plot: Annotated[Path | None, typer.Option(metavar="OUT", help="Draw the curves: .svg, .png or .pdf.")] = None,
    seed: Annotated[int, typer.Option(help="Of the planted rifles and the intervals.")] = 0,
    encoding: Encoding = None,
    json: Annotated[bool, typer.Option("--json", help="One object a model.")] = False,
) -> None:
    """How far back each model remembers: reach, horizon, and whether the rifle goes off."""
    from chekhov.tasks.rifle import rifle_test, rifle_texts
    from chekhov.tasks.text_model import load
    from chekhov.training.plot import check_plot

    if plot is not None:
        check_plot(plot)
    reports = []
    for folder in models:
        model = load(folder)
        texts = rifle_texts(model, text, encoding, note)
        report = rifle_test(model, texts, items=items, farthest=farthest, positions=positions, seed=seed, note=note)
        reports.append(report)
        if json:
            print_json(report.as_json())
    if not json:
        print_reports(reports)
    if plot is not None:
        from chekhov.tasks.rifle_plot import plot_rifles

        plot_rifles(reports, plot)


def print_reports(reports: list[RifleReport]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(header_style="bold", box=None, pad_edge=False)
    table.add_column("model")
    for column in ("reach", "horizon", "95 %", "characters"):
        table.add_column(column, justify="right")
    distances = [distance for distance, _, _ in next((r.planted for r in reports if r.planted), [])]
    for distance in distances:
        table.add_column(f"d {distance}", justify="right")
    if distances:
        table.add_column("rifle", justify="right")
    for report in reports:
        h = report.horizon
        row = [report.model, ("≥ " if report.reach >= report.farthest else "") + f"{report.reach:,}"]
        row += [f"{h.horizon:,}", f"{h.low:,} to {h.high:,}"] if h else ["-", "-"]
        row.append(f"{h.horizon * report.characters_per_token:,.0f}" if h else "-")
        of_distance = {distance: accuracy for distance, accuracy, _ in report.planted}
        row += [f"{100 * of_distance[d]:.0f} %" if d in of_distance else "-" for d in distances]
        row += [f"{report.rifle_horizon:,}" if report.rifle_horizon is not None else "-"] if distances else []
        table.add_row(*row)
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    console.print(table)
    for report in reports:
        if report.horizon:
            console.print(curve(report), markup=False, soft_wrap=True)
    console.print(EXPLAINED + (PLANTED.format(reports[0].alternatives) if distances else ""), style="dim", markup=False)


def curve(report: RifleReport) -> str:
    """Nats a token with contexts of 1, 2, 4, ... tokens, as blocks."""
    points = dict(report.horizon.curve) if report.horizon else {}
    shown = [(d, points[d]) for d in sorted(points) if d & (d - 1) == 0 or d == max(points)]
    low, high = min(loss for _, loss in shown), max(loss for _, loss in shown)
    scale = (len(BLOCKS) - 1) / max(high - low, 1e-12)
    bars = "".join(BLOCKS[round((loss - low) * scale)] for _, loss in shown)
    first, last = shown[0], shown[-1]
    return f"{report.model}: {first[1]:.3f} nats/token after {first[0]} token {bars} {last[1]:.3f} after {last[0]:,}"


EXPLAINED = (
    "reach: the farthest token whose replacement changes what comes next. horizon: contexts cut so short cost no more\n"
    "than 0.01 nats a token; and in characters."
)
PLANTED = (
    " d: so many words after the rifle was hung, how often its verb is the likeliest of {}.\n"
    "rifle: the last distance at which the model is surely better than half-way from chance to always."
)

"""``chekhov gradients``: what is left of a gradient so many steps back, of cells at their start or of a trained net."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chekhov.cli.options import Encoding
from chekhov.cli.output import note, print_json
from chekhov.errors import UsageError, check_range, printable

if TYPE_CHECKING:
    from chekhov.inspection.gradients import Gradients
    from chekhov.tasks.text_model import TextModel

SHOWN = 10  # predictions of a model without states


def gradients(
    models: Annotated[list[str] | None, typer.Argument(metavar="DIR...", help="Trained models, instead.")] = None,
    cells: Annotated[
        str,
        typer.Option(
            help="elman, relu, linear, gru, mingru, minlstm, qrnn, sru, indrnn, rglru, lstm, lstm-1997, "
            "window: fresh ones, by commas."
        ),
    ] = "elman,gru,lstm",
    distance: Annotated[int, typer.Option(help="Steps back from the loss.")] = 100,
    hidden_size: Annotated[int, typer.Option(help="Units of each cell.")] = 64,
    forget_bias: Annotated[
        str, typer.Option(metavar="B,B,...", help="Of lstm: one curve each. [1, as it starts]")
    ] = "",
    spectral_radius: Annotated[
        float | None, typer.Option(help="W_hh of elman, relu and linear is scaled to it.")
    ] = None,
    init: Annotated[str, typer.Option(help="orthogonal: chekhov's start; uniform: PyTorch's.")] = "orthogonal",
    input_scale: Annotated[float, typer.Option(help="Standard deviation of the random inputs.")] = 1.0,
    sequences: Annotated[int, typer.Option(help="Random inputs that the norms are means of.")] = 8,
    text: Annotated[list[str], typer.Option(help="Of trained models: the text. [a demo's own test part]")] = [],  # noqa: B006
    positions: Annotated[int, typer.Option(help="Of trained models: places of the text.")] = 32,
    plot: Annotated[Path | None, typer.Option(metavar="OUT", help="Draw the curves: .svg, .png or .pdf.")] = None,
    seed: Annotated[int, typer.Option(help="Of weights and inputs.")] = 0,
    encoding: Encoding = None,
    json: Annotated[bool, typer.Option("--json", help="One object a cell or model.")] = False,
) -> None:
    """What is left of a gradient, so many steps back: why a net forgets, and what forget gates change."""
    from chekhov.training.plot import check_plot

    if plot is not None:
        check_plot(plot)
    check_range("distance", distance, 1, 100_000)
    if models:
        found = [each for folder in models if (each := of_model(folder, text, encoding, distance, positions, json))]
        title = "trained"
    else:
        from chekhov.inspection.laboratory import family, make_cells
        from chekhov.tasks.text_model import require_torch

        require_torch()
        names = [name.strip() for name in cells.split(",") if name.strip()]
        biases = [number(bias) for bias in forget_bias.split(",") if bias.strip()]
        made = make_cells(
            names, hidden_size, forget_biases=biases, spectral_radius=spectral_radius, init=init, seed=seed
        )
        found = family(made, distance=distance, sequences=sequences, input_scale=input_scale, seed=seed)
        title = f"at the start, {hidden_size} units"
    if json:
        for each in found:
            print_json(as_json(each))
    elif found:
        print_gradients(found, distance)
    if plot is not None and found:
        from chekhov.inspection.gradients_plot import plot_gradients

        plot_gradients(found, plot, title)


def number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError("E-GRAD-004", f"--forget-bias {text!r} is no number", mend="for instance 0,1,3") from None


def of_model(
    folder: str, text: list[str], encoding: str | None, distance: int, positions: int, json: bool
) -> Gradients | None:
    """Of a net; of a model without states its contexts are printed instead."""
    from chekhov.tasks.rifle import rifle_texts
    from chekhov.tasks.text_model import RECURRENT, load

    check_range("positions", positions, 1, 100_000)
    model = load(folder)
    texts = rifle_texts(model, text, encoding, note)
    if model.kind not in RECURRENT:
        if model.kind == "mixture":
            what = "a mixture has no states of its own"
            raise UsageError("E-GRAD-001", what, where=model.name, mend="give one of the models that were mixed")
        note(f"{model.name}: a {model.kind} has no gradient: here is its context instead")
        print_contexts(model, texts, json=json)
        return None
    from chekhov.inspection.gradients import text_gradients

    ids = model.tokenizer.encode_all(texts)
    if len(ids) < distance + 2:
        what = f"the text has {len(ids):,} tokens, a distance of {distance:,} needs {distance + 2:,}"
        raise UsageError("E-GRAD-002", what, mend="give a longer text, or a smaller --distance")
    unknown = int((ids == 0).sum())
    if unknown:
        note(f"the model does not know {unknown:,} of {len(ids):,} tokens of the text: they are <unk> to it")
    return text_gradients(model.name, model.model, ids, distance=distance, positions=positions)  # type: ignore[arg-type]


def print_contexts(model: TextModel, texts: list[str], *, json: bool) -> None:
    """The first predictions of a chain or an n-gram, and all that each of them rests on."""
    from chekhov.inspection.backoff import backoff_paths, path_lines
    from chekhov.inspection.reading import read_text

    read = read_text(model, "\n".join(texts)[:2000])
    for path in backoff_paths(model, read)[:SHOWN]:
        if json:
            print_json(path.as_json(read))
        else:
            print("\n".join(map(printable, path_lines(path, read))))


def as_json(found: Gradients) -> dict[str, Any]:
    record: dict[str, Any] = {"schema": 1, "name": found.name}
    record["norms"] = {part: norms.tolist() for part, norms in found.norms.items()}
    record["slope"] = {part: found.slope(part) for part in found.norms}
    record["gates"] = {gate: float(values.mean()) for gate, values in found.gates.items()}
    if found.radii is not None and found.singular_values is not None and found.products is not None:
        record["spectral_radius"], record["singular_value"] = found.radii.tolist(), found.singular_values.tolist()
        record["product"] = found.products.tolist()
    return record


def print_gradients(found: list[Gradients], distance: int) -> None:
    from rich.console import Console
    from rich.table import Table

    from chekhov.inspection.gradients_plot import curve, histogram

    shown = sorted({d for d in (1, 10, distance // 2, distance) if 1 <= d <= distance})
    table = Table(header_style="bold", box=None, pad_edge=False)
    table.add_column("cell")
    table.add_column("of")
    for d in shown:
        table.add_column(f"{d} back", justify="right")
    table.add_column("per step", justify="right")
    jacobians = any(each.radii is not None for each in found)
    for column in ("radius", "sigma") if jacobians else ():
        table.add_column(column, justify="right")
    table.add_column(f"1e-12 to 1e4, {distance} steps", no_wrap=True)
    for each in found:
        for i, (part, norms) in enumerate(each.norms.items()):
            row = [each.name if i == 0 else "", part, *(f"{norms[d]:.2g}" for d in shown)]
            row.append(f"x {2.718281828459045 ** each.slope(part):.3f}")
            if jacobians and i == 0 and each.radii is not None and each.singular_values is not None:
                row += [f"{each.radii.mean():.2f}", f"{each.singular_values.mean():.2f}"]
            elif jacobians:
                row += ["", ""]
            table.add_row(*row, curve(norms))
    console = Console(width=None if sys.stdout.isatty() else 150, highlight=False)
    console.print(table)
    for each in found:
        for gate, values in each.gates.items():
            line = f"{each.name}: {gate.replace('_', ' ')} 0 {histogram(values)} 1, mean {values.mean():.3f}"
            console.print(line, markup=False, soft_wrap=True)
    console.print(EXPLAINED, style="dim", markup=False)


EXPLAINED = (
    "|dL/ds| so many steps before the loss, s the hidden state h or the cell state c; per step: its mean factor.\n"
    "radius, sigma: mean spectral radius and largest singular value of a step's Jacobian ds_t/ds_{t-1}."
)

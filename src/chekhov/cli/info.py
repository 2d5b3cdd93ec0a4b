"""``chekhov info DIR``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chekhov.cli.output import described, number, print_json
from chekhov.errors import ModelError

if TYPE_CHECKING:
    from chekhov.saving import Config

MOST_TAGS = 40  # of a line


def info(
    model: Annotated[str, typer.Argument(metavar="DIR", help="A model folder.")],
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the net unrolled over time: .svg, .png or .pdf.")
    ] = None,
    steps: Annotated[int, typer.Option(help="Of the drawing.")] = 4,
    json: Annotated[bool, typer.Option("--json", help="config.json, on one line.")] = False,
) -> None:
    """What a model is, what it was trained on and how well it did."""
    from chekhov.saving import read_config

    config = read_config(Path(model))
    if plot is not None:
        from chekhov.inspection.unrolled import plot_unrolled

        plot_unrolled(load_any(config.kind, model), plot, steps=steps, title=Path(model).name)
    if json:
        import msgspec

        print_json({"schema": 1, **msgspec.to_builtins(config), "folder": model})
        return
    try:
        rows = describe(config)
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        what, why = "the training record in config.json is damaged", f"{type(error).__name__}: {error}"
        mend = "copy the folder again from its source, or train again"
        raise ModelError("E-MODEL-005", what, where=model, why=why, mend=mend) from error
    for name, value in rows:
        print(f"{name:<16}{value}")


def load_any(kind: str, folder: str) -> Any:
    """The model of a folder, whatever it is for."""
    from chekhov.tasks.classifier import Classifier
    from chekhov.tasks.tagger import Tagger
    from chekhov.tasks.text_model import load

    loaders: dict[str, Any] = {"tagger": Tagger.load, "classifier": Classifier.load}
    return loaders.get(kind, load)(folder)


def labels_of(config: Config) -> list[tuple[str, list[str]]]:
    """What a tagger or a classifier says, and the model that was kept."""
    settings, fitted = config.training.get("settings", {}), config.training.get("fitted", {})
    rows: list[tuple[str, list[str]]] = []
    if config.kind == "tagger":
        rows = list(zip(settings["columns"], config.sizes["columns"], strict=True))
    elif config.kind == "classifier":
        rows = [("kept", [fitted["chosen"]]), ("labels", [str(label) for label in fitted["classes"]])]
    return [(name, own if len(own) <= MOST_TAGS else [*own[:MOST_TAGS], "..."]) for name, own in rows]


def describe(config: Config) -> list[tuple[str, Any]]:
    """Name and value of each line."""
    size = sum(stored.bytes for stored in config.files.values())
    training = config.training
    rows: list[tuple[str, Any]] = [
        ("kind", config.kind),
        ("format", f"{config.format}, written by chekhov {config.chekhov}"),
    ]
    rows += [(name, value) for name, value in config.sizes.items() if isinstance(value, (int, float, str))]
    rows += [(name, ", ".join(value)) for name, value in labels_of(config)]
    rows += [("weights", value) for value in [training.get("weights")] if value]
    rows += [
        ("bytes on disk", f"{size:,}"),
        ("tokenizer", config.tokenizer_digest),
        ("precision", config.precision),
        ("kernels", config.kernels),
    ]
    rows += [(name, training[name]) for name in ("text", "split", "command", "cpu_seconds") if training.get(name)]
    for part in ("valid", "test"):
        if figures := training.get(part):
            if "perplexity" in figures:
                bits = number(figures["bits_per_character"], 3)
                line = f"perplexity {number(figures['perplexity'])}, {bits} bits/character"
            else:
                line = described(figures)
            rows.append((part, line))
    return [*rows, *[("note", text) for text in training.get("notes", [])]]

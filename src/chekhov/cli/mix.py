"""``chekhov mix DIR DIR... -o DIR --valid TEXT``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chekhov.cli.output import command_line, note, print_json, say


def mix(
    models: Annotated[list[str], typer.Argument(metavar="DIR DIR...", help="Model folders with the same tokenizer.")],
    out: Annotated[str, typer.Option("-o", "--out", metavar="DIR", help="The model folder to write.")],
    valid: Annotated[list[str], typer.Option(help="Held-out text on which the weights are fitted.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the model that the folder holds.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Interpolate models into one that predicts at least as well on the held-out text as the best of them."""
    from chekhov.saving import locked
    from chekhov.tasks.mix import mix as interpolate
    from chekhov.tasks.text_model import load
    from chekhov.tasks.train import check_free
    from chekhov.text.reading import read_documents

    folder = Path(out)
    check_free(folder, "mixture", anew=not overwrite)
    texts = [document.text for document in read_documents(valid, note=note)]
    mixture = interpolate([load(model) for model in models], texts, command=command_line())
    mixture.training["name"] = folder.name
    figures = mixture.evaluate(texts)
    mixture.training["valid"] = figures.as_json()
    with locked(folder):
        mixture.save(folder)
    weights = mixture.training["weights"]
    if json:
        print_json({**figures.as_json(), "model": out, "weights": weights})
    else:
        say("weights " + ", ".join(f"{name} {weight:.3f}" for name, weight in weights.items()))
        say(f"{figures.bits_per_character:.3f} bits/character on the held-out text -> {out}")

"""``chekhov mix DIR DIR... -o DIR --valid TEXT``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chekhov.cli.output import check_out, command_line, note, print_json, say
from chekhov.errors import UsageError


def mix(
    models: Annotated[list[str], typer.Argument(metavar="DIR DIR...", help="Model folders with the same tokenizer.")],
    out: Annotated[str, typer.Option("-o", "--out", metavar="DIR", help="The model folder to write.")],
    valid: Annotated[list[str], typer.Option(help="Held-out text on which the weights are fitted.")] = [],  # noqa: B006
    text: Annotated[list[str], typer.Option(help="Or the text of the training: the part kept aside is used.")] = [],  # noqa: B006
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the model that the folder holds.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Interpolate models into one that predicts at least as well on the held-out text as the best of them."""
    from chekhov.saving import locked
    from chekhov.tasks.corpus import held_out
    from chekhov.tasks.mix import mix as interpolate
    from chekhov.tasks.text_model import load
    from chekhov.tasks.train import check_free
    from chekhov.text.reading import read_documents

    check_out(out)
    folder = Path(out)
    check_free(folder, "mixture", anew=not overwrite)
    if bool(valid) == bool(text):
        mend = "give --valid with held-out text, or --text with the text that the models were trained on"
        raise UsageError("E-MIX-008", "the weights need one held-out text", mend=mend)
    loaded = [load(model) for model in models]
    if text:
        parts = [held_out(model.training, text, "valid", note=note) for model in loaded]
        texts = parts[0]
    else:
        texts = [document.text for document in read_documents(valid, note=note)]
    mixture = interpolate(loaded, texts, command=command_line())
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

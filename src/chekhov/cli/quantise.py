"""``chekhov quantise DIR -o DIR``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chekhov.cli.output import check_out, command_line, note, print_json, say


def quantise(
    model: Annotated[str, typer.Argument(metavar="DIR", help="The folder of an n-gram model.")],
    out: Annotated[str, typer.Option("-o", "--out", metavar="DIR", help="The model folder to write.")],
    text: Annotated[list[str], typer.Option(help="Held-out text, to say what it costs.")] = [],  # noqa: B006
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the model that the folder holds.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Pack an n-gram model into four to five bytes an n-gram: 8 bits for each probability and back-off."""
    from chekhov.saving import locked
    from chekhov.tasks.prune import quantise as pack
    from chekhov.tasks.text_model import load
    from chekhov.tasks.train import check_free
    from chekhov.text.reading import read_documents

    check_out(out)
    folder = Path(out)
    check_free(folder, "ngram", anew=not overwrite)
    texts = [document.text for document in read_documents(text, note=note)] if text else []
    before = load(model)
    packed = pack(before, name=folder.name, command=command_line())
    with locked(folder):
        packed.save(folder)
    count = sum(packed.model.table.sizes())  # type: ignore[attr-defined]
    size = sum(array.nbytes for array in packed.model.arrays().values())
    perplexities = [found.evaluate(texts).perplexity for found in (before, packed)] if texts else []
    if json:
        figures = {"perplexity_before": perplexities[0], "perplexity": perplexities[1]} if texts else {}
        print_json({"schema": 1, "model": out, "ngrams": count, "bytes": size, **figures})
        return
    say(f"{count:,} n-grams in {size:,} bytes, {size / count:.2f} each -> {out}")
    if texts:
        say(f"perplexity {perplexities[0]:,.2f} -> {perplexities[1]:,.2f}")

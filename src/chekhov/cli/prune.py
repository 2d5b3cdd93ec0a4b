"""``chekhov prune DIR -o DIR``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chekhov.cli.output import check_out, command_line, note, print_json, say


def prune(
    model: Annotated[str, typer.Argument(metavar="DIR", help="The folder of an n-gram model.")],
    out: Annotated[str, typer.Option("-o", "--out", metavar="DIR", help="The model folder to write.")],
    threshold: Annotated[
        float | None, typer.Option(help="Drop n-grams without which perplexity grows by less than this share: 1e-8.")
    ] = None,
    size: Annotated[int | None, typer.Option(help="Or keep the best so many n-grams, words among them.")] = None,
    text: Annotated[list[str], typer.Option(help="Held-out text, to say what it costs.")] = [],  # noqa: B006
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the model that the folder holds.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Make an n-gram model smaller by what loses least: entropy pruning (Stolcke 1998)."""
    from chekhov.saving import locked
    from chekhov.tasks.prune import prune as smaller
    from chekhov.tasks.text_model import load
    from chekhov.tasks.train import check_free
    from chekhov.text.reading import read_documents

    check_out(out)
    folder = Path(out)
    check_free(folder, "ngram", anew=not overwrite)
    texts = [document.text for document in read_documents(text, note=note)] if text else []
    before = load(model)
    pruned = smaller(before, threshold=threshold, size=size, name=folder.name, command=command_line())
    with locked(folder):
        pruned.save(folder)
    sizes = [found.model.table.sizes() for found in (before, pruned)]  # type: ignore[attr-defined]
    perplexities = [found.evaluate(texts).perplexity for found in (before, pruned)] if texts else []
    if json:
        record = {"ngrams_before": sizes[0], "ngrams": sizes[1], "threshold": pruned.training["threshold"]}
        figures = {"perplexity_before": perplexities[0], "perplexity": perplexities[1]} if texts else {}
        print_json({"schema": 1, "model": out, **record, **figures})
        return
    shown = ", ".join(f"{count:,}" for count in sizes[1])
    say(f"{sum(sizes[0]):,} -> {sum(sizes[1]):,} n-grams ({shown} of order 1, 2, ...) -> {out}")
    if texts:
        say(f"perplexity {perplexities[0]:,.2f} -> {perplexities[1]:,.2f}")

"""``chekhov import MODEL.arpa -o DIR``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chekhov.cli.output import check_out, print_json


def import_model(
    file: Annotated[str, typer.Argument(metavar="MODEL.arpa", help="An ARPA file, plain or .gz.")],
    out: Annotated[str, typer.Option("-o", "--out", metavar="DIR", help="The model folder to write.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the model that the folder holds.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Make a model folder of an n-gram model that KenLM, SRILM or IRSTLM estimated."""
    from chekhov.saving import locked
    from chekhov.tasks.arpa import import_arpa
    from chekhov.tasks.train import check_free

    check_out(out)
    check_free(Path(out), "ngram", anew=not overwrite)
    model = import_arpa(file)
    with locked(Path(out)):
        model.save(Path(out))
    counts = model.model.table.sizes()  # type: ignore[attr-defined]
    if json:
        print_json({"schema": 1, "kind": "ngram", "model": out, "ngrams": counts})
    else:
        shown = ", ".join(f"{count:,}" for count in counts)
        print(f"{file} -> {out}: order {len(counts)}, {shown} n-grams of order 1, 2, ...")

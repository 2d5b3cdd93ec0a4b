"""``chekhov export DIR --to arpa -o OUT``."""

from __future__ import annotations

from typing import Annotated

import typer

from chekhov.cli.output import print_json
from chekhov.errors import UsageError


def export(
    model: Annotated[str, typer.Argument(metavar="DIR", help="A model folder.")],
    out: Annotated[str, typer.Option("-o", "--out", metavar="FILE", help="The file to write; .gz packs it.")],
    to: Annotated[str, typer.Option(help="arpa.")] = "arpa",
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Write a model for other programs: an n-gram as an ARPA file, which KenLM and SRILM read."""
    from chekhov.tasks.arpa import export_arpa
    from chekhov.tasks.text_model import load

    if to != "arpa":
        raise UsageError("E-EXPORT-002", f"--to {to} is unknown", mend="give arpa")
    export_arpa(load(model), out)
    if json:
        print_json({"schema": 1, "model": model, "to": to, "file": out})
    else:
        print(f"{model} -> {out}")

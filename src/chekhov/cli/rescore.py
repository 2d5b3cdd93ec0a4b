"""``chekhov rescore DIR NBEST.tsv --weight W``."""

from __future__ import annotations

from typing import Annotated

import typer

from chekhov.cli.output import print_json, read_lines


def rescore(
    model: Annotated[str, typer.Argument(metavar="DIR", help="A model folder.")],
    nbest: Annotated[str, typer.Argument(metavar="NBEST.tsv", help="id, score and text of a candidate a line, or -.")],
    weight: Annotated[float, typer.Option(help="Of the model's natural-log probability beside the score.")] = 0.5,
    length_bonus: Annotated[float, typer.Option(help="Added for every token.")] = 0.0,
    best: Annotated[bool, typer.Option("--best", help="Only the best candidate of each id.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One object a candidate.")] = False,
) -> None:
    """Reorder n-best lists (of speech or text recognition) by score + weight * log-probability: the best first."""
    from chekhov.tasks.rescore import rescore as reorder
    from chekhov.tasks.text_model import load

    if not json:
        print("id\ttotal\tscore\tlog_prob\ttext")
    for candidates in reorder(load(model), read_lines(nbest), weight=weight, length_bonus=length_bonus, where=nbest):
        for found in candidates[:1] if best else candidates:
            if json:
                print_json(found.as_json())
            else:
                print(f"{found.id}\t{found.total:.4f}\t{found.score:g}\t{found.log_prob:.4f}\t{found.text}")

"""``chekhov score DIR [FILE|-]``."""

from __future__ import annotations

from typing import Annotated

import typer

from chekhov.cli.output import number, print_json, read_lines


def score(
    model: Annotated[str, typer.Argument(metavar="DIR", help="A model folder.")],
    text: Annotated[str, typer.Argument(metavar="[FILE|-]", help="One text a line.")] = "-",
    per_token: Annotated[bool, typer.Option("--per-token", help="Show the surprisal of every token, in bits.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One object a line.")] = False,
) -> None:
    """How likely each line of a text is: natural-log probability, perplexity, and the line."""
    from chekhov.tasks.text_model import load

    found = load(model)
    lines = read_lines(text)
    if not json and not per_token:
        print("log_prob\tperplexity\ttext")
    for line in lines:
        result = found.score(line)
        if json:
            print_json(result.as_json())
        elif per_token:
            record = result.as_json()
            row = [f"{t['token']!r}{'?' if t['oov'] else ''}={number(t['surprisal_bits'])}" for t in record["tokens"]]
            print(" ".join(row), f"total={result.total_log_prob:.4f}")
        else:
            print(f"{result.total_log_prob:.4f}\t{number(result.perplexity)}\t{line}")

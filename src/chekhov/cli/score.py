"""``chekhov score DIR [FILE|-]``."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from chekhov.cli.output import number, print_json, read_lines
from chekhov.errors import UsageError, check_range

if TYPE_CHECKING:
    from chekhov.tasks.text_model import Score, TextModel


def score(
    model: Annotated[str, typer.Argument(metavar="DIR", help="A model folder.")],
    text: Annotated[str, typer.Argument(metavar="[FILE|-]", help="One text a line.")] = "-",
    per_token: Annotated[bool, typer.Option("--per-token", help="Show the surprisal of every token, in bits.")] = False,
    colour: Annotated[
        bool, typer.Option("--colour", "--color", help="Show the lines coloured by the surprisal of their tokens.")
    ] = False,
    html: Annotated[str | None, typer.Option(metavar="OUT", help="Write the coloured lines as a page.")] = None,
    query: Annotated[
        bool, typer.Option("--query", help="As KenLM's query: word=id, order, log10 of each; perplexities at the end.")
    ] = False,
    summary: Annotated[
        bool,
        typer.Option("--summary", help="Only the end of --query, for files of any size."),
    ] = False,
    sort: Annotated[str | None, typer.Option(help="surprisal: the least expected lines first.")] = None,
    top: Annotated[int | None, typer.Option(help="Only the first so many lines of the result.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One object a line.")] = False,
) -> None:
    """How likely each line of a text is: natural-log probability, perplexity, and the line."""
    from chekhov.tasks.surprisal import html_page, print_coloured
    from chekhov.tasks.text_model import load

    if sort not in (None, "surprisal"):
        raise UsageError("E-SCORE-001", f"--sort {sort} is unknown", mend="give --sort surprisal, or leave it out")
    if top is not None:
        check_range("top", top, 1, 1 << 40)
    found = load(model)
    if (query or summary) and (json or per_token or colour or html or sort or top or (query and summary)):
        what = f"{'--query' if query else '--summary'} prints what KenLM's query does, and nothing else"
        raise UsageError("E-SCORE-003", what, mend="leave it or the other flags out")
    if summary:
        print_summary(found, text)
        return
    if query:
        print_query(found, read_lines(text))
        return
    results: Iterable[tuple[int, Score]] = ((i, found.score(line)) for i, line in enumerate(read_lines(text), start=1))
    if sort:
        results = sorted(results, key=lambda pair: -pair[1].surprisal)
    if not (json or per_token or colour or html):
        print("log_prob\tperplexity\ttext" if sort is None else "line\tbits/token\tlog_prob\tperplexity\ttext")
    kept = []
    for count, (i, result) in enumerate(results):
        if top is not None and count >= top:
            break
        kept += [result] if html else []
        if json:
            print_json({**result.as_json(), "line": i})
        elif per_token:
            print_tokens(result)
        elif colour:
            print_coloured(result, sys.stdout)
        elif not html:
            place = "" if sort is None else f"{i}\t{number(result.surprisal)}\t"
            print(f"{place}{result.total_log_prob:.4f}\t{number(result.perplexity)}\t{result.text}")
    if html:
        html_page(kept, found, html)


def print_query(model: TextModel, lines: Iterable[str]) -> None:
    """What KenLM's ``query`` prints, ``-v word`` and ``-v summary``; ids are those of this model."""
    if model.kind != "ngram":
        what = f"a model of kind {model.kind} has no n-grams to look up"
        raise UsageError("E-SCORE-002", what, mend="leave --query out: --per-token and --json are for every kind")
    total, unknown_total, tokens, unknown = 0.0, 0.0, 0, 0
    for line in lines:
        result = model.score(line)
        log10_probs = [log_prob / math.log(10) for log_prob in result.log_probs]
        rows = zip(result.tokens, result.ids, result.orders, log10_probs, strict=True)
        print("\t".join(f"{token}={id} {order} {log10_p:.7g}" for token, id, order, log10_p in rows), end="\t")
        oov = [log10_p for log10_p, missing in zip(log10_probs, result.oov, strict=True) if missing]
        print(f"Total: {math.fsum(log10_probs):.7g} OOV: {len(oov)}")
        total, unknown_total = total + math.fsum(log10_probs), unknown_total + math.fsum(oov)
        tokens, unknown = tokens + len(log10_probs), unknown + len(oov)
    print_totals(total, unknown_total, tokens, unknown)


def print_summary(model: TextModel, source: str) -> None:
    """The end of `print_query`: of each piece of the text only the sums are kept."""
    from chekhov.tasks.score_file import score_blocks
    from chekhov.types import UNK

    total, unknown_total, tokens, unknown = 0.0, 0.0, 0, 0
    for piece in score_blocks(model, source):
        missing = piece.log_probs[piece.ids == UNK].sum(dtype=float)
        total, unknown_total = total + piece.total_log_prob, unknown_total + float(missing)
        tokens, unknown = tokens + len(piece.ids), unknown + piece.oov
    print_totals(total / math.log(10), unknown_total / math.log(10), tokens, unknown)


def print_totals(total: float, unknown_total: float, tokens: int, unknown: int) -> None:
    """Logarithms to base 10."""
    for name, log10_p, count in (("in", total, tokens), ("ex", total - unknown_total, tokens - unknown)):
        exponent = -log10_p / max(1, count)
        print(f"Perplexity {name}cluding OOVs:\t{10**exponent if exponent < 300 else math.inf}")
    print(f"OOVs:\t{unknown}\nTokens:\t{tokens}")


def print_tokens(result: Score) -> None:
    record = result.as_json()
    row = [f"{t['token']!r}{'?' if t['oov'] else ''}={number(t['surprisal_bits'])}" for t in record["tokens"]]
    print(" ".join(row), f"total={result.total_log_prob:.4f}")

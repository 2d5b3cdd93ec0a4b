"""``chekhov trace DIR --text FILE``: what a model does with a text, token by token."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chekhov.cli.options import Encoding
from chekhov.cli.output import note, print_json
from chekhov.errors import UsageError, printable

if TYPE_CHECKING:
    from chekhov.inspection.reading import ReadText
    from chekhov.inspection.saliency import Saliency
    from chekhov.inspection.trace import Trace
    from chekhov.tasks.text_model import TextModel

SHOWN = 8  # unknown tokens that are named


def trace(
    model: Annotated[str, typer.Argument(metavar="DIR", help="A model folder.")],
    text: Annotated[
        str | None, typer.Option(metavar="FILE", help="The text, a whole document; -: standard input.")
    ] = None,
    prompt: Annotated[str | None, typer.Option(help="The beginning of a text, here on the command line.")] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Of a net: write states and gates as FILE.safetensors.")
    ] = None,
    counts: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Of an n-gram: its training text; show counts and discounts.")
    ] = None,
    saliency: Annotated[
        str | None,
        typer.Option(metavar="TOKEN", help="Which tokens this one rests on: its number (-1: the last), or the token."),
    ] = None,
    html: Annotated[Path | None, typer.Option(metavar="OUT", help="With --saliency: write the text as a page.")] = None,
    replacements: Annotated[int, typer.Option(help="With --saliency: of each token.")] = 20,
    farthest: Annotated[int, typer.Option(help="With --saliency: tokens of the past that are asked for.")] = 200,
    seed: Annotated[int, typer.Option(help="Of the replacements.")] = 0,
    encoding: Encoding = None,
    json: Annotated[bool, typer.Option("--json", help="One object a token or a layer.")] = False,
) -> None:
    """What a model does with a text, token by token: a net's states and gates, an n-gram's back-offs."""
    from chekhov.inspection.backoff import KINDS
    from chekhov.inspection.counts import check_counted
    from chekhov.inspection.reading import read_text
    from chekhov.inspection.saliency import saliency as find_saliency
    from chekhov.inspection.trace import trace as trace_net
    from chekhov.tasks.text_model import load
    from chekhov.text.reading import read_documents

    check_flags(text, prompt, saliency, html, whole=out is not None or counts is not None)
    found = load(model)
    content = prompt if prompt is not None else read_documents([text or ""], encoding=encoding, note=note)[0].text
    read = read_text(found, content, ends=prompt is None)
    if read.unknown:
        shown = ", ".join(sorted(set(read.unknown))[:SHOWN])
        note(f"the model does not know {len(read.unknown):,} of {len(read.tokens) - 1:,} tokens (<unk> to it): {shown}")
    if saliency is not None:
        position = read.position(saliency)
        result = find_saliency(found, read, position, replacements=replacements, farthest=farthest, seed=seed)
        show_saliency(result, html, json=json)
        return
    if counts is not None:
        check_counted(found)
    if found.kind in KINDS and out is None:
        print_paths(found, read, counts, json=json)
        return
    traced = trace_net(found, read)
    if out is not None:
        traced.save(out)
    if json:
        print_summary_json(traced)
    else:
        print_summary(traced)


def check_flags(text: str | None, prompt: str | None, saliency: str | None, html: Path | None, *, whole: bool) -> None:
    """``whole``: -o or --counts is given, which are of a whole text."""
    if (text is None) == (prompt is None):
        raise UsageError("E-TRACE-006", "one text is to be traced", mend="give --text FILE or --prompt TEXT")
    if html is not None and saliency is None:
        raise UsageError("E-TRACE-006", "--html is a page of --saliency", mend="give --saliency TOKEN, or leave it out")
    if saliency is not None and whole:
        what = "--saliency prints what one token rests on; -o and --counts are of the whole text"
        raise UsageError("E-TRACE-006", what, mend="leave one of them out")


def show_saliency(found: Saliency, page: Path | None, *, json: bool) -> None:
    from chekhov.inspection.saliency_view import print_saliency, write_saliency_page

    if json:
        for record in found.as_json():
            print_json(record)
    else:
        print_saliency(found, sys.stdout)
    if page is not None:
        write_saliency_page(found, page)


def print_paths(model: TextModel, read: ReadText, counts: str | None, *, json: bool) -> None:
    from chekhov.inspection.backoff import backoff_paths, number, path_lines
    from chekhov.inspection.counts import text_counts, with_counts

    paths = backoff_paths(model, read)
    if counts is not None:
        paths = with_counts(paths, text_counts(model, counts, note=note), read)
    for path in paths:
        if json:
            print_json(path.as_json(read))
        else:
            print("\n".join(map(printable, path_lines(path, read))))
    if not json:
        total = math.fsum(path.log10_prob for path in paths)
        print(f"{len(paths):,} tokens, log10 p {number(total)}")


def print_summary_json(traced: Trace) -> None:
    from chekhov.inspection.reading import token_record
    from chekhov.inspection.trace import summary

    for row in summary(traced):
        print_json({"schema": 1, "model": traced.model, **row})
    for t in range(1, len(traced.read.tokens)):
        print_json({"schema": 1, **token_record(traced.read, t), "log_prob": float(traced.log_probs[t])})


def print_summary(traced: Trace) -> None:
    from rich.console import Console
    from rich.table import Table

    from chekhov.inspection.trace import summary

    tokens = len(traced.read.tokens) - 1
    loss = -float(traced.log_probs[1:].mean())
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    console.print(f"{traced.model} ({traced.kind}): {tokens:,} tokens, {loss:.3f} nats a token", markup=False)
    table = Table(header_style="bold", box=None, pad_edge=False)
    for column in ("layer", "array", "mean", "std", "shut", "open", "flat"):
        table.add_column(column, justify="left" if column == "array" else "right")
    for row in summary(traced):
        shares = [f"{100 * row[key]:.0f} %" if key in row else "" for key in ("shut", "open", "flat")]
        table.add_row(str(row["layer"]), row["name"], f"{row['mean']:.3f}", f"{row['std']:.3f}", *shares)
    console.print(table)
    console.print(
        "shut: gates below 0.1. open: above 0.9. flat: beyond 0.9 either way, where tanh hardly moves.",
        style="dim",
        markup=False,
    )

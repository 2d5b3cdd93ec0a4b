"""``chekhov count TEXT... -o DIR``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from chekhov.cli.output import check_out, command_line, note, print_json, program, say
from chekhov.cli.train import Encoding, Json, LiteralUnk, Lowercase, Quiet, Texts, TokenizerFrom


def count(
    text: Texts,
    out: Annotated[str, typer.Option("-o", "--out", metavar="DIR", help="The folder of counts to write.")],
    order: Annotated[
        int | None,
        typer.Option(help="The longest n-grams: of models up to this order. [words 5, characters 7, bytes 9]"),
    ] = None,
    weight: Annotated[
        list[str],
        typer.Option(metavar="N,N,...", help="How often each TEXT counts: 1,3, or --weight 1 --weight 3."),
    ] = [],  # noqa: B006
    memory: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Count within 512M or 2G: with --tokens whitespace.")
    ] = None,
    threads: Annotated[int | None, typer.Option(help="That count side by side. [one for each processor]")] = None,
    tokens: Annotated[str | None, typer.Option(help="words, whitespace, characters or bytes. [words]")] = None,
    encoding: Encoding = None,
    lowercase: Lowercase = False,
    literal_unk: LiteralUnk = "word",
    tokenizer: TokenizerFrom = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what the folder holds.")] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Count the n-grams of a text and keep the counts; train ngram --counts makes one model of one or more of them."""
    run(out=out, json=json, quiet=quiet, text=text, order=order, weight=weight, memory=memory, threads=threads,
        tokens=tokens, encoding=encoding, lowercase=lowercase, literal_unk=literal_unk, tokenizer=tokenizer,
        overwrite=overwrite)  # fmt: skip


def run(*, text: list[str], out: str, json: bool, quiet: bool, **flags: Any) -> None:
    import shlex

    from chekhov.cli.progress import Stages
    from chekhov.tasks.counts import count as count_text

    check_out(out)
    silent = (lambda message: None) if quiet else note
    with Stages(quiet=quiet) as stages:
        config = count_text(text, out=out, command=command_line(), note=silent, progress=stages, **flags)
    sizes, seconds = config.sizes, config.training["cpu_seconds"]
    if json:
        print_json({"schema": 1, "counts": out, **sizes, "cpu_seconds": seconds})
    elif not quiet:
        say(f"{sizes['ngrams']:,} {sizes['order']}-grams of {sizes['vocab_size']:,} types, {seconds:.1f} CPU-seconds")
        say(f"now: {program()} train ngram --counts {shlex.quote(out)} -o DIR")

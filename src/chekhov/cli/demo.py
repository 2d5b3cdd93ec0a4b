"""``chekhov demo``: every kind of model on one text, one table, and what each of them writes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chekhov.cli.output import check_out, note, print_json, program, say
from chekhov.errors import UsageError

if TYPE_CHECKING:
    from chekhov.tasks.text_model import TextModel


def demo(
    text: Annotated[
        str, typer.Argument(help="Your text, demo:rifle-ru, demo:rifle-en or demo:pydocs.")
    ] = "demo:rifle-ru",
    out: Annotated[str, typer.Option("-o", "--out", metavar="DIR", help="Where the models go.")] = "chekhov-demo",
    time: Annotated[str, typer.Option(help="Training time of the LSTM; each other net has a fifth.")] = "60s",
    seed: Annotated[int, typer.Option(help="Of everything.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="One object a model.")] = False,
) -> None:
    """Train a Markov chain, an n-gram, five neural nets and a mixture; compare them; let each write."""
    from rich.console import Console

    from chekhov.cli.table import model_table
    from chekhov.files import write_file
    from chekhov.tasks.corpus import read_corpus
    from chekhov.tasks.demo import held_out_floor, train_all, verdict

    if text == "-":
        raise UsageError("E-DEMO-004", "the demo reads its text many times, stdin only once", mend="save it in a file")
    check_out(out)
    corpus = read_corpus([text], seed=seed, split=None, note=note)
    size = sum(map(len, corpus.train))
    say(f"{corpus.name}: {size:,} characters to train on, split {corpus.split}")
    models = train_all(text, corpus, Path(out), seed=seed, time=time, say=say, note=note)
    held_out = corpus.test or corpus.valid or list(corpus.train)
    part = (
        f"held-out part ({corpus.split})"
        if corpus.test or corpus.valid
        else "the training text itself (too short to split)"
    )
    results = [model.evaluate(held_out) for model in models]
    if json:
        for result in results:
            print_json(result.as_json())
        return
    seconds = [model.training.get("cpu_seconds", 0.0) for model in models]
    floor = held_out_floor(corpus.name, held_out) if corpus.floor else None
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False, record=True, soft_wrap=True)
    console.print()
    model_table(results, floor=floor, training=seconds, title=f"{corpus.name}, {part}", console=console)
    for model in models:
        console.print(f"\n{model.name} writes: {sample(model, seed)}", markup=False)
    console.print()
    for line in verdict(results, text, out, floor, program()):
        console.print(line, markup=False)
    write_file(Path(out) / "report.txt", console.export_text().encode())
    say(f"the same in {out}/report.txt")


def sample(model: TextModel, seed: int) -> str:
    """A few lines by the model, on one line."""
    characters = model.tokenizer.name == "characters"
    flags: dict[str, Any] = {"max_tokens": 240 if characters else 40, "temperature": 0.8 if characters else 1.0}
    if model.kind == "chain" or characters:
        return " ".join(model.generate(seed=seed, **flags).split())
    from chekhov.tasks.generate import generate

    return " / ".join(item.text.strip() for item in generate(model, num=3, seed=seed, **flags))

"""``chekhov demo``: every kind of model on one text, one table, and what each of them writes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chekhov.cli.output import note, parse_time, print_json, say

if TYPE_CHECKING:
    from chekhov.tasks.text_model import TextModel


def demo(
    text: Annotated[str, typer.Argument(help="Your text, or demo:rifle-ru, demo:rifle-en.")] = "demo:rifle-ru",
    out: Annotated[str, typer.Option("-o", "--out", metavar="DIR", help="Where the models go.")] = "chekhov-demo",
    time: Annotated[str, typer.Option(help="Training time of the LSTM.")] = "60s",
    seed: Annotated[int, typer.Option(help="Of everything.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="One object a model.")] = False,
) -> None:
    """Train a Markov chain, a Kneser-Ney n-gram, an LSTM and their mixture; compare them; let each write."""
    from chekhov.cli.table import model_table
    from chekhov.tasks.corpus import read_corpus
    from chekhov.tasks.demo import held_out_floor, train_all, verdict

    corpus = read_corpus([text], seed=seed, split=None, note=note)
    size = sum(map(len, corpus.train))
    say(f"{corpus.name}: {size:,} characters to train on, split {corpus.split}")
    models = train_all(text, corpus, Path(out), seed=seed, time=parse_time(time) or 60.0, say=say, note=note)
    held_out = corpus.test or corpus.valid or corpus.train
    results = [model.evaluate(held_out) for model in models]
    if json:
        for result in results:
            print_json(result.as_json())
        return
    seconds = [model.training.get("cpu_seconds", 0.0) for model in models]
    floor = held_out_floor(corpus.name, held_out) if corpus.floor else None
    print()
    model_table(results, floor=floor, training=seconds, title=f"{corpus.name}, held-out part ({corpus.split})")
    print()
    for model in models:
        print(f"{model.name} writes: {sample(model, seed)}\n")
    for line in verdict(results, text, out, floor):
        print(line)
    sys.stdout.flush()


def sample(model: TextModel, seed: int) -> str:
    """A few lines by the model, on one line."""
    characters = model.tokenizer.name == "characters"
    flags: dict[str, Any] = {"max_tokens": 240 if characters else 40, "temperature": 0.8 if characters else 1.0}
    if model.kind == "chain" or characters:
        return " ".join(model.generate(seed=seed, **flags).split())
    from chekhov.tasks.generate import generate

    return " / ".join(item.text.strip() for item in generate(model, num=3, seed=seed, **flags))

"""Every model of the chapter on Chekhov, one table for each text: docs/chekhov.md.

    CHEKHOV_DATA=... python benchmarks/chekhov_table.py             a minute for each net: a quarter of an hour in all
    CHEKHOV_DATA=... python benchmarks/chekhov_table.py --long      and ten CPU-minutes for an LSTM of 512 units

All are trained on the same part of a text and measured on the same held-out part (blocks of 4,000 characters, 90/5/5).
"""

from __future__ import annotations

import argparse
import io
import os
import tempfile
from pathlib import Path
from typing import Any

from machine import machine
from rich.console import Console

import chekhov
from chekhov.cli.table import model_table
from chekhov.evaluation.perplexity import Evaluation
from chekhov.evaluation.significance import compare_all, describe
from chekhov.tasks.corpus import read_corpus
from chekhov.tasks.mix import mix
from chekhov.tasks.text_model import TextModel

PAGE = Path(__file__).resolve().parent.parent / "docs" / "chekhov.md"
TEXTS = ("chekhov8.txt", "chekhov-stories.txt")
NETS: dict[str, tuple[str, dict[str, Any]]] = {
    "fixed window of 8": ("window", {}),
    "Elman": ("elman", {}),
    "GRU": ("gru", {}),
    "minGRU, 3 layers": ("mingru", {"num_layers": 3, "residual": True}),
    "LSTM": ("lstm", {}),
}
LONG = {"hidden_size": 512, "lr": 7e-3, "batch_size": 8, "time": 590}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--time", type=float, default=60.0, help="seconds of training for each net")
    parser.add_argument("--long", action="store_true", help="also an LSTM of 512 units, on the stories: ten minutes")
    options = parser.parse_args()
    data = Path(os.environ["CHEKHOV_DATA"])
    with tempfile.TemporaryDirectory() as folder:  # so that no figure holds the compiling of kernels
        for kind in ("chain", "ngram"):
            chekhov.train(kind, data / TEXTS[0], out=Path(folder) / kind).evaluate("так")
    parts = [HEAD]
    for name in TEXTS:
        print(f"== {name}", flush=True)
        parts.append(section(data / name, options.time, options.long and name == TEXTS[-1]))
    parts.append(f"Measured on {machine()}, one thread.\n")
    PAGE.write_text("\n".join(parts), encoding="utf-8")


def section(path: Path, time: float, long: bool) -> str:
    """The table of one text, and which differences are more than luck."""
    corpus = read_corpus([path])
    with tempfile.TemporaryDirectory() as folder:
        models = train_all(path, Path(folder), time, long)
        models.append(mixture_of([model for model in models if model.tokenizer.name == "characters"], corpus.valid))
        results = [model.evaluate(corpus.test) for model in models]
    seconds = [model.training["cpu_seconds"] for model in models]
    out = io.StringIO()
    title = f"{path.name}, test part ({corpus.split})"
    model_table(results, training=seconds, title=title, console=Console(file=out, width=112, highlight=False))
    lines = [*out.getvalue().rstrip().splitlines(), "", *compared(results, models, corpus.test)]
    print("\n".join(lines), flush=True)
    return "\n".join([f"## {path.name}", "", "```text", *(line.rstrip() for line in lines), "```", ""])


def train_all(path: Path, folder: Path, time: float, long: bool) -> list[TextModel]:
    counted = {
        "chain, order 1": chekhov.train("chain", path, out=folder / "chain", split="auto"),
        "5-gram, words": chekhov.train("ngram", path, out=folder / "words"),
        "7-gram, characters": chekhov.train("ngram", path, out=folder / "characters", tokens="characters"),
    }
    models = []
    for name, model in counted.items():
        model.name = name
        models.append(model)
    runs = {name: (kind, {"time": time, **flags}) for name, (kind, flags) in NETS.items()}
    if long:
        runs["LSTM of 512 units"] = ("lstm", LONG)
    for name, (kind, flags) in runs.items():
        model = chekhov.train(kind, path, out=folder / name, tokenizer=folder / "characters", quiet=True, **flags)
        model.name = name
        models.append(model)
        print(f"{name}: {model.training['test']['bits_per_character']:.3f} bits/char", flush=True)
    return models


def mixture_of(models: list[TextModel], valid: list[str]) -> TextModel:
    found = mix(models, valid)
    found.name = f"mixture of these {len(models)}"
    print(found.training["weights"], flush=True)
    return found


def compared(results: list[Evaluation], models: list[TextModel], documents: list[str]) -> list[str]:
    found = compare_all(results, [model.tokenizer for model in models], documents)
    return [describe((best.model, other.model), comparison) for best, other, comparison in found]


HEAD = """# Every model of the chapter on Chekhov

Written by `python benchmarks/chekhov_table.py --long`; do not edit. Perplexities with the same mark can be compared,
bits per character always: what a model needs for a character that it has not seen, unknown words paid for.

What to see: no net alone overtakes the character 7-gram in a minute, on two to three megabytes. An LSTM of 512 units
overtakes it within ten. The mixture is better than every one of its parts: they err in different places.
"""

if __name__ == "__main__":
    main()

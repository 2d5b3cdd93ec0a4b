"""``chekhov evaluate DIR... --text FILE``."""

from __future__ import annotations

from typing import Annotated

import typer

from chekhov.cli.options import Encoding
from chekhov.cli.output import note, print_json
from chekhov.errors import UsageError

LABELLERS = {"tagger", "classifier"}


def evaluate(
    models: Annotated[list[str], typer.Argument(metavar="DIR...", help="Model folders.")],
    text: Annotated[list[str], typer.Option(help="A file, folder or glob to measure on; every file is a document.")],
    part: Annotated[
        str | None, typer.Option(help="valid or test: of the text of the training, the part that was kept aside.")
    ] = None,
    encoding: Encoding = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Of labelled files: leave malformed sentences out, and count them.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One object a model.")] = False,
) -> None:
    """Perplexity, bits per character, unknown words and speed of one or more models on a text."""
    from dataclasses import asdict
    from pathlib import Path

    from chekhov.cli.table import model_table
    from chekhov.evaluation.significance import compare_all, describe
    from chekhov.saving import read_config
    from chekhov.tasks.corpus import held_out
    from chekhov.tasks.text_model import finite, load
    from chekhov.text.reading import read_documents

    if part not in (None, "valid", "test"):
        raise UsageError("E-SPLIT-005", f"the part {part!r} is unknown", mend="choose valid or test")
    kinds = [read_config(Path(folder)).kind for folder in models]
    if set(kinds) & LABELLERS:
        from chekhov.cli.evaluate_labels import evaluate_labels

        if not set(kinds) <= LABELLERS or len(text) != 1 or part is not None:
            what = "taggers and classifiers are measured by themselves, on one file of labels, without --part"
            raise UsageError("E-LABEL-009", what, mend="give them alone, with one --text")
        evaluate_labels(kinds, models, text[0], encoding=encoding, skip_bad=skip_bad, json=json)
        return
    loaded = [load(folder) for folder in models]
    if part is not None:
        parts = [held_out(model.training, text, part, encoding=encoding, note=note) for model in loaded]
        documents = parts[0]
    else:
        documents = [document.text for document in read_documents(text, encoding=encoding, note=note)]
    results = []
    for model in loaded:
        results.append(model.evaluate(documents))
        if json:
            print_json(results[-1].as_json())
    if not json:
        model_table(results)
    if len(results) > 1:
        for best, other, compared in compare_all(results, [model.tokenizer for model in loaded], documents):
            names = best.model, other.model
            if json:
                record = {key: finite(value) for key, value in asdict(compared).items()}
                print_json({"schema": 1, "best": names[0], "other": names[1], "tie": compared.tie, **record})
            else:
                print(describe(names, compared))

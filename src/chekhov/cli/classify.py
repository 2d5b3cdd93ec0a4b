"""``chekhov classify DIR [FILE|-]``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chekhov.cli.options import Encoding
from chekhov.cli.output import print_json, read_lines


def classify(
    model: Annotated[str, typer.Argument(metavar="DIR", help="A classifier's folder.")],
    file: Annotated[str, typer.Argument(metavar="[FILE|-]", help="One text a line.")] = "-",
    encoding: Encoding = None,
    json: Annotated[bool, typer.Option("--json", help="One object a text, with all probabilities.")] = False,
) -> None:
    """The label of every line, how sure it is, and the line."""
    from chekhov.saving import read_config
    from chekhov.tasks.classifier import Classifier
    from chekhov.tasks.label_training import check_labeller

    check_labeller(read_config(Path(model)).kind, "classifier", model)
    classifier = Classifier.load(model)
    texts = read_lines(file, encoding)
    found = classifier.predict(texts)
    if classifier.task == "regression":
        for text, value in zip(texts, found):
            if json:
                print_json({"schema": 1, "text": text, "value": float(value)})
            else:
                print(f"{value:.4f}\t{text}")
        return
    for text, label, chances in zip(texts, found, classifier.predict_proba(texts)):
        shown = ",".join(label) if isinstance(label, list) else str(label)
        if json:
            all_of_them = dict(zip(classifier.classes_.astype(str).tolist(), chances.round(6).tolist()))
            print_json({"schema": 1, "text": text, "label": label if isinstance(label, list) else shown,
                        "probabilities": all_of_them})  # fmt: skip
        else:
            print(f"{shown}\t{chances.max():.4f}\t{text}")

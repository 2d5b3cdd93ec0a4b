"""``chekhov evaluate DIR --text FILE`` of taggers and classifiers."""

from __future__ import annotations

from typing import Any

from chekhov.cli.output import note, print_json


def evaluate_labels(kind: str, folder: str, text: str, *, json: bool) -> None:
    """Figures of each column; a table, or one object a column."""
    records = tagger_records(folder, text) if kind == "tagger" else classifier_records(folder, text)
    for record in records:
        if json:
            print_json({"schema": 1, "model": folder, "kind": kind, **record})
        else:
            show(folder, record)


def tagger_records(folder: str, text: str) -> list[dict[str, Any]]:
    from chekhov.tasks.label_training import evaluate_tagger
    from chekhov.tasks.labelled_files import read_tagged
    from chekhov.tasks.tagger import Tagger

    tagger = Tagger.load(folder)
    found = read_tagged(text, note=note)
    return evaluate_tagger(tagger, found.sentences, found.columns(tagger.columns))


def classifier_records(folder: str, text: str) -> list[dict[str, Any]]:
    from chekhov.tasks.classifier import Classifier
    from chekhov.tasks.classifier_training import evaluate_classifier
    from chekhov.tasks.labelled_files import read_labelled

    return [evaluate_classifier(Classifier.load(folder), *read_labelled(text, note=note))]


def show(folder: str, record: dict[str, Any]) -> None:
    if "by_label" not in record:
        print(f"{folder}: " + ", ".join(f"{name} {value:g}" for name, value in record.items()))
        return
    low, high = record["accuracy_interval"]
    unit = "words" if "words" in record else "texts"
    print(f"{folder}, {record.get('column', 'label')}: {record[unit]:,} {unit}")
    print(f"  accuracy  {100 * record['accuracy']:6.2f} %   95 % interval {100 * low:.2f} to {100 * high:.2f}")
    if "unknown_words" in record:
        print(f"  known     {100 * record['accuracy_known']:6.2f} %")
        print(f"  unknown   {100 * record['accuracy_unknown']:6.2f} %   {record['unknown_words']:,} words")
    if "span_f1" in record:
        low, high = record["span_f1_interval"]
        print(f"  span F1   {100 * record['span_f1']:6.2f} %   95 % interval {100 * low:.2f} to {100 * high:.2f}")
    if "macro_f1" in record:
        print(f"  macro F1  {100 * record['macro_f1']:6.2f} %")
    print(f"  calibration error {100 * record['calibration_error']:.2f} %")
    print(f"\n  {'label':<16}{'precision':>10}{'recall':>10}{'F1':>10}{'count':>10}")
    for label, own in record["by_label"].items():
        figures = "".join(f"{100 * own[name]:>10.2f}" for name in ("precision", "recall", "f1"))
        print(f"  {label:<16}{figures}{own['count']:>10,}")
    if record["confusion"]:
        print("\n  most confused (right, found, times)")
    for pair in record["confusion"]:
        print(f"  {pair['right']:<16}{pair['found']:<16}{pair['count']:>6,}")

"""``chekhov evaluate DIR --text FILE`` of taggers and classifiers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from chekhov.cli.output import note, print_json

if TYPE_CHECKING:
    from chekhov.evaluation.paired_labels import Answers

MOST_ROWS = 40  # of a table of labels


def evaluate_labels(
    kinds: Sequence[str], folders: Sequence[str], text: str, *, encoding: str | None, skip_bad: bool, json: bool
) -> None:
    """Figures of each column, a table or one object a column; and of several models whether the best is better."""
    from dataclasses import asdict

    from chekhov.evaluation.paired_labels import compare_answers, describe

    given: dict[str, Any] = {"encoding": encoding, "skip_bad": skip_bad, "note": note}
    answers: list[Answers] = []
    results = []
    for kind, folder in zip(kinds, folders, strict=True):
        records, own = (tagger_records if kind == "tagger" else classifier_records)(folder, text, given)
        answers += own
        results.append((kind, folder, records))
    for kind, folder, records in results:
        for record in records:
            if json:
                print_json({"schema": 1, "model": folder, "kind": kind, **record})
            else:
                show(folder, record)
    for best, other, test in compare_answers(answers):
        if json:
            names = {"column": best.column, "best": best.model, "other": other.model, "tie": test.tie}
            print_json({"schema": 1, **names, **asdict(test)})
        else:
            print(f"\n{best.column}: {describe((best.model, other.model), test)}")


def tagger_records(folder: str, text: str, given: dict[str, Any]) -> tuple[list[dict[str, Any]], list[Answers]]:
    from chekhov.evaluation.paired_labels import Answers
    from chekhov.tasks.label_training import evaluate_tagger
    from chekhov.tasks.labelled_files import read_tagged
    from chekhov.tasks.tagger import Tagger
    from chekhov.tasks.tagger_learning import digest_of

    tagger = Tagger.load(folder)
    read = read_tagged(text, **given)
    if tagger.training.get("learnt_too") == digest_of(read.sentences):
        given["note"](f"{folder} has learnt these sentences in the end (--refit): they are no measure of it")
    right = read.columns(tagger.columns)
    for name, own, truth in zip(tagger.columns, tagger.labels_, right):
        say_if_none_is_known(folder, name, own, (tag for tags in truth for tag in tags))
    found = tagger.predict(read.sentences)
    found = [found] if len(tagger.columns) == 1 else found
    rows = zip(tagger.columns, right, found, tagger.net.spans, strict=True)
    answers = [Answers(folder, name, truth, guess, spans) for name, truth, guess, spans in rows]
    return evaluate_tagger(tagger, read.sentences, right), answers


def classifier_records(folder: str, text: str, given: dict[str, Any]) -> tuple[list[dict[str, Any]], list[Answers]]:
    from chekhov.evaluation.paired_labels import Answers
    from chekhov.tasks.classifier import Classifier
    from chekhov.tasks.classifier_training import evaluate_classifier
    from chekhov.tasks.labelled_files import read_labelled

    classifier = Classifier.load(folder)
    texts, labels = read_labelled(text, **given)
    answers = []
    if classifier.task == "multiclass":
        say_if_none_is_known(folder, "label", map(str, classifier.classes_), map(str, labels))
        right, found = ([[str(label)] for label in own] for own in (labels, classifier.predict(texts)))
        answers = [Answers(folder, "label", right, found, spans=False)]
    return [evaluate_classifier(classifier, texts, labels)], answers


def say_if_none_is_known(folder: str, column: str, known: Iterable[str], right: Iterable[str]) -> None:
    ours, theirs = set(known), set(right)
    if theirs and not ours & theirs:
        few, own = (", ".join(sorted(labels)[:3]) for labels in (theirs, ours))
        note(f"{folder}, {column}: none of the file's labels is the model's; it has {few}, ..., the model {own}, ...")


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
        unknown = f"{100 * record['accuracy_unknown']:6.2f} %" if record["unknown_words"] else f"{'-':>8}"
        print(f"  unknown   {unknown}   {record['unknown_words']:,} words")
    if "span_f1" in record:
        low, high = record["span_f1_interval"]
        print(f"  span F1   {100 * record['span_f1']:6.2f} %   95 % interval {100 * low:.2f} to {100 * high:.2f}")
    if "macro_f1" in record:
        print(f"  macro F1  {100 * record['macro_f1']:6.2f} %")
    print(f"  calibration error {100 * record['calibration_error']:.2f} %")
    rows = sorted(record["by_label"].items(), key=lambda row: -row[1]["count"])
    width = max([16, *(len(label) + 2 for label, _ in rows[:MOST_ROWS])])
    print(f"\n  {'label':<{width}}{'precision':>10}{'recall':>10}{'F1':>10}{'count':>10}")
    for label, own in rows[:MOST_ROWS]:
        figures = "".join(f"{100 * own[name]:>10.2f}" for name in ("precision", "recall", "f1"))
        print(f"  {label:<{width}}{figures}{own['count']:>10,}")
    if len(rows) > MOST_ROWS:
        print(f"  ... and {len(rows) - MOST_ROWS} rarer ones, which --json has")
    if record["confusion"]:
        print("\n  most confused (right, found, times)")
    for pair in record["confusion"]:
        print(f"  {pair['right']:<{width}}{pair['found']:<{width}}{pair['count']:>6,}")

"""Train a classifier from files in one call; the keyword arguments are the flags of ``chekhov train classifier``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from chekhov.errors import check_range
from chekhov.evaluation.calibration import calibration_error
from chekhov.evaluation.labelling import confusion_of, label_counts, macro_f1, wilson_interval
from chekhov.saving import locked
from chekhov.tasks.classifier import RUNS, Classifier
from chekhov.tasks.labelled_files import read_labelled
from chekhov.tasks.recurrent import parse_time
from chekhov.tasks.train import check_free

Note = Callable[[str], None]


def train_classifier(
    train: str | Path,
    *,
    out: str | Path,
    valid: str | Path | None = None,
    test: str | Path | None = None,
    encoding: str | None = None,
    skip_bad: bool = False,
    time: float | str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    quiet: bool = False,
    command: str = "",
    note: Note = lambda message: None,
    **settings: Any,
) -> Classifier:
    """Train on a file or folder of `read_labelled`, save to ``out``. ``settings`` are those of `Classifier`."""
    from chekhov.training.progress import Watcher

    folder = Path(out)
    check_range("seed", settings.get("seed", 0), 0, (1 << 63) - 1)
    check_free(folder, "lstm", anew=not (resume or overwrite))
    given: dict[str, Any] = {"encoding": encoding, "skip_bad": skip_bad, "note": note}
    classifier = Classifier(time=parse_time(time), **settings)
    if resume and classifier.model == "auto" and (folder / "config.json").exists() and not (folder / RUNS).is_dir():
        finished = Classifier.load(folder)
        if finished.get_params() == classifier.get_params():
            note("finished already: nothing is changed")
            return finished
    texts, labels = read_labelled(train, **given)
    held = read_labelled(valid, **given) if valid else None
    tested = read_labelled(test, **given) if test else None
    training = {"name": folder.name, "text": str(train), "command": command}
    with ExitStack() as stack:
        stack.enter_context(locked(folder))
        watcher = stack.enter_context(Watcher(quiet=quiet))
        kept = {key: value for key, value in training.items() if value}
        classifier.fit(texts, labels, valid=held, out=folder, resume=resume, training=kept, watch=watcher)
        for key, part in (("valid", held), ("test", tested)):
            if part is not None:
                figures = evaluate_classifier(classifier, *part)
                classifier.training[key] = {n: v for n, v in figures.items() if isinstance(v, (int, float))}
        classifier.save(folder)
    return classifier


def evaluate_classifier(classifier: Classifier, texts: Sequence[str], labels: Sequence[Any]) -> dict[str, Any]:
    """Accuracy with its interval, macro F1, each label, confusion, calibration; of numbers R squared and error."""
    found = classifier.predict(texts)
    if classifier.task == "regression":
        wanted = np.asarray(labels, float)
        error = float(np.sqrt(((found - wanted) ** 2).mean()))
        return {"texts": len(texts), "r_squared": classifier.score(texts, labels), "root_mean_squared_error": error}
    if classifier.task == "multilabel":
        return {"texts": len(texts), "accuracy": classifier.score(texts, labels)}
    right, guessed = [str(label) for label in labels], [str(label) for label in found]
    hits = np.array([a == b for a, b in zip(right, guessed)])
    return {
        "texts": len(texts),
        "accuracy": float(hits.mean()) if len(hits) else 0.0,
        "accuracy_interval": wilson_interval(int(hits.sum()), len(hits)),
        "macro_f1": macro_f1(right, guessed),
        "by_label": {label: own.as_json() for label, own in label_counts(right, guessed).items()},
        "confusion": confusion_of(right, guessed),
        "calibration_error": calibration_error(classifier.predict_proba(texts).max(1), hits),
    }

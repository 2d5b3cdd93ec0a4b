"""Train a tagger from files in one call; the keyword arguments are the flags of ``chekhov train tagger``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from chekhov.errors import TrainingError, UsageError, check_range
from chekhov.evaluation.calibration import calibration_error
from chekhov.evaluation.labelling import tagging_figures
from chekhov.labels.spans import is_span_tag
from chekhov.saving import locked
from chekhov.tasks.labelled_files import as_fit, default_columns, read_tagged
from chekhov.tasks.recurrent import parse_time
from chekhov.tasks.tagger import Tagger
from chekhov.tasks.text_model import require_torch
from chekhov.tasks.train import check_free

Note = Callable[[str], None]
NEARLY = 0.1  # of tags that are none of spans: fewer are a mistake


def train_tagger(
    train: str | Path,
    *,
    out: str | Path,
    valid: str | Path | None = None,
    test: str | Path | None = None,
    column: Sequence[str] = (),
    format: str = "auto",
    encoding: str | None = None,
    skip_bad: bool = False,
    time: float | str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    threads: int = 1,
    quiet: bool = False,
    command: str = "",
    note: Note = lambda message: None,
    **settings: Any,
) -> Tagger:
    """Train on a file of CoNLL-U or token<TAB>tag, save to ``out``. ``settings`` are those of `Tagger`.

    ``column``: which columns of CoNLL-U to learn, UPOS if none is named. Raises as `read_tagged`, `Tagger.fit` and
    `run_loop` do.
    """
    require_torch()
    import torch

    from chekhov.training.plot import curve_line
    from chekhov.training.progress import Watcher

    check_range("threads", threads, 1, 1024)
    folder = Path(out)
    check_free(folder, "lstm", anew=not (resume or overwrite))
    given: dict[str, Any] = {"format": format, "encoding": encoding, "skip_bad": skip_bad, "note": note}
    part = read_tagged(train, **given)
    if part.format == "text":
        what, mend = "the training file has no tags", "CoNLL-U, or token<TAB>tag with a blank line after a sentence"
        raise TrainingError("E-LABEL-007", what, where=str(train), mend=mend)
    names = list(dict.fromkeys(column)) or default_columns(part)
    held = read_tagged(valid, **given) if valid else None
    tested = read_tagged(test, **given) if test else None
    torch.set_num_threads(threads)
    tagger = Tagger(columns=tuple(names), time=parse_time(time), **settings)
    training = {"name": folder.name, "text": str(train), "command": command, "threads": threads}
    with ExitStack() as stack:
        stack.enter_context(locked(folder))
        watcher = stack.enter_context(Watcher(quiet=quiet))
        columns = part.columns(names)
        for name, tags in zip(names, columns):
            say_what_is_odd(name, part.sentences, tags, note)
        tagger.fit(
            part.sentences,
            as_fit(columns),
            valid=None if held is None else (held.sentences, as_fit(held.columns(names))),
            out=folder,
            resume=resume,
            training={key: value for key, value in training.items() if value},
            watch=watcher,
            measure=lambda: tagger.training.update(valid=short(evaluate_tagger(tagger, *tagger.validation))),
        )
        watcher.say(curve_line(folder))
        if "learnt_too" in tagger.training:
            watcher.say("the validation part was measured, then learnt, too (not with --no-refit)")
        if tested is not None:
            tagger.training["test"] = short(evaluate_tagger(tagger, tested.sentences, tested.columns(names)))
        tagger.save(folder)
    return tagger


def say_what_is_odd(name: str, sentences: Sequence[Sequence[str]], tags: Sequence[Sequence[str]], note: Note) -> None:
    """A column that has one tag alone, or is nearly one of spans: most likely something was mistyped."""
    counts = Counter(tag for own in tags for tag in own)
    if len(counts) == 1:
        note(f"{name}: every word has the tag {next(iter(counts))}; there is nothing to learn")
    odd = {tag for tag in counts if not is_span_tag(tag)}
    few = sum(counts[tag] for tag in odd) <= NEARLY * counts.total()
    if odd and few and any(is_span_tag(tag) and tag != "O" for tag in counts):
        where = next((i, j) for i, own in enumerate(tags) for j, tag in enumerate(own) if tag in odd)
        word, tag = sentences[where[0]][where[1]], tags[where[0]][where[1]]
        note(
            f"{name}: {sum(counts[tag] for tag in odd)} of {counts.total():,} tags are none of spans, first {tag!r} of "
            f"{word!r} in sentence {where[0] + 1}: so there is no span F1, and no CRF unless --head crf asks for one"
        )


def evaluate_tagger(tagger: Tagger, sentences: list[list[str]], right: list[list[list[str]]]) -> list[dict[str, Any]]:
    """Figures of each column, by name; with the calibration error of its words."""
    found = tagger._predict(sentences)
    out = []
    for place, (name, truth, guess) in enumerate(zip(tagger.columns, right, found)):
        spans = tagger.net.spans[place]
        figures = tagging_figures(sentences, truth, guess, set(tagger.words), spans=spans)
        figures["calibration_error"] = _calibration(tagger, sentences, truth, guess, place)
        out.append({"column": name, **figures})
    return out


def _calibration(tagger: Tagger, sentences: Any, right: Any, found: Any, column: int) -> float:
    import numpy as np

    chances = tagger.predict_proba(sentences, column)
    sure = np.array([row.max() for rows in chances for row in rows])
    if tagger.net.spans[column]:  # the likeliest tag of each word by itself, in BIOES
        from chekhov.labels.spans import convert

        labels = tagger.labels_[column]
        found = [[labels[k] for k in rows.argmax(1)] if len(rows) else [] for rows in chances]
        right = [convert(tags, "bioes") for tags in right]
    hits = np.array([a == b for r, f in zip(right, found) for a, b in zip(r, f)])
    return calibration_error(sure, hits)


def short(figures: list[dict[str, Any]]) -> dict[str, Any]:
    """What a model card keeps: the numbers of the first column, and of the others under their names."""
    kept: dict[str, Any] = {}
    for place, own in enumerate(figures):
        prefix = "" if place == 0 else f"{own['column']} "
        kept |= {prefix + name: value for name, value in own.items() if isinstance(value, (int, float))}
    return kept


def check_labeller(kind: str, wanted: str, folder: str) -> None:
    if kind != wanted:
        verb = {"tagger": "tag", "classifier": "classify"}.get(kind, "generate")
        what = f"this is a model of kind {kind}, not a {wanted}"
        raise UsageError("E-LABEL-008", what, where=folder, mend=f"chekhov {verb} {folder}")

"""What a tagger learns from: sentences cut and numbered, a temperature, and in the end the validation part, too."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chekhov.evaluation.calibration import best_temperature
from chekhov.files import digest
from chekhov.labels.spans import convert
from chekhov.tasks.linear_partner import LinearPartner

if TYPE_CHECKING:
    from chekhov.tasks.tagger import Tagger

LONGEST = 512  # words: training cuts longer sentences
MORE = 1 / 5  # of the passes of the first run, over both parts
Sentences = Sequence[Sequence[str]]
Tags = Sequence[Sequence[str]]


def cut(sentences: Sentences, columns: Sequence[Tags], rows: Sequence[int]) -> tuple[list[Any], list[list[Any]]]:
    """Pieces of up to `LONGEST` words of the sentences ``rows``, and their tags by column."""
    pieces = [(i, start) for i in rows for start in range(0, len(sentences[i]), LONGEST)]
    parts = [[own[i][start : start + LONGEST] for i, start in pieces] for own in (sentences, *columns)]
    return parts[0], parts[1:]


def as_targets(columns: Sequence[Tags], labels: Sequence[Sequence[str]]) -> NDArray[np.int64]:
    """(columns, words + 1): the number of each word's tag, and last -1."""
    ids = [{label: k for k, label in enumerate(known)} for known in labels]
    return np.array([[k[tag] for own in column for tag in own] + [-1] for k, column in zip(ids, columns, strict=True)])


def calibrate(tagger: Tagger, sentences: Sentences, columns: Sequence[Tags]) -> None:
    """One temperature for each column, by the likelihood of the validation part."""
    for column, right in enumerate(columns):
        ids = {label: k for k, label in enumerate(tagger.labels_[column])}
        tags = [convert(t, "bioes") for t in right] if tagger.net.spans[column] else right
        head = tagger.net.heads[column]
        batches = []
        for rows, lengths, scores in tagger._scores(sentences):
            wanted = np.full(scores[column].shape[:2], -1)
            for b, row in enumerate(rows):
                wanted[b, : lengths[b]] = [ids.get(tag, -1) for tag in tags[row]]
            batches.append((scores[column], lengths, wanted))

        def loss(temperature: float, head: Any = head, batches: Any = batches) -> float:
            total = 0.0
            for scores, lengths, wanted in batches:
                b, t = np.nonzero(wanted >= 0)
                chances = head.marginals(scores, lengths, temperature)[b, t, wanted[b, t]]
                total -= float(np.log(np.maximum(chances, 1e-12)).sum())
            return total

        tagger.net.temperatures[column] = best_temperature(loss) if batches else 1.0


def learn_all(tagger: Tagger, sentences: Sentences, columns: Sequence[Tags], watch: Callable[[Any], None]) -> None:
    """Learn the validation part, too, once it has chosen all that there is to choose: ``sentences`` are those of both.

    The log-linear model is learnt anew, and the net goes on for a few passes; the share of each, the temperature, the
    words and the tags that are known stay. Sentences with other tags are left out. scikit-learn's ``refit``.
    """
    from chekhov.training.labelled import train_labels

    net, before = tagger.net, {name: tensor.clone() for name, tensor in tagger.net.state_dict().items()}
    columns = [[convert(t, "bioes") for t in own] if s else own for own, s in zip(columns, net.spans, strict=True)]
    known = [set(labels) for labels in tagger.labels_]
    rows = [i for i in range(len(sentences)) if all(tags.issuperset(own[i]) for tags, own in zip(known, columns))]
    texts, tags = cut(sentences, columns, rows)
    numbered, targets = tagger.inputs.number(texts), as_targets(tags, tagger.labels_)
    times = itertools.count()
    plan = tagger._plan(max(1, round(MORE * tagger.training["used"]["epochs"])))
    plan = replace(plan, time=plan.time and MORE * plan.time, patience=0)
    net.train()
    report = train_labels(
        net,
        numbered,
        lambda rows, places: targets[:, places],
        plan,
        data=[],
        validate=lambda: -float(next(times)),  # nothing is left to choose by: the last weights are the best
        folder=None,
        resume=False,
        keep_best=lambda progress: None,
        watch=lambda record: watch({**record, "valid_loss": None, "best": False}),
    )
    if report.stopped_by:  # what the first run has chosen is whole
        net.load_state_dict(before)
        tagger.training["stopped_by"] = report.stopped_by
        return
    if tagger.partner is not None and tagger.partner.share > 0:
        share, counts = tagger.partner.share, [len(labels) for labels in tagger.labels_]
        at = tagger.partner.at
        tagger.partner = LinearPartner.fit(numbered, at, targets[:, :-1], counts, tagger.seed)
        tagger.partner.share = share
    progress = report.progress
    for name, more in (("steps", progress.step), ("seconds", progress.seconds), ("cpu_seconds", progress.cpu_seconds)):
        tagger.training[name] = round(tagger.training[name] + more, 3)
    tagger.training["learnt_too"] = digest_of(tagger.validation[0])


def digest_of(sentences: Sentences) -> str:
    """By which the validation part is known again: it is no measure of a tagger that has learnt it."""
    return digest("\n".join("\t".join(words) for words in sentences if len(words)).encode("utf-8", "surrogatepass"))

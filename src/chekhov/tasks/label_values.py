"""Texts and labels as a classifier takes them: words, sets of labels, numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chekhov.errors import UsageError
from chekhov.tokens.words import TOKEN

LONGEST = 1000  # words of a text; what follows is not read
SEPARATOR = ","  # between the labels of a text
VALID_SHARE = 10  # without a validation part a tenth of the sentences or texts is one


def as_strings(texts: Sequence[Any]) -> list[str]:
    """UsageError E-LABEL-017 for None, which would be taken for a word."""
    for place, text in enumerate(texts):
        if text is None:
            raise UsageError("E-LABEL-017", f"text {place} is None", mend="give strings")
    return [str(text) for text in texts]


def words_of(texts: Sequence[str]) -> list[list[str]]:
    return [TOKEN.findall(text)[:LONGEST] for text in texts]


def labels_of(row: Any) -> list[str]:
    """``a,b``, or a list."""
    parts = row.split(SEPARATOR) if isinstance(row, str) else [str(label) for label in row]
    return [part.strip() for part in parts if part.strip()]


def numbers_of(labels: Sequence[Any]) -> NDArray[np.float64]:
    try:
        numbers = np.array([float(label) for label in labels])
    except (TypeError, ValueError) as error:
        raise UsageError("E-LABEL-010", "a label is no number", why=str(error), mend="give numbers") from error
    if not np.isfinite(numbers).all():
        row = int(np.flatnonzero(~np.isfinite(numbers))[0])
        raise UsageError("E-LABEL-010", f"the label of row {row} is {numbers[row]}", mend="give finite numbers")
    return numbers


def cross_entropy(scores: NDArray[np.float64], wanted: NDArray[Any], *, multilabel: bool) -> float:
    """Nats per text; scores (N, C) before softmax, or before the sigmoid of each label; a class of -1 is left out."""
    if multilabel:
        return float((np.logaddexp(0, scores) - wanted * scores).sum(1).mean())
    known = np.flatnonzero(wanted >= 0)
    losses = np.logaddexp.reduce(scores[known], axis=1) - scores[known, wanted[known]]
    return float(losses.mean()) if len(known) else 0.0


def balanced_weights(targets: NDArray[Any], count: int) -> list[float]:
    """Of ``count`` classes (N,), so that all count the same; of sets of labels (N, count), of a label that is there."""
    if targets.ndim == 2:
        positive = targets.sum(0)
        return ((len(targets) - positive) / np.maximum(positive, 1)).tolist()
    counts = np.bincount(targets, minlength=count)
    return (len(targets) / (count * np.maximum(counts, 1))).tolist()


def columns_of(names: Sequence[str], sentences: Sequence[Sequence[str]], tags: Any) -> list[list[Sequence[str]]]:
    """The tags by column: of each sentence, where there is one name; else of each column. UsageError E-LABEL-003 unless
    every word has one in each."""
    columns = [list(tags)] if len(names) == 1 else [list(column) for column in tags]
    fits = len(columns) == len(names) and all(len(column) == len(sentences) for column in columns)
    if not fits:
        what = f"there are {len(sentences)} sentences, and tags of {[len(column) for column in columns]}"
        raise UsageError("E-LABEL-003", what, mend="give the tags of each sentence, in the columns' order")
    for column in columns:
        for place, (words, own) in enumerate(zip(sentences, column)):
            if len(words) != len(own) or isinstance(words, str):
                what = f"sentence {place} has {len(words)} words and {len(own)} tags"
                raise UsageError("E-LABEL-003", what, mend="a sentence is a list of words, with a tag for each")
    return columns


def kept_aside(rows: list[int], seed: int) -> tuple[list[int], list[int]]:
    """A training and a validation part of the rows; of fewer than 20, all are both."""
    if len(rows) < 2 * VALID_SHARE:
        return rows, rows
    order = np.random.Generator(np.random.Philox(seed)).permutation(rows).tolist()
    cut = len(rows) // VALID_SHARE
    return sorted(order[cut:]), sorted(order[:cut])

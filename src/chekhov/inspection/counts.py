"""Counts and discounts behind the probabilities of an n-gram model, from the text that it was trained on.

A table keeps probabilities and back-offs, no counts. Where the text is at hand they can be had again:

    count, context_count        how often the n-gram and its context (with any word after it) stand in the text
    adjusted_count, ...         what Kneser-Ney counts below the highest order: different words before the n-gram
    discount                    what is taken from the count

Counted as the plain twin of the engine counts (`chekhov.ngram.reference`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chekhov.errors import UsageError
from chekhov.inspection.backoff import Path
from chekhov.inspection.reading import ReadText
from chekhov.ngram.reference import Level, adjusted_counts, count_ngrams
from chekhov.ngram.smoothing import ADJUSTED, HIGHEST, estimate_discounts, one_discount
from chekhov.tasks.corpus import read_corpus
from chekhov.tasks.text_model import TextModel
from chekhov.types import BOS, EOS, Ids

DISCOUNTED = ("modified-kneser-ney", "kneser-ney", "absolute")
Note = Callable[[str], None]


@dataclass(frozen=True)
class TextCounts:
    """``raw``, ``adjusted``: of each order, the counts of its n-grams; ``discounts``: of counts 0, 1, 2 and 3 or more
    (none where the smoothing has none)."""

    levels: list[Level]
    adjusted: list[NDArray[np.int64]]
    discounts: list[NDArray[np.float64]]
    vocab_size: int
    smoothing: str

    def rank(self, words: Sequence[int]) -> int:
        """Of an n-gram among those of its order; -1 if the text does not hold it."""
        rank = 0
        for n, word in enumerate(words):
            keys = self.levels[n].keys
            key = (rank * self.vocab_size if n else 0) + word
            place = int(np.searchsorted(keys, key))
            if place == len(keys) or keys[place] != key:
                return -1
            rank = place
        return rank

    def of(self, words: Sequence[int]) -> dict[str, Any]:
        """What is known of an n-gram."""
        n = len(words)
        rank, context = self.rank(words), self.rank(words[:-1]) if n > 1 else 0
        found: dict[str, Any] = {"count": self._count(self.levels[n - 1].counts, rank, n)}
        found["context_count"] = self._total(self.levels[n - 1].counts, context, n)
        if self.smoothing in ADJUSTED:
            adjusted = self._count(self.adjusted[n - 1], rank, n)
            found["adjusted_count"] = adjusted
            found["adjusted_context_count"] = self._total(self.adjusted[n - 1], context, n)
        else:
            adjusted = found["count"]
        if self.discounts and adjusted:
            found["discount"] = float(self.discounts[n - 1][min(adjusted, HIGHEST)])
        return found

    def _count(self, counts: NDArray[np.int64], rank: int, n: int) -> int:
        return int(counts[rank]) if rank >= 0 and not (n == 1 and rank == BOS) else 0

    def _total(self, counts: NDArray[np.int64], context: int, n: int) -> int:
        """Of all n-grams with one context; ``<s>`` is never predicted."""
        if n == 1:
            return int(counts.sum() - counts[BOS])
        if context < 0:
            return 0
        keys = self.levels[n - 1].keys
        begin, end = np.searchsorted(keys, [context * self.vocab_size, (context + 1) * self.vocab_size])
        return int(counts[begin:end].sum())


def text_counts(model: TextModel, source: str, *, note: Note = lambda message: None) -> TextCounts:
    """The counts of the part of ``source`` that the model was trained on, by the model's own split.

    Raises `UsageError` for another text than that, and for a model that is no n-gram.
    """
    check_counted(model)
    training = model.training
    weights = training.get("weights") or [1]
    if len(weights) > 1:
        what, why = f"{model.name} was trained on more than this text", f"on {len(weights)} texts, with --weight"
        raise UsageError("E-TRACE-008", what, why=why, mend="leave --counts out")
    corpus = read_corpus(
        [source],
        split=training.get("split_by") or None,
        seed=training.get("seed", 0),
        keep_bom=training.get("split_by") == "none",
        note=note,
    )
    if "text_digest" not in training:
        note("the model does not name its text: these are the counts of the text that you name")
    elif corpus.digest != training["text_digest"]:
        what = f"{model.name} was not trained on this text"
        why = f"it was trained on {training.get('text', 'another')}, {training.get('split', 'split otherwise')}"
        raise UsageError("E-TRACE-008", what, why=why, mend="give --counts the text of the training")
    ids = model.tokenizer.encode_all(list(corpus.train))
    order, smoothing = model.model.sizes()["order"], model.model.sizes()["smoothing"]
    return count_text(np.tile(ids, weights[0]), order, model.model.vocab_size, smoothing)


def check_counted(model: TextModel) -> None:
    if model.kind not in ("ngram", "packed-ngram"):
        what = f"--counts are those of an n-gram model; {model.name} is of kind {model.kind}"
        raise UsageError("E-TRACE-007", what, mend="leave --counts out: a chain tells its counts without it")


def count_text(ids: Ids, order: int, vocab_size: int, smoothing: str) -> TextCounts:
    levels = count_ngrams(ids, order=order, vocab_size=vocab_size)
    raw = [level.counts for level in levels]
    adjusted = [adjusted_counts(levels, n) for n in range(1, order + 1)] if smoothing in ADJUSTED else raw
    discounts = []
    if smoothing in DISCOUNTED:
        for n, counts in enumerate(adjusted, start=1):
            own = np.where(levels[0].from_start, 0, counts) if n == 1 else counts
            t = np.bincount(np.minimum(own, HIGHEST + 2), minlength=HIGHEST + 3)[:-1]
            discounts.append((estimate_discounts if smoothing == "modified-kneser-ney" else one_discount)(t)[0])
    return TextCounts(levels, adjusted, discounts, vocab_size, smoothing)


def with_counts(paths: Sequence[Path], counts: TextCounts, read: ReadText) -> list[Path]:
    """The same paths, their looks with the counts of the n-gram of context and word."""
    ids, found = read.ids.copy(), []
    for path in paths:
        t = path.position
        looks = [replace(look, counts=counts.of(ids[t - len(look.context) : t + 1].tolist())) for look in path.looks]
        found.append(replace(path, looks=looks))
        if ids[t] == EOS:
            ids[t] = BOS  # an n-gram starts anew
    return found

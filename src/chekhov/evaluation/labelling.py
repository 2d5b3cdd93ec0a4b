"""How well labels fit: accuracy, F1 of each, spans by conlleval's rule, confusion, known and unknown words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chekhov.labels.spans import spans_of

Z = 1.959963984540054  # 95 %
DRAWS = 2000


@dataclass(frozen=True)
class Counts:
    """Of one label, or of all spans: how many are right, found, and there."""

    right: int
    found: int
    there: int

    @property
    def precision(self) -> float:
        return self.right / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        return self.right / self.there if self.there else 0.0

    @property
    def f1(self) -> float:
        return 2 * self.right / (self.found + self.there) if self.found + self.there else 0.0

    def as_json(self) -> dict[str, Any]:
        return {"precision": self.precision, "recall": self.recall, "f1": self.f1, "count": self.there}


def label_counts(right: Sequence[str], found: Sequence[str]) -> dict[str, Counts]:
    """Of each label that is there or was found."""
    hits = Counter(r for r, f in zip(right, found) if r == f)
    there, guessed = Counter(right), Counter(found)
    return {label: Counts(hits[label], guessed[label], there[label]) for label in sorted(there | guessed)}


def macro_f1(right: Sequence[str], found: Any) -> float:
    """The mean of the F1 of every label that is there or was found."""
    return float(np.mean([counts.f1 for counts in label_counts(list(right), list(found)).values()]))


def confusion_of(right: Sequence[str], found: Sequence[str], most: int = 10) -> list[dict[str, Any]]:
    """The pairs of labels that are confused most often."""
    pairs = Counter((r, f) for r, f in zip(right, found) if r != f).most_common(most)
    return [{"right": r, "found": f, "count": n} for (r, f), n in pairs]


def span_counts(right: Sequence[Sequence[str]], found: Sequence[Sequence[str]], label: str | None = None) -> Counts:
    """Spans with the same words and label, as seqeval and conlleval count them; ``label``: of this one only."""
    hits = guesses = there = 0
    for r, f in zip(right, found):
        a, b = ({s for s in spans_of(tags) if label in (None, s.label)} for tags in (r, f))
        hits, guesses, there = hits + len(a & b), guesses + len(b), there + len(a)
    return Counts(hits, guesses, there)


def wilson_interval(right: int, total: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    if total == 0:
        return 0.0, 1.0
    share, squared = right / total, Z * Z / total
    middle = (share + squared / 2) / (1 + squared)
    half = Z / (1 + squared) * math.sqrt(share * (1 - share) / total + squared / (4 * total))
    return middle - half, middle + half


def span_interval(right: Sequence[Sequence[str]], found: Sequence[Sequence[str]], seed: int = 0) -> tuple[float, float]:
    """95 % interval of the F1 of spans: percentiles of 2,000 bootstrap draws of the sentences (Efron 1979)."""
    rows = [span_counts([r], [f]) for r, f in zip(right, found)]
    table = np.array([(row.right, row.found + row.there) for row in rows], np.float64).reshape(-1, 2)
    if not table[:, 1].any():
        return 0.0, 0.0
    draws = np.random.Generator(np.random.Philox(seed))
    sums = np.array([table[draws.integers(0, len(table), len(table))].sum(0) for _ in range(DRAWS)])
    low, high = np.percentile(2 * sums[:, 0] / np.maximum(sums[:, 1], 1), [2.5, 97.5])
    return float(low), float(high)


def tagging_figures(
    words: Sequence[Sequence[str]],
    right: Sequence[Sequence[str]],
    found: Sequence[Sequence[str]],
    known: Collection[str],
    *,
    spans: bool,
) -> dict[str, Any]:
    """All figures of one column. ``known``: the lower-cased words of the training part."""
    pairs = [(w.lower(), r, f) for ws, rs, fs in zip(words, right, found) for w, r, f in zip(ws, rs, fs)]
    hits = sum(r == f for _, r, f in pairs)
    new = [r == f for w, r, f in pairs if w not in known]
    figures: dict[str, Any] = {
        "words": len(pairs),
        "accuracy": hits / max(1, len(pairs)),
        "accuracy_interval": wilson_interval(hits, len(pairs)),
        "accuracy_known": (hits - sum(new)) / max(1, len(pairs) - len(new)),
        "accuracy_unknown": sum(new) / max(1, len(new)),
        "unknown_words": len(new),
        "confusion": confusion_of([r for _, r, _ in pairs], [f for _, _, f in pairs]),
    }
    if spans:
        labels = sorted({span.label for tags in [*right, *found] for span in spans_of(tags)})
        figures["span_f1"] = span_counts(right, found).f1
        figures["span_f1_interval"] = span_interval(right, found)
        figures["by_label"] = {label: span_counts(right, found, label).as_json() for label in labels}
    else:
        counts = label_counts([r for _, r, _ in pairs], [f for _, _, f in pairs])
        figures["by_label"] = {label: own.as_json() for label, own in counts.items()}
    return figures

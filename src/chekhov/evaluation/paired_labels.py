"""Is one labeller better than another on the same test part, or was it chance?

McNemar's test for what is right or wrong item by item; approximate randomisation, sentence by sentence, for the F1 of
spans, which is no mean over items (Yeh 2000; Dror et al. 2018).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chekhov.evaluation.labelling import span_counts

DRAWS = 10_000
LEVEL = 0.05


@dataclass(frozen=True)
class Answers:
    """Of one model for one column of a test part: tags of each sentence, or a row of one label for each text."""

    model: str
    column: str
    right: Sequence[Sequence[str]]
    found: Sequence[Sequence[str]]
    spans: bool

    @property
    def figure(self) -> float:
        """Span F1, or accuracy."""
        return span_counts(self.right, self.found).f1 if self.spans else float(np.mean(self.hits or [False]))

    @property
    def hits(self) -> list[bool]:
        return [r == f for x, y in zip(self.right, self.found, strict=True) for r, f in zip(x, y, strict=True)]


@dataclass(frozen=True)
class Paired:
    """``difference``: the figure of the first less that of the second; ``p_value``: two-sided, of no difference.

    ``only_first``, ``only_second``: items that only the one has right; of spans, by how many it has more of a sentence.
    """

    measure: str
    difference: float
    p_value: float
    only_first: int
    only_second: int

    @property
    def tie(self) -> bool:
        return not self.p_value < LEVEL


def compare_answers(answers: Sequence[Answers]) -> list[tuple[Answers, Answers, Paired]]:
    """Of each column the best model against each other one that was asked the same: (best, other, test)."""
    found = []
    for column in dict.fromkeys(own.column for own in answers):
        asked = [own for own in answers if own.column == column]
        best = max(asked, key=lambda own: own.figure)
        for other in asked:
            if other is not best and other.right == best.right and other.spans == best.spans:
                test = (
                    span_randomisation(best.right, best.found, other.found)
                    if best.spans
                    else mcnemar(best.hits, other.hits)
                )
                found.append((best, other, test))
    return found


def mcnemar(first: Sequence[bool], second: Sequence[bool]) -> Paired:
    """Which items each has right -> the exact binomial test (McNemar 1947; Dietterich 1998) of the accuracies."""
    a, b = np.asarray(first, bool), np.asarray(second, bool)
    only_first, only_second = int((a & ~b).sum()), int((b & ~a).sum())
    difference = (only_first - only_second) / max(1, len(a))
    return Paired("accuracy", difference, sign_test(only_first, only_second), only_first, only_second)


def sign_test(wins: int, losses: int) -> float:
    """Two-sided p of as uneven a split, or a more uneven one, of ``wins + losses`` fair coins."""
    n, fewer = wins + losses, min(wins, losses)
    if n == 0:
        return 1.0
    logs = [math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) for k in range(fewer + 1)]
    tail = math.fsum(math.exp(log - n * math.log(2)) for log in logs)
    return min(1.0, 2 * tail)


def span_randomisation(
    right: Sequence[Sequence[str]], first: Sequence[Sequence[str]], second: Sequence[Sequence[str]], seed: int = 0
) -> Paired:
    """Tags of the same sentences -> whether the F1 of their spans differ: 10,000 times each sentence's two answers
    change places or not, and p is the share of differences that are as large (Noreen 1989)."""
    tables = [span_table(right, found) for found in (first, second)]
    observed = f1(tables[0].sum(0)) - f1(tables[1].sum(0))
    gap = tables[0] - tables[1]
    differing = np.flatnonzero(gap.any(1))
    total = tables[0].sum(0) + tables[1].sum(0)
    rng, count = np.random.Generator(np.random.Philox(seed)), 0
    for start in range(0, DRAWS, 500):
        signs = rng.integers(0, 2, (min(500, DRAWS - start), len(differing))) * 2 - 1
        shift = signs @ gap[differing]  # (draws, 2)
        count += int((np.abs(f1((total + shift) / 2) - f1((total - shift) / 2)) >= abs(observed) - 1e-12).sum())
    hits = gap[:, 0]
    only_first, only_second = int(hits[hits > 0].sum()), int(-hits[hits < 0].sum())
    return Paired("span F1", float(observed), (count + 1) / (DRAWS + 1), only_first, only_second)


def span_table(right: Sequence[Sequence[str]], found: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    """(N, 2): of each sentence, spans that are right; spans found and spans there together."""
    rows = [span_counts([r], [f]) for r, f in zip(right, found, strict=True)]
    return np.array([(row.right, row.found + row.there) for row in rows], np.float64).reshape(-1, 2)


def f1(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., 2) of `span_table` -> (...)"""
    return 2 * sums[..., 0] / np.maximum(sums[..., 1], 1)


def describe(names: Sequence[str], paired: Paired) -> str:
    """One sentence: who is better by how much, or that it may be chance."""
    first, second = names
    if paired.tie:
        return f"{first} and {second}: a tie in {paired.measure} (p = {paired.p_value:.2g})"
    better, worse = (first, second) if paired.difference > 0 else (second, first)
    points = f"{100 * abs(paired.difference):.2f} points of {paired.measure}"
    return f"{better} is better than {worse}: {points}, p = {paired.p_value:.2g}"

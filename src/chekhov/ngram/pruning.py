"""Pruning by count: lmplz's ``--prune``."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from chekhov.errors import UsageError
from chekhov.ngram.counting import Counts


def check_thresholds(prune: str | Sequence[int], order: int) -> list[int]:
    """The thresholds of orders 1 ... ``order``, the last one for all that are not named.

    Raises `UsageError` unless they are whole numbers that do not fall, 0 for the unigrams, and no more than orders.
    """
    mend = "give one number an order, as 0,0,1: n-grams that stand so often, or less, are dropped"
    try:
        given = [int(part) for part in prune.replace(",", " ").split()] if isinstance(prune, str) else list(prune)
    except ValueError as error:
        raise UsageError("E-PRUNE-001", f"--prune {prune!r} is not a list of whole numbers", mend=mend) from error
    if len(given) > order or any(number < 0 or number >= 1 << 31 for number in given):
        raise UsageError("E-PRUNE-001", f"--prune {prune!r} is not one number from 0 on for each order", mend=mend)
    thresholds = (given or [0]) + [given[-1] if given else 0] * (order - len(given or [0]))
    if thresholds[0] != 0:
        raise UsageError("E-PRUNE-002", "unigrams are never pruned", mend="begin --prune with 0; see --vocab-size")
    if any(low > high for low, high in pairwise(thresholds)):
        what = f"the thresholds {', '.join(map(str, thresholds))} fall"
        raise UsageError("E-PRUNE-003", what, why="an n-gram needs those that it is made of", mend=mend)
    return thresholds


def prune_counts(part: Counts, thresholds: Sequence[int]) -> Counts:
    """Drop from ``part``, counted with ``keep_raw``, the n-grams of order n that stand thresholds[n - 1] times or less.

    What they counted is kept for the sums of their contexts (``lost``): it goes to the shorter context.
    """
    from chekhov.ngram import pruning_kernels

    part.lost = np.zeros(len(part.firsts), np.int32)
    scratch = (np.empty(part.room, np.int32) for _ in range(4))
    pruning_kernels.prune(part.counted, part.room, np.array([0, *thresholds], np.int64), *scratch, part.lost)
    return part

"""What is done to the next token's distribution before a token is drawn: small functions that compose.

A filter takes (B, V) natural log-probabilities and gives (B, V) again, normalised, row by row independently. A row
without any mass (all -inf) stays as it is: the sampler decides what that means. Ties go to the lower id.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chekhov.errors import UsageError, check_range
from chekhov.types import Ids

Scores = NDArray[Any]  # (B, V) log-probabilities of either float type, which every filter keeps
Filter = Callable[[Scores], Scores]

HIGHEST_TEMPERATURE = 100
NUCLEUS = 1024  # top_p looks among so many first


def normalise(scores: Scores) -> Scores:
    """``scores`` less their logsumexp, row by row."""
    peak = scores.max(axis=1, keepdims=True)
    shifted = scores - np.where(np.isneginf(peak), 0, peak)
    with np.errstate(divide="ignore"):  # log 0, for a row without mass
        total = np.log(np.exp(shifted, dtype=np.float64).sum(axis=1, keepdims=True))
    return (shifted - np.where(np.isneginf(total), 0, total)).astype(scores.dtype)


def temperature(t: float) -> Filter:
    """p^(1/t), normalised: below 1 the likely become likelier. 0 is greedy: all mass on the likeliest token."""
    check_range("temperature", t, 0, HIGHEST_TEMPERATURE)

    def apply(log_probs: Scores) -> Scores:
        if t == 0:
            return _keep_best(log_probs, 1, log_probs.max(axis=1, keepdims=True))
        peak = log_probs.max(axis=1, keepdims=True)
        with np.errstate(over="ignore"):  # -inf is the right answer for a tiny t
            shifted = np.subtract(log_probs, np.where(np.isneginf(peak), 0, peak), dtype=np.float64)
            return normalise(shifted / t).astype(log_probs.dtype)

    return apply


def top_k(k: int) -> Filter:
    """The k likeliest tokens (Fan, Lewis & Dauphin 2018, section 5.1)."""
    try:
        k = operator.index(k)
    except TypeError as error:
        raise UsageError("E-RANGE-001", f"top_k is {k!r}, which is not a whole number") from error
    check_range("top_k", k, 1, 2**31)

    def apply(log_probs: Scores) -> Scores:
        V = log_probs.shape[1]
        if k >= V:
            return normalise(log_probs)
        return _keep_best(log_probs, k, np.partition(log_probs, V - k, axis=1)[:, V - k : V - k + 1])

    return apply


def top_p(p: float) -> Filter:
    """The fewest likeliest tokens whose mass is at least p: the nucleus (Holtzman et al. 2020, section 3.1)."""
    check_range("top_p", p, 0, 1)
    if p == 0:
        raise UsageError("E-RANGE-001", "top_p is 0, which leaves no token", mend="give a top_p above 0, up to 1")

    def apply(log_probs: Scores) -> Scores:
        log_probs = normalise(log_probs)
        if p == 1:
            return log_probs
        V = log_probs.shape[1]
        for n in (min(NUCLEUS, V), V):  # the nucleus is small, as a rule: sorting all of V is the costly part
            best = np.sort(np.partition(log_probs, V - n, axis=1)[:, V - n :], axis=1)[:, ::-1]
            mass = np.cumsum(np.exp(best, dtype=np.float64), axis=1)
            if (mass[:, -1] >= p).all():
                break
        count = np.minimum(1 + (mass < p).sum(axis=1, keepdims=True), V)
        return _keep_best(log_probs, count, np.take_along_axis(best, count - 1, axis=1))

    return apply


def min_p(p: float) -> Filter:
    """The tokens with at least p times the probability of the likeliest (Nguyen et al. 2024, section 3). 0: all."""
    check_range("min_p", p, 0, 1)
    least = math.log(p) if p > 0 else -math.inf

    def apply(log_probs: Scores) -> Scores:
        return _keep(log_probs, log_probs >= log_probs.max(axis=1, keepdims=True) + least)

    return apply


def forbid(ids: Sequence[int] | Ids) -> Filter:
    """All tokens but ``ids``. Raises `UsageError` for an id outside the vocabulary."""
    ids = np.asarray(ids, dtype=np.int64)

    def apply(log_probs: Scores) -> Scores:
        if ids.size:
            check_range("forbidden id", int(ids.min()), 0, log_probs.shape[1] - 1)
            check_range("forbidden id", int(ids.max()), 0, log_probs.shape[1] - 1)
        allowed = np.ones(log_probs.shape, dtype=bool)
        allowed[:, ids] = False
        return _keep(log_probs, allowed)

    return apply


def compose(filters: Sequence[Filter]) -> Filter:
    """The filters one after the other, the first first. None: the distribution as it is."""

    def apply(log_probs: Scores) -> Scores:
        for filter in filters:
            log_probs = filter(log_probs)
        return log_probs

    return apply


def penalise(log_probs: Scores, history: Sequence[Any], penalty: float) -> Scores:
    """log p * penalty for the tokens of ``history[b]``, normalised: p^penalty (cf. Keskar et al. 2019, section 4.1).

    Above 1 makes repetition rarer, 1 changes nothing. Theirs divides positive logits; log-probabilities have none.
    """
    check_range("repetition_penalty", penalty, 0.1, 10)
    if penalty == 1:
        return log_probs
    penalised = log_probs.copy()
    for b, ids in enumerate(history):
        seen = np.unique(np.asarray(ids, dtype=np.int64))
        penalised[b, seen] *= penalty
    return normalise(penalised)


def _keep(log_probs: Scores, kept: NDArray[np.bool_]) -> Scores:
    return normalise(np.where(kept, log_probs, log_probs.dtype.type(-np.inf)))


def _keep_best(log_probs: Scores, count: int | NDArray[np.int64], last: Scores) -> Scores:
    """The ``count`` best of each row; of equals, the lower ids. ``last`` (B, 1): the worst score that is kept."""
    better, equal = log_probs > last, log_probs == last
    room = count - better.sum(axis=1, keepdims=True)
    return _keep(log_probs, better | (equal & (np.cumsum(equal, axis=1) <= room)))

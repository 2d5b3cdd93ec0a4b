"""Interpolated modified Kneser-Ney smoothing, with the conventions of KenLM's lmplz.

    p(w | c) = (a(c w) - D(a(c w))) / a(c .)  +  gamma(c) p(w | c')       a: adjusted counts; c': c less its first word
    gamma(c) = (D1 N1(c .) + D2 N2(c .) + D3 N3+(c .)) / a(c .)
    below the unigrams: 1 / (V - 1), <unk> and </s> among the V - 1 words, <s> not
    D_k      = k - (k + 1) Y t_{k+1} / t_k,   Y = t_1 / (t_1 + 2 t_2)     t_k: number of n-grams with a = k

(Chen & Goodman 1998, equations 20 and 26; Heafield, Pouzyrevsky, Clark & Koehn 2013, section 3.)
One quirk of lmplz (adjust_counts.cc, the closing flush) is not reproduced: it puts the raw count of the last n-gram of
each lower order into t_k in place of the adjusted one. Where the two differ, one t_k of an order is off by one there:
on the Penn Treebank 9e-4 in log10 p of some unigrams, and 3e-6 in perplexity.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chekhov.ngram.counting import Level, Ranks, adjusted_counts
from chekhov.types import BOS

Floats = NDArray[np.float64]
FALLBACK = (0.0, 0.5, 1.0, 1.5)  # lmplz --discount_fallback
HIGHEST = 3  # counts of 3 and more share a discount


class Smoothed(NamedTuple):
    """Natural logs of one order: p(w | c) of each n-gram, and the back-off weight of each n-gram as a context."""

    log_probs: Floats
    log_backoffs: Floats


def modified_kneser_ney(levels: list[Level], vocab_size: int) -> tuple[list[Smoothed], list[str]]:
    """Probabilities and back-offs of all orders, and what there is to note (discounts that fell back)."""
    lower = np.full(vocab_size, 1 / max(1, vocab_size - 1))
    smoothed: list[Smoothed] = []
    fallen = []
    for n, level in enumerate(levels, start=1):
        counts = adjusted_counts(levels, n)
        if n == 1:
            counts = np.where(level.from_start, 0, counts)  # <s> is never predicted
        discounts, estimated = estimate_discounts(counts)
        if not estimated:
            fallen.append(n)
        contexts = np.zeros_like(level.keys) if n == 1 else level.keys // vocab_size
        size = 1 if n == 1 else len(levels[n - 2].keys)
        totals = np.bincount(contexts, counts, size)
        taken = discounts[np.minimum(counts, HIGHEST)]
        with np.errstate(invalid="ignore", divide="ignore"):
            gamma = np.where(totals > 0, np.bincount(contexts, taken, size) / totals, 1.0)
            above = np.where(totals[contexts] > 0, (counts - taken) / totals[contexts], 0.0)
        suffixes = level.keys if n == 1 else level.suffixes
        probabilities = above + gamma[contexts] * lower[suffixes]
        if n == 1:
            probabilities[BOS] = 0.0
        else:
            smoothed[-1] = Smoothed(smoothed[-1].log_probs, np.log(gamma))  # gamma > 0, as every discount is
        with np.errstate(divide="ignore"):
            smoothed.append(Smoothed(np.log(probabilities), np.zeros(len(level.keys))))
        lower = probabilities
    return smoothed, [fallback_note(fallen, len(levels))] if fallen else []


def estimate_discounts(counts: Ranks) -> tuple[Floats, bool]:
    """D_0 = 0, D_1, D_2, D_3 from the counts of counts; False with the fallback where these do not allow it.

    As lmplz, t_1, t_2 or t_3 = 0 and a D_k outside 0 to k do not (t_4 = 0 does: D_3 = 3). Nor does D_k = 0, with which
    lmplz gives unseen words the probability 0.
    """
    t = np.bincount(counts[(counts > 0) & (counts <= HIGHEST + 1)], minlength=HIGHEST + 2).astype(np.float64)
    if (t[1:4] == 0).any():
        return np.array(FALLBACK), False
    Y = t[1] / (t[1] + 2 * t[2])
    k = np.arange(1, HIGHEST + 1)
    D = k - (k + 1) * Y * t[k + 1] / t[k]
    if (D <= 0).any() or (k < D).any():
        return np.array(FALLBACK), False
    return np.concatenate([[0.0], D]), True


def fallback_note(orders: list[int], highest: int) -> str:
    which = ", ".join(map(str, orders))
    return (
        f"Kneser-Ney discounts of order {which} (of {highest}) cannot be estimated from so few rare n-grams; "
        f"0.5, 1 and 1.5 are used there"
    )

"""Smoothing: how much of what was counted is kept for what was not.

    p(w | c) = (a(c w) - D(a(c w))) / a(c .)  +  gamma(c) p(w | c')       a: adjusted counts; c': c less its first word
    gamma(c) = (D1 N1(c .) + D2 N2(c .) + D3 N3+(c .)) / a(c .)
    below the unigrams: 1 / (V - 1), <unk> and </s> among the V - 1 words, <s> not
    D_k      = k - (k + 1) Y t_{k+1} / t_k,   Y = t_1 / (t_1 + 2 t_2)     t_k: number of n-grams with a = k

is interpolated modified Kneser-Ney smoothing with the conventions of KenLM's lmplz (Chen & Goodman 1998, equations 20
and 26; Heafield, Pouzyrevsky, Clark & Koehn 2013, section 3).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chekhov.ngram.building import build_table
from chekhov.ngram.counting import Counts
from chekhov.ngram.table import Table
from chekhov.types import BOS, Ids

Floats = NDArray[np.float64]
FALLBACK = (0.0, 0.5, 1.0, 1.5)  # lmplz --discount_fallback
HIGHEST = 3  # counts of 3 and more share a discount


def modified_kneser_ney(
    parts: list[Counts], ids: Ids, vocab_size: int, folder: Path | None = None
) -> tuple[Table, list[str]]:
    """The table of the counts (see `building.build_table`), and what there is to note: discounts that fell back."""
    from chekhov.ngram import smoothing_kernels

    order = parts[0].depth + 1 if parts else 1
    counts = unigram_counts(parts, ids, vocab_size)
    fallen = []
    discounts = np.zeros((order, HIGHEST + 1))
    for d in range(order):
        if d == 0:
            t = smoothing_kernels.counts_of_counts(counts, HIGHEST + 1)
        else:
            t = sum(smoothing_kernels.counts_of_counts(part.row(part.counts, d), HIGHEST + 1) for part in parts)
        discounts[d], estimated = estimate_discounts(t)
        if not estimated:
            fallen.append(d + 1)
    taken = discounts[0][np.minimum(counts, HIGHEST)]
    total = max(1, counts.sum())
    unigrams = (counts - taken) / total + (taken.sum() / total if counts.any() else 1.0) / max(1, vocab_size - 1)
    unigrams[BOS] = 0.0
    table = build_table(parts, unigrams, smoothing_kernels.DISCOUNT, discounts, folder)
    return table, [fallback_note(fallen, order)] if fallen else []


def unigram_counts(parts: list[Counts], ids: Ids, vocab_size: int) -> NDArray[np.int64]:
    """(V,): in how many different contexts each word stands, or how often, where there are no contexts."""
    if parts:
        return np.sum([np.bincount(part.row(part.words, 1), minlength=vocab_size) for part in parts], axis=0)
    counts = np.bincount(ids, minlength=vocab_size)
    counts[BOS] = 0
    return counts


def estimate_discounts(t: NDArray[np.int64]) -> tuple[Floats, bool]:
    """D_0 = 0, D_1, D_2, D_3 from the counts of counts t (5,); False with the fallback where these do not allow it.

    As lmplz, t_1, t_2 or t_3 = 0 and a D_k outside 0 to k do not (t_4 = 0 does: D_3 = 3). Nor does D_k = 0, with which
    lmplz gives unseen words the probability 0.
    """
    t = t.astype(np.float64)
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

"""Smoothing: how much of what was counted is kept for what was not.

    p(w | c) = (a(c w) - D(a(c w))) / a(c .)  +  gamma(c) p(w | c')       a: adjusted counts; c': c less its first word
    gamma(c) = (D1 N1(c .) + D2 N2(c .) + D3 N3+(c .)) / a(c .)
    below the unigrams: 1 / (V - 1), <unk> and </s> among the V - 1 words, <s> not
    D_k      = k - (k + 1) Y t_{k+1} / t_k,   Y = t_1 / (t_1 + 2 t_2)     t_k: number of n-grams with a = k

is interpolated modified Kneser-Ney smoothing with the conventions of KenLM's lmplz (Chen & Goodman 1998, equations 20
and 26; Heafield, Pouzyrevsky, Clark & Koehn 2013, section 3).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chekhov.errors import UsageError
from chekhov.ngram.counting import Counts
from chekhov.ngram.table import FIRST, MOST, Table
from chekhov.types import BOS, EOS, Ids

Floats = NDArray[np.float64]
FALLBACK = (0.0, 0.5, 1.0, 1.5)  # lmplz --discount_fallback
HIGHEST = 3  # counts of 3 and more share a discount


def modified_kneser_ney(parts: list[Counts], ids: Ids, vocab_size: int) -> tuple[Table, list[str]]:
    """The table of the counts, and what there is to note (discounts that fell back)."""
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
    table = build_table(parts, unigrams, smoothing_kernels.DISCOUNT, discounts)
    return table, [fallback_note(fallen, order)] if fallen else []


def unigram_counts(parts: list[Counts], ids: Ids, vocab_size: int) -> NDArray[np.int64]:
    """(V,): in how many different contexts each word stands, or how often, where there are no contexts."""
    if parts:
        return np.sum([part.tallies[1] for part in parts], axis=0, dtype=np.int64)
    counts = np.bincount(ids, minlength=vocab_size)
    counts[BOS] = 0
    return counts


def build_table(parts: list[Counts], unigrams: Floats, rule: int, numbers: Floats) -> Table:
    """Every node and entry of the model, from the counts and the probabilities of single words."""
    from chekhov.ngram import smoothing_kernels

    order, V = len(numbers), len(unigrams)
    node_counts = np.array([[1] + [0] * (order - 1)] + [part.nodes for part in parts])
    entry_counts = np.array([[V] + [0] * (order - 1)] + [part.filled for part in parts])
    if entry_counts.sum() > MOST:
        what = f"the text has {entry_counts.sum():,} n-grams, a table holds {MOST:,}"
        raise UsageError("E-NGRAM-002", what, mend="a lower --order, or --prune")
    starts = np.concatenate([[0], np.cumsum(node_counts.sum(axis=0))])
    entry_starts = np.concatenate([[0], np.cumsum(entry_counts.sum(axis=0))])
    nodes = np.zeros((starts[-1] + 1, 3), np.int32)
    entries = np.empty((entry_starts[-1], 3), np.int32)
    nodes[-1, FIRST] = len(entries)
    entries[:V, 0] = np.arange(V)
    with np.errstate(divide="ignore"):
        entries.view(np.float32)[:V, 1] = np.log(unigrams)
    entries[:V, 2] = 1 + np.arange(V) if order > 1 else 0
    if order > 1:
        entries[EOS, 2] = 1 + BOS
    tallies = np.array([part.tallies for part in parts])
    if parts:
        tallies[:, :, EOS] = 0
    node_starts = starts[:-1] + np.cumsum(node_counts, axis=0) - node_counts
    first_entries = entry_starts[:-1] + np.cumsum(entry_counts, axis=0) - entry_counts
    table = nodes, nodes.view(np.float32), entries, entries.view(np.float32)
    for i, part in enumerate(parts):
        before = tallies[:i].sum(axis=0)
        within = np.cumsum(tallies.sum(axis=0), axis=1) - tallies.sum(axis=0)
        children = np.zeros((order, V), np.int64)
        children[1:-1] = starts[2:-1, None] + (within + before)[1:-1]
        smoothing_kernels.estimate(
            part.counted, part.room, rule, numbers, unigrams, node_starts[i + 1], first_entries[i + 1], children, table
        )
    return Table(nodes, entries, starts)


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

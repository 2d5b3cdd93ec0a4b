"""Smoothing: how much of what was counted is kept for what was not.

`SMOOTHINGS` names them all; one formula of a context each, in `smoothing_kernels.weights` and `kept`.

    p(w | c) = (a(c w) - D(a(c w))) / a(c .)  +  gamma(c) p(w | c')       a: adjusted counts; c': c less its first word
    gamma(c) = (D1 N1(c .) + D2 N2(c .) + D3 N3+(c .)) / a(c .)
    below the unigrams: 1 / (V - 1), <unk> and </s> among the V - 1 words, <s> not
    D_k      = k - (k + 1) Y t_{k+1} / t_k,   Y = t_1 / (t_1 + 2 t_2)     t_k: number of n-grams with a = k

is interpolated modified Kneser-Ney smoothing with the conventions of KenLM's lmplz (Chen & Goodman 1998, equations 20
and 26; Heafield, Pouzyrevsky, Clark & Koehn 2013, section 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chekhov.errors import UsageError
from chekhov.kernels.threads import Progress
from chekhov.ngram.building import Parts, build_table
from chekhov.ngram.counting import Counts
from chekhov.ngram.kenlm_compat import last_counts
from chekhov.ngram.pruning import prune_counts
from chekhov.ngram.spilling import Spilled, spiller
from chekhov.ngram.table import Table
from chekhov.ngram.targets import IdFile, Targets, TextTargets
from chekhov.types import BOS, UNK, Ids

Floats = NDArray[np.float64]
Smoothed = tuple[Table, list[str]]
FALLBACK = (0.0, 0.5, 1.0, 1.5)  # lmplz --discount_fallback
HIGHEST = 3  # counts of 3 and more share a discount
HELD_OUT, ROUNDS = 200_000, 300  # tokens, and rounds of EM, that weights are fitted with
KATZ_LIMIT = 5  # counts above it are believed (Katz 1987)
SMOOTHINGS = {
    "modified-kneser-ney": "interpolated, three discounts, adjusted counts (Chen & Goodman 1998): KenLM's",
    "kneser-ney": "interpolated, one discount D = t_1 / (t_1 + 2 t_2), adjusted counts (Kneser & Ney 1995)",
    "absolute": "interpolated, the same discount from plain counts (Ney, Essen & Kneser 1994)",
    "witten-bell": "interpolated by how many types follow a context (Witten & Bell 1991)",
    "jelinek-mercer": "interpolated, a weight for each order, fitted on held-out text (Jelinek & Mercer 1980)",
    "katz": "back-off, Good-Turing discounts (Katz 1987)",
    "stupid-backoff": "back-off with the weight 0.4, not a distribution (Brants et al. 2007)",
    "add-k": "k is added to every count (Lidstone 1920; k = 1: Laplace)",
    "mle": "none: relative frequencies; what was never seen is impossible",
}
ADJUSTED = ("modified-kneser-ney", "kneser-ney")  # the others count how often an n-gram stands in the text
PRUNABLE = (*ADJUSTED, "absolute", "witten-bell")


@dataclass(frozen=True)
class Options:
    """How a model is smoothed; see `model.train_ngram`."""

    smoothing: str = "modified-kneser-ney"
    thresholds: Sequence[int] = ()
    interpolate_unigrams: bool = True
    k: float = 1.0
    valid_ids: Ids | None = None
    kenlm_compat: bool = False


def smooth(
    parts: Parts,
    targets: Targets,
    vocab_size: int,
    options: Options,
    folder: Path | None = None,
    threads: int = 1,
    progress: Progress = lambda stage, done, total: None,
) -> Smoothed:
    """The table of the counts (see `building.build_table`), and what there is to note. ``parts`` is emptied.

    Where the smoothing is not one of `ADJUSTED`, their ``counts`` are how often the n-grams stand in the text.
    """
    order = parts[0].depth + 1 if parts else 1
    counts = unigram_counts(parts, targets, vocab_size, adjusted=options.smoothing in ADJUSTED)
    t = counts_of_counts(parts, counts, order)
    if options.kenlm_compat and isinstance(targets, TextTargets) and not isinstance(targets.ids, IdFile):
        ids = np.asarray(targets.ids, np.int64)
        for d, (raw, adjusted) in enumerate(last_counts(ids, order, vocab_size, targets.weights)):
            t[d, adjusted : adjusted + 1] -= 1
            t[d, raw : raw + 1] += 1
    rule, numbers, notes = rule_of(options, parts, counts, t)
    if any(options.thresholds):  # the discounts are those of all counts
        put_away = spiller(folder) if folder and isinstance(parts[0], Spilled) else Counts.load
        parts[:] = [put_away(prune_counts(part.load(), options.thresholds)) for part in parts]
    unigrams = estimate_unigrams(rule, numbers[0], counts, options.interpolate_unigrams, order)
    return build_table(parts, unigrams, rule, numbers, folder, threads, progress), notes


def rule_of(
    options: Options, parts: Parts, counts: NDArray[np.int64], counts_of: NDArray[np.int64]
) -> tuple[int, Floats, list[str]]:
    """The rule of `smoothing_kernels`, its numbers for each depth (order, NUMBERS), and notes.

    ``counts_of``: what `counts_of_counts` gives.
    """
    from chekhov.ngram import smoothing_kernels as kernels

    order = len(counts_of)
    numbers, name = np.zeros((order, kernels.NUMBERS)), options.smoothing
    if name in ("modified-kneser-ney", "kneser-ney", "absolute", "katz"):
        fallen = []
        for d, t in enumerate(counts_of):
            estimate = {"katz": good_turing, "modified-kneser-ney": estimate_discounts}.get(name, one_discount)
            values, estimated = estimate(t)
            numbers[d, : len(values)] = values
            if not estimated:
                fallen.append(d + 1)
        if name == "katz":
            numbers[:, KATZ_LIMIT + 1 :] = 1.0
            return kernels.KATZ, numbers, [fallback_note(fallen, order, "Good-Turing", "c - 0.5")] if fallen else []
        shown = "0.5, 1 and 1.5" if name == "modified-kneser-ney" else "0.5"
        return kernels.DISCOUNT, numbers, [fallback_note(fallen, order, "Kneser-Ney", shown)] if fallen else []
    if name == "witten-bell":
        return kernels.WITTEN_BELL, numbers, []
    if name == "jelinek-mercer":
        numbers[:, 0] = fit_weights(parts, counts, options.valid_ids)
        shown = ", ".join(f"{weight:.3f}" for weight in numbers[:, 0])
        return kernels.JELINEK_MERCER, numbers, [f"the weights of orders 1, 2, ... are {shown}"]
    if name == "stupid-backoff":
        numbers[:, 0] = 0.4
        return kernels.STUPID, numbers, []
    if name == "mle":
        return kernels.MAXIMUM_LIKELIHOOD, numbers, []
    if name == "add-k":
        numbers[:, 0], numbers[:, 1] = options.k, len(counts) - 1
        return kernels.ADD_K, numbers, []
    raise UsageError("E-NGRAM-001", f"the smoothing {name!r} is unknown", mend=f"one of {', '.join(SMOOTHINGS)}")


def counts_of_counts(parts: Parts, counts: NDArray[np.int64], order: int) -> NDArray[np.int64]:
    """t (order, KATZ_LIMIT + 2): how many n-grams of each order have the count 0, 1, 2, ..."""
    from chekhov.ngram import smoothing_kernels as kernels

    t = np.zeros((order, KATZ_LIMIT + 2), np.int64)
    t[0] = kernels.counts_of_counts(counts, KATZ_LIMIT + 1)
    for part in parts:
        for d in range(1, order):
            t[d] += kernels.counts_of_counts(part.row("counts", d), KATZ_LIMIT + 1)
    return t


def estimate_unigrams(rule: int, numbers: Floats, counts: NDArray[np.int64], interpolate: bool, order: int) -> Floats:
    """p(w) (V,): smoothed towards 1 / (V - 1); <s> is never predicted.

    Not to ``interpolate`` gives <unk> all that the others have lost: lmplz's --interpolate_unigrams 0, SRILM's way.
    """
    from chekhov.ngram import smoothing_kernels as kernels

    V, total = len(counts), max(1, int(counts.sum()))
    uniform = np.full(V, 1 / max(1, V - 1))
    if rule == kernels.ADD_K and order > 1:
        return without_bos(uniform)
    own = counts.astype(np.float64)
    Z = float(total)
    if rule == kernels.DISCOUNT:
        own -= numbers[np.minimum(counts, HIGHEST)]
    elif rule == kernels.KATZ:
        own *= np.where(counts < len(numbers), numbers[np.minimum(counts, len(numbers) - 1)], 1.0)
    elif rule == kernels.ADD_K:
        return without_bos((own + numbers[0]) / (total + numbers[0] * numbers[1]))
    elif rule == kernels.WITTEN_BELL:
        Z += np.count_nonzero(counts)
    elif rule == kernels.JELINEK_MERCER:
        Z /= numbers[0]
    elif rule in (kernels.STUPID, kernels.MAXIMUM_LIKELIHOOD):
        return without_bos(own / total)
    gamma = 1.0 - own.sum() / Z if counts.any() else 1.0
    if not interpolate:
        uniform = (np.arange(V) == UNK).astype(np.float64)
    elif rule == kernels.KATZ:
        uniform = (counts == 0).astype(np.float64)
        uniform[BOS] = 0.0
        uniform /= max(1.0, uniform.sum())
        if gamma <= 0:  # nothing was discounted: one count for the unseen
            own, gamma = own * total / (total + 1), 1 / (total + 1)
    return without_bos(own / Z + gamma * uniform)


def without_bos(p: Floats) -> Floats:
    p[BOS] = 0.0
    return p


def unigram_counts(parts: Parts, targets: Targets, vocab_size: int, *, adjusted: bool) -> NDArray[np.int64]:
    """(V,): in how many different contexts each word stands, or how often (where there are no contexts, always)."""
    if parts and adjusted:
        return np.sum([np.bincount(part.row("words", 1), minlength=vocab_size) for part in parts], axis=0)
    counts = targets.word_counts(vocab_size)
    counts[BOS] = 0
    return counts


def fit_weights(parts: Parts, counts: NDArray[np.int64], valid_ids: Ids | None) -> Floats:
    """lambda of each order in p_n = lambda_n c(h w) / c(h) + (1 - lambda_n) p_{n-1}, by EM on held-out text.

    (Jelinek & Mercer 1980.) Raises `UsageError` where there is no such text.
    """
    from chekhov.ngram import smoothing_kernels as kernels
    from chekhov.ngram import table_kernels

    if valid_ids is None or len(valid_ids) == 0:
        what = "jelinek-mercer fits its weights on held-out text, and there is none"
        raise UsageError("E-NGRAM-003", what, mend="give --valid TEXT, or a --split that keeps some aside")
    order, V = (parts[0].depth + 1 if parts else 1), len(counts)
    plain = build_table(
        list(parts), counts / max(1, counts.sum()), kernels.MAXIMUM_LIKELIHOOD, np.zeros((order, 8)), None
    )
    ids = np.asarray(valid_ids[:HELD_OUT], np.int32)
    own = np.full((order, len(ids)), -1.0)  # c(h w) / c(h) for each length of h; -1 where h was never seen
    start = 1 + BOS if order > 1 else 0
    table_kernels.probabilities_by_order(
        plain.nodes, plain.entries, plain.entry_floats, plain.hints, plain.starts, start, ids, own
    )
    weights = np.full(order, 0.5)
    for _ in range(ROUNDS):
        p = [np.full(len(ids), 1 / max(1, V - 1))]
        for n in range(order):
            p.append(np.where(own[n] >= 0, weights[n] * own[n] + (1 - weights[n]) * p[-1], p[-1]))
        reached, before = np.ones(len(ids)), weights.copy()
        for n in reversed(range(order)):
            known = own[n] >= 0
            used = np.where(known, reached * weights[n] * own[n] / p[n + 1], 0.0)
            if known.any():
                weights[n] = np.clip(used.sum() / reached[known].sum(), 1e-4, 1 - 1e-4)
            reached = reached - used
        if np.abs(weights - before).max() < 1e-5:
            break
    return weights


def one_discount(t: NDArray[np.int64]) -> tuple[Floats, bool]:
    """The same discount for all counts, t_1 / (t_1 + 2 t_2) (Ney, Essen & Kneser 1994, equation 21)."""
    D = t[1] / (t[1] + 2 * t[2]) if t[1] and t[2] else 0.5
    return np.array([0.0, D, D, D]), bool(t[1] and t[2])


def good_turing(t: NDArray[np.int64]) -> tuple[Floats, bool]:
    """d_r for r = 0 ... 5: the share of a count r that is kept (Katz 1987, equation 22); else r - 0.5 of r."""
    r = np.arange(1, KATZ_LIMIT + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (r + 1) * t[r + 1] / (r * t[r])
        beyond = (KATZ_LIMIT + 1) * t[KATZ_LIMIT + 1] / t[1]
        d = (ratio - beyond) / (1 - beyond)
    if not (np.isfinite(d).all() and (d > 0).all() and (d <= 1).all()):
        return np.concatenate([[0.0], (r - 0.5) / r]), False
    return np.concatenate([[0.0], d]), True


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


def fallback_note(orders: list[int], highest: int, title: str = "Kneser-Ney", values: str = "0.5, 1 and 1.5") -> str:
    which = ", ".join(map(str, orders))
    return (
        f"{title} discounts of order {which} (of {highest}) cannot be estimated from so few rare n-grams; "
        f"{values} {'are' if ',' in values else 'is'} used there"
    )

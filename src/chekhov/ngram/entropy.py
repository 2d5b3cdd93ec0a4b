"""Entropy pruning: take out of a model the n-grams without which it says almost the same (Stolcke 1998).

    D(p || p') = - p(h) { p(w|h) [log p(w|h') + log a'(h) - log p(w|h)]
                          + [log a'(h) - log a(h)] sum_{v unseen} p(v|h) }

is what the distribution loses where h w backs off: a and a' are the back-offs of h before and after, h' is h without
its first word. e^D - 1 is the relative growth of perplexity; n-grams where it is below a threshold go, those that
longer ones begin with stay. As in SRILM's ``ngram -prune``, p(<s>) is that of </s>.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from chekhov.errors import UsageError, check_range
from chekhov.ngram.table import Table, make_hints


def prune_by_entropy(table: Table, *, threshold: float | None = None, size: int | None = None) -> tuple[Table, float]:
    """The table without the n-grams worth less than ``threshold``, or the best ``size`` n-grams; and the threshold.

    Words stay, whatever they are worth; each context sums to one again. Raises `UsageError` if not exactly one of the
    two is given, or if it is out of range.
    """
    from chekhov.ngram import entropy_kernels as kernels

    if threshold is not None:
        check_range("threshold", threshold, 0.0, 1e9)
    if (threshold is None) == (size is None):
        raise UsageError("E-PRUNE-005", "--threshold and --size are two ways to say it", mend="give one of them")
    context_p, worth = np.zeros(len(table.nodes)), np.full(len(table.entries), np.inf)
    kernels.context_probs(table.nodes, table.entries, table.entry_floats, table.starts, context_p)
    kernels.worths(*table.arrays, table.starts, context_p, worth)
    least = threshold_of(worth, size, table.vocab_size) if threshold is None else math.log1p(threshold)
    new_nodes = np.empty(len(table.nodes) - 1, np.int64)
    kept = np.zeros((2, table.order), np.int64)
    kernels.count_kept(table.nodes, table.starts, worth, least, new_nodes, kept)
    starts = np.concatenate([[0], np.cumsum(kept[1])])
    nodes = np.full((starts[-1] + 1, 3), -1, np.int32)
    entries = np.empty((kept[0].sum(), 3), np.int32)
    nodes[-1, 1:] = 0
    new_arrays = nodes, nodes.view(np.float32), entries, entries.view(np.float32)
    old_arrays = table.nodes, table.node_floats, table.entries, table.entry_floats
    kernels.rebuild(*old_arrays, table.starts, worth, least, new_nodes, new_arrays)
    pruned = Table(nodes, entries, starts, make_hints(nodes, entries))
    kernels.set_backoffs(*pruned.arrays)
    return pruned, math.expm1(least)


def threshold_of(worth: NDArray[np.float64], size: int | None, vocab_size: int) -> float:
    """What the n-grams must be worth for ``size`` of them to stay, words among them (those on a par stay together)."""
    size = vocab_size if size is None else size
    check_range("size", size, vocab_size, 1 << 62)
    longer = worth[vocab_size:]
    if size >= len(worth):
        return 0.0
    if size == vocab_size:
        return float(np.nextafter(longer.max(), np.inf))
    place = len(longer) - (size - vocab_size)
    least = float(np.partition(longer, place)[place])
    if np.count_nonzero(longer >= least) > size - vocab_size:
        above = longer[longer > least]
        least = float(above.min()) if len(above) else float(np.nextafter(least, np.inf))
    return least

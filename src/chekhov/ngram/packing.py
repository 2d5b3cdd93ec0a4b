"""From a table to a `packed.PackedTable`: n-grams in the order of their words read backwards, numbers quantised."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chekhov.ngram.packed import CODES, PackedTable
from chekhov.ngram.table import Table, scrambled

Ints = NDArray[np.int64]
Grams = NDArray[np.int32]
Floats = NDArray[np.float32]


def pack(table: Table) -> PackedTable:
    """A table of order 2 or more, with 8 bits for each log10 p and each back-off."""
    from chekhov.ngram import packing_kernels as kernels

    V, N = table.vocab_size, table.order
    first_words, suffixes = np.empty(len(table.entries), np.int32), np.empty(len(table.entries), np.int64)
    kernels.read_backwards(table.nodes, table.entries, table.hints, table.starts, first_words, suffixes)
    added = missing_suffixes(table, suffixes)
    packed = PackedTable.empty([size + len(added[n]) for n, size in enumerate(table.sizes(), start=1)], V)
    log10_backoffs = np.zeros(len(table.entries), np.float32)
    kernels.gather_backoffs(table.nodes, table.node_floats, table.entries, table.starts, log10_backoffs)
    packed.unigram_floats[:V, 0], packed.unigram_floats[:V, 1] = table.log10_probs[:V], log10_backoffs[:V]
    ranks = np.arange(V)  # where the n-grams of the order before stand
    for n in range(2, N + 1):
        rows = table.rows(n)
        words = np.concatenate([first_words[rows], added[n][:, 0]])
        parents = suffixes[rows] - table.rows(n - 1).start
        lost = np.flatnonzero(suffixes[rows] < 0)
        parents[lost] = parents_of(table.grams(n)[0][lost] if len(lost) else added[n][:0], table, added)
        parents = ranks[np.concatenate([parents, parents_of(added[n], table, added)])]
        by_place = np.argsort(scrambled(words, V), kind="stable")
        order = by_place[np.argsort(parents[by_place], kind="stable")]
        children = np.bincount(parents, minlength=len(ranks))
        packed.set_children(n - 1, children)
        packed.set_hints(n, np.concatenate([[0], np.cumsum(children)]), words[order])
        log10_probs = np.concatenate([table.log10_probs[rows], backed_off(added[n], table)])
        probs, packed.codebooks[n, 0] = quantise(log10_probs[order])
        backoffs = np.zeros(0, np.int64)
        if n < N:
            own = np.concatenate([log10_backoffs[rows], np.zeros(len(added[n]), np.float32)])
            backoffs, packed.codebooks[n, 1] = quantise(own[order])
        packed.set_records(n, words[order], probs, backoffs)
        ranks = np.empty(len(order), np.int64)
        ranks[order] = np.arange(len(order))
    return packed


def missing_suffixes(table: Table, suffixes: Ints) -> list[Grams]:
    """Of each order (from 0) the n-grams that are not in the table though longer ones end in them: pruning took them.

    An n-gram is found by way of its suffix, so they are put back, with what they backed off to.
    """
    added = [np.empty((0, n), np.int32) for n in range(table.order + 1)]
    for n in range(table.order, 2, -1):
        wanted = added[n][:, 1:]
        lost = suffixes[table.rows(n)] < 0
        if lost.any():
            wanted = np.concatenate([wanted, table.grams(n)[0][lost][:, 1:]])
        if len(wanted):
            wanted = np.unique(wanted, axis=0)
            added[n - 1] = wanted[entries_of(wanted, table) < 0]
    return added


def entries_of(grams: Grams, table: Table) -> Ints:
    """The entry of each n-gram (count, n), or -1."""
    from chekhov.ngram import packing_kernels as kernels

    found = np.empty(len(grams), np.int64)
    kernels.find_entries(table.nodes, table.entries, table.hints, table.starts, np.ascontiguousarray(grams), found)
    return found


def parents_of(grams: Grams, table: Table, added: list[Grams]) -> Ints:
    """The places of the suffixes of n-grams (count, n) among those of order n - 1, the added ones last."""
    n = grams.shape[1]
    entries = entries_of(grams[:, 1:], table) if len(grams) else np.empty(0, np.int64)
    rows = table.rows(n - 1)
    places = {tuple(gram): rows.stop + i for i, gram in enumerate(added[n - 1].tolist())}
    lost = np.flatnonzero(entries < 0)
    entries[lost] = [places[tuple(gram)] for gram in grams[lost, 1:].tolist()]
    return entries - rows.start


def backed_off(grams: Grams, table: Table) -> Floats:
    """log10 p of the last word of each n-gram (count, n) after the others."""
    from chekhov.ngram import table_kernels

    if len(grams) == 0:
        return np.empty(0, np.float32)
    log10_probs, orders = np.empty(grams.shape, np.float32), np.empty((0, 0), np.int8)
    table_kernels.score_rows(
        *table.arrays, table.starts, np.zeros(len(grams), np.int64), np.ascontiguousarray(grams), log10_probs, orders
    )
    return log10_probs[:, -1]


def quantise(values: Floats) -> tuple[Ints, Floats]:
    """(codes, what each of the 256 stands for): 0 is 0; the others are the means of 255 classes of equal size, and a
    value has the code of the nearest."""
    codes, codebook = np.zeros(len(values), np.int64), np.zeros(CODES, np.float32)
    own = values != 0
    in_order = np.sort(values[own]).astype(np.float64)
    means = np.unique(in_order)
    if len(means) >= CODES:
        bounds = np.linspace(0, len(in_order), CODES).astype(np.int64)
        means = np.add.reduceat(in_order, bounds[:-1]) / np.diff(bounds)
    codebook[1 : 1 + len(means)] = means
    codes[own] = 1 + np.searchsorted((means[1:] + means[:-1]) / 2, values[own])
    return codes, codebook

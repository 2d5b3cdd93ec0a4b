"""A table out of listed n-grams in any order: what an ARPA file gives, and what pruning leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from chekhov.errors import ModelError
from chekhov.ngram.table import Table, make_hints, scrambled
from chekhov.types import BOS, EOS

if TYPE_CHECKING:
    from chekhov.ngram.arpa import Section

MEND = "make the file again with the tool that wrote it"
MISSING_UNK = -100.0  # log10 p of <unk> where a file has none: KenLM's
Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


class Level:
    """The n-grams of one order, sorted by context and `scrambled` word."""

    def __init__(self, words: NDArray[np.int32], contexts: Ints, log10_probs: Floats, log10_backoffs: Floats):
        self.words, self.contexts = words, contexts
        self.log10_probs, self.log10_backoffs = log10_probs, log10_backoffs
        self.nodes = np.empty(0, np.int64)  # the node of each n-gram, or -1
        self.slot_keys, self.slot_rows = np.empty(0, np.int64), np.empty(0, np.int32)


def assemble(sections: list[Section], id_of: NDArray[np.int32], vocab_size: int, where: str) -> Table:
    """``id_of``: the id of each word of the sections. `ModelError` for n-grams without context, or given twice."""
    levels = [first_level(sections[0], id_of, vocab_size)]
    for section in sections[1:]:
        levels.append(next_level(levels, section, id_of, vocab_size, where))
    starts = number_nodes(levels, vocab_size)
    order = len(levels)
    nodes = np.zeros((starts[-1] + 1, 3), np.int32)
    entries = np.empty((sum(len(level.words) for level in levels), 3), np.int32)
    nodes[-1, 0] = len(entries)
    at = 0
    for n, level in enumerate(levels, start=1):
        own = entries[at : at + len(level.words)]
        own[:, 0] = level.words[:, -1]
        own.view(np.float32)[:, 1] = level.log10_probs
        children = longest_nodes(levels, level.words, n, vocab_size) if order > 1 else np.zeros(len(own), np.int64)
        own[:, 2] = np.where((level.words[:, -1] == EOS) & (order > 1), 1 + BOS, children)
        if n == 1:
            nodes[0, 0] = 0
        else:  # the entries of each node of depth n - 1
            below = levels[n - 2]
            has = below.nodes >= 0
            begins = at + np.searchsorted(level.contexts, np.flatnonzero(has))
            nodes[below.nodes[has], 0] = begins
        at += len(own)
    for n, level in enumerate(levels[:-1], start=1):
        has = level.nodes >= 0
        rows = level.nodes[has]
        nodes.view(np.float32)[rows, 1] = level.log10_backoffs[has]
        if n > 1:
            nodes[rows, 2] = longest_nodes(levels, level.words[has][:, 1:], n - 1, vocab_size)
    return Table(nodes, entries, starts, make_hints(nodes, entries))


def first_level(section: Section, id_of: NDArray[np.int32], vocab_size: int) -> Level:
    log10_probs = np.full(vocab_size, MISSING_UNK, np.float32)
    log10_backoffs = np.zeros(vocab_size, np.float32)
    ids = id_of[section.grams[:, 0]]
    log10_probs[ids], log10_backoffs[ids] = section.log10_probs, section.log10_backoffs
    log10_probs[BOS], log10_backoffs[EOS] = -np.inf, 0.0
    words = np.arange(vocab_size, dtype=np.int32)[:, None]
    return Level(words, np.zeros(vocab_size, np.int64), log10_probs, log10_backoffs)


def next_level(levels: list[Level], section: Section, id_of: NDArray[np.int32], vocab_size: int, where: str) -> Level:
    from chekhov.ngram import arpa_kernels

    grams = id_of[section.grams] if len(section.grams) else section.grams
    contexts = rows_of(levels, grams[:, :-1], vocab_size)
    if len(contexts) and contexts.min() < 0:
        line = section.line + int(np.argmin(contexts))
        what, why = "the context of this n-gram is missing", "the n-gram without its last word must be listed too"
        raise ModelError("E-ARPA-015", what, where=f"{where} line {line}", why=why, mend=MEND)
    keys = contexts * vocab_size + grams[:, -1]
    by_key = np.lexsort((scrambled(grams[:, -1], vocab_size), contexts))
    level = Level(grams[by_key], contexts[by_key], section.log10_probs[by_key], section.log10_backoffs[by_key])
    level.slot_keys = np.empty(1 << (2 * len(keys) + 2).bit_length(), np.int64)
    level.slot_rows = np.full(len(level.slot_keys), -1, np.int32)
    again = arpa_kernels.fill_map(keys[by_key], level.slot_keys, level.slot_rows)
    if again >= 0:
        line = section.line + int(by_key[again])
        raise ModelError("E-ARPA-016", "this n-gram stands twice", where=f"{where} line {line}", mend=MEND)
    level.log10_probs[level.words[:, -1] == BOS] = -np.inf
    return level


def rows_of(levels: list[Level], grams: NDArray[np.int32], vocab_size: int) -> Ints:
    """The row of each n-gram (count, n) in the level of its order, or -1."""
    from chekhov.ngram import arpa_kernels

    rows = grams[:, 0].astype(np.int64)
    for n in range(2, grams.shape[1] + 1):
        level = levels[n - 1]
        rows = arpa_kernels.look_up(
            rows, np.ascontiguousarray(grams[:, n - 1]), vocab_size, level.slot_keys, level.slot_rows
        )
    return rows


def number_nodes(levels: list[Level], vocab_size: int) -> Ints:
    """Every word is a node, and every longer n-gram that something follows or that has a back-off; the first of each
    depth, and their number."""
    starts = [0, 1]
    for n, level in enumerate(levels[:-1], start=1):
        has = np.bincount(levels[n].contexts, minlength=len(level.words)) > 0
        has |= (level.log10_backoffs != 0) & (level.words[:, -1] != EOS)
        if n == 1:
            has[:] = True
        level.nodes = np.where(has, starts[-1] + np.cumsum(has) - 1, -1)
        starts.append(starts[-1] + int(has.sum()))
    return np.array(starts, np.int64)


def longest_nodes(levels: list[Level], grams: NDArray[np.int32], n: int, vocab_size: int) -> Ints:
    """The node of the longest suffix of each n-gram (count, n) that is one, the whole among them; 0 for none."""
    found = np.zeros(len(grams), np.int64)
    open_ = np.arange(len(grams))
    for length in range(min(n, len(levels) - 1), 0, -1):
        rows = rows_of(levels, grams[open_][:, n - length :], vocab_size)
        nodes = np.where(rows >= 0, levels[length - 1].nodes[rows], -1)
        hit = nodes >= 0
        found[open_[hit]] = nodes[hit]
        open_ = open_[~hit]
    return found

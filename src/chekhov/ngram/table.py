"""The table of an n-gram model: two flat arrays that are stored, mapped into memory and searched as they are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chekhov.errors import ModelError
from chekhov.files import ArrayFile
from chekhov.types import BOS

Ints = NDArray[np.int32]
Floats = NDArray[np.float32]
Hints = NDArray[np.int16]
FIRST, BACKOFF, SUFFIX = 0, 1, 2  # columns of nodes
WORD, LOG10_PROB, CHILD = 0, 1, 2  # columns of entries
CHECKED_BYTES = 2 << 20  # when it is loaded: some three milliseconds
VERIFIED_BYTES = 256 << 20
MOST = (1 << 31) - 2  # n-grams that a table can hold


def scrambled(words: NDArray[Any], vocab_size: int) -> NDArray[np.int64]:
    """What entries are sorted by: `table_kernels.scrambled` of many words."""
    from chekhov.ngram.table_kernels import SCRAMBLE

    return (words.astype(np.int64) + 1) * SCRAMBLE & ((1 << vocab_size.bit_length()) - 1)


def hints_of(entries: int) -> int:
    """How many hints there are to so many entries."""
    from chekhov.ngram.table_kernels import BUCKET

    return entries >> BUCKET


@dataclass(frozen=True)
class Table:
    """p(w | c) = p of the entry of w in the node of c, or, where there is none, the back-off of c times p(w | c').

    A node is a context: node 0 the empty one, 1 + w that of the word w, then those of two words, of three, ...
    nodes (M + 1, 3): where its entries begin; log10 of its back-off; the node of its longest suffix. entries (E, 3):
    the words that follow it, in the order of `scrambled`, so that a word is looked for where it is likely to be;
    log10 p; the node of the longest suffix of context and word that is one. Node 0 has an entry for every word, in
    their own order. Logarithms are to base 10, as in ARPA files, so that what is read is written again; they are
    float32 whose bits stand in an int32. hints: where a word stands in a long list of entries, see `make_hints`.
    """

    nodes: Ints
    entries: Ints
    starts: NDArray[np.int64]  # (order + 1,): the first node of each depth, and M
    hints: Hints
    file: ArrayFile | None = None  # where it stands, if it was too large for memory

    @property
    def order(self) -> int:
        return len(self.starts) - 1

    @property
    def vocab_size(self) -> int:
        return int(self.nodes[1, FIRST])

    @property
    def arrays(self) -> tuple[Ints, Floats, Ints, Floats, Hints]:
        """What kernels search."""
        return self.nodes, self.node_floats, self.entries, self.entry_floats, self.hints

    @cached_property
    def node_floats(self) -> Floats:
        return self.nodes.view(np.float32)

    @cached_property
    def entry_floats(self) -> Floats:
        return self.entries.view(np.float32)

    @property
    def log10_backoffs(self) -> Floats:
        return self.node_floats[:-1, BACKOFF]

    @property
    def log10_probs(self) -> Floats:
        return self.entry_floats[:, LOG10_PROB]

    def rows(self, n: int) -> slice:
        """Where the entries of order n lie."""
        first, last = (int(self.nodes[self.starts[d], FIRST]) for d in (n - 1, n))
        return slice(first, last)

    def grams(self, n: int) -> tuple[Ints, Floats, Floats]:
        """All n-grams of order n: their words (count, n), log10 p and log10 back-offs (0 at the highest order)."""
        words = np.empty((1, 0), np.int32)  # of the nodes of one depth
        for d in range(n):
            own = self.entries[self.rows(d + 1)]
            lengths = np.diff(self.nodes[self.starts[d] : self.starts[d + 1] + 1, FIRST])
            grams = np.concatenate([np.repeat(words, lengths, axis=0), own[:, WORD, None]], axis=1)
            log10_backoffs = np.zeros(len(own), np.float32)
            if d + 1 < self.order:
                nodes = np.arange(1, 1 + len(own)) if d == 0 else own[:, CHILD]
                contexts = (nodes >= self.starts[d + 1]) & (nodes < self.starts[d + 2])
                words = np.empty((self.starts[d + 2] - self.starts[d + 1], d + 1), np.int32)
                words[nodes[contexts] - self.starts[d + 1]] = grams[contexts]
                log10_backoffs[contexts] = self.log10_backoffs[nodes[contexts]]
        return grams, self.log10_probs[self.rows(n)], log10_backoffs

    def sizes(self) -> list[int]:
        """How many n-grams there are of each order."""
        return [self.rows(n).stop - self.rows(n).start for n in range(1, self.order + 1)]


def make_hints(nodes: Ints, entries: Ints) -> Hints:
    """See `table_kernels.fill_hints`."""
    from chekhov.ngram.table_kernels import fill_hints

    hints = np.zeros(hints_of(len(entries)), np.int16)
    if len(nodes) > 2:  # the root has none: its words stand by their number
        fill_hints(np.ascontiguousarray(nodes[1:, FIRST]), entries, 0, hints, int(nodes[1, FIRST]).bit_length())
    return hints


def check_table(table: Table, order: int, vocab_size: int) -> Table:
    """``table`` if it is one of this order and vocabulary, else `ModelError`.

    A large one is read only as it is used: its digest has been checked, and the kernels bound every index.
    """
    nodes, entries, starts = table.nodes, table.entries, table.starts
    if (nodes.dtype, entries.dtype, starts.dtype) != (np.int32, np.int32, np.int64):
        raise damaged("an array is of another type")
    if (table.hints.dtype, table.hints.shape) != (np.int16, (hints_of(len(entries)),)):
        raise damaged("the hints are of another type or number")
    if nodes.ndim != 2 or nodes.shape[1] != 3 or entries.ndim != 2 or entries.shape[1] != 3:
        raise damaged("three columns are expected")
    M, E = len(nodes) - 1, len(entries)
    first_starts = [0, 1, 1 + vocab_size][: order + 1]
    if starts.shape != (order + 1,) or starts[: len(first_starts)].tolist() != first_starts or starts[-1] != M:
        raise damaged(f"the nodes of order {order} and {vocab_size} words are expected")
    ends = nodes[0, FIRST], nodes[1, FIRST], nodes[-1, FIRST]
    if (np.diff(starts) < 0).any() or vocab_size > E or ends != (0, vocab_size, E):
        raise damaged("the nodes do not cover the entries")
    if nodes.nbytes + entries.nbytes <= CHECKED_BYTES:
        check_content(table, vocab_size)
    return table


def check_content(table: Table, V: int) -> None:
    """Every number of the table, or `ModelError`."""
    nodes, entries, M = table.nodes, table.entries, len(table.nodes) - 1
    first, words, children = nodes[:, FIRST], entries[:, WORD], entries[:, CHILD]
    if first[0] != 0 or (np.diff(first) < 0).any() or (nodes[1:-1, SUFFIX] >= np.arange(1, M)).any():
        raise damaged("the nodes are out of order")
    if (nodes[:, SUFFIX] < 0).any() or (children < 0).any() or (children >= M).any():
        raise damaged("a node is out of range")
    rises = np.diff(scrambled(words, V)) > 0
    rises[: V - 1] = True  # the root's entries stand by their word
    rises[first[1:-1][(first[1:-1] > 0) & (first[1:-1] < len(words))] - 1] = True  # where one node's words end
    if (words[:V] != np.arange(V)).any() or not rises.all() or (words < 0).any() or (words >= V).any():
        raise damaged("the words are out of order or out of range")
    if np.isnan(table.log10_probs).any() or (table.log10_probs > 1e-5).any():
        raise damaged("a log-probability is positive or NaN")
    if not np.isneginf(table.log10_probs[words == BOS]).all():
        raise damaged("<s> is predicted")
    if not (table.log10_backoffs < np.inf).all():
        raise damaged("a back-off is infinite or NaN")
    if (make_hints(nodes, entries) != table.hints).any():
        raise damaged("the hints lead astray")


def damaged(what: str) -> ModelError:
    return ModelError("E-MODEL-020", f"the n-gram tables do not fit together: {what}", mend="train the model again")

"""From counts to the table, a handful of buckets at a time, in memory or straight into the model's file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chekhov.errors import UsageError
from chekhov.files import ArrayFile
from chekhov.kernels.threads import Progress, in_threads
from chekhov.ngram.counting import Counts, pages
from chekhov.ngram.spilling import Spilled
from chekhov.ngram.table import MOST, Hints, Ints, Table, hints_of
from chekhov.types import BOS, EOS

Sizes = NDArray[np.int64]
Parts = list[Counts | Spilled]
AT_ONCE = 1 << 18  # entries that are estimated before they are put away
LARGE = 16 << 20  # bytes from which on a table goes into a file at once


class MemoryStore:
    def __init__(self, starts: Sizes, node_count: int, entry_count: int):
        self.starts, self.arrays = starts, {}  # type: Sizes, dict[str, NDArray[Any]]
        self.arrays["nodes"] = pages(3 * (node_count + 1)).reshape(-1, 3)
        self.arrays["entries"] = pages(3 * entry_count).reshape(-1, 3)
        self.arrays["hints"] = np.zeros(hints_of(entry_count), np.int16)

    def put(self, name: str, row: int, rows: Ints | Hints) -> None:
        self.arrays[name][row : row + len(rows)] = rows

    def table(self) -> Table:
        return Table(self.arrays["nodes"], self.arrays["entries"], self.starts, self.arrays["hints"])


class FileStore:
    """The table grows in a file of ``folder``, which is then mapped: it never stands in memory as a whole."""

    def __init__(self, folder: Path, starts: Sizes, node_count: int, entry_count: int):
        shapes: dict[str, tuple[Any, tuple[int, ...]]] = {"starts": (np.int64, starts.shape)}
        shapes |= {"entries": (np.int32, (entry_count, 3)), "nodes": (np.int32, (node_count + 1, 3))}
        shapes |= {"hints": (np.int16, (hints_of(entry_count),))}
        self.file = ArrayFile(folder, shapes)
        self.file.put("starts", 0, starts)
        self.put = self.file.put

    def table(self) -> Table:
        arrays = self.file.finish()
        return Table(arrays["nodes"], arrays["entries"], arrays["starts"], arrays["hints"], self.file)


def build_table(
    parts: Parts,
    unigrams: NDArray[np.float64],
    rule: int,
    numbers: NDArray[np.float64],
    folder: Path | None,
    threads: int = 1,
    progress: Progress = lambda stage, done, total: None,
) -> Table:
    """Every node and entry of the model, from the counts and p(w) of single words (V,).

    ``rule`` and ``numbers`` say how the counts of each depth are smoothed, see `smoothing_kernels.weights`. A large
    table is written into ``folder``, if there is one, and mapped. ``parts`` is empty in the end: each is let go of as
    soon as it has been estimated, so that a table in memory takes the place of its counts.
    """
    from chekhov.ngram import smoothing_kernels

    order, V = len(numbers), len(unigrams)
    node_counts = np.array([1] + [0] * (order - 1)) + sum(part.nodes for part in parts)
    entry_counts = np.array([V] + [0] * (order - 1)) + sum(part.filled for part in parts)
    starts, entry_starts = (np.concatenate([[0], np.cumsum(counts)]) for counts in (node_counts, entry_counts))
    if entry_starts[-1] > MOST:
        what = f"the text has {entry_starts[-1]:,} n-grams, a table holds {MOST:,}"
        raise UsageError("E-NGRAM-002", what, mend="a lower --order, or --prune")
    sizes = starts, int(starts[-1]), int(entry_starts[-1])
    large = folder is not None and 12 * sum(sizes[1:]) > LARGE
    store = FileStore(folder, *sizes) if large else MemoryStore(*sizes)  # type: ignore[arg-type]
    store.put("entries", 0, root_entries(unigrams, order))
    store.put("nodes", 0, np.zeros((1, 3), np.int32))
    store.put("nodes", sizes[1], np.array([[sizes[2], 0, 0]], np.int32))
    total = len(parts)
    if parts:
        children = np.zeros((order, V), np.int32)  # the next node of depth d + 1 that ends in w
        before = starts[:-1].copy()
        for part in parts:
            children[1:-1, part.first_word : part.last_word] = before[2:, None] + part.offsets[2:]
            before += part.nodes
        next_node, next_entry = starts[:-1].copy(), entry_starts[:-1].copy()
        next_node[0], next_entry[0] = 1, V

        def places() -> Iterator[tuple[Counts, Sizes, Sizes, Ints]]:
            """Each part, and where its nodes, its entries and their children go on: what the parts before it leave."""
            while parts:
                part = parts.pop(0)
                loaded = part.load()
                yield loaded, next_node.copy(), next_entry.copy(), children.copy()
                next_node[:] += part.nodes
                next_entry[:] += part.filled
                smoothing_kernels.add_children(loaded.words, loaded.room, loaded.filled, children)

        def estimate(place: tuple[Counts, Sizes, Sizes, Ints]) -> None:
            estimate_part(place[0], unigrams, rule, numbers, *place[1:], store)

        for done, _ in enumerate(in_threads(estimate, places(), threads), start=1):
            progress("smoothing", done, total)
    return store.table()


def root_entries(unigrams: NDArray[np.float64], order: int) -> Ints:
    entries = np.empty((len(unigrams), 3), np.int32)
    entries[:, 0] = np.arange(len(unigrams))
    with np.errstate(divide="ignore"):
        entries.view(np.float32)[:, 1] = np.log10(unigrams)
    entries[:, 2] = 1 + np.arange(len(unigrams)) if order > 1 else 0
    if order > 1:
        entries[EOS, 2] = 1 + BOS
    return entries


def estimate_part(
    part: Counts,
    unigrams: NDArray[np.float64],
    rule: int,
    numbers: NDArray[np.float64],
    next_node: Sizes,
    next_entry: Sizes,
    children: Ints,
    store: MemoryStore | FileStore,
) -> None:
    """Estimate a part and put it away; next_node and next_entry (order,): where each depth goes on in the table."""
    from chekhov.ngram import smoothing_kernels, table_kernels

    D, V, each = part.depth, len(unigrams), list(handfuls(part))
    sizes = np.array([np.diff(bounds, axis=1)[:, 0] for bounds in each])  # (handfuls, 2, order), of nodes and entries
    out_nodes, out_entries = (np.empty((rows, 3), np.int32) for rows in sizes.sum(axis=2).max(axis=0))
    table = out_nodes, out_nodes.view(np.float32), out_entries, out_entries.view(np.float32)
    scratch, logs = np.empty((3, sizes.max())), np.empty(sizes.max(), np.float32)
    for (nodes, entries), (node_sizes, entry_sizes) in zip(each, sizes, strict=True):
        node_rows, entry_rows = (np.cumsum(sizes) - sizes for sizes in (node_sizes, entry_sizes))
        smoothing_kernels.estimate(
            part.counted, part.lost, part.room, nodes, entries, rule, numbers, unigrams, children, next_node,
            next_entry, node_rows, entry_rows, table, scratch, logs,
        )  # fmt: skip
        for d in range(1, D + 1):
            own_nodes = out_nodes[node_rows[d] : node_rows[d] + node_sizes[d]]
            own_entries = out_entries[entry_rows[d] : entry_rows[d] + entry_sizes[d]]
            store.put("nodes", next_node[d], own_nodes)
            store.put("entries", next_entry[d], own_entries)
            begin, end = int(next_entry[d]), int(next_entry[d] + entry_sizes[d])
            hints = np.zeros(hints_of(end) - hints_of(begin), np.int16)
            firsts = np.append(own_nodes[:, 0], np.int32(end))
            table_kernels.fill_hints(firsts, own_entries, begin, hints, V.bit_length())
            store.put("hints", hints_of(begin), hints)
        next_node += node_sizes
        next_entry += entry_sizes


def handfuls(part: Counts) -> Iterator[tuple[Sizes, Sizes]]:
    """Cut a part between buckets: the bounds (2, order) of the nodes and of the entries of each depth."""
    D, room = part.depth, part.room
    depth_1 = part.firsts[room : room + part.nodes[1] + 1]
    first, before = 0, np.zeros((2, D + 1), np.int64)
    while first < part.nodes[1]:
        last = int(np.searchsorted(depth_1, depth_1[first] + AT_ONCE // max(1, D), side="right")) - 1
        first = min(max(last, first + 1), int(part.nodes[1]))
        after = np.zeros((2, D + 1), np.int64)
        after[0, 1] = first
        for d in range(1, D + 1):
            if d > 1:
                parents = part.parents[d * room : d * room + part.nodes[d]]
                after[0, d] = np.searchsorted(parents, np.int32(after[0, d - 1]))
            after[1, d] = part.firsts[d * room + after[0, d]]
        yield tuple(np.stack([before[i], after[i]]) for i in (0, 1))  # type: ignore[misc]
        before = after

"""Classic tasks that a net can only do if it remembers, as generators of batches, with what a net without memory gets.

A batch is xs (B, T, I) float32, targets (B, T) and mask (B, T): 1 where an answer is asked for. Targets are classes
(int64), or numbers (float32) of the adding problem. ``baseline`` is the loss, and ``chance`` the accuracy, of the best
answer without memory: nats for classes, the mean squared error for numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chekhov.errors import UsageError, check_range

Rng = np.random.Generator


class TaskBatch(NamedTuple):
    xs: NDArray[np.float32]  # (B, T, I)
    targets: NDArray[np.int64] | NDArray[np.float32]  # (B, T)
    mask: NDArray[np.float32]  # (B, T)


@dataclass(frozen=True)
class MemoryTask:
    """``make(rng, B)`` gives fresh batches; ``classes`` 0: numbers. Solved: accuracy at least 99 %, of numbers an error
    below 0.01. ``span``: steps that something has to be remembered, at most."""

    name: str
    inputs: int
    classes: int
    baseline: float
    chance: float
    span: int
    source: str
    make: Callable[[Rng, int], TaskBatch]


def adding(T: int = 100) -> MemoryTask:
    """The sum of two marked numbers of [0, 1), one in each half of T. Without memory: 1, a mean squared error of 1/6.

    (Hochreiter & Schmidhuber 1997, experiment 4; in this form Le, Jaitly & Hinton 2015, section 4.1.)
    """
    check_range("T", T, 2, 100_000)

    def make(rng: Rng, B: int) -> TaskBatch:
        xs, rows = np.zeros((B, T, 2), np.float32), np.arange(B)
        xs[:, :, 0] = rng.random((B, T))
        first, second = rng.integers(0, T // 2, B), rng.integers(T // 2, T, B)
        xs[rows, first, 1] = xs[rows, second, 1] = 1.0
        targets = np.zeros((B, T), np.float32)
        targets[:, -1] = xs[rows, first, 0] + xs[rows, second, 0]
        return TaskBatch(xs, targets, last_only(B, T))

    return MemoryTask("adding", 2, 0, 1 / 6, 0.0, T, "Hochreiter & Schmidhuber 1997, Le et al. 2015", make)


def copying(delay: int = 40, symbols: int = 5, alphabet: int = 8) -> MemoryTask:
    """Symbols, a delay, a mark: then say them again. Without memory each is guessed: log(alphabet) nats.

    (Hochreiter & Schmidhuber 1997; Arjovsky, Shah & Bengio 2016, section 4.1, who count the blanks too: then the loss
    is symbols * log(alphabet) / T.)
    """
    for name, value in (("delay", delay), ("symbols", symbols)):
        check_range(name, value, 1, 100_000)
    check_range("alphabet", alphabet, 2, 1000)
    T, blank, mark = delay + 2 * symbols, alphabet, alphabet + 1

    def make(rng: Rng, B: int) -> TaskBatch:
        ids = np.full((B, T), blank)
        said = rng.integers(0, alphabet, (B, symbols))
        ids[:, :symbols], ids[:, T - symbols] = said, mark
        targets, mask = np.zeros((B, T), np.int64), np.zeros((B, T), np.float32)
        targets[:, T - symbols :], mask[:, T - symbols :] = said, 1.0
        return TaskBatch(one_hot(ids, alphabet + 2), targets, mask)

    span = delay + symbols
    return MemoryTask(
        "copying", alphabet + 2, alphabet, math.log(alphabet), 1 / alphabet, span, "Arjovsky et al. 2016", make
    )


def parity(T: int = 50) -> MemoryTask:
    """After every bit: is the number of ones so far odd? Without memory: log 2 (but for the first bit)."""
    check_range("T", T, 2, 100_000)

    def make(rng: Rng, B: int) -> TaskBatch:
        bits = rng.integers(0, 2, (B, T))
        mask = np.ones((B, T), np.float32)
        mask[:, 0] = 0.0  # the first is known
        return TaskBatch(one_hot(bits, 2), np.cumsum(bits, axis=1) % 2, mask)

    return MemoryTask("parity", 2, 2, math.log(2), 0.5, T, "Minsky & Papert 1969; Hochreiter & Schmidhuber 1997", make)


def brackets(T: int = 40, kinds: int = 4, depth: int = 4) -> MemoryTask:
    """Of which kind is the bracket that closes here? Openers of some kinds, nested to a depth, and one closer for all.

    The language of Dyck with its closers made alike (cf. Suzgun et al. 2019): the answer is what a stack would give.
    Without memory: log(kinds).
    """
    for name, value in (("T", T), ("depth", depth)):
        check_range(name, value, 1, 100_000)
    check_range("kinds", kinds, 2, 1000)

    def make(rng: Rng, B: int) -> TaskBatch:
        ids, targets = np.empty((B, T), np.int64), np.zeros((B, T), np.int64)
        mask = np.zeros((B, T), np.float32)
        opens, types = rng.random((B, T)) < 0.5, rng.integers(0, kinds, (B, T))
        for b in range(B):
            stack: list[int] = []
            for t in range(T):
                if not stack or (opens[b, t] and len(stack) < depth):
                    stack.append(int(types[b, t]))
                    ids[b, t] = stack[-1]
                else:
                    ids[b, t], targets[b, t], mask[b, t] = kinds, stack.pop(), 1.0
        return TaskBatch(one_hot(ids, kinds + 1), targets, mask)

    return MemoryTask("brackets", kinds + 1, kinds, math.log(kinds), 1 / kinds, T, "Suzgun et al. 2019", make)


def temporal_order(T: int = 60) -> MemoryTask:
    """X or Y, long after it X or Y again, among symbols that mean nothing: XX, XY, YX or YY? Without memory: log 4.

    (Hochreiter & Schmidhuber 1997, experiment 6a; there T is 100 to 110.) The first stands in the second tenth of T,
    the other between its middle and six tenths.
    """
    check_range("T", T, 20, 100_000)

    def make(rng: Rng, B: int) -> TaskBatch:
        ids, rows = rng.integers(0, 4, (B, T)), np.arange(B)
        ids[:, 0], ids[:, -1] = 6, 7  # E and B, as there
        first, second = rng.integers(0, 2, B), rng.integers(0, 2, B)
        ids[rows, rng.integers(T // 10, T // 5, B)] = 4 + first
        ids[rows, rng.integers(T // 2, 6 * T // 10, B)] = 4 + second
        targets = np.zeros((B, T), np.int64)
        targets[:, -1] = 2 * first + second
        return TaskBatch(one_hot(ids, 8), targets, last_only(B, T))

    return MemoryTask("temporal order", 8, 4, math.log(4), 0.25, T, "Hochreiter & Schmidhuber 1997, 6a", make)


def delayed_xor(T: int = 40) -> MemoryTask:
    """Two marked bits, one in each half of T: do they differ? Asked at the end; with none or one of them: log 2."""
    check_range("T", T, 4, 100_000)

    def make(rng: Rng, B: int) -> TaskBatch:
        xs, rows = np.zeros((B, T, 2), np.float32), np.arange(B)
        xs[:, :, 0] = bits = rng.integers(0, 2, (B, T))
        first, second = rng.integers(0, T // 2, B), rng.integers(T // 2, T, B)
        xs[rows, first, 1] = xs[rows, second, 1] = 1.0
        targets = np.zeros((B, T), np.int64)
        targets[:, -1] = bits[rows, first] ^ bits[rows, second]
        return TaskBatch(xs, targets, last_only(B, T))

    return MemoryTask("delayed XOR", 2, 2, math.log(2), 0.5, T, "Schmidhuber, Wierstra & Gomez 2005", make)


# The Reber grammar: state -> (symbol, next state), two ways from each; from the last one E.
REBER = [[("T", 1), ("P", 2)], [("S", 1), ("X", 3)], [("T", 2), ("V", 4)], [("X", 2), ("S", 5)], [("P", 3), ("V", 5)]]
LETTERS = "BTSXVPE"


def reber_string(rng: Rng) -> str:
    """B, a way through the graph, E (Reber 1967)."""
    state, said = 0, "B"
    while state != 5:
        symbol, state = REBER[state][rng.integers(0, 2)]
        said += symbol
    return said + "E"


def embedded_reber(inside: int = 40) -> MemoryTask:
    """B, T or P, strings of the Reber grammar, the same T or P again: which is it, the T or the P?

    Asked at the end of the string inside; strings follow one another until there are ``inside`` letters and more. With
    one string (inside 1) it is the embedded Reber grammar of Cleeremans, Servan-Schreiber & McClelland (1989), and of
    Hochreiter & Schmidhuber (1997), experiment 1. Without memory: log 2.
    """
    check_range("inside", inside, 1, 100_000)
    T = inside + 32

    def make(rng: Rng, B: int) -> TaskBatch:
        ids, targets, mask = np.full((B, T), len(LETTERS)), np.zeros((B, T), np.int64), np.zeros((B, T), np.float32)
        for b in range(B):
            outer, said = int(rng.integers(0, 2)), ""
            while len(said) < inside or len(said) + 2 > T:
                said = said + reber_string(rng) if len(said) < inside else ""
            ids[b, : len(said) + 2] = [LETTERS.index(letter) for letter in f"B{'TP'[outer]}{said}"]
            targets[b, len(said) + 1], mask[b, len(said) + 1] = outer, 1.0
        return TaskBatch(one_hot(ids, len(LETTERS) + 1), targets, mask)

    return MemoryTask("embedded Reber", len(LETTERS) + 1, 2, math.log(2), 0.5, T, "Cleeremans et al. 1989", make)


TASKS: dict[str, Callable[..., MemoryTask]] = {
    "adding": adding,
    "copying": copying,
    "parity": parity,
    "brackets": brackets,
    "temporal-order": temporal_order,
    "delayed-xor": delayed_xor,
    "reber": embedded_reber,
}


def memory_task(name: str, **sizes: int) -> MemoryTask:
    """A task by name; `UsageError` for another."""
    if name not in TASKS:
        raise UsageError("E-TASK-001", f"the task {name!r} is unknown", mend=f"one of {', '.join(TASKS)}")
    return partial(TASKS[name], **sizes)()


def last_only(B: int, T: int) -> NDArray[np.float32]:
    mask = np.zeros((B, T), np.float32)
    mask[:, -1] = 1.0
    return mask


def one_hot(ids: NDArray[np.int64], size: int) -> NDArray[np.float32]:
    return np.eye(size, dtype=np.float32)[ids]

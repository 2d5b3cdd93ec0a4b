"""How much of a generated text stands in the text that the model was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chekhov.types import Ids

LENGTHS = (2, 4, 8, 16)
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # odd: no step of the hash loses a bit
Hashes = NDArray[np.uint64]


@dataclass(frozen=True)
class Novelty:
    """``copied`` = (start, length) in the sample of the longest span that stands in the source too, in tokens.

    ``new``: for each length n the share of the sample's n-grams that do not stand in the source.
    """

    copied: tuple[int, int]
    new: dict[int, float]


class Source:
    """A text made ready to look spans up in: ids (N,) of one document, or of several, and no span over two."""

    def __init__(self, documents: Sequence[Ids]):
        self.documents = [np.asarray(ids, np.int64) for ids in documents]
        self._prefixes = [prefix_hashes(ids) for ids in self.documents]
        self._known: dict[int, Hashes] = {}

    def holds(self, sample: Ids, length: int) -> NDArray[np.bool_]:
        """For each place of ``sample`` (T,) -> (T - length + 1,): whether the ``length`` tokens from it stand here.

        By hash: of 2^64, so that a false yes has one chance in millions for texts of any size that fits in memory.
        """
        if length not in self._known:
            self._known[length] = np.unique(np.concatenate([windows(prefix, length) for prefix in self._prefixes]))
        known, wanted = self._known[length], windows(prefix_hashes(np.asarray(sample, np.int64)), length)
        if not len(known):
            return np.zeros(len(wanted), bool)
        return known[np.minimum(np.searchsorted(known, wanted), len(known) - 1)] == wanted


def novelty(sample: Ids, source: Source, lengths: Sequence[int] = LENGTHS) -> Novelty:
    """The longest copied span by bisection (a span that stands there has all its parts there), and the new n-grams."""
    low, high, start = 0, len(sample), 0
    while low < high:
        middle = (low + high + 1) // 2
        held = np.flatnonzero(source.holds(sample, middle))
        if len(held):
            low, start = middle, int(held[0])
        else:
            high = middle - 1
    new = {n: float(1 - source.holds(sample, n).mean()) for n in lengths if n <= len(sample)}
    return Novelty((start, low), new)


def prefix_hashes(ids: Ids) -> Hashes:
    """h (N + 1,), h[i] = sum over j < i of mix(id_j) / M^j modulo 2^64: M is odd, so it can be divided by."""
    inverse = np.uint64(pow(int(MULTIPLIER), -1, 1 << 64))
    with np.errstate(over="ignore"):
        sums = np.cumsum(mix(ids) * powers_of(inverse, len(ids)), dtype=np.uint64)
    return np.concatenate([np.zeros(1, np.uint64), sums])


def windows(prefix: Hashes, length: int) -> Hashes:
    """The hashes of all spans of ``length`` tokens: a difference of two prefixes, moved to the same place."""
    count = max(0, len(prefix) - length)
    with np.errstate(over="ignore"):
        return (prefix[length:] - prefix[:count]) * powers_of(MULTIPLIER, count)


def mix(ids: Ids) -> Hashes:
    """Ids spread over 64 bits (the finaliser of SplitMix64)."""
    with np.errstate(over="ignore"):
        x = (ids.astype(np.uint64) + np.uint64(1)) * MULTIPLIER
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))


def powers_of(base: np.uint64, count: int) -> Hashes:
    """1, base, base^2, ... (count,), modulo 2^64."""
    with np.errstate(over="ignore"):
        return np.cumprod(np.where(np.arange(count) == 0, np.uint64(1), base), dtype=np.uint64)

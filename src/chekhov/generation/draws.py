"""Uniform draws that can be named: draw i of a stream depends on (seed, stream, i) and on nothing else.

A counter-based generator (Philox 4x64-10: Salmon et al. 2011) makes that free. It is why a text generated alone, in a
batch, by a server among strangers, or resumed in the middle is the same text.
"""

from __future__ import annotations

import operator

import numpy as np
from numpy.typing import NDArray

from chekhov.errors import UsageError, check_range

LARGEST = 2**64 - 1


def uniforms(seed: int, stream: int, start: int, count: int) -> NDArray[np.float64]:
    """Draws start ... start + count - 1 of a stream, (count,) in [0, 1), multiples of 2^-53.

    Draw i is the first double of NumPy's generator with that key and counter, in these words::

        np.random.Generator(np.random.Philox(key=seed, counter=[i, stream, 0, 0])).random()

    Raises `UsageError` unless seed, stream and start are whole numbers from 0 to 2^64 - 1.
    """
    seed, stream = _word("seed", seed), _word("stream", stream)
    start = _word("start", start)
    counter = np.array([start, stream, 0, 0], dtype=np.uint64)
    blocks = np.random.Philox(key=np.array([seed, 0], dtype=np.uint64), counter=counter)
    words = np.asarray(blocks.random_raw(4 * count), dtype=np.uint64)[::4]  # a counter gives four words: one is used
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


class Draws:
    """The draws of one stream, one at a time, made ``block`` at a time. ``position`` is the index of the next one."""

    def __init__(self, seed: int, stream: int, start: int = 0, *, block: int = 256):
        self.seed, self.stream, self.position, self.block = seed, stream, start, block
        self._values, self._first = uniforms(seed, stream, start, block), start

    def next(self) -> float:
        """The draw at ``position``, in [0, 1)."""
        i = self.position - self._first
        if i == len(self._values):
            self._values, self._first, i = uniforms(self.seed, self.stream, self.position, self.block), self.position, 0
        self.position += 1
        return float(self._values[i])


def _word(name: str, value: int) -> int:
    try:
        value = operator.index(value)
    except TypeError as error:
        raise UsageError("E-RANGE-001", f"{name} is {value!r}, which is not a whole number") from error
    check_range(name, value, 0, LARGEST)
    return value

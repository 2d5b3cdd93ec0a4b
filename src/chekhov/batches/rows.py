"""Rows with an end, sentences or texts, in batches of like length."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SORTED_TOGETHER = 16  # batches: long enough for little padding, short enough for other neighbours in every epoch


class RowBatch(NamedTuple):
    rows: NDArray[np.int64]  # which
    targets: NDArray[np.int64]  # its size is the number of words in them


class RowBatches:
    """Each epoch every row once, in an order drawn from ``seed`` and the epoch; `batch` is a function of the step."""

    def __init__(self, lengths: NDArray[np.int64], *, batch_size: int, seed: int):
        self.lengths, self.batch_size, self.seed = lengths, batch_size, seed
        self.windows = -(-len(lengths) // batch_size)
        self._epoch, self._order = -1, np.empty(0, np.int64)

    def batch(self, step: int) -> RowBatch:
        epoch, place = divmod(step, self.windows)
        if epoch != self._epoch:
            self._epoch, (self._order, self._places) = epoch, self._draw(epoch)
        start = int(self._places[place]) * self.batch_size
        rows = self._order[start : start + self.batch_size]
        return RowBatch(rows, np.empty(int(self.lengths[rows].sum()), np.int64))

    def _draw(self, epoch: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        draws = np.random.Generator(np.random.Philox(key=self.seed, counter=[0, 0, 0, epoch]))
        order = draws.permutation(len(self.lengths))
        group = SORTED_TOGETHER * self.batch_size
        for start in range(0, len(order), group):
            part = order[start : start + group]
            order[start : start + group] = part[np.argsort(self.lengths[part], kind="stable")]
        return order, draws.permutation(self.windows)

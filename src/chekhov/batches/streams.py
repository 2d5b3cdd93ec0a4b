"""One long text as B unbroken rows, read window by window, so that the state can be carried across windows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from chekhov.errors import UsageError
from chekhov.types import BOS, EOS, Ids

SEARCHED = 1 << 14  # ids that are looked through at once


class Batch(NamedTuple):
    inputs: Ids  # (B, T)
    targets: Ids  # (B, T): inputs shifted by one
    first: bool  # the rows start here: the carried state must be dropped


class Streams:
    """Truncated BPTT's diet: row b is contiguous over batches (Mikolov 2012; char-rnn's batching).

    Each row starts as a text does, with <s> from the neutral state, and where sentences are short at the beginning of
    one. The tail of fewer than B tokens that does not fill a row is left out; every epoch after the first cuts the rows
    elsewhere (the text rotated by a draw from ``seed``). `batch` is a function of the step alone: nothing to save. Of
    ``ids`` it reads no more than the batch: they may be a file that is mapped into memory.
    """

    def __init__(self, ids: Ids, *, batch_size: int, sequence_length: int, seed: int = 0):
        if len(ids) < sequence_length:
            raise UsageError(
                "E-TRAIN-002",
                f"sequence_length {sequence_length} is longer than the training text of {len(ids)} tokens",
                mend=f"give more text, or --sequence-length {max(1, len(ids) // 2)}",
            )
        self.ids, self.seed, self.sequence_length = ids, seed, sequence_length
        self.batch_size = max(1, min(batch_size, len(ids) // sequence_length))
        self.row_length = len(ids) // self.batch_size
        self.windows = -(-self.row_length // sequence_length)  # per epoch
        self._epoch, self._shift, self._starts = -1, 0, np.zeros(0, np.int64)

    def batch(self, step: int) -> Batch:
        """The batch of a step; step counts from 0 over all epochs."""
        epoch, window = divmod(step, self.windows)
        if epoch != self._epoch:
            self._epoch = epoch
            self._cut(epoch)
        first = window * self.sequence_length
        last = min(first + self.sequence_length, self.row_length)
        places = self._starts[:, None] + np.arange(first - 1, last)
        read = self._read(places)
        if window == 0:
            read[:, 0] = BOS
        return Batch(read[:, :-1], read[:, 1:], window == 0)

    def _read(self, places: Ids) -> Ids:
        """The ids at these places of the text as this epoch reads it: rotated."""
        return self.ids[(places + self._shift) % len(self.ids)].astype(np.int64)

    def _cut(self, epoch: int) -> None:
        length = len(self.ids)
        self._shift = 0 if epoch == 0 else int(np.random.default_rng([self.seed, epoch]).integers(length))
        starts = np.arange(self.batch_size) * self.row_length
        self._starts = np.array([0, *map(self._beginning, starts[1:].tolist())])

    def _beginning(self, start: int) -> int:
        """The beginning of a sentence, if there is one in the first quarter of the row at ``start``; else ``start``."""
        last = min(start - 1 + self.row_length // 4, len(self.ids) - 1)
        for begin in range(start - 1, last, SEARCHED):
            ends = np.flatnonzero(self._read(np.arange(begin, min(begin + SEARCHED, last))) == EOS)
            if len(ends):
                return begin + int(ends[0]) + 1
        return start

"""One long text as B unbroken rows, read window by window, so that the state can be carried across windows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from chekhov.errors import UsageError
from chekhov.types import BOS, EOS, Ids


class Batch(NamedTuple):
    inputs: Ids  # (B, T)
    targets: Ids  # (B, T): inputs shifted by one
    first: bool  # the rows start here: the carried state must be dropped


class Streams:
    """Truncated BPTT's diet: row b is contiguous over batches (Mikolov 2012; char-rnn's batching).

    Each row starts as a text does, with <s> from the neutral state, and where sentences are short at the beginning of
    one. The tail of fewer than B tokens that does not fill a row is left out; every epoch after the first cuts the rows
    elsewhere (the text rotated by a draw from ``seed``). `batch` is a function of the step alone: nothing to save.
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
        self._epoch, self._rows = -1, np.empty((0, 0), np.int64)

    def batch(self, step: int) -> Batch:
        """The batch of a step; step counts from 0 over all epochs."""
        epoch, window = divmod(step, self.windows)
        if epoch != self._epoch:
            self._epoch, self._rows = epoch, self._cut(epoch)
        start = window * self.sequence_length
        piece = self._rows[:, start : start + self.sequence_length + 1]
        return Batch(piece[:, :-1], piece[:, 1:], window == 0)

    def _cut(self, epoch: int) -> Ids:
        shift = 0 if epoch == 0 else int(np.random.default_rng([self.seed, epoch]).integers(len(self.ids)))
        text = np.roll(self.ids, -shift)
        starts = np.arange(self.batch_size) * self.row_length
        beginnings = 1 + np.flatnonzero(text[:-1] == EOS)
        if len(beginnings):
            following = beginnings[np.minimum(np.searchsorted(beginnings, starts), len(beginnings) - 1)]
            near = (following >= starts) & (following - starts < self.row_length // 4)
            starts = np.where((starts > 0) & near, following, starts)
        places = (starts[:, None] + np.arange(self.row_length)) % len(text)
        return np.concatenate([np.full((self.batch_size, 1), BOS, np.int64), text[places]], axis=1)

"""One text as unbroken rows: nothing lost but the tail, targets shifted by one, rows going on over windows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekhov.batches.streams import Streams
from chekhov.errors import UsageError
from chekhov.types import BOS, EOS


@given(st.integers(1, 400), st.integers(1, 9), st.integers(1, 20))
def test_an_epoch_reads_every_row_once_and_in_order(length: int, batch_size: int, sequence_length: int) -> None:
    ids = np.arange(3, 3 + length)
    if length < sequence_length:
        with pytest.raises(UsageError, match="sequence_length"):
            Streams(ids, batch_size=batch_size, sequence_length=sequence_length)
        return
    streams = Streams(ids, batch_size=batch_size, sequence_length=sequence_length)
    batches = [streams.batch(step) for step in range(streams.windows)]
    targets = np.concatenate([batch.targets for batch in batches], axis=1)
    assert np.array_equal(targets.ravel(), ids[: targets.size])
    assert length - targets.size < streams.batch_size
    inputs = np.concatenate([batch.inputs for batch in batches], axis=1)
    assert (inputs[:, 0] == BOS).all()
    assert np.array_equal(inputs[:, 1:], targets[:, :-1])
    assert [batch.first for batch in batches] == [True] + [False] * (streams.windows - 1)


def test_later_epochs_cut_the_rows_elsewhere_but_read_the_same_tokens() -> None:
    streams = Streams(np.arange(3, 103), batch_size=4, sequence_length=5, seed=1)
    epochs = [
        np.concatenate([streams.batch(e * streams.windows + w).targets for w in range(streams.windows)], axis=1)
        for e in range(3)
    ]
    assert all(sorted(epoch.ravel()) == list(range(3, 103)) for epoch in epochs)
    assert len({epoch.tobytes() for epoch in epochs}) == 3


def test_a_batch_depends_on_its_step_alone() -> None:
    one, other = (Streams(np.arange(3, 203), batch_size=3, sequence_length=7, seed=4) for _ in range(2))
    for step in (25, 3, 11, 0):
        assert np.array_equal(one.batch(step).inputs, other.batch(step).inputs)


def test_rows_begin_where_a_sentence_begins_if_one_is_near() -> None:
    ids = np.tile([5, 6, 7, EOS], 50)
    streams = Streams(ids, batch_size=3, sequence_length=10, seed=2)
    for epoch in range(4):
        batch = streams.batch(epoch * streams.windows)
        assert (batch.inputs[:, 0] == BOS).all()
        assert (batch.targets[1:, 0] == 5).all()

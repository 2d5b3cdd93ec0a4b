"""Training of nets that label what is there: rows in batches, one loss for all columns."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chekhov.batches.rows import RowBatch, RowBatches
from chekhov.labels.features import Words
from chekhov.recurrent.tagger_net import gather_rows
from chekhov.training.loop import Plan, Report, run_loop


def train_labels(
    net: Any,
    words: Words,
    targets_of: Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[Any]],
    plan: Plan,
    *,
    data: Sequence[NDArray[Any]],
    validate: Callable[[], float],
    folder: Path | None,
    resume: bool,
    keep_best: Callable[[Any], None],
    watch: Callable[[dict[str, Any]], None],
) -> Report:
    """`run_loop` over rows of words.

    ``targets_of(rows, places)`` gives what ``net.loss`` wants of a batch; ``data``: all that it depends on besides the
    words, for the digest.
    """

    def objective(batch: RowBatch, carry: Any) -> tuple[Tensor, Any]:
        rows, places = gather_rows(words, batch.rows)
        return net.loss(rows, torch.from_numpy(targets_of(batch.rows, places))), None

    for encoder in net.encoders:
        encoder.silence_unseen(torch.from_numpy(words.features))
    hasher = hashlib.sha256()
    for array in (words.tokens, words.begins, words.features, *data):
        hasher.update(np.ascontiguousarray(array).data.cast("B"))
    return run_loop(
        net,
        RowBatches(words.lengths, batch_size=plan.batch_size, seed=plan.seed),
        plan,
        objective=objective,
        validate=validate,
        measures=lambda loss: {},
        data_digest=hasher.hexdigest(),
        folder=folder,
        resume=resume,
        keep_best=keep_best,
        watch=watch,
    )

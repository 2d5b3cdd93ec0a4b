"""The training loop: it learns, stops, names what goes wrong, and resumes to the same bits."""

from __future__ import annotations

import itertools
import json
import math
import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from chekhov.errors import TrainingError, UsageError
from chekhov.recurrent.language_model import RecurrentLM
from chekhov.training import loop
from chekhov.training.loop import Plan, Report, train_loop
from chekhov.training.schedules import cosine

IDS = np.tile(np.array([3, 4, 5, 6, 3, 5, 7, 2]), 60)
TIMING = {"seconds", "cpu_seconds", "tokens_per_second", "eta"}


def run(
    folder: Path, plan: Plan, *, resume: bool = False, watch: Any = None, ids: Any = IDS, dropout: float = 0.2
) -> tuple[RecurrentLM, Report]:
    folder.mkdir(exist_ok=True)
    torch.manual_seed(11)
    model = RecurrentLM(
        "lstm",
        8,
        embedding_size=6,
        hidden_size=10,
        num_layers=2,
        dropout=dropout,
        cell_options={"zoneout": dropout / 2},
    )
    report = train_loop(
        model,
        ids,
        IDS[:100],
        plan,
        characters_per_token=1.0,
        folder=folder,
        resume=resume,
        keep_best=lambda progress: None,
        watch=watch or (lambda record: None),
    )
    return model, report


def log(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [{key: value for key, value in json.loads(line).items() if key not in TIMING} for line in lines]


def test_it_learns_a_text_by_heart(tmp_path: Path) -> None:
    plan = Plan(batch_size=4, sequence_length=16, epochs=40, lr=2e-2)
    _, report = run(tmp_path, plan, dropout=0.0)
    assert report.stopped_by == ""
    assert report.progress.best_loss is not None
    assert report.progress.best_loss < 0.1 < math.log(6)


def test_the_best_weights_are_kept_not_the_last(tmp_path: Path) -> None:
    plan = Plan(batch_size=4, sequence_length=16, epochs=12, lr=0.3, patience=0)
    seen: list[float] = []
    model, report = run(tmp_path, plan, watch=lambda r: seen.append(r["valid_loss"]) if r["valid_loss"] else None)
    from chekhov.training.loop import validation_loss

    assert report.progress.best_loss == min(seen)
    assert validation_loss(model, IDS[:100]) == pytest.approx(min(seen), abs=1e-6)


@pytest.mark.parametrize("optimiser", ["muon", "adamw", "sgd"])
@pytest.mark.parametrize("stop_at", [3, 7, 20, 41])
def test_interrupted_and_resumed_is_bit_for_bit_uninterrupted(tmp_path: Path, stop_at: int, optimiser: str) -> None:
    """Dropout, zoneout, the optimisers' moments, the carried state and the log: all must come back."""
    plan = Plan(batch_size=4, sequence_length=16, epochs=8, seed=5, optimiser=optimiser, momentum=0.9)
    whole, _ = run(tmp_path / "whole", plan)
    step = 0
    original = torch.nn.utils.clip_grad_norm_

    def interrupting(*arguments: Any, **flags: Any) -> Any:
        nonlocal step
        step += 1
        if step == stop_at:
            os.kill(os.getpid(), signal.SIGINT)  # Ctrl-C in the middle of a step
        return original(*arguments, **flags)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.nn.utils, "clip_grad_norm_", interrupting)
        _, report = run(tmp_path / "cut", plan)
    assert report.stopped_by == "SIGINT"
    assert report.progress.step == stop_at
    torch.manual_seed(999)  # the resumed process has another random state until the checkpoint is read
    resumed, report = run(tmp_path / "cut", plan, resume=True)
    assert report.stopped_by == ""
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, resumed.state_dict()[name]), name
    assert log(tmp_path / "cut") == log(tmp_path / "whole")


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_step(tmp_path: Path) -> None:
    plan = Plan(batch_size=4, sequence_length=16, epochs=8)
    original = torch.nn.functional.cross_entropy
    calls = 0

    def poisoned(*arguments: Any, **flags: Any) -> Any:
        nonlocal calls
        calls += 1
        return original(*arguments, **flags) * (math.nan if calls == 30 else 1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.nn.functional, "cross_entropy", poisoned)
        with pytest.raises(TrainingError, match=r"loss is not finite at step 30.*Mend:.*Kept: the best model so far"):
            run(tmp_path, plan)
    model, _ = run(tmp_path, plan, resume=True)  # the last good checkpoint is whole
    assert all(torch.isfinite(weight).all() for weight in model.state_dict().values())


def test_patience_ends_a_run_that_no_longer_gets_better(tmp_path: Path) -> None:
    _, report = run(tmp_path, Plan(batch_size=4, sequence_length=16, epochs=40, lr=9.0, patience=2))
    assert report.stopped_by == ""
    assert report.progress.finished
    assert report.progress.step < report.progress.total_steps


def test_time_is_calibrated_into_a_number_of_steps(tmp_path: Path) -> None:
    _, report = run(tmp_path, Plan(batch_size=4, sequence_length=16, time=0.6))
    assert report.progress.step == report.progress.total_steps
    assert report.progress.seconds < 5


def test_a_machine_that_becomes_slower_takes_fewer_steps(tmp_path: Path) -> None:
    """The room for steps is reckoned anew at each validation; by a clock that the steps themselves move."""
    totals: list[int] = []
    now = 0.0

    def slower(record: dict[str, Any]) -> None:
        totals.append(record["total_steps"])

    plan, objective = Plan(batch_size=4, sequence_length=16, time=0.8, patience=0), loop.next_token

    def slowing(model: RecurrentLM, precision: str, **penalties: float) -> Any:
        step = objective(model, precision, **penalties)

        def call(batch: Any, carry: Any) -> Any:
            nonlocal now
            now += 0.002 if not totals else 0.02
            return step(batch, carry)

        return call

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "next_token", slowing)
        patch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: now, process_time=lambda: now))
        _, report = run(tmp_path, plan, watch=slower)
    assert report.progress.step == report.progress.total_steps == totals[-1] < 0.8 * totals[0]
    assert report.progress.seconds == pytest.approx(0.8, abs=0.1)


def test_resuming_with_other_flags_or_another_text_is_refused(tmp_path: Path) -> None:
    plan = Plan(batch_size=4, sequence_length=16, epochs=2)
    with pytest.raises(TrainingError, match="no checkpoint"):
        run(tmp_path, plan, resume=True)
    run(tmp_path, plan)
    with pytest.raises(TrainingError, match="settings differ from the run's: lr"):
        run(tmp_path, Plan(batch_size=4, sequence_length=16, epochs=2, lr=1e-3), resume=True)
    with pytest.raises(TrainingError, match="text is not the one"):
        run(tmp_path, plan, resume=True, ids=IDS[::-1].copy())


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"lr": math.nan}, "lr is nan"),
        ({"lr": 1e10}, "lr is 1"),
        ({"batch_size": 0}, "batch-size is 0"),
        ({"epochs": 0}, "epochs is 0"),
        ({"time": -1.0}, "time is -1"),
        ({"epochs": 1, "time": 1.0}, "both --epochs and --time"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_flags_out_of_range_are_named(flags: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Plan(**flags).check()


def test_the_schedule_warms_up_and_falls_to_two_percent() -> None:
    rates = [cosine(step, 1000, warmup_steps=20) for step in range(1001)]
    assert rates[0] < rates[19] <= rates[20] == 1.0
    assert all(a >= b for a, b in itertools.pairwise(rates[20:]))
    assert rates[-1] == pytest.approx(0.02)
    assert cosine(500, 0, warmup_steps=20) == 1.0  # still calibrating

"""The one training loop: windows of truncated BPTT, clipping, optimiser, schedule, validation, early stop.

Everything that a step depends on is a function of the step number or stands in the checkpoint; so a run that was
interrupted and resumed ends with the same bits as one that was not.
"""

from __future__ import annotations

import hashlib
import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from chekhov.batches.streams import Streams
from chekhov.errors import TrainingError, UsageError, check_range
from chekhov.recurrent.cross_entropy import linear_cross_entropy
from chekhov.recurrent.language_model import RecurrentLM
from chekhov.training.checkpoints import (
    Progress,
    append_log,
    read_checkpoint,
    read_log,
    restore,
    save_checkpoint,
    write_log,
)
from chekhov.training.objectives import next_token
from chekhov.training.optimisers import OPTIMISERS, clip, make_optimisers
from chekhov.training.schedules import SCHEDULES, share
from chekhov.types import Ids

CALIBRATION_SECONDS = 3.0
VALIDATIONS = 20  # in a run
LOGS_PER_VALIDATION = 4
VALIDATION_TOKENS = 4_000, 16_000  # enough to see a trend; the final evaluation reads everything
DIGEST_BLOCK = 1 << 20
VALIDATION_LOGITS = 60_000_000  # what a validation may cost where the vocabulary is large


@dataclass(frozen=True)
class Plan:
    """The settings of a run, as they are stored in its checkpoint. ``time`` is wall seconds of training steps."""

    batch_size: int = 16
    sequence_length: int = 64
    epochs: int | None = None
    time: float | None = None
    lr: float = 8e-3
    clip: float = 1.0
    clip_value: float | None = None
    optimiser: str = "adamw"
    momentum: float = 0.0
    schedule: str = "cosine"
    warmup_steps: int = 20
    weight_decay: float = 0.01
    alpha: float = 0.0  # this and beta: of `objectives.Penalised`
    beta: float = 0.0
    patience: int = 10
    precision: str = "float32"
    seed: int = 0

    def check(self) -> None:
        check_range("batch-size", self.batch_size, 1, 1 << 16)
        check_range("sequence-length", self.sequence_length, 1, 1 << 20)
        check_range("lr", self.lr, 1e-8, 100.0)
        check_range("momentum", self.momentum, 0.0, 0.9999)
        check_range("warmup-steps", self.warmup_steps, 0, 1 << 30)
        if self.clip_value is not None:
            check_range("clip-value", self.clip_value, 1e-8, 1e6)
        for flag, value, known in (
            ("optimiser", self.optimiser, OPTIMISERS),
            ("schedule", self.schedule, SCHEDULES),
        ):
            if value not in known:
                raise UsageError(
                    "E-TRAIN-010", f"--{flag} {value} is unknown", mend=f"choose one of {', '.join(known)}"
                )
        check_range("clip", self.clip, 1e-6, 1e6)
        check_range("weight-decay", self.weight_decay, 0.0, 1.0)
        check_range("alpha", self.alpha, 0.0, 1e6)
        check_range("beta", self.beta, 0.0, 1e6)
        check_range("patience", self.patience, 0, 1 << 20)
        check_range("seed", self.seed, 0, (1 << 63) - 1)
        if self.epochs is not None and self.time is not None:
            raise UsageError("E-TRAIN-001", "both --epochs and --time are given", mend="give one of them")
        if self.epochs is not None:
            check_range("epochs", self.epochs, 1, 1 << 20)
        if self.time is not None:
            check_range("time", self.time, 0.1, 1e8)


class Batches(Protocol):
    """What a net is trained on: a batch is a function of the step; ``targets.size`` of it is what it counts for."""

    @property
    def windows(self) -> int:
        """Batches of an epoch."""
        ...

    def batch(self, step: int) -> Any: ...


@dataclass(frozen=True)
class Report:
    """How a run ended."""

    progress: Progress
    stopped_by: str  # "" at the planned end, "patience", "SIGINT", "SIGTERM"


def train_loop(
    model: RecurrentLM,
    train_ids: Ids,
    valid_ids: Ids,
    plan: Plan,
    *,
    characters_per_token: float,
    folder: Path,
    resume: bool,
    keep_best: Callable[[Progress], None],
    watch: Callable[[dict[str, Any]], None],
) -> Report:
    """Train ``model`` in place; at the end it holds the best weights.

    ``keep_best`` is called with the model at its best so far (it saves it); ``watch`` gets every log record.
    Raises TrainingError at the first loss or gradient that is not finite, naming the step; the best model stays.
    """
    plan.check()
    warm_up(model, plan.precision)
    streams = Streams(train_ids, batch_size=plan.batch_size, sequence_length=plan.sequence_length, seed=plan.seed)

    def measures(loss: float) -> dict[str, float]:
        bits = loss / math.log(2) / characters_per_token
        return {"perplexity": math.exp(min(loss, 700.0)), "bits_per_character": bits}

    return run_loop(
        model,
        streams,
        plan,
        objective=next_token(model, plan.precision, alpha=plan.alpha, beta=plan.beta),
        validate=lambda: validation_loss(model, valid_ids),
        measures=measures,
        data_digest=digest_ids(train_ids, valid_ids),
        folder=folder,
        resume=resume,
        keep_best=keep_best,
        watch=watch,
    )


def run_loop(
    model: Any,
    batches: Batches,
    plan: Plan,
    *,
    objective: Callable[[Any, Any], tuple[torch.Tensor, Any]],
    validate: Callable[[], float],
    measures: Callable[[float], dict[str, float]],
    data_digest: str,
    folder: Path | None,
    resume: bool,
    keep_best: Callable[[Progress], None],
    watch: Callable[[dict[str, Any]], None],
) -> Report:
    """`train_loop` of any net: a module with ``sizes``, ``arrays`` and ``load_arrays``.

    ``objective`` gives the loss of a batch and what is carried to the next; ``validate`` a figure whose least is best;
    ``measures`` what the log says of a loss besides. ``data_digest``: of all that the batches are made of. Without a
    ``folder`` there is neither log nor checkpoint.
    """
    plan.check()
    optimisers = make_optimisers(model, plan)
    run = _Run(model, batches, objective, validate, measures, plan, folder, optimisers, data_digest, keep_best, watch)
    if resume and folder is not None:
        run.resume(folder)
    else:
        torch.manual_seed(plan.seed)
        run.progress.total_steps = plan.epochs * batches.windows if plan.epochs else 0
        if folder is not None:
            (folder / "checkpoint.json").unlink(missing_ok=True)  # of a run that this one replaces
            write_log(folder, [])
    with interrupts() as interrupted:
        return run.go(interrupted)


def warm_up(model: RecurrentLM, precision: str) -> None:
    """One step of each cell in both precisions, and of the loss, so that none of the run's compiles kernels."""
    for module in model.stack.cells:
        cell: Any = module
        for bf16 in {False, precision == "bf16"}:  # validation, which needs no gradient, is in float32
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                outputs, _ = cell.unroll(torch.zeros(1, 1, cell.input_size), cell.initial_state(1))
            if bf16 == (precision == "bf16"):
                torch.autograd.grad(outputs.float().sum(), list(cell.parameters()), allow_unused=True)
    if precision == "bf16":
        with torch.autocast("cpu", torch.bfloat16):
            features = torch.zeros(1, model.stack.hidden_size)
            loss = linear_cross_entropy(features, model.head.weight, model.head.bias, torch.zeros(1, dtype=torch.long))
        torch.autograd.grad(loss, [model.head.weight])


class _Run:
    """A run under way: what `train_loop` was given, and where it stands."""

    def __init__(
        self,
        model: Any,
        batches: Batches,
        objective: Callable[[Any, Any], tuple[torch.Tensor, Any]],
        validate: Callable[[], float],
        measures: Callable[[float], dict[str, float]],
        plan: Plan,
        folder: Path | None,
        optimisers: list[torch.optim.Optimizer],
        data_digest: str,
        keep_best: Callable[[Progress], None],
        watch: Callable[[dict[str, Any]], None],
    ):
        self.model, self.batches, self.objective, self.plan, self.folder = model, batches, objective, plan, folder
        self.valid_figure, self.measures = validate, measures
        self.optimisers, self.data_digest, self.keep_best, self.watch = optimisers, data_digest, keep_best, watch
        self.progress, self.carry = Progress(), None  # type: Progress, Any
        self.best = {name: tensor.clone() for name, tensor in model.state_dict().items()}

    def resume(self, folder: Path) -> None:
        record, arrays = read_checkpoint(folder)
        if record.data_digest != self.data_digest:
            what = "the text is not the one that this run was started on"
            raise TrainingError("E-RESUME-003", what, where=str(folder), mend="give the same text, or start anew")
        changed = [name for name, value in self.settings().items() if record.plan.get(name, value) != value]
        if changed:
            what = f"the settings differ from the run's: {', '.join(changed)}"
            raise TrainingError("E-RESUME-004", what, where=str(folder), mend="give the same flags, or start anew")
        self.progress, self.carry = record.progress, restore(arrays, self.model, self.optimisers)
        best = {n.removeprefix("best."): a for n, a in arrays.items() if n.startswith("best.")}
        self.best = {n: torch.from_numpy(np.array(a)) for n, a in best.items()} or self.best
        write_log(folder, [line for line in read_log(folder) if line["step"] <= self.progress.step])

    def go(self, interrupted: Callable[[], str]) -> Report:
        p, stopped_by = self.progress, ""
        clock, cpu_clock = time.monotonic() - p.seconds, time.process_time() - p.cpu_seconds
        self.model.train()
        while not (p.finished or stopped_by):
            norm, rate = self.step()
            p.seconds, p.cpu_seconds = time.monotonic() - clock, time.process_time() - cpu_clock
            logging, validating = self.due(1), self.due(LOGS_PER_VALIDATION)
            if self.plan.time and p.step != p.total_steps and (validating or p.total_steps == 0):
                self.calibrate(self.plan.time)
            if logging:
                self.log(norm, rate, self.validate() if validating else None)
            p.finished = p.step == p.total_steps or (
                bool(self.plan.patience) and p.bad_validations >= self.plan.patience
            )
            stopped_by = interrupted()
            if validating or stopped_by:
                self.checkpoint()
            clock, cpu_clock = time.monotonic() - p.seconds, time.process_time() - p.cpu_seconds  # steps alone count
        if p.best_loss is None:  # stopped before the first validation: what there is, is the best
            self.validate()
        self.model.load_state_dict(self.best)
        self.model.eval()
        return Report(p, stopped_by)

    def step(self) -> tuple[float, float]:
        p, plan = self.progress, self.plan
        rate = plan.lr * share(
            plan.schedule, p.step, p.total_steps, warmup_steps=plan.warmup_steps, plateaus=p.plateaus
        )
        for group in (group for optimiser in self.optimisers for group in optimiser.param_groups):
            group["lr"] = rate
        batch = self.batches.batch(p.step)
        self.model.zero_grad(set_to_none=True)
        loss, self.carry = self.objective(batch, self.carry)
        value = float(loss.detach())
        if math.isfinite(value):
            loss.backward()
        norm = clip(self.model, norm=plan.clip, value=plan.clip_value)
        if not (math.isfinite(value) and math.isfinite(norm)):
            what = f"the {'loss' if not math.isfinite(value) else 'gradient'} is not finite at step {p.step + 1}"
            kept = f"the best model so far, of step {p.best_step}" if p.best_loss is not None else ""
            mend = f"a smaller learning rate, --lr {plan.lr / 4:g}, or a smaller --clip"
            raise TrainingError("E-TRAIN-003", what, where=str(self.folder or ""), mend=mend, kept=kept)
        for optimiser in self.optimisers:
            optimiser.step()
        p.step += 1
        p.tokens += batch.targets.size
        p.loss_sum += value
        p.loss_count += 1
        return norm, rate

    def calibrate(self, budget: float) -> None:
        """After 3 seconds, and again at each validation: how many steps --time has room for, hence the schedule."""
        p = self.progress
        if p.seconds >= min(CALIBRATION_SECONDS, budget / 2) and p.step >= 2:
            p.total_steps = max(p.step + 1, round(p.step * budget / p.seconds))

    def due(self, logs: int) -> bool:
        """Eighty lines of log in a run, every fourth with a validation; by steps, so that resuming keeps them."""
        p = self.progress
        interval = logs * max(1, p.total_steps // (LOGS_PER_VALIDATION * VALIDATIONS))
        return p.total_steps > 0 and (p.step % interval == 0 or p.step == p.total_steps)

    def log(self, norm: float, rate: float, valid_loss: float | None) -> None:
        p = self.progress
        loss = p.loss_sum / p.loss_count
        p.loss_sum, p.loss_count = 0.0, 0
        record = {
            "schema": 1,
            "step": p.step,
            "total_steps": p.total_steps,
            "tokens": p.tokens,
            "loss": loss,
            "valid_loss": valid_loss,
            "best": valid_loss is not None and p.best_step == p.step,
            **self.measures(loss),
            "learning_rate": rate,
            "gradient_norm": norm,
            "seconds": p.seconds,
            "cpu_seconds": p.cpu_seconds,
            "tokens_per_second": p.tokens / max(p.seconds, 1e-9),
            "eta": p.seconds / p.step * (p.total_steps - p.step),
        }
        if self.folder is not None:
            append_log(self.folder, record)
        self.watch(record)

    def validate(self) -> float:
        p = self.progress
        loss = self.valid_figure()
        if p.best_loss is None or loss < p.best_loss:
            p.best_loss, p.best_step, p.bad_validations = loss, p.step, 0
            self.best = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
            self.keep_best(p)
        else:
            p.bad_validations += 1
            p.plateaus += 1
        return loss

    def checkpoint(self) -> None:
        if self.folder is None:
            return
        settings, progress = self.settings(), self.progress
        save_checkpoint(
            self.folder, self.model, self.best, self.optimisers, self.carry, progress, settings, self.data_digest
        )

    def settings(self) -> dict[str, Any]:
        """The plan and the net's own sizes: what a resumed run must have been given again."""
        return {**asdict(self.plan), **self.model.sizes()}


def digest_ids(*parts: Ids) -> str:
    """SHA-256 of ids as int64, read block by block: they may be a file that is mapped into memory."""
    hasher = hashlib.sha256()
    for ids in parts:
        for start in range(0, len(ids), DIGEST_BLOCK):
            hasher.update(np.ascontiguousarray(ids[start : start + DIGEST_BLOCK], np.int64).data)
    return hasher.hexdigest()


def validation_loss(model: RecurrentLM, ids: Ids) -> float:
    """Nats per token on the first 4,000 to 16,000 tokens, in up to 32 rows that each start from the neutral state."""
    least, most = VALIDATION_TOKENS
    ids = ids[: min(most, max(least, VALIDATION_LOGITS // model.vocab_size))]
    rows = max(1, min(32, len(ids) // 256))
    rows_ids = ids[: len(ids) // rows * rows].reshape(rows, -1)
    training = model.training
    model.eval()
    log_probs, _ = model.score(model.initial_state(rows), rows_ids)
    model.train(training)
    return float(-log_probs.astype(np.float64).mean())


@contextmanager
def interrupts() -> Iterator[Callable[[], str]]:
    """The first Ctrl-C or SIGTERM ends the run after the step in hand; a second one acts at once."""
    caught: list[str] = []

    def handler(number: int, frame: Any) -> None:
        if caught:
            raise KeyboardInterrupt
        caught.append(signal.Signals(number).name)

    try:
        before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread: the caller's signals are the caller's
        before = {}
    try:
        yield lambda: caught[0] if caught else ""
    finally:
        for number, old in before.items():
            signal.signal(number, old)

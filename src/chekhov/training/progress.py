"""What a run says while it runs: a bar on a terminal, else a line every few seconds; always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from chekhov.errors import UsageError

QUIET_SECONDS = 4.0  # between lines where there is no terminal


def clock(seconds: float) -> str:
    minutes, rest = divmod(max(0, round(seconds)), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"


def describe(record: dict[str, Any]) -> str:
    """One log record as one line: the figures that a practitioner reads."""
    valid, text = "", ""
    if record["valid_loss"] is not None:  # of taggers and classifiers, which have no perplexity, the share of errors
        what = "valid" if "perplexity" in record else "valid error"
        valid = f"  {what} {record['valid_loss']:.4f}{'*' if record['best'] else ' '}"
    if "perplexity" in record:
        text = f"  ppl {record['perplexity']:,.2f}  {record['bits_per_character']:.3f} bits/char"
    which = f"{record['model']}  " if "model" in record else ""  # where a classifier tries several
    return (
        f"{which}loss {record['loss']:.4f}{valid}{text}  {record['tokens_per_second']:,.0f} tok/s"
        f"  |g| {record['gradient_norm']:.2f}  lr {record['learning_rate']:.1e}  eta {clock(record['eta'])}"
    )


class Watcher:
    """A context manager whose call takes the records of the training loop."""

    def __init__(self, *, quiet: bool = False):
        self.console, self.quiet, self.last = Console(stderr=True, highlight=False), quiet, -1e9
        columns = (TextColumn("step {task.completed}/{task.total}"), BarColumn(24), TextColumn("{task.description}"))
        self.bar = Progress(*columns, console=self.console, transient=True)
        self.live = sys.stderr.isatty() and not quiet
        self.task = self.bar.add_task("calibrating", total=None)

    def __enter__(self) -> Watcher:
        if self.live:
            self.bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self.live:
            self.bar.stop()

    def __call__(self, record: dict[str, Any]) -> None:
        if self.quiet:
            return
        if self.live:
            total, done = record["total_steps"], record["step"]
            self.bar.update(self.task, completed=done, total=total, description=describe(record))
            return
        final = record["step"] == record["total_steps"]
        if time.monotonic() - self.last >= QUIET_SECONDS or final:
            self.last = time.monotonic()
            self.say(f"step {record['step']}/{record['total_steps']}  {describe(record)}")

    def say(self, line: str) -> None:
        if not self.quiet:
            (self.bar.console if self.live else self.console).print(line, markup=False, soft_wrap=True)


@contextmanager
def tensorboard_writer(folder: str | Path | None) -> Iterator[Callable[[dict[str, Any]], None]]:
    """A function that writes log records for TensorBoard to ``folder``; one that does nothing if there is none."""
    if folder is None:
        yield lambda record: None
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        mend = "pip install 'chekhov[tensorboard]'"
        raise UsageError("E-SETUP-002", "--tensorboard needs TensorBoard, which is not installed", mend=mend) from error
    writer: Any = SummaryWriter(str(folder))
    names = ("loss", "valid_loss", "bits_per_character", "learning_rate", "gradient_norm", "tokens_per_second")

    def write(record: dict[str, Any]) -> None:
        for name in names:
            if record.get(name) is not None:
                writer.add_scalar(name, record[name], record["step"])

    try:
        yield write
    finally:
        writer.close()

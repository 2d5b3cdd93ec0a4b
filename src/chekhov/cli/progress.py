"""How far a count of n-grams is: a bar on a terminal, else a line every few seconds; always on stderr."""

from __future__ import annotations

import sys
import time
from typing import Any

from chekhov.cli.output import say

QUIET_SECONDS = 4.0  # between lines where there is no terminal


class Stages:
    """A context manager whose call takes a stage, how much of it is done, and of how much."""

    def __init__(self, *, quiet: bool = False):
        self.bar: Any = bar() if sys.stderr.isatty() and not quiet else None
        self.task = self.bar.add_task("", visible=False) if self.bar else None
        self.quiet, self.stage, self.began, self.last = quiet, "", 0.0, time.monotonic()

    def __enter__(self) -> Stages:
        if self.bar:
            self.bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self.bar:
            self.bar.stop()

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if stage != self.stage:
            self.stage, self.began = stage, now
            if self.bar:
                self.bar.reset(self.task, total=total, description=stage, visible=True)
        if self.bar:
            self.bar.update(self.task, completed=done, total=total)
        elif not self.quiet and now - self.last >= QUIET_SECONDS:
            self.last = now
            left = f", {(now - self.began) * (total - done) / done:.0f} s to go" if now > self.began else ""
            say(f"{stage} {done / total:.0%}{left}")


def bar() -> Any:
    """Rich's, which is loaded only where there is a terminal: that takes a twentieth of a second."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(24), TaskProgressColumn(), TimeRemainingColumn()
    return Progress(*columns, console=Console(stderr=True), transient=True)

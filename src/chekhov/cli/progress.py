"""How far a count of n-grams is: a bar on a terminal, else a line every few seconds; always on stderr."""

from __future__ import annotations

import sys
import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from chekhov.cli.output import say

QUIET_SECONDS = 4.0  # between lines where there is no terminal


class Stages:
    """A context manager whose call takes a stage, how much of it is done, and of how much."""

    def __init__(self, *, quiet: bool = False):
        columns = TextColumn("{task.description}"), BarColumn(24), TaskProgressColumn(), TimeRemainingColumn()
        self.bar = Progress(*columns, console=Console(stderr=True), transient=True, disable=quiet)
        self.live, self.quiet = sys.stderr.isatty() and not quiet, quiet
        self.stage, self.task, self.began, self.last = "", self.bar.add_task("", visible=False), 0.0, time.monotonic()

    def __enter__(self) -> Stages:
        if self.live:
            self.bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self.live:
            self.bar.stop()

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if stage != self.stage:
            self.stage, self.began = stage, now
            self.bar.reset(self.task, total=total, description=stage, visible=True)
        self.bar.update(self.task, completed=done, total=total)
        if not self.live and not self.quiet and now - self.last >= QUIET_SECONDS:
            self.last = now
            left = f", {(now - self.began) * (total - done) / done:.0f} s to go" if now > self.began else ""
            say(f"{stage} {done / total:.0%}{left}")

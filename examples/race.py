"""What the examples of memory tasks share: nets race on a task, several seeds each, and failures are counted."""

from __future__ import annotations

import argparse
import time

from chekhov.batches.memory_tasks import MemoryTask
from chekhov.training.memory_tasks import train_on_task

BLOCKS = "▁▂▃▄▅▆▇█"
LEARNING_RATES = {"elman": 3e-3, "gru": 1e-2, "lstm": 1e-2}  # the better of the two for most tasks


def race(
    task: MemoryTask,
    cells: tuple[str, ...] = ("elman", "gru", "lstm"),
    *,
    max_steps: int = 1500,
    lr: float | None = None,
) -> None:
    """Prints a line for each run: when it was solved, or what it came to."""
    parser = argparse.ArgumentParser(description=f"Nets on the {task.name} task ({task.source}).")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=max_steps, help="At most so many updates of 32 sequences.")
    parser.add_argument("--hidden-size", type=int, default=32)
    options = parser.parse_args()
    unit = "nats" if task.classes else "mean squared error"
    print(f"{task.name}: {task.span} steps to remember; without memory {task.baseline:.4f} {unit}")
    solved = dict.fromkeys(cells, 0)
    for cell in cells:
        for seed in range(options.seeds):
            started = time.process_time()
            result = train_on_task(task, cell, lr=lr or LEARNING_RATES[cell], max_steps=options.steps, seed=seed,
                                   hidden_size=options.hidden_size)  # fmt: skip
            solved[cell] += result.solved
            curve = "".join(BLOCKS[min(7, int(8 * loss / (1.2 * task.baseline)))] for _, loss in result.curve)
            verdict = f"solved after {result.steps}" if result.solved else f"not solved in {result.steps}"
            share = f", {100 * result.accuracy:.0f} % right" if task.classes else ""
            seconds = time.process_time() - started
            print(
                f"{cell:<6} seed {seed}: {verdict} steps, {result.loss:.4f}{share}, {seconds:.0f} s {curve}", flush=True
            )
    print("solved: " + ", ".join(f"{cell} {count} of {options.seeds}" for cell, count in solved.items()))

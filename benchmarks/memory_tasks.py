"""What can a net remember? Every example of a classic memory task, as it prints: docs/memory_tasks.md.

OMP_NUM_THREADS=1 python benchmarks/memory_tasks.py
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from machine import machine

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    sections = []
    for path in sorted((ROOT / "examples").glob("0[2-8]_*.py")):
        result = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=True)
        print(result.stdout, flush=True)
        title = path.read_text("utf-8").split('"""')[1].strip()
        sections.append(f"## `examples/{path.name}`\n\n{wrapped(title)}\n\n```text\n{result.stdout.strip()}\n```\n")
    page = PAGE.format(sections="\n".join(sections), machine=machine())
    (ROOT / "docs" / "memory_tasks.md").write_text(page, "utf-8")


def wrapped(text: str) -> str:
    import textwrap

    return textwrap.fill(text, 118)


PAGE = """# Classic memory tasks

Written by `python benchmarks/memory_tasks.py`; do not edit. Each example below takes less than a minute.

Seven tasks that a net can only do if it carries something through its state (`chekhov.batches.memory_tasks`), each
with what the best answer without memory would lose. A net of 32 units (Adam, fresh batches of 32 sequences) has solved
a task when 99 % of its answers on fresh sequences are right, of the adding problem when its mean squared error is
below 0.01. Three seeds, and failures count: gates make long memories likely, not certain. A bar stands for fifty steps
of training; its height is the loss, the highest what guessing costs.

{sections}
Measured on {machine}, one thread.
"""

if __name__ == "__main__":
    main()

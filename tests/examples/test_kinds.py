"""The five kinds of nets: each example runs and draws its net; each learns what it was not shown."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
KINDS = sorted([*EXAMPLES.glob("09_*.py"), *EXAMPLES.glob("1[0-3]_*.py")])
each = pytest.mark.parametrize("path", KINDS, ids=lambda path: path.stem)


def run(path: Path, *flags: str) -> tuple[float, str]:
    """(per cent right of what was held out, all that it prints)"""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(path), *flags]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True, env=environment)
    shown = re.search(r"^held out: ([\d.]+) %", result.stdout, re.MULTILINE)
    assert shown, result.stdout
    return float(shown[1]), result.stdout


def test_there_are_five() -> None:
    assert len(KINDS) == 5


@each
def test_it_runs_and_draws(path: Path, tmp_path: Path) -> None:
    run(path, "--steps", "1", "--plot", str(tmp_path / "net.svg"))
    assert (tmp_path / "net.svg").read_text("utf-8").startswith("<?xml")


@pytest.mark.slow
@each
def test_it_learns(path: Path) -> None:
    right, shown = run(path)
    assert right >= 98
    if guessed := re.search(r"^(?:straight lines|bag of embeddings): ([\d.]+) %", shown, re.MULTILINE):
        assert float(guessed[1]) < 60
    if "from left to right" in shown:
        twofold = [float(share) for share in re.findall(r"([\d.]+) % of мой", shown)]
        assert twofold[0] < twofold[1] < 90 < twofold[2]

"""Every example of a memory task runs, and counts what was solved."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("0[2-8]_*.py")), ids=lambda path: path.stem)
def test_it_runs(path: Path) -> None:
    command = [sys.executable, str(path), "--seeds", "1", "--steps", "2", "--hidden-size", "4"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True, env=environment)
    lines = result.stdout.splitlines()
    assert "without memory" in lines[0]
    assert lines[-1].startswith("solved: elman 0 of 1")

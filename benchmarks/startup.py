"""CPU milliseconds of a cold command, median of seven. Goals: 150 for --help, 250 for VERB --help.

python benchmarks/startup.py

The last line is a command that does something: an n-gram model of three lines, with NumPy and Numba loaded.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from machine import AS_INSTALLED, machine

HELP = (["--help"], ["generate", "--help"], ["train", "--help"], ["train", "lstm", "--help"])


def cpu_milliseconds(*arguments: str) -> float:
    command = [sys.executable, "-m", "chekhov", *arguments]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=AS_INSTALLED, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def main() -> None:
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        text, out = Path(folder) / "text.txt", str(Path(folder) / "model")
        text.write_text("A rifle hangs on the wall.\nIt hangs there.\nIt goes off.\n")
        train = ["train", "ngram", str(text), "-o", out, "--split", "none", "--overwrite"]
        for arguments in (*HELP, train):
            cpu_milliseconds(*arguments)  # kernels and bytecode are there from now on
            median = statistics.median(cpu_milliseconds(*arguments) for _ in range(7))
            print(f"chekhov {' '.join(arguments[:2] if arguments is train else arguments):<20} {median:6.0f} ms")


if __name__ == "__main__":
    main()

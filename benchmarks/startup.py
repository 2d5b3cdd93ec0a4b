"""CPU milliseconds of a cold command, median of seven. Goals: 150 for --help, 250 for VERB --help.

python benchmarks/startup.py
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys

from machine import machine


def cpu_milliseconds(*arguments: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "chekhov", *arguments], stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def main() -> None:
    print(machine())
    for arguments in (["--help"], ["generate", "--help"], ["train", "--help"], ["train", "lstm", "--help"]):
        median = statistics.median(cpu_milliseconds(*arguments) for _ in range(7))
        print(f"chekhov {' '.join(arguments):<20} {median:6.0f} ms")


if __name__ == "__main__":
    main()

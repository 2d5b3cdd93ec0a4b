"""What stored counts and weights save: the prose in two halves, order 5, whole processes.

    python benchmarks/counts.py PROSE.txt [--runs 5]

PROSE.txt is what prepare_prose.py makes. The ways are taken in turns, medians are shown; the first turn compiles and is
not counted. Tables that must be equal are compared by their digests.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

from machine import machine
from ngram import Cost


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prose", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        a, b = (f"{folder}/{name}.txt" for name in "ab")
        lines = options.prose.read_bytes().splitlines(keepends=True)
        Path(a).write_bytes(b"".join(lines[: len(lines) // 2]))
        Path(b).write_bytes(b"".join(lines[len(lines) // 2 :]))
        chekhov = [sys.executable, "-m", "chekhov"]
        flags = ["--order", "5", "--tokens", "whitespace", "--overwrite", "-q"]

        def train(out: str, *texts: str) -> list[str]:
            return [*chekhov, "train", "ngram", *texts, "-o", f"{folder}/{out}", "--split", "none", *flags]

        counts = ["--counts", f"{folder}/counts-a", "--counts", f"{folder}/counts-b"]
        ways = {
            "count a": [*chekhov, "count", a, "-o", f"{folder}/counts-a", *flags],
            "count b": [*chekhov, "count", b, "-o", f"{folder}/counts-b", *flags],
            "train a b": train("texts", a, b),
            "train --counts a b": [
                *(*chekhov, "train", "ngram", *counts, "-o", f"{folder}/counted", "--order", "5", "--overwrite", "-q")
            ],
            "train a b b b": train("repeated", a, b, b, b),
            "train a b --weight 1,3": train("weighted", a, b, "--weight", "1,3"),
        }
        costs: dict[str, list[Cost]] = {name: [] for name in ways}
        for _ in range(options.runs + 1):
            for name, command in ways.items():
                costs[name].append(Cost(command))
        print(f"{'':<24} {'CPU-s':>7} {'wall s':>7} {'MiB':>6}")
        for name, own in costs.items():
            cpu, wall, peak = (statistics.median(getattr(cost, n) for cost in own[1:]) for n in ("cpu", "wall", "peak"))
            print(f"{name:<24} {cpu:>7.2f} {wall:>7.2f} {peak:>6.0f}")
        for one, other in (("texts", "counted"), ("repeated", "weighted")):
            digests = {next(Path(folder, name).glob("model-*")).name for name in (one, other)}
            print(f"{one} and {other}: {'the same table' if len(digests) == 1 else 'DIFFERENT TABLES'}")
        stored = sum(path.stat().st_size for path in Path(folder, "counts-a").iterdir())
        print(f"counts-a: {stored / 1e6:.0f} MB, of {Path(a).stat().st_size / 1e6:.0f} MB of text")
    print(f"Medians of {options.runs}. {os.cpu_count()} cores. Measured on {machine()}.")


if __name__ == "__main__":
    main()

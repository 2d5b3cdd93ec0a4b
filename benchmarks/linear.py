"""How the cost of counting grows with the text: CPU seconds and memory for its first 1, 10, 70 and 700 MB.

    python benchmarks/linear.py LARGE.txt [--memory 384M]

LARGE.txt is what prepare_large.py makes: distinct text, no repeated copies. Each size is a process of its own, its
start included; the first run compiles and is not shown.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from machine import machine
from ngram import Cost

SIZES = (1, 10, 70, 700)  # MB


def head(text: Path, size: int, out: Path) -> int:
    """The first ``size`` MB, whole lines; returns how many bytes."""
    with text.open("rb") as source, out.open("wb") as sink:
        left = size * 1_000_000
        while left > 0 and (block := source.read(min(left, 1 << 24))):
            sink.write(block)
            left -= len(block)
        sink.write(source.readline())
        return sink.tell()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path)
    parser.add_argument("--memory", default="384M")
    options = parser.parse_args()
    chekhov = shutil.which("chekhov", path=str(Path(sys.executable).parent)) or sys.exit("chekhov is not installed")
    with tempfile.TemporaryDirectory() as folder:
        part, model = Path(folder) / "part.txt", f"{folder}/model"
        train = [chekhov, "train", "ngram", str(part), "-o", model, "--order", "5", "-q", "--overwrite"]
        train += ["--tokens", "whitespace", "--split", "none"]
        print(f"{'MB':>6} {'CPU-s':>7} {'CPU-s/MB':>9} {'wall s':>7} {'MiB':>6} {'table MB':>9}")
        for number, size in enumerate([SIZES[0], *SIZES]):
            found = head(options.text, size, part)
            cost = Cost(train if size <= 70 else [*train, "--memory", options.memory])
            table = sum(path.stat().st_size for path in Path(model).glob("*.safetensors"))
            if number > 0:
                shown = f"{found / 1e6:>6.0f} {cost.cpu:>7.2f} {cost.cpu / found * 1e6:>9.3f} {cost.wall:>7.2f}"
                print(f"{shown} {cost.peak:>6} {table / 1e6:>9.0f}", flush=True)
    print(f"The largest with --memory {options.memory}. {os.cpu_count()} cores. Measured on {machine()}.")


if __name__ == "__main__":
    main()

"""Does training in bf16 reach the loss of float32? The same net, text, steps and seeds in both.

    CHEKHOV_DATA=... python benchmarks/precision.py [--epochs 2] [--seeds 0 1 2]

The curve is the validation loss in nats per character of tinyshakespeare, a seed's curves of both precisions with the
same initial weights and batches. CPU seconds are those of training steps.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from pathlib import Path

from machine import machine

import chekhov
from chekhov.training.checkpoints import read_log

PRECISIONS = ("float32", "bf16")


def run(source: Path, precision: str, seed: int, epochs: int, kind: str) -> tuple[list[tuple[int, float]], float]:
    with tempfile.TemporaryDirectory() as folder:
        settings = {"precision": precision, "seed": seed, "epochs": epochs, "tokens": "characters", "quiet": True}
        model = chekhov.train(kind, source, out=Path(folder) / "m", split="contiguous:0.9", baselines=False, **settings)
        log = read_log(Path(folder) / "m")
    curve = [(line["step"], line["valid_loss"]) for line in log if line["valid_loss"] is not None]
    return curve, model.training["cpu_seconds"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--kinds", nargs="+", default=["lstm"])
    arguments = parser.parse_args()
    source = Path(os.environ["CHEKHOV_DATA"]) / "tinyshakespeare.txt"
    print(machine())
    for kind in arguments.kinds:
        curves: dict[str, list[list[tuple[int, float]]]] = {precision: [] for precision in PRECISIONS}
        for seed in arguments.seeds:
            for precision in PRECISIONS:
                curve, seconds = run(source, precision, seed, arguments.epochs, kind)
                curves[precision].append(curve)
                print(f"{kind} seed {seed} {precision:<8} {seconds:6.1f} CPU-s, loss {curve[-1][1]:.4f}", flush=True)
        print(f"{'step':>6}{'float32':>10}{'bf16':>10}{'difference, mean and range of seeds':>40}")
        for place, (step, _) in enumerate(curves["float32"][0]):
            float32, bf16 = ([curve[place][1] for curve in curves[precision]] for precision in PRECISIONS)
            apart = [b - a for a, b in zip(float32, bf16)]
            means = statistics.mean(float32), statistics.mean(bf16)
            spread = f"{statistics.mean(apart):+.4f} ({min(apart):+.4f} to {max(apart):+.4f})"
            print(f"{step:>6}{means[0]:>10.4f}{means[1]:>10.4f}{spread:>40}")


if __name__ == "__main__":
    main()

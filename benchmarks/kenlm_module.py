"""`chekhov.kenlm` beside the Python module kenlm: the same calls on the same model and text, in one process.

    python benchmarks/kenlm_module.py MODEL.bin FOLDER HELD_OUT.txt

MODEL.bin is KenLM's binary of the model that FOLDER holds (or an ARPA file both times); HELD_OUT.txt has one sentence a
line. Prints million words (with </s>) per CPU second, medians of five interleaved runs, and ratios (above 1: ours).
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from typing import Any

import kenlm as theirs
from machine import machine

from chekhov import kenlm as ours


def score(module: Any, model: Any, lines: list[str]) -> float:
    return sum(model.score(line) for line in lines)


def full_scores(module: Any, model: Any, lines: list[str]) -> float:
    return sum(log10_p for line in lines for log10_p, _, _ in model.full_scores(line))


def base_score(module: Any, model: Any, lines: list[str]) -> float:
    total = 0.0
    for line in lines:
        state, after = module.State(), module.State()
        model.BeginSentenceWrite(state)
        for word in line.split():
            total += model.BaseScore(state, word, after)
            state, after = after, state
    return total


def main(binary: str, folder: str, text: str) -> None:
    lines = Path(text).read_text("utf-8").splitlines()
    words = sum(len(line.split()) + 1 for line in lines)
    models = {"kenlm": (theirs, theirs.Model(binary)), "chekhov": (ours, ours.Model(folder))}
    for call in (score, full_scores, base_score):
        call(*models["chekhov"], lines[:10])  # compiles
        seconds: dict[str, list[float]] = {name: [] for name in models}
        totals = {}
        for _ in range(5):
            for name, pair in models.items():
                started = time.process_time()
                totals[name] = call(*pair, lines)
                seconds[name].append(time.process_time() - started)
        speed = {name: words / statistics.median(runs) / 1e6 for name, runs in seconds.items()}
        ratio = speed["chekhov"] / speed["kenlm"]
        shown = f"kenlm {speed['kenlm']:.2f}, chekhov {speed['chekhov']:.2f} M words/CPU-s: {ratio:.2f}x"
        print(f"{call.__name__:<12} {shown} (totals differ by {abs(totals['kenlm'] - totals['chekhov']):.3f})")
    print(f"Measured on {machine()}.")


if __name__ == "__main__":
    main(*sys.argv[1:])

"""`chekhov.kenlm` beside the Python module kenlm: the same calls on the same model and text, in one process.

    python benchmarks/kenlm_module.py MODEL.bin FOLDER HELD_OUT.txt

MODEL.bin is KenLM's binary of the model that FOLDER holds (or an ARPA file both times); HELD_OUT.txt has one sentence a
line. Prints million words (with </s>) per CPU second, medians of five interleaved runs, and ratios (above 1: ours).
`chekhov.score_file`, which gives log p, order and id of every token of the file as arrays, is set beside the module's
full_scores, and beside KenLM's query -v summary if KENLM_BIN names its folder.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import kenlm as theirs
from machine import machine

import chekhov
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


def query(binary: str, text: str) -> float:
    """CPU seconds of a process of KenLM's query."""
    before = os.times()
    with Path(text).open("rb") as source:
        command = [str(Path(os.environ["KENLM_BIN"]) / "query"), "-v", "summary", binary]
        subprocess.run(command, stdin=source, capture_output=True, check=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def score_files(binary: str, folder: str, text: str, words: int) -> None:
    """CPU seconds with one thread, and wall seconds with one and two."""
    model, module_model = chekhov.load(folder), theirs.Model(binary)
    lines = Path(text).read_text("utf-8").splitlines()
    chekhov.score_file(model, text, threads=1)  # compiles, and reads the table once
    seconds: dict[str, list[float]] = {}
    for _ in range(5):
        for threads in (1, 2):
            started, cpu = time.monotonic(), time.process_time()
            chekhov.score_file(model, text, threads=threads)
            seconds.setdefault(f"wall, {threads} threads", []).append(time.monotonic() - started)
            seconds.setdefault(f"CPU, {threads} threads", []).append(time.process_time() - cpu)
        cpu = time.process_time()
        full_scores(theirs, module_model, lines)
        seconds.setdefault("full_scores", []).append(time.process_time() - cpu)
        if "KENLM_BIN" in os.environ:
            seconds.setdefault("query", []).append(query(binary, text))
    median = {name: statistics.median(runs) for name, runs in seconds.items()}
    own = median["CPU, 1 threads"]
    shown = [f"{words / own / 1e6:.2f} M words/CPU-s"]
    shown += [f"{median[name] / own:.2f}x {name}" for name in ("full_scores", "query") if name in median]
    shown.append(f"2 threads {median['wall, 1 threads'] / median['wall, 2 threads']:.2f}x in wall time")
    print(f"{'score_file':<12} {', '.join(shown)}")


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
    score_files(binary, folder, text, words)
    print(f"Measured on {machine()}.")


if __name__ == "__main__":
    main(*sys.argv[1:])

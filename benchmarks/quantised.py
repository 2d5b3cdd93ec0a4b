"""A quantised n-gram table beside KenLM's trie of 8 bits: bytes an n-gram, perplexity, words a CPU-second from text.

    KENLM_BIN=.../bin python benchmarks/quantised.py MODEL.arpa FOLDER HELD_OUT.txt

FOLDER is the chekhov model of the text that lmplz made MODEL.arpa of. KenLM's query runs in a process of its own, its
start (some milliseconds) included; chekhov reads the same file in this process, after a first run that compiles.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from machine import machine

import chekhov
from chekhov.tasks.prune import quantise
from chekhov.tasks.text_model import TextModel


def query(binaries: Path, model: str, text: Path) -> tuple[float, float]:
    """(CPU-seconds, perplexity)."""
    before = os.times()
    with text.open("rb") as file:
        found = subprocess.run(
            [binaries / "query", "-v", "summary", model], stdin=file, capture_output=True, check=True
        )
    after = os.times()
    [perplexity] = re.findall(rb"Perplexity including OOVs:\s+([0-9.]+)", found.stdout)
    return after.children_user + after.children_system - before.children_user - before.children_system, float(
        perplexity
    )


def score(model: TextModel, text: Path) -> tuple[float, float, int]:
    """(CPU-seconds, perplexity, tokens)."""
    started = time.process_time()
    ids = model.tokenizer.encode(text.read_text("utf-8"))
    log_probs, _ = model.model.score(model.model.initial_state(1), ids[None])
    seconds = time.process_time() - started
    return seconds, float(np.exp(-log_probs.mean(dtype=np.float64))), len(ids)


def main(arpa: str, folder: str, text: Path) -> None:
    binaries = Path(os.environ["KENLM_BIN"])
    whole = chekhov.load(folder)
    started = time.process_time()
    packed = quantise(whole)
    print(f"quantised in {time.process_time() - started:.1f} CPU-seconds")
    count = sum(whole.model.table.sizes())  # type: ignore[attr-defined]
    size = sum(array.nbytes for array in packed.model.arrays().values())
    with tempfile.TemporaryDirectory() as temporary:
        trie = f"{temporary}/m.q8"
        build = [binaries / "build_binary", "-q", "8", "-b", "8", "-a", "22", "trie", arpa, trie]
        subprocess.run(build, check=True, capture_output=True)
        theirs_size = Path(trie).stat().st_size
        score(packed, text)
        runs = [(query(binaries, trie, text), score(packed, text)) for _ in range(5)]
    (_, theirs), (_, ours, tokens) = runs[-1]
    speeds = [tokens / statistics.median(run[side][0] for run in runs) / 1e6 for side in (0, 1)]
    print(f"bytes an n-gram: KenLM {theirs_size / count:.2f}, chekhov {size / count:.2f}")
    print(f"perplexity: KenLM {theirs:.3f}, chekhov {ours:.3f}")
    print(f"M words/CPU-s: KenLM {speeds[0]:.2f}, chekhov {speeds[1]:.2f}: {speeds[1] / speeds[0]:.2f}x")
    print(f"Measured on {machine()}.")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))

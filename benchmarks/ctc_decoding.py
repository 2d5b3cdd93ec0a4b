"""pyctcdecode with the module kenlm, and with `chekhov.kenlm` in its place: the same beams, and how long they take.

    python benchmarks/ctc_decoding.py MODEL.arpa TEXT.txt [--lines 30]

In an environment of its own, since pyctcdecode wants numpy < 2: pyctcdecode, kenlm and chekhov. The letters of each
line of TEXT are heard through noise: log-probabilities of a made-up acoustic model, two frames a letter, drawn from a
seed. pyctcdecode searches them with the language model (beam 100), imported twice: once as it is, once where
``import kenlm`` finds `chekhov.kenlm`. Prints how many texts and scores agree, the letters that are wrong with and
without the model, and CPU seconds, interleaved.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import sys
import time
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from machine import machine

import chekhov.kenlm

SHARPNESS, NOISE = 4.5, 1.6  # of the made-up acoustic model: what the right letter has more, the spread of all


def decoder_with(module: ModuleType, labels: list[str], arpa: str | None) -> Any:
    """pyctcdecode as it is where ``import kenlm`` gives this module."""
    for name in [name for name in sys.modules if name.split(".")[0] == "pyctcdecode"]:
        del sys.modules[name]
    sys.modules["kenlm"] = module
    return importlib.import_module("pyctcdecode").build_ctcdecoder(labels, kenlm_model_path=arpa)


def heard(line: str, numbers: dict[str, int], rng: np.random.Generator) -> Any:
    """(frames, letters and the blank) log-probabilities; a blank between equal letters."""
    frames = [numbers[line[0]]] * 2
    for before, letter in pairwise(line):
        frames += [len(numbers)] * (before == letter) + [numbers[letter]] * 2
    logits = rng.normal(0, NOISE, (len(frames), len(numbers) + 1))
    logits[np.arange(len(frames)), frames] += SHARPNESS
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def wrong_letters(found: str, said: str) -> int:
    """Levenshtein's distance."""
    row = np.arange(len(said) + 1)
    for i, letter in enumerate(found, start=1):
        steps = np.minimum(row[1:] + 1, row[:-1] + np.array([letter != other for other in said]))
        row = np.array([i, *steps])
        row = np.minimum.accumulate(row - np.arange(len(row))) + np.arange(len(row))
    return int(row[-1])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("arpa")
    parser.add_argument("text")
    parser.add_argument("--lines", type=int, default=30)
    options = parser.parse_args()
    lines = [line.strip() for line in Path(options.text).read_text("utf-8").splitlines()]
    lines = [line for line in lines if line][: options.lines]
    letters = sorted(set("".join(lines)) | {" "})
    numbers, rng = {letter: number for number, letter in enumerate(letters)}, np.random.default_rng(1)
    sounds = [heard(line, numbers, rng) for line in lines]
    modules = {"kenlm": importlib.import_module("kenlm"), "chekhov.kenlm": chekhov.kenlm}
    decoders = {name: decoder_with(module, [*letters, ""], options.arpa) for name, module in modules.items()}
    seconds: dict[str, list[float]] = {name: [] for name in modules}
    beams: dict[str, Any] = {}
    for _ in range(3):
        for name, decoder in decoders.items():
            started = time.process_time()
            beams[name] = [decoder.decode_beams(sound) for sound in sounds]
            seconds[name].append(time.process_time() - started)
    pairs = list(zip(beams["kenlm"], beams["chekhov.kenlm"], strict=True))
    same = sum([beam[0] for beam in one] == [beam[0] for beam in other] for one, other in pairs)
    apart = max(abs(a[-1] - b[-1]) for one, other in pairs for a, b in zip(one, other))
    plain = decoder_with(chekhov.kenlm, [*letters, ""], None)
    total = sum(map(len, lines))
    with_model = sum(wrong_letters(found[0][0], line) for found, line in zip(beams["chekhov.kenlm"], lines)) / total
    without = sum(wrong_letters(plain.decode(sound), line) for sound, line in zip(sounds, lines)) / total
    median = {name: statistics.median(taken) for name, taken in seconds.items()}
    print(f"{len(lines)} lines: all beams of {same} have the same texts; scores at most {apart:.1e} apart")
    print(f"wrong letters: {100 * without:.1f} % without a language model, {100 * with_model:.1f} % with it")
    ratio = median["kenlm"] / median["chekhov.kenlm"]
    print(f"kenlm {median['kenlm']:.2f}, chekhov.kenlm {median['chekhov.kenlm']:.2f} CPU-s: {ratio:.2f}x")
    print(f"Measured on {machine()}.")


if __name__ == "__main__":
    main()

"""Entropy pruning beside kaldingram: the 3-gram of the first million tokens of a text, the same model for both.

    python benchmarks/entropy_pruning.py PROSE.txt [--threshold 1e-8]

kaldingram reads the ARPA file that chekhov writes. CPU seconds of pruning alone: reading and writing are left out for
both. Medians of five runs of ours, one of kaldingram's; and how many of the n-grams that stay are the same.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from itertools import islice
from pathlib import Path

from machine import machine

import chekhov
from chekhov.ngram.entropy import prune_by_entropy
from chekhov.tasks.arpa import export_arpa
from chekhov.tasks.text_model import TextModel

TOKENS = 1_000_000


def first_tokens(path: Path, folder: Path) -> Path:
    count, out = 0, folder / "first.txt"
    with path.open(encoding="utf-8") as source, out.open("w", encoding="utf-8") as sink:
        for line in islice(source, TOKENS):
            sink.write(line)
            count += len(line.split())
            if count >= TOKENS:
                break
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prose", type=Path)
    parser.add_argument("--threshold", type=float, default=1e-8)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        text = first_tokens(options.prose, Path(name))
        model = chekhov.train("ngram", text, tokens="whitespace", split="none", order=3)
        table = model.model.table  # type: ignore[attr-defined]
        seconds = []
        for _ in range(6):
            started = time.process_time()
            pruned, _ = prune_by_entropy(table, threshold=options.threshold)
            seconds.append(time.process_time() - started)
        ours = statistics.median(seconds[1:])  # the first run compiles
        print(f"chekhov: {table.sizes()} -> {pruned.sizes()} n-grams, {ours:.3f} CPU-s")
        theirs, kept = kaldingram(model, Path(name) / "m.arpa", options.threshold)
        words = list(model.tokenizer.vocabulary)
        own = {tuple(words[id] for id in gram) for n in (2, 3) for gram in pruned.grams(n)[0].tolist()}
    print(f"kaldingram: {theirs:.1f} CPU-s, {theirs / ours:.0f}x ours")
    print(f"of orders 2 and 3 {len(own):,} and {len(kept):,} n-grams stay, {len(own & kept):,} of them in both")
    print(f"Measured on {machine()}.")


def kaldingram(model: TextModel, path: Path, threshold: float) -> tuple[float, set[tuple[str, ...]]]:
    """CPU-seconds, and the n-grams of orders 2 and 3 that stay."""
    from kaldingram import prune

    export_arpa(model, path)
    lm = prune.ArpaParser().loadf(str(path), encoding="utf-8")[0]
    started = time.process_time()
    prune.prune(lm, threshold, 2)
    seconds = time.process_time() - started
    return seconds, {(*context, word) for n in (2, 3) for context, found in lm._ngrams[n - 1].items() for word in found}


if __name__ == "__main__":
    main()

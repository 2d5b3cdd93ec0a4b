"""Drawing from a smoothed n-gram model, and asking it for the next word, beside markovify and the module kenlm.

    python benchmarks/sampling.py FOLDER TEXT MODEL.bin [--runs 5]

FOLDER holds an n-gram model of TEXT (tokens between blanks, one sentence a line), MODEL.bin is KenLM's of it.
Words (with </s>) a CPU second, medians of interleaved runs: chekhov from the smoothed model, markovify, compiled and
unchecked, from the counts of two words of context, kenlm by a loop over the vocabulary, which is all that it offers.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import kenlm
import markovify
import numpy as np
from machine import machine

import chekhov
from chekhov.ngram.model import NGramState


def per_second(draw: Callable[[], int]) -> float:
    """Units a CPU second, for a second or so."""
    started, units = time.process_time(), 0
    while time.process_time() - started < 1:
        units += draw()
    return units / (time.process_time() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("text", type=Path)
    parser.add_argument("binary", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    model = chekhov.load(options.folder)
    ngram, words = model.model, model.tokenizer.vocabulary.tokens
    theirs = kenlm.Model(str(options.binary))
    lines = [line.split() for line in options.text.read_text("utf-8").splitlines()[:50_000]]
    chain = markovify.Text(None, state_size=2, parsed_sentences=lines, retain_original=False).compile()
    random.seed(1)
    contexts = [list(line[:2]) for line in random.sample(lines, 50) if len(line) > 2]
    seeds = iter(range(1 << 30))

    def sampled() -> int:
        return len(ngram.sentences.draw(5_000, seed=next(seeds))[0])

    def walked() -> int:
        return len(chain.make_sentence(test_output=False, tries=1).split()) + 1

    def node_after(context: list[str]) -> int:
        ids = np.array([model.tokenizer.vocabulary.id(word) for word in context])
        return int(ngram.score(ngram.initial_state(1), ids[None])[1].node[0])

    def row(context: list[str]) -> list[float]:
        state, after = kenlm.State(), kenlm.State()
        theirs.BeginSentenceWrite(state)
        for word in context:
            theirs.BaseScore(state, word, after)
            state, after = after, state
        return [theirs.BaseScore(state, word, after) for word in words]

    nodes = [node_after(context) for context in contexts]
    theirs_row, context = row(contexts[0]), contexts[0]
    ours_row = ngram.log_probs(NGramState(np.array(nodes[:1])))[0][3:] / math.log(10)
    difference = float(np.abs(ours_row - np.array(theirs_row)).max())
    model.next_tokens(" ".join(context), 10)
    sampled()
    speeds: dict[str, list[float]] = {}
    turns = iter(nodes * 1_000_000)
    for _ in range(options.runs):
        speeds.setdefault("chekhov draws", []).append(per_second(sampled))
        speeds.setdefault("markovify walks", []).append(per_second(walked))
        started = time.process_time()
        row(context)
        speeds.setdefault("kenlm rows", []).append(1 / (time.process_time() - started))
        speeds.setdefault("chekhov rows", []).append(
            per_second(lambda: len(ngram.log_probs(NGramState(np.array([next(turns)])))))
        )
        speeds.setdefault("chekhov top 10", []).append(per_second(lambda: ngram.top(next(turns), 10) is not None))
    median = {name: statistics.median(runs) for name, runs in speeds.items()}
    ours, walks, loops = (median[name] for name in ("chekhov draws", "markovify walks", "kenlm rows"))
    print(f"{len(words):,} words; rows of both differ by {difference:.1e} at most")
    print(
        f"sampling: chekhov {ours:,.0f} words/CPU-s, markovify {walks:,.0f}: {ours / walks:.1f}x; "
        f"kenlm {loops:.1f}: {ours / loops:,.0f}x"
    )
    for name, shown in (("chekhov top 10", "top 10"), ("chekhov rows", "row")):
        print(f"{shown}: {1e6 / median[name]:,.1f} us, kenlm's row {1e3 / loops:,.0f} ms: {median[name] / loops:,.0f}x")
    print(f"Measured on {machine()}.")


if __name__ == "__main__":
    main()

"""tinyshakespeare, nanoGPT's split: the default LSTM after 15 and 60 seconds beside character Kneser-Ney.

    CHEKHOV_DATA=... python benchmarks/tinyshakespeare.py [--seconds 15 60] [--seeds 0 1 2]

Stream loss: nats per character over 111,539 targets, each predicted after all before it, the state carried; the first
character of the validation part is read and not predicted. Block loss: all blocks of 64 characters of it, each from
the neutral state and without what stands before, nanoGPT's own figure. One network, one thread; time is that of
training steps. nanoGPT's CPU recipe, quoted: stream 1.877, block 1.905 after 90 CPU-seconds.
"""

from __future__ import annotations

import argparse
import os
import statistics
from pathlib import Path

import numpy as np
from machine import machine

import chekhov
from chekhov.types import Ids, LanguageModel

BLOCK = 64  # characters


def stream_loss(model: LanguageModel, ids: Ids) -> float:
    state = model.advance(model.initial_state(1), ids[:1])
    scores, _ = model.score(state, ids[None, 1:])
    return float(-scores.astype(np.float64).mean())


def block_loss(model: LanguageModel, ids: Ids) -> float:
    blocks = ids[: (len(ids) - 1) // BLOCK * BLOCK + 1]
    inputs, targets = blocks[:-1].reshape(-1, BLOCK), blocks[1:].reshape(-1, BLOCK)
    state = model.advance(model.initial_state(len(inputs)), inputs[:, 0])
    scores, _ = model.score(state, targets)
    return float(-scores.astype(np.float64).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, nargs="+", default=[15, 60])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--orders", type=int, nargs="*", default=[5, 6, 7, 8])
    arguments = parser.parse_args()
    source = Path(os.environ["CHEKHOV_DATA"]) / "tinyshakespeare.txt"
    text = source.read_text()
    held_out = text[int(len(text) * 0.9) :]
    flags = {"split": "contiguous:0.9", "tokens": "characters"}
    print(machine())
    print(f"{'model':<28}{'CPU-s':>8}{'tokens seen':>14}{'stream loss':>13}{'block loss':>13}")
    for order in arguments.orders:
        model = chekhov.train("ngram", source, order=order, **flags)
        ids = model.tokenizer.encode_prompt(held_out)
        loss = stream_loss(model.model, ids)
        seen = model.training["cpu_seconds"]
        print(f"{f'Kneser-Ney {order}-gram':<28}{seen:>8.1f}{len(text) - len(held_out):>14,}{loss:>13.4f}")
    for seconds in arguments.seconds:
        losses, blocks = [], []
        for seed in arguments.seeds:
            model = chekhov.train("lstm", source, time=seconds, seed=seed, quiet=True, **flags)
            ids = model.tokenizer.encode_prompt(held_out)
            losses.append(stream_loss(model.model, ids))
            blocks.append(block_loss(model.model, ids))
            spent, seen = model.training["cpu_seconds"], model.training["tokens_seen"]
            name = f"LSTM --time {seconds:g}s seed {seed}"
            print(f"{name:<28}{spent:>8.1f}{seen:>14,}{losses[-1]:>13.4f}{blocks[-1]:>13.4f}", flush=True)
        name, medians = f"LSTM --time {seconds:g}s median", [statistics.median(each) for each in (losses, blocks)]
        print(f"{name:<28}{'':>22}{medians[0]:>13.4f}{medians[1]:>13.4f}", flush=True)


if __name__ == "__main__":
    main()

"""Optimisers at equal time: the default net on tinyshakespeare by ours, AdamW, and PyTorch's own Muon.

    CHEKHOV_DATA=... python benchmarks/optimisers.py [--kinds lstm gru] [--seconds 20] [--seeds 0 1 2]

Losses as `tinyshakespeare.py` has them, nats per character of the last tenth; seconds are those of training steps, one
thread, runs in turn. PyTorch's Muon gets the same matrices, whole, and the same rates; the other weights go by AdamW.
"""

from __future__ import annotations

import argparse
import os
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from machine import machine
from tinyshakespeare import block_loss, stream_loss

import chekhov
from chekhov.training import loop
from chekhov.training.muon import MOMENTUM
from chekhov.training.optimisers import make_optimisers


def with_pytorchs_muon(model: torch.nn.Module, plan: Any) -> list[torch.optim.Optimizer]:
    rest, ours = make_optimisers(model, plan)
    matrices = [matrix for group in ours.param_groups for matrix in group["params"]]
    flags: dict[str, Any] = {"lr": plan.lr, "weight_decay": plan.weight_decay, "momentum": MOMENTUM}
    return [rest, torch.optim.Muon(matrices, adjust_lr_fn="match_rms_adamw", **flags)]


@contextmanager
def in_place_of_ours(name: str) -> Iterator[None]:
    if name == "PyTorch's Muon":
        loop.make_optimisers = with_pytorchs_muon
    try:
        yield
    finally:
        loop.make_optimisers = make_optimisers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", default=["lstm", "gru"])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    source = Path(os.environ["CHEKHOV_DATA"]) / "tinyshakespeare.txt"
    text = source.read_text("utf-8")
    held_out = text[int(len(text) * 0.9) :]
    print(machine())
    print(f"{'kind':<8}{'optimiser':<18}{'characters':>12}{'stream loss':>13}{'block loss':>12}   (medians)")
    for kind in arguments.kinds:
        found: dict[str, list[tuple[float, ...]]] = {"muon": [], "PyTorch's Muon": [], "adamw": []}
        for seed in arguments.seeds:
            for name, runs in found.items():
                with in_place_of_ours(name):
                    model = chekhov.train(
                        kind, source, time=arguments.seconds, seed=seed, quiet=True, split="contiguous:0.9",
                        tokens="characters", optimiser="adamw" if name == "adamw" else "muon",
                    )  # fmt: skip
                ids = model.tokenizer.encode_prompt(held_out)
                losses = stream_loss(model.model, ids), block_loss(model.model, ids)
                runs.append((model.training["tokens_seen"], *losses))
        for name, runs in found.items():
            seen, stream, block = (statistics.median(figures) for figures in zip(*runs))
            print(f"{kind:<8}{name:<18}{seen:>12,.0f}{stream:>13.4f}{block:>12.4f}", flush=True)


if __name__ == "__main__":
    main()

"""What the examples of the five kinds of nets share: the training loop, and the flags."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from chekhov.training.optimisers import clip
from chekhov.training.schedules import cosine


def learn(net: torch.nn.Module, loss: Callable[[], torch.Tensor], steps: int, lr: float) -> None:
    """AdamW, a warm-up and half a cosine; ``loss`` draws a batch and gives its loss."""
    torch.set_num_threads(1)
    optimiser = torch.optim.AdamW(net.parameters(), lr=lr, weight_decay=0.01)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = lr * cosine(step, steps, warmup_steps=20)
        optimiser.zero_grad()
        value = loss()
        value.backward()
        clip(net, norm=1.0, value=None)
        optimiser.step()
        if steps >= 5 and (step + 1) % (steps // 5) == 0:
            print(f"step {step + 1}: loss {value.item():.4f}", flush=True)
    net.eval()


def flags(title: str, *, steps: int) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("--steps", type=int, default=steps, help="Updates of the net, or passes where it says so.")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="Draw the net unrolled: .svg, .png or .pdf.")
    return parser.parse_args()


def padded(rows: list[list[int]], filler: int) -> torch.Tensor:
    """(B, T): the rows, and the filler after their ends."""
    out: Any = torch.full((len(rows), max(map(len, rows))), filler)
    for row, ids in zip(out, rows, strict=True):
        row[: len(ids)] = torch.tensor(ids)
    return out

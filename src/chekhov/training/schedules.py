"""The learning rate as a function of the step."""

from __future__ import annotations

import math

FINAL_SHARE = 0.02  # of the peak, at the last step


def cosine(step: int, total_steps: int, *, warmup_steps: int = 0) -> float:
    """The share of the peak rate at ``step`` (from 0): linear warm-up, then half a cosine down to 2 %.

    (Loshchilov & Hutter 2017, SGDR, equation 5, without restarts.)
    """
    if step < warmup_steps:
        return (step + 1) / (warmup_steps + 1)
    if total_steps <= warmup_steps:
        return 1.0
    done = min(1.0, (step - warmup_steps) / (total_steps - warmup_steps))
    return FINAL_SHARE + (1 - FINAL_SHARE) * 0.5 * (1 + math.cos(math.pi * done))

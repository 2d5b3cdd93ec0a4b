"""The learning rate as a function of the step, and of how validation goes."""

from __future__ import annotations

import math

FINAL_SHARE = 0.02  # of the peak, at the last step
PLATEAU_FACTOR = 0.25  # after a validation that was no better (Zaremba et al. 2014 and word_language_model divide so)
SCHEDULES = ("cosine", "constant", "plateau")


def share(schedule: str, step: int, total_steps: int, *, warmup_steps: int, plateaus: int) -> float:
    """The share of the peak rate at ``step`` (from 0); ``plateaus``: validations so far that were no better."""
    if schedule == "cosine":
        return cosine(step, total_steps, warmup_steps=warmup_steps)
    warm = min(1.0, (step + 1) / (warmup_steps + 1))
    return warm * (PLATEAU_FACTOR**plateaus if schedule == "plateau" else 1.0)


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

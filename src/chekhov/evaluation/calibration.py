"""Whether a model is as sure as it may be: expected calibration error, and one temperature that mends it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

BINS = 15
GOLDEN = (5**0.5 - 1) / 2


def calibration_error(confidence: NDArray[np.float64], right: NDArray[np.bool_], bins: int = BINS) -> float:
    """ECE: |accuracy - mean confidence| of each of ``bins`` bins of equal width, weighted (Guo et al. 2017, eq. 3)."""
    if not len(confidence):
        return 0.0
    places = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    gaps = np.bincount(places, weights=confidence - right, minlength=bins)
    return float(np.abs(gaps).sum() / len(confidence))


def best_temperature(loss: Callable[[float], float], low: float = 0.2, high: float = 5.0, steps: int = 14) -> float:
    """The temperature with the least loss between ``low`` and ``high``: golden section over its logarithm."""
    a, b = np.log(low), np.log(high)
    c, d = b - GOLDEN * (b - a), a + GOLDEN * (b - a)
    at_c, at_d = loss(float(np.exp(c))), loss(float(np.exp(d)))
    for _ in range(steps):
        if at_c < at_d:
            b, d, at_d = d, c, at_c
            c = b - GOLDEN * (b - a)
            at_c = loss(float(np.exp(c)))
        else:
            a, c, at_c = c, d, at_d
            d = a + GOLDEN * (b - a)
            at_d = loss(float(np.exp(d)))
    return round(float(np.exp((a + b) / 2)), 4)

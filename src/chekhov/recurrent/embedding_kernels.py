"""The gradient of an embedding: the sum of what comes back to each of its rows."""

from __future__ import annotations

from typing import Any

from chekhov.kernels.jit import kernel


@kernel
def sum_by_row(gradient: Any, ids: Any, out: Any, size: int) -> None:
    """out (N * size): in row n the sum of those rows k of ``gradient`` (K * size) whose ``ids[k]`` is n, in their
    order; 0 where there is none. Ids are below N."""
    out[:] = 0
    for k in range(len(ids)):
        to, of = ids[k] * size, k * size
        for place in range(size):
            out[to + place] += gradient[of + place]

"""States are nested tuples of arrays, batch first. These functions hold for every model's state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def map_state(function: Callable[..., Any], state: Any, *others: Any) -> Any:
    """``function`` of every array of ``state`` (and of the arrays at the same places of ``others``), same nesting."""
    if not isinstance(state, tuple):
        return function(state, *others)
    parts = [map_state(function, *group) for group in zip(state, *others, strict=True)]
    return type(state)(*parts) if hasattr(state, "_fields") else tuple(parts)


def select(state: Any, rows: Sequence[int] | np.ndarray) -> Any:
    """The states of ``rows``, in that order and as often as named: what beam search does with its hypotheses."""
    rows = np.asarray(rows, dtype=np.int64)
    return map_state(lambda array: array[rows], state)


def concatenate(states: Sequence[Any]) -> Any:
    """Several states as one batch."""
    return map_state(lambda *arrays: np.concatenate(arrays, axis=0), states[0], *states[1:])


def leaves(state: Any) -> list[Any]:
    """The arrays of a state, left to right."""
    return [leaf for part in state for leaf in leaves(part)] if isinstance(state, tuple) else [state]

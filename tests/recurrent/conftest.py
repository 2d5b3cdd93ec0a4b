"""What tests of the kernels share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chekhov.recurrent import workspace

BORDER, NAN = 4096, 0xFF


@pytest.fixture
def borders_hold(monkeypatch: pytest.MonkeyPatch) -> Callable[[], bool]:
    """Every buffer of the workspace lies between two borders, and holds NaN before it is written: did nobody write
    into a border?"""
    wholes: list[np.ndarray[Any, Any]] = []

    def allocate(size: int) -> np.ndarray[Any, Any]:
        wholes.append(np.full(size + 2 * BORDER, NAN, np.uint8))
        # Not a slice: views of a slice refer to the whole, and the workspace would not see who still uses the buffer.
        return np.frombuffer(memoryview(wholes[-1])[BORDER : BORDER + size], np.uint8)

    monkeypatch.setattr(workspace.WORKSPACE, "allocate", allocate)
    monkeypatch.setattr(workspace.WORKSPACE, "buffers", {})
    return lambda: bool(wholes) and all((w[:BORDER] == NAN).all() and (w[-BORDER:] == NAN).all() for w in wholes)

"""Nets without numbers: what shapes their parameters would have."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

RANDOM = {Tensor.normal_, Tensor.uniform_, nn.init.normal_, nn.init.uniform_, nn.init.orthogonal_}


class _NoNumbers(TorchFunctionMode):
    """Random numbers are not drawn: for tensors without storage PyTorch would load its compiler, seconds long."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in RANDOM:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


@contextmanager
def shapes_alone() -> Iterator[None]:
    """Modules that are made here have parameters without storage: sizes need not be believed yet."""
    with torch.device("meta"), _NoNumbers():
        yield

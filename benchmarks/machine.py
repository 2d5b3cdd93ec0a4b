"""What a figure was measured on: processor, cores, versions. No host names."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

from chekhov.training.machine import processor

# Of commands that are measured: what pip installs is compiled to bytecode once, and not at every start.
AS_INSTALLED = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


VECTORS = {"amx_bf16": "AMX", "avx512_bf16": "AVX-512 with bf16", "avx512f": "AVX-512", "avx2": "AVX2"}


def machine() -> str:
    """One line for the head of every benchmark's output."""
    cpu = processor().get("model name") or platform.processor() or platform.machine()
    flags = processor().get("flags", "").split()
    vectors = [f" ({name})" for flag, name in VECTORS.items() if flag in flags][:1]  # one name may be many processors
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    packages = " ".join(f"{name} {installed(name)}" for name in ("chekhov", "torch", "numpy"))
    return f"{''.join([cpu, *vectors])}, {cores} cores; Python {platform.python_version()}, {packages}"


def installed(name: str) -> str:
    """The version of a package."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"

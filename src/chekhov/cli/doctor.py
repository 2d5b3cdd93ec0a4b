"""``chekhov doctor``: what this machine offers, and what chekhov makes of it."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from chekhov.cli.output import print_json

PACKAGES = (
    ("numpy", "counting and chains"),
    ("torch", "recurrent models: pip install 'chekhov[neural]'"),
    ("tokenizers", "--tokens bpe: pip install 'chekhov[subwords]'"),
    ("matplotlib", "--plot: pip install 'chekhov[plots]'"),
    ("tensorboard", "--tensorboard: pip install 'chekhov[tensorboard]'"),
)
FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16")


def doctor(
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Versions, processor, threads, precision, kernels, memory and cache, and why each is as it is."""
    record = report()
    if json:
        print_json({"schema": 1, **record})
        return
    for name, value in record.items():
        print(f"{name:<14}{value}")


def report() -> dict[str, str]:
    """Name and finding of each line."""
    from platformdirs import user_cache_path

    from chekhov.training.machine import free_bytes, processor

    free = free_bytes()
    found = {
        "chekhov": version("chekhov"),
        "python": f"{platform.python_version()} at {sys.executable}",
        "system": f"{platform.system()} {platform.machine()}",
        "processor": describe(processor()),
        "memory": "unknown" if free is None else f"{free / 2**30:.1f} GiB free",
        "cache": f"{user_cache_path('chekhov')} ({cache_bytes():,} bytes)",
    }
    for name, use in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = f"not installed; it is for {use}"
    found.update(arithmetic())
    return found


def describe(found: dict[str, str]) -> str:
    """Name, cores and the wide arithmetic of a processor."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    has = [flag for flag in FLAGS if flag in found.get("flags", "").split()]
    name = found.get("model name") or platform.processor() or "unknown"
    return f"{name}, {cores} cores; {', '.join(has) or 'wide arithmetic unknown'}"


def arithmetic() -> dict[str, str]:
    """What training would use now."""
    try:
        import torch  # noqa: F401
    except ImportError:
        return {"training": "chains and n-grams only"}
    from chekhov.training.precision import choose_precision

    precision = choose_precision("auto")
    why = "the processor multiplies bf16 itself" if precision == "bf16" else "the processor does not multiply bf16"
    threads = "1 thread, since small steps wait for one another more than they work (--threads)"
    return {"training": f"{precision}, for {why}; {threads}", "kernels": kernels()}


def kernels() -> str:
    """Which kernels unroll LSTM, GRU and Elman cells, and why."""
    from chekhov.errors import UsageError
    from chekhov.kernels.dispatch import chosen

    try:
        path = chosen()
    except UsageError as error:
        return f"none: {error.what}"
    if not path.compiled:
        return f"torch, for {path.why} (CHEKHOV_ISA)"
    precisions = "float32 and bf16" if path.bf16 else "float32, and rounded where bf16 is asked for"
    return f"{path.name}, for {path.why}: {precisions} (CHEKHOV_ISA)"


def cache_bytes() -> int:
    from platformdirs import user_cache_path

    folder = user_cache_path("chekhov")
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0

"""Which kernels a recurrent net runs on: chosen by the processor that Numba compiles for, or by ``CHEKHOV_ISA``."""

from __future__ import annotations

import functools
import os
from typing import NamedTuple

from chekhov.errors import UsageError

PATHS = ("amx", "avx512", "avx2", "torch", "reference")
AVX2 = "+avx,+avx2,+fma,+f16c,+bmi,+bmi2,+lzcnt,+popcnt,+sse,+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+cx16,+movbe,+fxsr"


class Path(NamedTuple):
    name: str  # one of `PATHS`
    bf16: bool  # whether there is a kernel that multiplies bfloat16
    why: str

    @property
    def compiled(self) -> bool:
        return self.name in ("amx", "avx512", "avx2")


def wanted() -> str:
    """``CHEKHOV_ISA``, "" if it is not set. Raises UsageError for a name that is none."""
    name = os.environ.get("CHEKHOV_ISA", "")
    if name and name not in PATHS:
        what = f"CHEKHOV_ISA={name} names no kernels"
        raise UsageError("E-ISA-001", what, mend=f"one of {', '.join(PATHS)}, or leave it unset")
    return name


@functools.cache
def chosen() -> Path:
    """Decided once a process, before anything is compiled: LLVM ends the process at an instruction that it lacks."""
    name = wanted()
    if name in ("torch", "reference"):
        return Path(name, False, f"CHEKHOV_ISA={name}")
    from chekhov.kernels.jit import target_features

    features = target_features()
    if {"avx512f", "avx512bf16", "amx-bf16"} <= features and name in ("", "amx"):
        return Path("amx", True, "the processor multiplies tiles of bfloat16 (AMX)")
    if "avx512f" in features and name in ("", "avx512"):
        bf16 = "avx512bf16" in features
        return Path("avx512", bf16, "the processor has AVX-512" + (" and multiplies bfloat16" if bf16 else ""))
    if {"avx2", "fma"} <= features and name in ("", "avx2"):
        return Path("avx2", False, "CHEKHOV_ISA=avx2" if name else "the processor has AVX2 and no AVX-512")
    if name:
        what = f"CHEKHOV_ISA={name}: this processor does not have it"
        raise UsageError("E-ISA-001", what, mend="leave it unset: what the machine has is chosen")
    return Path("torch", False, "the processor has neither AVX-512 nor AVX2")

"""``--memory``: how much memory a text may take."""

from __future__ import annotations

from chekhov.errors import UsageError
from chekhov.training.machine import free_bytes

UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def parse_memory(memory: str | int) -> int:
    """``512M``, ``2G`` or bytes, in bytes; M are MiB."""
    text = str(memory).strip().upper().removesuffix("B").removesuffix("I")
    number, unit = (text[:-1], text[-1]) if text and text[-1] in UNITS else (text, "")
    if not number.isascii() or not number.isdigit() or int(number) == 0:
        raise UsageError("E-RANGE-003", f"--memory {memory} is no size", mend="give 512M or 2G")
    return int(number) * UNITS.get(unit, 1)


def memory_for_text(memory: str | int | None = None) -> int | None:
    """What ``--memory`` says; without it half of what is free, None where the system does not tell that."""
    if memory is not None:
        return parse_memory(memory)
    free = free_bytes()
    return None if free is None else free // 2

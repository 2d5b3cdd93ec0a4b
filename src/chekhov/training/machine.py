"""What the operating system tells of the machine; torch is not needed to ask."""

from __future__ import annotations

from pathlib import Path


def processor() -> dict[str, str]:
    """/proc/cpuinfo of one core, by key ("model name", "flags"); empty where there is none."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return {}
    pairs = (line.partition(":") for line in lines)
    return {key.strip(): value.strip() for key, _, value in pairs}


def free_bytes() -> int | None:
    """Memory that could be had; None where the system does not tell."""
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines())
        return int(lines["MemAvailable"].split()[0]) << 10
    except (OSError, KeyError, ValueError):
        return None

"""Coverage-guided fuzzing of one parser, for as long as one likes: pip install atheris, then

    PYTHONPATH=tests python -m fuzz.run arpa -max_total_time=600

Targets: those of `targets.py`. What it finds is left beside as crash-...; make it a case of that parser's tests.
"""

from __future__ import annotations

import sys
import tempfile
from importlib import import_module
from pathlib import Path

import atheris

import chekhov

# Numba compiles the bytecode of kernels and cannot read the counters in it: they come first, and stay as they are.
SOURCE = Path(chekhov.__file__).parent
for path in sorted(SOURCE.rglob("*_kernels.py")):
    import_module(".".join(["chekhov", *path.relative_to(SOURCE).with_suffix("").parts]))
with atheris.instrument_imports(include=["chekhov"]):
    from fuzz.targets import TARGETS, ChekhovError, seeds


def main() -> None:
    name = sys.argv.pop(1)

    def target(data: bytes) -> None:
        try:
            TARGETS[name](data)
        except ChekhovError:
            return

    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(seeds(name)):
            (Path(corpus) / str(number)).write_bytes(seed)
        atheris.Setup([sys.argv[0], *sys.argv[1:], corpus], target)
        atheris.Fuzz()


if __name__ == "__main__":
    main()

"""Coverage-guided fuzzing of one parser, for as long as one likes: pip install atheris, then

    PYTHONPATH=tests python tests/fuzz/fuzz.py arpa -max_total_time=600

Targets: those of `targets.py`. What it finds is left beside as crash-...; make it a case of that parser's tests.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["chekhov"]):
    from fuzz.targets import TARGETS, seeds

from chekhov.errors import ChekhovError


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

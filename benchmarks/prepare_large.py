"""A corpus many times the size of another, of distinct text: the prose, and the rifle grammar under many seeds.

python benchmarks/prepare_large.py PROSE.txt OUT.txt --times 10
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from chekhov.text.demo import demo_corpus

TOKENS = 500_000  # of the grammar under one seed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prose", type=Path, help="made by prepare_prose.py")
    parser.add_argument("out", type=Path)
    parser.add_argument("--times", type=float, default=10.0, help="the size, in sizes of the prose")
    options = parser.parse_args()
    wanted = options.times * options.prose.stat().st_size
    shutil.copyfile(options.prose, options.out)
    with options.out.open("a", encoding="utf-8") as out:
        seed = 1
        while out.tell() < wanted:
            out.write(demo_corpus(f"demo:rifle-ru?tokens={TOKENS}&seed={seed}").train)
            seed += 1
    print(f"{options.out}: {options.out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()

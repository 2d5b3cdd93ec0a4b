"""The big corpus of the n-gram benchmarks, one tokenised sentence a line, from russian-prose.txt.xz.

    CHEKHOV_DATA=... python benchmarks/prepare_prose.py OUT.txt

Split after [.!?…] before a blank and a capital, lower-cased, words and single marks by one pattern: tokens between
blanks, as KenLM reads them. Prints the sizes by which the corpus is known.
"""

from __future__ import annotations

import lzma
import os
import re
import sys
from pathlib import Path

SENTENCE_END = re.compile(r"(?<=[.!?…])\s+(?=[А-ЯЁA-Z])")
TOKEN = re.compile(r"\w+(?:[-'’]\w+)*|[^\w\s]")


def main(out: str) -> None:
    packed = Path(os.environ["CHEKHOV_DATA"]) / "russian-prose.txt.xz"
    lines = tokens = 0
    types: set[str] = set()
    with lzma.open(packed, "rt", encoding="utf-8") as prose, Path(out).open("w", encoding="utf-8") as prepared:
        for paragraph in prose:
            for sentence in SENTENCE_END.split(paragraph.strip()):
                words = TOKEN.findall(sentence.lower())
                if words:
                    prepared.write(" ".join(words) + "\n")
                    lines, tokens = lines + 1, tokens + len(words)
                    types.update(words)
    print(f"{out}: {tokens:,} tokens, {len(types):,} types, {lines:,} lines")


if __name__ == "__main__":
    main(sys.argv[1])

"""Make the golden ARPA files of this folder with KenLM's lmplz from a text of our own grammar.

    python tests/golden/make_golden.py PATH/TO/lmplz

lmplz (bin/lmplz of the cmake build of kpu/kenlm) estimates interpolated modified Kneser-Ney models. The
files are committed, so that the tests compare with KenLM's numbers where KenLM is not installed.

    rifle.txt, rifle.arpa   250 sentences of demo:rifle-ru, order 4
    pruned.arpa             the same text with --prune 0 1 2 2
    srilm.arpa              the same text with --interpolate_unigrams 0
    flush.txt, flush.arpa   80 sentences of it, order 3, then three times a sentence of two new words
    short.txt, short.arpa   9 sentences of it, order 5: too few for discounts, so lmplz falls back in most orders

Each text but flush.txt ends with a word that stands nowhere else. lmplz puts the raw count of the last n-gram of each
lower order into its counts of counts in place of the adjusted one (adjust_counts.cc, the closing flush); after such a
word the two are both 1, and our tables, which reproduce that only if they are asked to, must be equal.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
LAST = "занавес"
VARIANTS = {"pruned": ["--prune", "0", "1", "2", "2"], "srilm": ["--interpolate_unigrams", "0"]}


def main(lmplz: str) -> None:
    from chekhov.text.demo import demo_corpus

    lines = demo_corpus("demo:rifle-ru?tokens=8000&seed=17").train.splitlines()
    texts: list[tuple[str, int, int, list[str], dict[str, list[str]]]] = [
        ("rifle", 250, 4, [LAST], VARIANTS),
        ("flush", 80, 3, ["дали " + LAST] * 3, {}),
        ("short", 9, 5, [LAST], {}),
    ]
    for name, sentences, order, end, variants in texts:
        text = "\n".join([*lines[:sentences], *end]) + "\n"
        (HERE / f"{name}.txt").write_text(text, "utf-8")
        for variant, flags in {name: [], **variants}.items():
            command = [lmplz, "-o", str(order), "-S", "200M", "--discount_fallback", *flags]
            arpa = subprocess.run(command, input=text.encode(), stdout=subprocess.PIPE, check=True).stdout
            (HERE / f"{variant}.arpa").write_bytes(arpa)


if __name__ == "__main__":
    main(sys.argv[1])

"""The paired bootstrap: what it finds where the truth is known, and that blocks of any tokenizer are the same text."""

from __future__ import annotations

import numpy as np
import pytest

from chekhov.evaluation.significance import block_bits, cut_blocks, describe, paired_bootstrap
from chekhov.tokens.tokenizer import train_tokenizer

TEXT = "".join(f"Строка {i}: ружьё висит на стене,\n" + "и стреляет. " * (i % 7) + "\n" for i in range(300))


@pytest.mark.parametrize("unit", ["characters", "words", "whitespace"])
def test_the_blocks_of_every_tokenizer_hold_all_bits_of_the_same_pieces(unit: str) -> None:
    tokenizer = train_tokenizer(unit, [TEXT])
    ids = tokenizer.encode(TEXT)
    ones = np.ones(len(ids))
    bits, characters = block_bits(ones, TEXT, tokenizer, 1000)
    assert bits.sum() == len(ids)
    assert characters.sum() == len(TEXT)
    assert len(bits) == len(cut_blocks(TEXT, 1000)) > 10
    first = len(tokenizer.encode(cut_blocks(TEXT, 1000)[0])) - (unit == "characters")
    assert bits[0] == first


def test_a_text_of_one_line_is_cut_at_blanks() -> None:
    pieces = cut_blocks("слово " * 2000, 1000)
    assert "".join(pieces) == "слово " * 2000
    assert all(piece.endswith(" ") and 1000 <= len(piece) <= 1006 for piece in pieces[:-1])


def test_a_small_but_steady_gain_is_found_and_noise_is_not() -> None:
    rng = np.random.default_rng(1)
    characters = np.full(200, 1000.0)
    hard = rng.normal(2000, 400, 200)  # the text's own variation, common to both
    steady = paired_bootstrap(hard - rng.normal(10, 5, 200), hard, characters)
    assert steady.p_value < 0.01
    assert steady.low < steady.difference < steady.high < 0
    assert steady.difference == pytest.approx(-0.01, abs=0.002)
    ties = [paired_bootstrap(hard + rng.normal(0, 50, 200), hard, characters).tie for _ in range(20)]
    assert sum(ties) >= 18


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    characters, covered = np.full(60, 1000.0), 0
    for _ in range(100):
        found = paired_bootstrap(rng.normal(30, 80, 60), np.zeros(60), characters)
        covered += found.low <= 0.03 <= found.high
    assert 86 <= covered <= 100


def test_what_is_said() -> None:
    characters = np.full(40, 1000.0)
    better = paired_bootstrap(np.linspace(1000, 1100, 40), np.linspace(1200, 1310, 40), characters)
    assert describe(("a", "b"), better).startswith("a is better than b: 0.205 bits/char")
    assert "tie" in describe(("a", "b"), paired_bootstrap(np.ones(40), np.ones(40), characters))
    assert "cannot be told from 4 blocks" in describe(("a", "b"), paired_bootstrap(*[np.ones(4)] * 3))
    infinite = np.append(np.ones(39), np.inf)
    assert "infinite" in describe(("a", "b"), paired_bootstrap(np.ones(40), infinite, characters))

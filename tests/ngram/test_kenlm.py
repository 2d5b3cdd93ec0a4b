"""Parity with KenLM: every n-gram, probability and back-off of ARPA files that lmplz made (tests/golden)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chekhov.errors import UsageError
from chekhov.ngram.kenlm_compat import last_counts
from chekhov.ngram.model import NGram, train_ngram
from chekhov.types import EOS

GOLDEN = Path(__file__).parent.parent / "golden"
Gram = tuple[str, ...]
Table = dict[Gram, tuple[float, float]]  # log10 p and log10 back-off (0 where there is none)


def arpa_tables(path: Path) -> list[Table]:
    tables: list[Table] = []
    for line in path.read_text("utf-8").splitlines():
        if line.endswith("-grams:"):
            tables.append({})
        elif "\t" in line:
            log10_p, words, *backoff = line.split("\t")
            tables[-1][tuple(words.split(" "))] = (float(log10_p), float(backoff[0]) if backoff else 0.0)
    return tables


def read_golden(name: str) -> tuple[list[str], np.ndarray]:
    """The words of the vocabulary by id, and the ids of the text."""
    lines = [line.split() for line in (GOLDEN / f"{name}.txt").read_text("utf-8").splitlines()]
    words = ["<unk>", "<s>", "</s>", *dict.fromkeys(word for line in lines for word in line)]
    number = {word: i for i, word in enumerate(words)}
    return words, np.array([i for line in lines for i in [*(number[word] for word in line), EOS]])


def our_tables(model: NGram, words: list[str]) -> list[Table]:
    tables = []
    for n in range(1, model.order + 1):
        ids, *numbers = model.table.grams(n)
        log10 = np.stack(numbers, axis=1)
        tables.append({tuple(words[i] for i in gram): tuple(row) for gram, row in zip(ids, log10.tolist())})
    return tables


@pytest.mark.parametrize(
    ("text", "name", "order", "flags"),
    [
        ("rifle", "rifle", 4, {}),
        ("short", "short", 5, {}),
        ("rifle", "pruned", 4, {"prune": "0 1 2 2"}),
        ("rifle", "srilm", 4, {"interpolate_unigrams": False}),
        ("flush", "flush", 3, {"kenlm_compat": True}),
    ],
)
def test_every_number_of_lmplz(text: str, name: str, order: int, flags: dict[str, Any]) -> None:
    words, ids = read_golden(text)
    model = train_ngram(ids, order=order, vocab_size=len(words), **flags)
    ours, theirs = our_tables(model, words), arpa_tables(GOLDEN / f"{name}.arpa")
    assert ours[0].pop(("<s>",))[0] == -math.inf
    assert theirs[0].pop(("<s>",))[0] == 0.0  # KenLM's way to say that it is never predicted
    for own, golden in zip(ours, theirs, strict=True):
        assert own.keys() == golden.keys()
        np.testing.assert_allclose([own[g] for g in golden], list(golden.values()), atol=1e-6, rtol=0)


def test_without_kenlm_compat_the_counts_of_counts_are_right() -> None:
    """Where the last new word stands three times after one word, lmplz counts an adjusted count of 3 in place of 1."""
    words, ids = read_golden("flush")
    assert last_counts(ids, 3, len(words)) == [(3, 1), (3, 1)]
    tables = our_tables(train_ngram(ids, order=3, vocab_size=len(words)), words)
    golden = arpa_tables(GOLDEN / "flush.arpa")
    assert abs(tables[0]["<unk>",][0] - golden[0]["<unk>",][0]) > 1e-3
    with pytest.raises(UsageError, match="E-NGRAM-005"):
        train_ngram(ids, order=3, vocab_size=len(words), smoothing="witten-bell", kenlm_compat=True)


def test_the_back_off_of_the_start_too() -> None:
    words, ids = read_golden("rifle")
    model = train_ngram(ids, order=4, vocab_size=len(words))
    golden = arpa_tables(GOLDEN / "rifle.arpa")[0]["<s>",]
    assert our_tables(model, words)[0]["<s>",][1] == pytest.approx(golden[1], abs=1e-6)


def test_the_orders_that_fell_back_are_named() -> None:
    words, ids = read_golden("short")
    notes = train_ngram(ids, order=5, vocab_size=len(words)).notes
    assert len(notes) == 1
    assert "0.5, 1 and 1.5" in notes[0]


@pytest.mark.oracle
@pytest.mark.parametrize(("name", "order"), [("rifle", 4), ("short", 5)])
def test_texts_are_scored_as_kenlm_scores_them(name: str, order: int) -> None:
    """Back-off, unknown words and sentence ends: KenLM reads its own ARPA file, we score with our tables."""
    kenlm = pytest.importorskip("kenlm", reason="kenlm is not installed")
    words, ids = read_golden(name)
    model, golden = train_ngram(ids, order=order, vocab_size=len(words)), kenlm.Model(str(GOLDEN / f"{name}.arpa"))
    rng = np.random.default_rng(3)
    for _ in range(50):
        start = int(rng.integers(len(ids) - 12))
        sentence = ids[start : start + 12].copy()
        changed = rng.random(12) < 0.2
        sentence[changed] = rng.choice([0, *range(3, len(words))], size=int(changed.sum()))
        sentence = sentence[sentence != EOS]
        scores, _ = model.score(model.initial_state(1), np.append(sentence, EOS)[None])
        expected = [log10_p for log10_p, _, _ in golden.full_scores(" ".join(words[i] for i in sentence))]
        np.testing.assert_allclose(scores[0] / math.log(10), expected, atol=2e-6)

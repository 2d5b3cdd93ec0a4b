"""Whether one labeller is better than another: against counting by hand and against all permutations."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from calling import call

import chekhov
from chekhov.evaluation.labelling import span_counts
from chekhov.evaluation.paired_labels import Answers, compare_answers, mcnemar, sign_test, span_randomisation


def test_mcnemar_counts_who_is_right_alone() -> None:
    """9 against 1: p = 2 (C(10, 0) + C(10, 1)) / 2^10 = 22 / 1024."""
    first = [True] * 9 + [False] + [True] * 50 + [False] * 40
    second = [False] * 9 + [True] + [True] * 50 + [False] * 40
    found = mcnemar(first, second)
    assert (found.only_first, found.only_second) == (9, 1)
    assert found.difference == pytest.approx(8 / 100)
    assert found.p_value == pytest.approx(22 / 1024, abs=1e-12)
    assert mcnemar(second, first).p_value == pytest.approx(22 / 1024, abs=1e-12)


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (5, 5), (7, 2), (0, 30), (400, 330), (3000, 2000)])
def test_the_sign_test_is_the_binomial_sum(wins: int, losses: int) -> None:
    n = wins + losses
    tail = sum(math.comb(n, k) for k in range(min(wins, losses) + 1)) * 2 / 2**n  # whole numbers: exact
    assert sign_test(wins, losses) == pytest.approx(min(1.0, tail), rel=1e-9)


def spans(*labels: str) -> list[str]:
    return [f"B-{label}" if label else "O" for label in labels]


RIGHT = [spans("A", "", "B"), spans("A", "B", ""), spans("", "A", "A"), spans("B", "", ""), spans("A", "A", "B")]
FIRST = [spans("A", "", "B"), spans("A", "B", ""), spans("", "A", "A"), spans("B", "", ""), spans("A", "", "B")]
SECOND = [spans("A", "", ""), spans("B", "A", "A"), spans("", "A", "B"), spans("", "", ""), spans("A", "A", "B")]


def test_randomisation_approaches_the_share_of_all_permutations() -> None:
    def gap(first: Any, second: Any) -> float:
        return span_counts(RIGHT, first).f1 - span_counts(RIGHT, second).f1

    observed, extreme = gap(FIRST, SECOND), 0
    for swaps in itertools.product((False, True), repeat=len(RIGHT)):
        pairs = [(b, a) if swap else (a, b) for swap, a, b in zip(swaps, FIRST, SECOND, strict=True)]
        extreme += abs(gap([a for a, _ in pairs], [b for _, b in pairs])) >= abs(observed) - 1e-12
    found = span_randomisation(RIGHT, FIRST, SECOND)
    assert found.difference == pytest.approx(observed, abs=1e-12)
    assert found.p_value == pytest.approx(extreme / 32, abs=4 * 0.005)  # four deviations of 10,000 draws
    assert span_randomisation(RIGHT, SECOND, FIRST).difference == pytest.approx(-observed, abs=1e-12)


def test_equal_answers_are_a_tie() -> None:
    assert span_randomisation(RIGHT, FIRST, FIRST).p_value == 1.0
    assert mcnemar([True, False], [True, False]).p_value == 1.0
    (found,) = compare_answers([Answers(name, "x", RIGHT, FIRST, True) for name in "ab"])
    assert found[2].tie


def test_where_nothing_differs_p_is_small_as_often_as_it_says() -> None:
    """Two labellers of the same quality: p <= 0.1 in no more than a tenth of the cases (McNemar's exact test)."""
    rng = np.random.default_rng(0)
    small = sum(mcnemar(rng.random(200) < 0.8, rng.random(200) < 0.8).p_value <= 0.1 for _ in range(500))
    assert 15 < small < 66  # 50 +- 2.4 deviations; less, since coins are counted in whole ones


def test_the_best_stands_against_the_others_of_its_column() -> None:
    asked = [["a"]] * 40
    found = compare_answers(
        [
            Answers("poor", "label", asked, [["b"]] * 20 + [["a"]] * 20, False),
            Answers("good", "label", asked, asked, False),
            Answers("other", "tag", asked, asked, False),
        ]
    )
    assert [(best.model, other.model) for best, other, _ in found] == [("good", "poor")]
    assert found[0][2].p_value == pytest.approx(2 / 2**20)


def test_evaluate_tells_the_better_of_two(tmp_path: Path) -> None:
    texts, labels = ["дом хорош", "дом плох", "сад хорош", "сад плох"] * 10, ["good", "bad"] * 20
    sizes: dict[str, Any] = {"hidden_size": 8, "word_size": 8, "affix_size": 4, "model": "net"}
    chekhov.Classifier(**sizes, epochs=20).fit(texts, labels, out=tmp_path / "learnt")
    chekhov.Classifier(**sizes, epochs=1, lr=1e-6).fit(texts, labels, out=tmp_path / "raw")
    test = tmp_path / "test.tsv"
    test.write_text("".join(f"{label}\t{text}\n" for label, text in zip(labels, texts, strict=True)), "utf-8")
    folders = [str(tmp_path / name) for name in ("learnt", "raw")]
    code, out, _ = call("evaluate", *folders, "--text", str(test))
    assert code == 0
    assert f"label: {folders[0]} is better than {folders[1]}: " in out
    code, out, _ = call("evaluate", *folders, "--text", str(test), "--json")
    record = json.loads(out.splitlines()[-1])
    assert (record["best"], record["other"], record["tie"]) == (*folders, False)
    assert record["only_first"] > 0
    assert record["p_value"] < 0.05
    _, alone, _ = call("evaluate", folders[0], "--text", str(test))
    assert "is better than" not in alone
    words, tags = [["Анна", "спит"], ["спит", "Олег"]] * 8, [["B-PER", "O"], ["O", "B-PER"]] * 8
    small = {"hidden_size": 8, "word_size": 8, "affix_size": 4, "features": "affixes"}
    for name, epochs in (("a", 20), ("b", 1)):
        chekhov.Tagger(**small, epochs=epochs).fit(words, tags, out=tmp_path / name)
    bio = tmp_path / "test.bio"
    rows = ["".join(f"{w}\t{t}\n" for w, t in zip(*pair, strict=True)) for pair in zip(words, tags, strict=True)]
    bio.write_text("\n".join(rows), "utf-8")
    code, out, _ = call("evaluate", str(tmp_path / "a"), str(tmp_path / "b"), "--text", str(bio))
    assert code == 0
    assert "span F1" in out.splitlines()[-1]

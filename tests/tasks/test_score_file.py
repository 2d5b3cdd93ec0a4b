"""Whole files at once give what their lines give one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import chekhov
from chekhov.errors import TextError, UsageError
from chekhov.tasks import score_file as module
from chekhov.text.demo import demo_corpus

TEXT = demo_corpus("demo:rifle-ru?tokens=4000&seed=3").train


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> chekhov.TextModel:
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text(TEXT, "utf-8")
    return chekhov.train("ngram", path, order=4, tokens="whitespace", split="none")


@pytest.mark.parametrize("threads", [1, 3])
def test_every_number_is_that_of_the_line(
    model: chekhov.TextModel, tmp_path: Path, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PIECE", 100)
    held_out = demo_corpus("demo:rifle-ru?tokens=3000&seed=4").train + "слово, которого нет <unk>\n\nбез конца"
    (tmp_path / "held.txt").write_text(held_out, "utf-8")
    scores = chekhov.score_file(model, tmp_path / "held.txt", threads=threads)
    lines = held_out.split("\n")
    assert len(scores.line_ends) == len(lines)
    for line, ids, log_probs, orders in zip(
        lines, *(np.split(column, scores.line_ends) for column in (scores.ids, scores.log_probs, scores.orders))
    ):
        one = model.score(line or "\n")
        assert ids.tolist() == one.ids
        assert orders.tolist() == one.orders
        np.testing.assert_allclose(log_probs, one.log_probs, rtol=1e-5)
    (whole,) = [model.evaluate(held_out)]
    assert scores.perplexity == pytest.approx(whole.perplexity, rel=1e-6)
    assert scores.perplexity_without_oov == pytest.approx(whole.perplexity_without_oov, rel=1e-6)
    assert scores.oov == whole.oov > 0


def test_marks_and_other_models_are_refused(model: chekhov.TextModel, tmp_path: Path) -> None:
    (tmp_path / "held.txt").write_text("слово\nеще <s> слово\n", "utf-8")
    with pytest.raises(TextError, match="line 2"):
        chekhov.score_file(model, tmp_path / "held.txt")
    (tmp_path / "text.txt").write_text(TEXT, "utf-8")
    other = chekhov.train("ngram", tmp_path / "text.txt", order=2, tokens="words", split="none")
    with pytest.raises(UsageError, match="E-SCORE-004"):
        chekhov.score_file(other, tmp_path / "text.txt")

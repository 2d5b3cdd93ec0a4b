"""A vocabulary that is given, and what a count says while it runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import chekhov
from chekhov.cli.progress import Stages
from chekhov.errors import UsageError

TEXT = "ружьё висит на стене\nружьё не стреляет\nчайка висит на стене\n" * 40


@pytest.fixture
def text(tmp_path: Path) -> Path:
    (tmp_path / "text.txt").write_text(TEXT, "utf-8")
    (tmp_path / "words.txt").write_text("ружьё висит\nна нет-такого", "utf-8")
    return tmp_path / "text.txt"


@pytest.mark.parametrize("settings", [{"tokens": "words"}, {"tokens": "whitespace"}, {"memory": "64M"}])
def test_only_listed_words_are_known(text: Path, settings: dict[str, str]) -> None:
    model = chekhov.train("ngram", text, order=3, split="none", limit_vocab_file=text.parent / "words.txt", **settings)
    assert sorted(model.tokenizer.vocabulary.tokens) == ["висит", "на", "ружьё"]
    assert model.score("ружьё висит на стене").oov[:-1] == [False, False, False, True]
    rows = model.model.log_probs(model.model.initial_state(1))
    assert np.exp(rows.astype(np.float64)).sum() == pytest.approx(1, abs=1e-5)


def test_a_list_of_words_is_of_words(text: Path) -> None:
    with pytest.raises(UsageError, match="E-TOKEN-013"):
        chekhov.train("ngram", text, tokens="characters", limit_vocab_file=text.parent / "words.txt")


def test_counting_says_how_far_it_is(text: Path) -> None:
    heard: list[tuple[str, int, int]] = []
    chekhov.train("ngram", text, memory="64M", threads=1, progress=lambda *stage: heard.append(stage))
    assert [stage for stage, done, total in heard if done == total] == ["reading", "counting", "smoothing"]


def test_without_a_terminal_a_line_comes_every_few_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = iter([0.0, 1.0, 5.0, 6.0])
    monkeypatch.setattr("chekhov.cli.progress.time.monotonic", lambda: next(now))
    with Stages() as stages:
        for done in (1, 2, 3):
            stages("counting", done, 10)
    assert capsys.readouterr().err == "counting 20%, 16 s to go\n"

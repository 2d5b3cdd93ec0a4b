"""demo:pydocs: sentences of Python's documentation, and nothing that is no sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

import chekhov
from chekhov.tasks.corpus import read_corpus
from chekhov.text.pydocs import docstrings, is_prose, pydocs


@pytest.fixture(scope="module")
def text() -> str:
    return pydocs()


def test_it_is_a_hundred_thousand_words_of_prose_each_sentence_once(text: str) -> None:
    lines = text.splitlines()
    assert len(text.split()) > 100_000
    assert len(lines) == len(set(lines))
    assert all(line[0].isupper() and line[-1] in ".!?" for line in lines)
    assert not any(mark in text for mark in (">>>", "::", "==", "`", "_"))


def test_it_is_the_same_every_time(text: str) -> None:
    assert pydocs() == text


@pytest.mark.parametrize(
    ("sentence", "prose"),
    [
        ("Return the number of items in a container.", True),
        ("A dash is a name that an owl (which is old) would use.", True),
        ("len(obj, /) -> int.", False),
        ("Use os.path.join to put them together.", False),
        ("It returns x + y where both are numbers.", False),
        ("too short.", False),
        ("This one has no stop at the end", False),
    ],
)
def test_what_is_prose(sentence: str, prose: bool) -> None:
    assert is_prose(sentence) == prose


def test_a_file_that_is_no_python_has_none(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def f(:\n")
    (tmp_path / "b.py").write_text('"""One thing of it."""\ndef f():\n    """Another."""\n')
    assert list(docstrings(tmp_path / "a.py")) == []
    assert list(docstrings(tmp_path / "b.py")) == ["One thing of it.", "Another."]


def test_it_is_split_and_trained_on_like_any_text() -> None:
    corpus = read_corpus(["demo:pydocs"])
    assert corpus.valid
    assert corpus.test
    assert corpus.floor is None
    assert chekhov.train("ngram", "demo:pydocs", order=3).training["text"] == "demo:pydocs"

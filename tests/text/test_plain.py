"""Long texts as bytes: the same model as from strings."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

import chekhov
from chekhov.text.plain import LONG, read_plain
from chekhov.text.utf8_kernels import survey

GOOD = "a", "hello ", "ж", "€", "😀", "\ud7ff", "\ue000", "\U0010ffff", "\u0800", "\U00010000", "\r", "\x01", "\x7f"
GOOD += "<", "<s>", "</s", "</s>", "<unk>"
BAD = (
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xe0\x9f\xbf",
    b"\xf0\x8f\xbf\xbf",
    b"\xff",
    b"\x80",
    b"\xe2\x82",
)
BAD += b"\xf5\x80\x80\x80", b"\xc1\xbf"


def decodes(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def test_what_is_utf8_is_what_python_decodes() -> None:
    rng, seen = random.Random(), set()
    for _ in range(3000):
        chosen = [rng.choice(GOOD).encode() for _ in range(rng.randrange(60))]
        if chosen and rng.random() < 0.3:
            chosen[rng.randrange(len(chosen))] = rng.choice(BAD)
        data = b"x" * rng.randrange(70) + b"".join(chosen)
        data = data[: rng.randrange(len(data) + 1)] if rng.random() < 0.3 else data
        wrong, controls, nuls, returns, marks = survey(np.frombuffer(data, np.uint8))
        assert (wrong == 0) == decodes(data), data
        assert (controls, nuls, returns) == (data.count(1) + data.count(127), 0, data.count(13))
        assert marks == sum(map(data.count, (b"<s>", b"</s>", b"<unk>"))), data
        seen.add(wrong == 0)
    assert seen == {True, False}


@pytest.fixture
def text(tmp_path: Path) -> Path:
    rng = random.Random()
    words = [f"{rng.choice('абвгдеж€')}{rng.randrange(3000)}" for _ in range(4000)]
    lines = (" ".join(rng.choices(words, k=rng.randrange(30))) for _ in range(4500))
    path = tmp_path / "text.txt"
    path.write_text("\ufeff" + "\n".join(lines) + "\u00a0end", "utf-8", newline="")
    assert path.stat().st_size > LONG
    return path


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_same_model_as_from_strings(text: Path, tmp_path: Path, threads: int) -> None:
    settings = {"tokens": "whitespace", "split": "none", "order": 3, "vocab_size": 3500, "threads": threads}
    assert read_plain([text]) is not None
    chekhov.train("ngram", text, out=tmp_path / "bytes", **settings)
    chekhov.train("ngram", text, out=tmp_path / "strings", encoding="utf-8", **settings)  # which asks for strings
    found, expected = ({p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in ("bytes", "strings"))
    assert found.keys() == expected.keys()
    assert all(found[name] == expected[name] for name in found if name not in ("config.json", ".lock", "README.md"))
    records = [chekhov.load(tmp_path / name).training for name in ("bytes", "strings")]
    unlike = {"name", "seconds", "cpu_seconds"}
    assert {k: v for k, v in records[0].items() if k not in unlike} == {
        k: v for k, v in records[1].items() if k not in unlike
    }


@pytest.mark.parametrize("addition", [b"\xe6\xf3\xea", b"\0", b" <s> ", b" <unk>", b"\r\n", b"\x01" * 9000])
def test_other_texts_are_read_as_strings(text: Path, addition: bytes) -> None:
    text.write_bytes(text.read_bytes() + addition)
    assert read_plain([text]) is None


def test_short_or_missing_texts_are_read_as_strings(tmp_path: Path) -> None:
    (tmp_path / "short.txt").write_text("a b c\n")
    for source in (tmp_path / "short.txt", tmp_path / "missing.txt", "-"):
        assert read_plain([source]) is None


def test_a_text_is_let_go_of_once_its_digest_is_taken(text: Path) -> None:
    plain, again = read_plain([text]), read_plain([text])
    assert plain is not None and again is not None
    plain.let_go()
    assert len(plain.documents) == 0
    assert plain.digest == again.digest

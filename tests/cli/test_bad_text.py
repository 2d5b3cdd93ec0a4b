"""Texts that cannot be read or used give one message, the documented exit code, and nothing half-written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from calling import LETTERS, OWN_PEAK, TEXT, call, refused

BAD_TEXTS = [
    (b"", "empty"),
    (b" \n\t \n", "nothing but white space"),
    (b"\x7fELF\x00\x01\x02\x00" * 50, "binary|NUL"),
    (b"abc\x00def " * 20, "NUL|binary"),
    (b"valid text, then \xff\xfe\xfa\n" * 20, "byte"),
]


@pytest.mark.parametrize("kind", ["chain", "ngram", "lstm"])
@pytest.mark.parametrize(("content", "says"), BAD_TEXTS)
def test_texts_that_cannot_be_read(tmp_path: Path, kind: str, content: bytes, says: str) -> None:
    source = tmp_path / "bad.txt"
    source.write_bytes(content)
    err = refused("train", kind, str(source), "-o", str(tmp_path / "m"), code=1, says=says)
    assert "bad.txt" in err
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nowhere.txt", "no such|does not exist|missing"),
        ("empty-folder", "the folder holds no"),
        ("pipe", "pipe|FIFO|regular"),
    ],
)
def test_sources_that_are_no_text(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "empty-folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    refused("train", "ngram", str(tmp_path / name), "-o", str(tmp_path / "m"), code=1, says=says)
    assert not (tmp_path / "m").exists()


def test_texts_too_short_for_what_is_asked(tmp_path: Path) -> None:
    one = tmp_path / "one.txt"
    one.write_text("Слово")
    out = str(tmp_path / "m")
    refused("train", "chain", str(one), "-o", out, code=1, says="the text has 1 tokens; a chain of order 1 needs more")
    refused("train", "lstm", str(one), "-o", out, code=2, says="sequence_length 64 is longer than the training text")
    assert call("train", "ngram", str(one), "-o", out)[0] == 0  # an n-gram of one word is a model, if a poor one
    assert call("generate", out, "--seed", "1")[0] == 0
    refused("train", "chain", str(one), "-o", str(tmp_path / "n"), "--order", "50", code=1, says="needs more than 50")
    assert call("train", "ngram", str(one), "-o", str(tmp_path / "long"), "--order", "9")[0] == 0


def test_words_that_are_all_different_make_a_model(tmp_path: Path) -> None:
    source = tmp_path / "unique.txt"
    source.write_text(" ".join(a + b + c for a in LETTERS for b in LETTERS for c in LETTERS))
    for kind in ("chain", "ngram"):
        assert call("train", kind, str(source), "-o", str(tmp_path / kind))[0] == 0
        assert call("generate", str(tmp_path / kind), "--seed", "1")[0] == 0
    refused(
        "train", "lstm", str(source), "-o", str(tmp_path / "w"), "--tokens", "words", code=1, says="no token stands 2"
    )


def test_crlf_and_bom_are_the_same_text(tmp_path: Path) -> None:
    digests = []
    for name, data in (("lf", TEXT.encode()), ("crlf", ("\ufeff" + TEXT.replace("\n", "\r\n")).encode())):
        (tmp_path / name).mkdir()
        (tmp_path / name / "che.txt").write_bytes(data)
        assert call("train", "ngram", str(tmp_path / name / "che.txt"), "-o", str(tmp_path / name / "m"))[0] == 0
        digests.append([path.name for path in (tmp_path / name / "m").glob("model-*")])
    assert digests[0] == digests[1]


def test_scoring_what_cannot_be_read(folder: Path) -> None:
    refused("score", str(folder / "ngram"), str(folder / "nowhere.txt"), code=1, says=r"nowhere\.txt")
    refused("score", str(folder / "ngram"), "-", stdin=b"\xff\xfe\xfa", code=1, says="E-TEXT")


TRAIN = (
    OWN_PEAK
    + """
from chekhov.cli.main import main

try:
    main()
finally:
    print(own_peak())
"""
)


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("kind", ["chain", "ngram"])
def test_one_line_of_a_hundred_megabytes(tmp_path: Path, kind: str) -> None:
    source = tmp_path / "line.txt"
    with source.open("w") as file:
        for _ in range(1000):
            file.write("Ружьё висело на стене и молчало, пока никто не стрелял. " * 1000)
    assert source.stat().st_size > 95_000_000
    command = [sys.executable, "-c", TRAIN, "train", kind, str(source), "-o", str(tmp_path / "m"), "--order", "2"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0
    assert float(result.stdout.split()[-1]) < 2048  # MiB; 1.3 and 1.0 GiB were measured
    assert call("generate", str(tmp_path / "m"), "--seed", "1")[0] == 0

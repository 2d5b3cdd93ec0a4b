"""Word vectors of others: four formats give the same; what is malformed is told with its line or byte."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from chekhov.errors import TextError
from chekhov.labels.vectors import read_vectors

WORDS = ["и", "дом", "сад", "New York", "лес"]
TABLE = np.array([[1, 2, 3, 4], [0.5, -1, 0, 2], [1e-3, 0, 0, 1], [7, 7, 7, 7], [-1, -2, -3, -4]], np.float32)


def as_text(*, header: bool, end: str = "\n") -> bytes:
    rows = [f"{word} {' '.join(map(str, row.tolist()))}" for word, row in zip(WORDS, TABLE)]
    return (end.join([*([f"{len(WORDS)} 4"] if header else []), *rows]) + end).encode()


def as_binary(*, between: bytes = b"\n", words: list[str] = WORDS, table: NDArray[np.float32] = TABLE) -> bytes:
    rows = [word.replace(" ", "_").encode() + b" " + row.astype("<f4").tobytes() for word, row in zip(words, table)]
    return f"{len(words)} {table.shape[1]}\n".encode() + between.join(rows) + between


def as_navec(*, indexes: list[list[int]] | None = None, spoil: bytes = b"", words: list[str] = WORDS) -> bytes:
    """Two parts of two numbers, three centroids each."""
    codes = np.arange(12, dtype="<f4").reshape(2, 3, 2)
    indexes = indexes or [[0, 0], [1, 1], [2, 2], [0, 1], [2, 0]]
    pq = np.array([len(indexes), 4, 2, 3], "<u4").tobytes() + np.array(indexes, np.uint8).tobytes() + codes.tobytes()
    counts = np.arange(len(words), dtype="<u4").tobytes()
    vocabulary = gzip.compress(len(words).to_bytes(4, "little") + counts + "\n".join(words).encode())
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in (("meta.json", b'{"protocol": 1}'), ("vocab.bin", vocabulary), ("pq.bin", pq + spoil)):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("word2vec.txt", as_text(header=True)),
        ("windows.vec", as_text(header=True, end="\r\n")),
        ("glove.txt", as_text(header=False)),
        ("glove.txt.gz", gzip.compress(as_text(header=False))),
        ("word2vec.bin", as_binary()),
        ("gensim.bin", as_binary(between=b"")),
        ("word2vec.bin.gz", gzip.compress(as_binary())),
    ],
)
def test_every_format_gives_the_same(name: str, data: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    words, table = read_vectors(tmp_path / name)
    assert [word.replace("_", " ") for word in words] == WORDS
    np.testing.assert_array_equal(table, TABLE)
    few, part = read_vectors(tmp_path / name, limit=2)
    assert few == WORDS[:2]
    np.testing.assert_array_equal(part, TABLE[:2])


def test_navec(tmp_path: Path) -> None:
    """By hand: centroid k of part p holds 6 p + 2 k and the number after it."""
    (tmp_path / "navec.tar").write_bytes(as_navec())
    words, table = read_vectors(tmp_path / "navec.tar")
    assert words == WORDS
    assert table.tolist() == [[0, 1, 6, 7], [2, 3, 8, 9], [4, 5, 10, 11], [0, 1, 8, 9], [4, 5, 6, 7]]
    assert read_vectors(tmp_path / "navec.tar", limit=2)[0] == WORDS[:2]


def test_many_words(tmp_path: Path) -> None:
    """More than is read at once, in both forms of word2vec."""
    words = [f"слово{k}" for k in range(5000)]
    table = np.random.default_rng(0).normal(size=(5000, 30)).astype(np.float32)
    (tmp_path / "v.bin").write_bytes(as_binary(words=words, table=table))
    lines = [f"{word} {' '.join(map(repr, row.tolist()))}\n" for word, row in zip(words, table)]
    (tmp_path / "v.txt").write_text("5000 30\n" + "".join(lines), "utf-8")
    for name in ("v.bin", "v.txt"):
        found, rows = read_vectors(tmp_path / name)
        assert found == words
        np.testing.assert_array_equal(rows, table)


def test_the_first_of_equal_words_counts(tmp_path: Path) -> None:
    (tmp_path / "v").write_text("a 1 2\nb 3 4\na 5 6\n")
    words, table = read_vectors(tmp_path / "v")
    assert (words, table.tolist()) == (["a", "b"], [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("data", "code", "where"),
    [
        (b"2 3\na 1 2 3\nb 1 2\n", "002", "v:3"),
        (b"a 1 2 3\nb 1 2 3 4 5 6 7 x\n", "003", "v:2"),
        (b"a 1 2\nb 1\n", "002", "v:2"),
        (b"a 1 2\nb 1 nan\n", "003", "v:2"),
        (b"2 2\na 1 2\nb 1 1e99\n", "003", "v:3"),
        (b"3 2\na 1 2\nb 1 2\n", "004", "v"),
        (b"a 1 2\n\nb 1\n", "002", "v:3"),
        (b"3 0\na\n", "001", "v:1"),
        (b"", "001", "v:1"),
        (b"word\n", "001", "v:1"),
        (b"0 5\n", "005", "v"),
        (as_binary()[:-9], "004", "v: byte 98"),
        (as_binary().replace(np.float32(7).tobytes(), np.float32("nan").tobytes(), 1), "003", "v: byte 81"),
        (as_navec(spoil=b"x"), "004", "v"),
        (as_navec(indexes=[[9, 9]] * 5), "003", "v"),
        (as_navec(indexes=[[0, 0]]), "002", "v"),
        (as_navec()[:1000], "001", "v"),
    ],
)
def test_malformed_files(data: bytes, code: str, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("v").write_bytes(data)
    with pytest.raises(TextError) as caught:
        read_vectors("v")
    assert (caught.value.code, caught.value.where) == (f"E-VECTORS-{code}", where)

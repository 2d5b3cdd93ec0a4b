"""Word vectors that others have trained: word2vec (text and binary), fastText's .vec, GloVe's text, navec.

    text      "COUNT WIDTH" on the first line (GloVe has none), then "word x_1 ... x_WIDTH" on each
    binary    the same first line, then "word " and WIDTH float32, little-endian, perhaps a line break between
    navec     an archive; see `chekhov.labels.navec`

A file is packed if its name ends in .gz. Words are taken as they stand, and the first of equal ones counts.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from chekhov.errors import TextError, check_range
from chekhov.text.files import open_regular, printable_path

LIMIT = 200_000  # words: such files have the frequent ones first
MAX_WIDTH = 1 << 14
MAX_LINE = 1 << 20  # bytes
MAX_WORD = 4096  # bytes
MEND = "get the file again, or name one of word2vec, fastText (.vec), GloVe or navec"
Vectors = tuple[list[str], NDArray[np.float32]]


def read_vectors(path: str | Path, *, limit: int = LIMIT) -> Vectors:
    """The first ``limit`` words and their vectors (words, width).

    Raises TextError: E-VECTORS-001 no such format, 002 a line or vector of another width, 003 what is no finite number,
    004 the file ends too early, 005 no word in it; each with the line, or the byte in binary files.
    """
    check_range("vector-limit", limit, 1, 1 << 26)
    name = printable_path(path)
    with open_regular(path, name) as file:
        start = file.read(512)
        file.seek(0)
        if start[257:262] == b"ustar" or name.endswith(".tar"):
            from chekhov.labels.navec import read_navec

            words, table = read_navec(file, name, limit)
        else:
            packed = name.lower().endswith(".gz")
            stream: BinaryIO = gzip.GzipFile(fileobj=file, mode="rb") if packed else file  # type: ignore[assignment]
            try:
                words, table = _read_stream(stream, name, limit)
            except (gzip.BadGzipFile, EOFError, zlib.error) as error:
                raise TextError("E-VECTORS-004", "the .gz is broken", where=name, why=str(error), mend=MEND) from None
    if not words:
        raise TextError("E-VECTORS-005", "the file holds no word", where=name, mend=MEND)
    return words, table


def _read_stream(stream: BinaryIO, name: str, limit: int) -> Vectors:
    first = stream.readline(MAX_LINE)
    fields = first.split()
    if len(fields) == 2 and all(field.isdigit() for field in fields):
        count, width = (int(field[:18]) for field in fields)
        if not 1 <= width <= MAX_WIDTH:
            raise TextError(
                "E-VECTORS-001", f"a width of {width} is not from 1 to {MAX_WIDTH}", where=f"{name}:1", mend=MEND
            )
        head = stream.read(MAX_WORD)
        if _is_text(head, width):
            return _read_text(stream, name, limit=min(limit, count), count=count, width=width, head=head, line=2)
        return _read_binary(stream, name, limit=min(limit, count), width=width, head=head, place=len(first))
    if not 2 <= len(fields) <= MAX_WIDTH + 1:
        raise TextError(
            "E-VECTORS-001",
            "the first line is neither COUNT WIDTH nor a word and its vector",
            where=f"{name}:1",
            mend=MEND,
        )
    return _read_text(stream, name, limit=limit, count=None, width=len(fields) - 1, head=first, line=1)


def _is_text(head: bytes, width: int) -> bool:
    """Whether a word and then numbers in decimals follow the first line."""
    fields = head.split(b"\n", 1)[0].split(b" ")
    try:
        [float(field) for field in fields[1 : width + 1][:8]]
    except ValueError:
        return False
    return len(fields) > 1 or b"\n" in head


def _read_text(
    stream: BinaryIO, name: str, *, limit: int, count: int | None, width: int, head: bytes, line: int
) -> Vectors:
    """``head``: what has been read already; it begins with line number ``line``. ``count``: of the first line."""
    rows: dict[str, NDArray[np.float32]] = {}
    found = 0
    for number, raw in enumerate(_lines(stream, head), start=line):
        raw = raw.rstrip(b"\r\n ")
        if found == limit:
            break
        if not raw:
            continue
        where, found = f"{name}:{number}", found + 1
        word, *numbers = raw.rsplit(b" ", width)  # GloVe's largest file has words with blanks in them
        if len(numbers) != width or not word:
            what = f"{len(raw.split())} fields where a word and {width} numbers were to come"
            raise TextError("E-VECTORS-002", what, where=where, mend=MEND)
        try:
            with np.errstate(over="ignore"):  # what is too large is told as not finite
                vector = np.array(numbers).astype(np.float64).astype(np.float32)
        except ValueError as error:
            raise TextError("E-VECTORS-003", "a field is no number", where=where, why=str(error), mend=MEND) from None
        _check_finite(vector, where)
        rows.setdefault(word.decode("utf-8", "replace"), vector)
    if count is not None and found < min(limit, count):
        raise TextError(
            "E-VECTORS-004",
            f"{found} words where the first line announces {count}",
            where=name,
            mend=MEND,
        )
    return list(rows), np.array(list(rows.values()), np.float32).reshape(-1, width)


def _lines(stream: BinaryIO, head: bytes) -> Iterator[bytes]:
    """The lines of ``head``, of which the last one goes on in the stream, and of the stream."""
    *whole, rest = head.split(b"\n")
    yield from whole
    yield rest + stream.readline(MAX_LINE)
    while raw := stream.readline(MAX_LINE):
        yield raw


def _read_binary(stream: BinaryIO, name: str, *, limit: int, width: int, head: bytes, place: int) -> Vectors:
    """``place``: of the first byte of ``head`` in the file."""
    rows: dict[str, NDArray[np.float32]] = {}
    data, size = head, 4 * width
    for found in range(limit):
        while (more := MAX_WORD + size - len(data)) > 0 and (chunk := stream.read(max(more, 1 << 16))):
            data += chunk
        kept = len(data)
        data = data.lstrip(b"\n")
        place += kept - len(data)
        end = data.find(b" ", 0, MAX_WORD)
        if end < 1 or len(data) < end + 1 + size:
            where, after = f"{name}: byte {place}", f"after {found} words, where another was to come"
            if len(data) < MAX_WORD + size:
                raise TextError("E-VECTORS-004", f"the file ends {after}", where=where, mend=MEND)
            raise TextError("E-VECTORS-001", f"no word is found {after}", where=where, mend=MEND)
        vector = np.frombuffer(data, "<f4", width, end + 1).astype(np.float32)
        _check_finite(vector, f"{name}: byte {place + end + 1}")
        rows.setdefault(data[:end].decode("utf-8", "replace"), vector)
        data, place = data[end + 1 + size :], place + end + 1 + size
    return list(rows), np.array(list(rows.values()), np.float32).reshape(-1, width)


def _check_finite(vector: NDArray[np.float32], where: str) -> None:
    if not np.isfinite(vector).all():
        what = f"number {int(np.flatnonzero(~np.isfinite(vector))[0]) + 1} of the vector is not finite"
        raise TextError("E-VECTORS-003", what, where=where, mend=MEND)

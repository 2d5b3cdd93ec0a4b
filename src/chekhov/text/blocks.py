"""A text that is too large for memory, read once and block by block. UTF-8 only."""

from __future__ import annotations

import codecs
import gzip
import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from chekhov.errors import TextError
from chekhov.text.files import FREE_GZIP_BYTES, MAX_GZIP_RATIO, open_regular, printable_path
from chekhov.text.reading import expand

BLOCK = 8 << 20
LONGEST_LINE = 256 << 20


def read_blocks(sources: Sequence[str | Path], *, close: bool = True) -> Iterator[bytes]:
    """The files of ``sources`` (files, folders, patterns, .gz, - for standard input), cut after line breaks.

    Each block is valid UTF-8 and ends with a line break (a line longer than 256 MiB is cut at a blank). ``close``: the
    last line of a file gets one if it has none.
    Raises TextError: E-TEXT-001 with the byte of what is not UTF-8, 002 with that of a NUL, 014 for a line that is too
    long, 010 to 012 and 015, 016 as `read_bytes`.
    """
    for source in sources:
        for path in expand(str(source))[0]:
            name = printable_path(path)
            if path == "-":
                yield from cut(sys.stdin.buffer, name, close)
                continue
            with open_regular(path, name) as file:
                if not name.lower().endswith(".gz"):
                    yield from cut(file, name, close)
                    continue
                try:
                    unpacked = gzip.GzipFile(fileobj=file, mode="rb")
                    yield from cut(unpacked, name, close, packed=file)  # type: ignore[arg-type]
                except (gzip.BadGzipFile, EOFError, zlib.error) as error:
                    what, why = f"the .gz is broken near packed byte {file.tell()}", str(error).rstrip(".")
                    raise TextError("E-TEXT-015", what, where=name, why=why, mend="get the file again") from None


def cut(file: BinaryIO, name: str, close: bool, packed: BinaryIO | None = None) -> Iterator[bytes]:
    rest, at = b"", 0
    while chunk := file.read(BLOCK):
        data = rest + chunk
        end = data.rfind(b"\n") + 1
        if end == 0 and len(data) > LONGEST_LINE:
            end = data.rfind(b" ") + 1
            if end == 0:
                what = f"a line of over {LONGEST_LINE >> 20} MiB without a blank"
                raise TextError("E-TEXT-014", what, where=name, mend="break its lines")
        rest = data[end:]
        if end:
            yield checked(data[:end], name, at)
            at += end
        if packed is not None and at > FREE_GZIP_BYTES and at > MAX_GZIP_RATIO * packed.tell():
            what = f"{packed.tell():,} packed bytes have unpacked to {at:,} so far"
            raise TextError("E-TEXT-016", what, where=name, mend="unpack it yourself and give the plain file")
    if rest:
        yield checked(rest + b"\n" if close else rest, name, at)


def checked(block: bytes, name: str, at: int) -> bytes:
    """``block``, which begins at byte ``at`` of the file, without a byte-order mark and with LF line ends."""
    from chekhov.text.utf8_kernels import survey

    if at == 0:
        block = block.removeprefix(codecs.BOM_UTF8)
    wrong, _, nuls, returns, _ = survey(np.frombuffer(block, np.uint8))
    if nuls:
        what = "the file is binary, not text"
        why, mend = f"A NUL byte stands at byte {at + block.index(0):,}", "give a plain text file"
        raise TextError("E-TEXT-002", what, where=name, why=why, mend=mend)
    if wrong:
        try:
            block.decode()
        except UnicodeDecodeError as error:
            what, mend = f"byte {at + error.start:,} is not UTF-8", "convert the file: iconv -f windows-1251 -t utf-8"
            raise TextError("E-TEXT-001", what, where=name, why=error.reason, mend=mend) from None
    return block.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if returns else block

"""Bytes of a file, without hanging, without running out of memory and without believing what cannot be true."""

from __future__ import annotations

import gzip
import os
import stat
import zlib
from pathlib import Path
from typing import BinaryIO

from chekhov.errors import TextError

MAX_BYTES = 4 << 30  # of one text, unpacked
MAX_GZIP_RATIO = 100  # text packs 2 to 10 times; a bomb 1,000 times
FREE_GZIP_BYTES = 8 << 20  # what any .gz may unpack to, whatever its ratio
_CHUNK = 1 << 20

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe (FIFO)"),
    (stat.S_ISCHR, "a character device"),
    (stat.S_ISBLK, "a block device"),
    (stat.S_ISSOCK, "a socket"),
)


def printable_path(path: str | Path) -> str:
    """``path`` as a string without lone surrogates: bytes of a file name that are not UTF-8 are shown as \\xNN."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def read_bytes(path: str | Path) -> bytes | bytearray:
    """The bytes of a regular file, unpacked if its name ends in .gz.

    Raises TextError: E-TEXT-010 missing, 011 unreadable, 012 not a regular file (opened without blocking, so a pipe
    cannot hang it), 013 changed while it was read, 014 too large, 015 broken .gz, 016 decompression bomb.
    """
    name = printable_path(path)
    try:
        descriptor = _open_regular(path, name)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            if name.lower().endswith(".gz"):
                return _read_gzip(file, name)
            return _read_plain(file, name)
    except OSError as error:
        raise _unreadable(name, error) from None


def open_regular(path: str | Path, name: str) -> BinaryIO:
    """A regular file, opened to be read; the errors are those of `read_bytes`."""
    try:
        return os.fdopen(_open_regular(path, name), "rb")
    except OSError as error:
        raise _unreadable(name, error) from None


def _open_regular(path: str | Path, name: str) -> int:
    """A descriptor of ``path``, which is a regular file at this moment, whatever it is replaced by later."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except ValueError as error:  # a NUL in the name
        raise TextError("E-TEXT-010", "no file can have this name", where=name, why=str(error).capitalize()) from None
    except OSError as error:
        try:
            mode = Path(path).stat().st_mode
        except OSError:
            mode = 0
        if mode and not stat.S_ISREG(mode):  # a socket cannot even be opened
            raise _not_regular(name, mode) from None
        raise _unreadable(name, error) from None
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise _not_regular(name, mode)
    return descriptor


def _not_regular(name: str, mode: int) -> TextError:
    kind = next((kind for test, kind in _KINDS if test(mode)), "a special file")
    return TextError(
        "E-TEXT-012", f"this is {kind}, not a file", where=name, mend="give a file, or - to read standard input"
    )


def _unreadable(name: str, error: OSError) -> TextError:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return TextError("E-TEXT-010", "no such file", where=name, mend="check the name and the working folder")
    return TextError(
        "E-TEXT-011",
        "the file cannot be read",
        where=name,
        why=error.strerror or str(error),
        mend="check the file and your right to read it",
    )


def changed(name: str) -> TextError:
    return TextError(
        "E-TEXT-013", "the file changed while it was read", where=name,
        mend="wait until it is written, then try again",
    )  # fmt: skip


def _read_plain(file: BinaryIO, name: str) -> bytearray:
    """Read to the end; what is read must be what the file said it was, before and after."""
    before = os.fstat(file.fileno())
    data = bytearray()
    while chunk := file.read(_CHUNK):
        data += chunk
        check_size(len(data), name)
        if before.st_size and len(data) > before.st_size:
            break
    after = os.fstat(file.fileno())
    # A size of 0 with bytes in it is what /proc files look like.
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or (
        before.st_size and len(data) != before.st_size
    ):
        raise changed(name)
    return data


def _read_gzip(file: BinaryIO, name: str) -> bytearray:
    data = bytearray()
    try:
        with gzip.GzipFile(fileobj=file, mode="rb") as unpacked:
            while chunk := unpacked.read(_CHUNK):
                data += chunk
                check_size(len(data), name)
                packed = file.tell()
                if len(data) > FREE_GZIP_BYTES and len(data) > MAX_GZIP_RATIO * packed:
                    raise TextError(
                        "E-TEXT-016",
                        f"{packed:,} packed bytes have unpacked to {len(data):,} so far, over {MAX_GZIP_RATIO} to 1",
                        where=name,
                        why="This is how decompression bombs look, and no natural text",
                        mend="if the file is yours, unpack it yourself and give the plain file",
                    )
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise TextError(
            "E-TEXT-015",
            f"the .gz is broken near packed byte {file.tell()}, after {len(data):,} unpacked bytes",
            where=name,
            why=str(error).rstrip("."),
            mend="get the file again",
        ) from None
    return data


def check_size(size: int, name: str) -> None:
    """Raise TextError E-TEXT-014 if a text of ``size`` bytes is more than a corpus should hold in memory."""
    if size > MAX_BYTES:
        raise TextError(
            "E-TEXT-014", f"the text is larger than {MAX_BYTES:,} bytes", where=name, mend="split it into smaller files"
        )

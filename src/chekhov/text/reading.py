"""Files, folders, patterns and standard input -> documents. One line rule everywhere: a line ends with LF."""

from __future__ import annotations

import glob
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path

from chekhov.errors import TextError, UsageError
from chekhov.text.encodings import decode_bytes
from chekhov.text.files import check_size, printable_path, read_bytes

_SUFFIXES = ((".txt", ".txt.gz"), (".md", ".md.gz"))  # what a folder is searched for: Markdown only if it has no .txt
_VISIBLE = re.compile(r"[^\s\ufeff]")


@dataclass(frozen=True)
class Document:
    """``name`` says where the text came from; ``text`` has LF line ends, no NUL and no lone surrogate.

    weight: how often it counts.
    """

    name: str
    text: str
    weight: int = 1


def read_documents(
    sources: Sequence[str | Path],
    *,
    encoding: str | None = None,
    keep_bom: bool = False,
    weights: Sequence[int] = (),
    note: Callable[[str], None] = lambda message: None,
) -> list[Document]:
    """One document per file, in the order of ``sources``; the files of a folder or a pattern in the order of names.

    A source is a file, a ``.gz``, a folder (its .txt and .txt.gz at any depth; .md if there are none; hidden ones are
    left out), a pattern (``**`` at any depth) or ``-``, standard input in UTF-8 unless ``encoding`` says otherwise.
    CRLF and CR become LF. An empty file is an error if it was named, and left out with a note if a folder or
    pattern led to it. ``weights``: of each source, how often its documents count; none: once. ``note`` hears what a
    user should know: which encoding was found, what was left out.

    Raises TextError (E-TEXT-001 to 003 encodings, 010 to 016 files, 020 folder or pattern without text, 021 empty
    text) and UsageError (E-TEXT-004 encoding, 022 no source, 023 ``-`` twice).
    """
    if isinstance(sources, str | Path):  # a string is a sequence of letters, which nobody means
        sources = [sources]
    if not sources or any(str(source) == "" for source in sources):
        raise UsageError(
            "E-TEXT-022", "no text was given", mend="name a file, a folder, a pattern, or - for standard input"
        )
    if sum(str(source) == "-" for source in sources) > 1:
        raise UsageError("E-TEXT-023", "- is given twice, and standard input can be read once", mend="give one -")
    documents: list[Document] = []
    for source, weight in zip(sources, weights or repeat(1)):
        paths, found = expand(str(source))
        kept = []
        for path in paths:
            try:
                kept.append(replace(_document(path, encoding, keep_bom, note), weight=weight))
            except TextError as error:
                if not (found and error.code == "E-TEXT-021"):
                    raise
                note(f"{printable_path(path)}: left out, it holds no text")
        if not kept:
            raise _no_text(printable_path(str(source)), "all the files found there are empty")
        documents += kept
    return documents


def _document(path: str, encoding: str | None, keep_bom: bool, note: Callable[[str], None]) -> Document:
    name = printable_path(path)
    try:
        data = _read_stdin() if path == "-" else read_bytes(path)
        if path == "-":
            encoding = encoding or "utf-8"
        text, _, message = decode_bytes(data, name=name, encoding=encoding, keep_bom=keep_bom)
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
    except MemoryError:
        raise TextError(
            "E-TEXT-014", "the text does not fit in memory", where=name, mend="split it into smaller files"
        ) from None
    if message:
        note(message)
    if not has_text(text):
        what = "the text holds nothing but white space" if text else "the text is empty"
        raise TextError("E-TEXT-021", what, where=name, mend="give a file with text in it")
    return Document(name, text)


def has_text(text: str) -> bool:
    return _VISIBLE.search(text) is not None


def expand(source: str) -> tuple[list[str], bool]:
    """(paths of files, whether they were found by searching). A name that exists is never taken for a pattern."""
    if source != "-" and "\0" not in source and os.path.isdir(source):  # noqa: PTH112 - Path("a/") would forget the slash
        return _files_of_folder(source), True
    if source == "-" or not glob.has_magic(source) or "\0" in source or os.path.lexists(source):
        return [source], False
    paths = sorted(path for path in glob.glob(source, recursive=True) if not Path(path).is_dir())  # noqa: PTH207
    if not paths:
        raise _no_text(printable_path(source), "no file matches this pattern")
    return paths, True


def _files_of_folder(folder: str) -> list[str]:
    """The text files under ``folder``, links to folders not followed (they may lead in circles)."""
    files: list[str] = []

    def stop(error: OSError) -> None:
        raise TextError(
            "E-TEXT-011",
            "the folder cannot be read",
            where=printable_path(error.filename or folder),
            why=error.strerror or str(error),
            mend="check your right to read it",
        )

    for parent, folders, names in os.walk(folder, onerror=stop):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files += [os.path.join(parent, name) for name in names if not name.startswith(".")]  # noqa: PTH118
    for suffixes in _SUFFIXES:
        if found := [path for path in files if path.lower().endswith(suffixes)]:
            return sorted(found, key=lambda path: Path(path).parts)
    raise _no_text(printable_path(folder), "the folder holds no .txt, .txt.gz, .md or .md.gz file")


def _no_text(name: str, what: str) -> TextError:
    return TextError(
        "E-TEXT-020", what, where=name, mend="name the files, or give a pattern such as 'folder/**/*.text'"
    )


def _read_stdin() -> bytearray:
    stream = getattr(sys.stdin, "buffer", None)
    data = bytearray()
    try:
        while stream is not None and (chunk := stream.read(1 << 20)):
            data += chunk
            check_size(len(data), "-")
    except OSError as error:
        raise TextError(
            "E-TEXT-011", "standard input cannot be read", where="-", why=error.strerror or str(error)
        ) from None
    return data

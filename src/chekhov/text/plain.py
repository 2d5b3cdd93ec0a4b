"""Long texts in UTF-8 as bytes: what only counts tokens needs no strings."""

from __future__ import annotations

import hashlib
from codecs import BOM_UTF8
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chekhov.errors import TextError, UsageError
from chekhov.text.encodings import is_plain_utf8
from chekhov.text.files import read_bytes
from chekhov.text.reading import expand, has_text

LONG = 1 << 18  # bytes of a document from which on it is worth it


class PlainText:
    """Documents as `read_documents` gives them, in UTF-8. Their digest is taken in a thread, from now on."""

    def __init__(self, documents: Sequence[NDArray[np.uint8]]):
        self.documents = documents
        pool = ThreadPoolExecutor(1)
        self._digest = pool.submit(self._hash)
        pool.shutdown(wait=False)

    def _hash(self) -> str:
        hasher = hashlib.blake2b(digest_size=16)
        for document in self.documents:
            hasher.update(document.data)
            hasher.update(b"\0")
        return hasher.hexdigest()

    @property
    def digest(self) -> str:
        """BLAKE2b, as `Corpus.digest`."""
        return self._digest.result()

    def let_go(self) -> None:
        """Of the documents, once the digest is taken: what has been numbered need not stay in memory."""
        self._digest.result()
        self.documents = ()


def read_while_loading(path: str | Path) -> bytes | bytearray:
    """`read_bytes`; what looks at a long text is loaded meanwhile."""
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read_bytes, path)
        if Path(path).is_file() and Path(path).stat().st_size >= LONG:
            import_module("chekhov.text.utf8_kernels")
        return reading.result()


def read_plain(sources: Sequence[str | Path]) -> PlainText | None:
    """The documents of ``sources``, or None where `read_documents` shall read them: one that is short, is not UTF-8,
    comes from standard input, or has something in it that asks for a second look (see `is_plain_utf8`)."""
    documents = []
    try:
        for path in (path for source in sources for path in expand(str(source))[0]):
            data = b"" if path == "-" else read_while_loading(path)
            if len(data) < LONG or not is_plain_utf8(data):
                return None
            if not has_text(data[:4096].decode(errors="ignore")):
                return None
            documents.append(np.frombuffer(data, np.uint8)[3 if data.startswith(BOM_UTF8) else 0 :])
    except (TextError, UsageError, MemoryError):
        return None
    return PlainText(documents)

"""The ids of a text that is larger than memory: made once, kept as a file of the user's cache, mapped into memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from chekhov.errors import ModelError
from chekhov.files import StoredFile, check_file, commit, remember, write_file, write_temporary
from chekhov.tokens.tokenizer import Tokenizer
from chekhov.types import Ids


def cached_ids(tokenizer: Tokenizer, documents: Iterable[str], text_digest: str, *, note: Callable[[str], None]) -> Ids:
    """(T,), read-only, in the smallest of uint8, uint16 and int32 that holds them: the ids of all ``documents``.

    The file has the digests of text and tokenizer for a name and holds nothing but ids; its size and SHA-256 stand in
    a record beside it, which is written last. Raises `ModelError` E-CACHE-001 where the cache cannot be written.
    """
    from platformdirs import user_cache_path

    size = tokenizer.vocabulary.size
    dtype = np.dtype(np.uint8 if size <= 1 << 8 else np.uint16 if size <= 1 << 16 else np.int32)
    path = user_cache_path("chekhov") / "ids" / f"{text_digest}-{tokenizer.digest}.{dtype.name}"
    record = path.with_suffix(".json")
    try:
        check_file(path.parent, path.name, msgspec.json.decode(record.read_bytes(), type=StoredFile), remembered=True)
        note(f"the ids of this text are there from before: {path}")
    except (OSError, msgspec.MsgspecError, ModelError):
        stored = write_ids((tokenizer.encode(document).astype(dtype) for document in documents), path, record)
        note(f"the ids of this text are kept in {path} ({stored.bytes / 1e6:,.0f} MB)")
    return np.asarray(np.memmap(path, dtype, "r")) if path.stat().st_size else np.empty(0, dtype)


def write_ids(parts: Iterable[Any], path: Path, record: Path) -> StoredFile:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary, stored = write_temporary(path, (part.data.cast("B") for part in parts if len(part)))
        commit(temporary, path)
        write_file(record, msgspec.json.encode(stored))
    except (OSError, ModelError) as error:
        what, why = "the ids of the text cannot be kept in the cache", getattr(error, "why", "") or str(error)
        mend = "free some space, or name a folder of another disk in XDG_CACHE_HOME"
        raise ModelError("E-CACHE-001", what, where=str(path.parent), why=why, mend=mend) from error
    remember(path, stored)
    return stored

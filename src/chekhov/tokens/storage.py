"""tokenizer.json: what is stored of a tokenizer, written one way only, so that its digest names the tokenizer.

    {"version": 1, "name": "words", "settings": {...}, "tokens": ["<unk>", "<s>", "</s>", ...], "spelling": {...}}

The place of a token is its id; the first three places are reserved, and the same spelling later is a plain word.
``spelling`` holds the trigram counts of `SpellingModel`: they are smaller than a list of the words of count 1, and do
not depend on how many of these the vocabulary kept.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from chekhov.errors import COPY_AGAIN, ModelError
from chekhov.tokens.spelling import Spelling
from chekhov.tokens.vocabulary import RESERVED, Vocabulary

VERSION = 1
HEAD_BYTES = 4_096

Settings = TypeVar("Settings", bound=msgspec.Struct)


class Header(msgspec.Struct):
    version: int
    name: str
    settings: dict[str, bool | str] = {}


class _Version(msgspec.Struct):
    version: int


class TokenizerFile(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    version: int
    name: str
    settings: dict[str, bool | str]
    tokens: list[str]
    spelling: dict[str, dict[str, int]]
    merges: list[str] = []  # of subwords


def write(
    name: str,
    settings: msgspec.Struct,
    vocabulary: Vocabulary,
    spelling: Spelling | None,
    *,
    merges: Sequence[str] = (),
) -> bytes:
    """The canonical bytes of tokenizer.json."""
    counts = {} if spelling is None else spelling.counts
    content = {
        "version": VERSION,
        "name": name,
        "settings": dict(sorted(msgspec.to_builtins(settings).items())),
        "tokens": vocabulary.to_json(),
        "spelling": {context: dict(sorted(counts[context].items())) for context in sorted(counts)},
    }
    return msgspec.json.encode(content | ({"merges": list(merges)} if merges else {}))


def digest(data: bytes) -> str:
    """What names a tokenizer: BLAKE2b of 16 bytes over the canonical JSON, in hexadecimal."""
    return blake2b(data, digest_size=16).hexdigest()


def read(data: bytes, *, where: str) -> TokenizerFile:
    """The checked content of a tokenizer.json. Raises `ModelError` for all that `write` could not have written."""
    try:
        header = msgspec.json.decode(data, type=_Version)
        if header.version > VERSION:
            raise ModelError(
                "E-TOKEN-004",
                f"tokenizer format {header.version} is newer than {VERSION}, the newest that this chekhov reads",
                where=where,
                mend="upgrade chekhov",
            )
        content = msgspec.json.decode(data, type=TokenizerFile)
        if msgspec.json.encode(content) != data:  # not as written: only then can a key stand twice
            json.loads(data, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        raise _unreadable(str(error), where) from error
    if content.version < 1:
        raise _unreadable(f"there was never a format {content.version}", where)
    if tuple(content.tokens[: len(RESERVED)]) != RESERVED:
        raise _unreadable(f"the tokens do not begin with {', '.join(RESERVED)}", where)
    return content


def read_head(path: Path) -> Header | None:
    """What stands before the tokens in a tokenizer.json, the tokens unread; nothing if it is not as `write` has it."""
    with path.open("rb") as file:
        head, found, _ = file.read(HEAD_BYTES).partition(b',"tokens":[')
    try:
        header = msgspec.json.decode(head + b"}", type=Header)
    except ValueError:
        return None
    return header if found and 1 <= header.version <= VERSION else None


def read_settings(content: TokenizerFile | Header, type: type[Settings]) -> Settings:
    """The settings of one unit. Raises ValueError for an unknown, missing or wrong one."""
    return msgspec.convert(content.settings, type=type, strict=True)


def read_vocabulary(content: TokenizerFile) -> Vocabulary:
    return Vocabulary(content.tokens[len(RESERVED) :])


def _unreadable(why: str, where: str) -> ModelError:
    return ModelError("E-TOKEN-003", "this is not a tokenizer of chekhov", where=where, why=why[:500], mend=COPY_AGAIN)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"key {next(key for key in keys if keys.count(key) > 1)!r} stands twice")
    return content

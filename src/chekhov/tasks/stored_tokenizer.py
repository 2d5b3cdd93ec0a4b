"""The tokenizer of a model folder: a large vocabulary is mapped, and the rest is read when it is asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chekhov.errors import COPY_AGAIN, ModelError
from chekhov.files import check_file, read_arrays
from chekhov.saving import Config
from chekhov.tokens import storage
from chekhov.tokens.tokenizer import Tokenizer, mapped_tokenizer, tokenizer_from_json
from chekhov.tokens.word_table import WordTable
from chekhov.types import Arrays

LARGE = 1_024  # ids from which on the vocabulary is stored as a table, too
DIGEST = "tokenizer_digest"  # an array of the table's file, so that it cannot be taken for that of another


def words_to_store(tokenizer: Tokenizer) -> Arrays:
    """The table of a large vocabulary of words, as `read_tokenizer` maps it; nothing for another tokenizer."""
    if tokenizer.name not in ("words", "whitespace") or tokenizer.vocabulary.size < LARGE:
        return {}
    return {**tokenizer.vocabulary.table.arrays(), DIGEST: _digest_array(tokenizer.digest)}


def read_tokenizer(folder: Path, config: Config) -> Tokenizer:
    """The tokenizer, its digest checked; `ModelError` if it is not the one that the model was trained with.

    Beside a table of its words, tokenizer.json is read where the spelling of unknown words is asked for.
    """
    path = folder / config.tokenizer

    def whole() -> Tokenizer:
        check_file(folder, config.tokenizer, config.files[config.tokenizer], remembered=True)
        tokenizer = tokenizer_from_json(path.read_bytes(), where=str(path))
        if tokenizer.digest != config.tokenizer_digest:
            raise another(folder)
        return tokenizer

    name = words_file(config)
    head = storage.read_head(path) if name else None
    if name is None or head is None:
        return whole()
    check_file(folder, name, config.files[name], remembered=True)
    arrays = read_arrays(folder / name)
    if not np.array_equal(arrays.pop(DIGEST, np.empty(0)), _digest_array(config.tokenizer_digest)):
        raise another(folder)
    try:
        return mapped_tokenizer(head, WordTable.from_arrays(arrays), config.tokenizer_digest, whole)
    except ModelError as error:
        raise error.at(str(folder / name)) from error


def verify_tokenizer(folder: Path, config: Config) -> None:
    """`ModelError` if the table of the words is not that of tokenizer.json."""
    path, name = folder / config.tokenizer, words_file(config)
    tokenizer = tokenizer_from_json(path.read_bytes(), where=str(path))
    if tokenizer.digest != config.tokenizer_digest:
        raise another(folder)
    if name:
        found, expected = read_arrays(folder / name), words_to_store(tokenizer)
        if found.keys() != expected.keys() or any(not np.array_equal(found[key], expected[key]) for key in expected):
            what = "the table of the vocabulary is not that of the tokenizer"
            raise ModelError("E-TOKEN-014", what, where=str(folder / name), mend=COPY_AGAIN)


def words_file(config: Config) -> str | None:
    """The name of the file that holds the table of the words."""
    names = (name for name in config.files if name.startswith("tokenizer-") and name.endswith(".safetensors"))
    return next(names, None)


def another(folder: Path) -> ModelError:
    what = "the tokenizer is not the one that the model was trained with"
    return ModelError("E-MODEL-015", what, where=str(folder), mend=COPY_AGAIN)


def _digest_array(digest: str) -> NDArray[np.uint8]:
    return np.frombuffer(digest.encode("utf-8", "replace"), np.uint8)

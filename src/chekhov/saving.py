"""A model is a folder; ``config.json`` is its commit point.

    config.json              kind, sizes, tokenizer digest, and the size and digest of every other file
    model-<8 hex>.safetensors    the arrays
    tokenizer.json           the vocabulary
    tokenizer-<8 hex>.safetensors    a large vocabulary of words as a table that is mapped, not read
    metrics.jsonl            the training log (grows)
    README.md                the model card

New files get new names and are fsynced; then config.json is renamed into place and the folder fsynced: after a crash
at any instant the folder holds the old model or the new one, never half of either. Nothing is ever unpickled.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from chekhov.errors import ModelError
from chekhov.files import (
    TEMPORARY,
    ArrayFile,
    StoredFile,
    check_file,
    digest,
    read_arrays,
    save_error,
    write_arrays,
    write_file,
)
from chekhov.types import Arrays

FORMAT = 1
MAX_CONFIG_BYTES = 4 << 20


class Config(msgspec.Struct, forbid_unknown_fields=True):
    """config.json: a closed schema. The model's ``from_arrays`` checks ``sizes`` against the arrays."""

    format: int
    chekhov: str
    kind: str
    sizes: dict[str, Any]
    model: str  # file name
    tokenizer: str  # file name
    tokenizer_digest: str
    files: dict[str, StoredFile]
    threads: int = 1
    precision: str = "float32"
    kernels: str = "reference"
    training: dict[str, Any] = {}


def make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise save_error(folder, error) from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder against a second writer; the loser learns who holds it and since when.

    A folder that was made for nothing, because an error came before the first file, is taken away again.
    """
    made = not folder.exists()
    make_folder(folder)
    path = folder / ".lock"
    try:
        file = open(path, "a+", encoding="utf-8")  # noqa: SIM115, PTH123 - the lock lives as long as the descriptor
    except OSError as error:
        raise save_error(path, error) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            holder = file.read(500).strip() or "another process"
            raise ModelError(
                "E-LOCK-001",
                "the folder is in use",
                where=str(folder),
                why=f"held by {holder}",
                mend="wait for it, or choose another folder with -o",
                kept="nothing was changed",
            ) from error
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()} since {time.strftime('%Y-%m-%d %H:%M:%S')}\n")
        file.flush()
        try:
            yield  # then the file stays: to unlink it would let two others each hold a different one
        except BaseException:
            if made and [entry.name for entry in folder.iterdir()] == [path.name]:
                path.unlink()
                folder.rmdir()
            raise


def save_folder(
    folder: Path,
    *,
    kind: str,
    sizes: dict[str, Any],
    arrays: Arrays,
    tokenizer: bytes,
    tokenizer_digest: str,
    card: str = "",
    threads: int = 1,
    precision: str = "float32",
    kernels: str = "reference",
    training: dict[str, Any] | None = None,
    file: ArrayFile | None = None,
    words: Arrays | None = None,
) -> Config:
    """Commit a model to ``folder``, in place of the one it holds; ModelError if it cannot be written.

    ``file``: the arrays, where they stand in a file already. ``words``: the table of a large vocabulary.
    """
    from chekhov import __version__

    make_folder(folder)
    model_file, stored = file.commit(folder, "model", arrays) if file else write_arrays(folder, "model", arrays)
    tokenizer_file = "tokenizer.json"
    if (folder / tokenizer_file).is_file() and (folder / tokenizer_file).read_bytes() != tokenizer:
        tokenizer_file = f"tokenizer-{digest(tokenizer)[:8]}.json"  # the old one stays whole until the commit
    write_file(folder / tokenizer_file, tokenizer)
    files = {model_file: stored, tokenizer_file: StoredFile(len(tokenizer), digest(tokenizer))}
    if words:
        words_file, words_stored = write_arrays(folder, "tokenizer", words)
        files[words_file] = words_stored
    config = Config(
        format=FORMAT,
        chekhov=__version__,
        kind=kind,
        sizes=sizes,
        model=model_file,
        tokenizer=tokenizer_file,
        tokenizer_digest=tokenizer_digest,
        files=files,
        threads=threads,
        precision=precision,
        kernels=kernels,
        training=training or {},
    )
    write_file(folder / "config.json", json.dumps(msgspec.to_builtins(config), ensure_ascii=False, indent=2).encode())
    if card:
        write_file(folder / "README.md", card.encode())
    sweep(folder, config)
    return config


def sweep(folder: Path, config: Config) -> None:
    """Remove what a commit has replaced and what a crash has left; only under names that this module gives."""
    for path in folder.iterdir():
        ours = path.name.startswith(TEMPORARY) or (
            path.name not in config.files
            and path.name.startswith(("model-", "tokenizer"))
            and path.suffix in {".safetensors", ".json"}
        )
        if ours and path.is_file():
            path.unlink(missing_ok=True)


def read_config(folder: Path) -> Config:
    """config.json, checked; ModelError where the folder is no model of ours."""
    path = folder / "config.json"
    mend = "give the folder that `chekhov train ... -o` wrote"
    if not folder.exists():
        raise ModelError("E-MODEL-001", "there is no such folder", where=str(folder), mend=mend)
    if not folder.is_dir():
        raise ModelError("E-MODEL-002", "this is a file, a model is a folder", where=str(folder), mend=mend)
    if not path.is_file():
        raise ModelError("E-MODEL-003", "the folder holds no config.json", where=str(folder), mend=mend)
    if path.stat().st_size > MAX_CONFIG_BYTES:
        raise ModelError(
            "E-MODEL-004", "config.json is larger than any that chekhov writes", where=str(path), mend=mend
        )
    try:
        config = msgspec.json.decode(path.read_bytes(), type=Config)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise ModelError(
            "E-MODEL-005", "not a config.json of chekhov", where=str(path), why=str(error), mend=mend
        ) from error
    if config.format > FORMAT:
        why = f"written by chekhov {config.chekhov} in format {config.format}; this version reads up to {FORMAT}"
        raise ModelError(
            "E-MODEL-006", "the model is newer than this program", where=str(path), why=why, mend="upgrade chekhov"
        )
    for name in (config.model, config.tokenizer):
        if name not in config.files or Path(name).name != name:
            raise ModelError("E-MODEL-007", f"config.json names no such file {name!r}", where=str(path), mend=mend)
    return config


def check_folder(folder: Path) -> Config:
    """config, once the sizes and digests of all files have been found to be those that it names."""
    config = read_config(folder)
    for name in config.files:
        check_file(folder, name, config.files[name], remembered=True)
    return config


def read_folder(folder: Path) -> tuple[Config, Arrays, bytes]:
    """config, arrays, tokenizer.json; sizes and digests checked before anything is believed."""
    config = check_folder(folder)
    return config, read_arrays(folder / config.model), (folder / config.tokenizer).read_bytes()

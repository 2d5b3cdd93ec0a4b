"""Files that are whole or not there at all, their digests, and arrays in them."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import mmap
import os
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from io import BufferedRandom
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO

import msgspec
import numpy as np
from numpy.typing import NDArray

from chekhov.errors import COPY_AGAIN, ChekhovError, ModelError
from chekhov.types import Arrays

FULL_DIGEST_BYTES = 4 << 20  # larger files are digested once and remembered: some three milliseconds a file
MAPPED_BYTES = 1 << 20  # larger files are not read but mapped into memory
BLOCK = 4 << 20
SETTLED_AT_ONCE = 16 << 20  # bytes, at least, that `write_and_forget` sends to the disk
TEMPORARY = ".tmp-"
DTYPES = {
    "F64": np.float64, "F32": np.float32, "I64": np.int64, "I32": np.int32, "I16": np.int16, "I8": np.int8,
    "U64": np.uint64, "U32": np.uint32, "U16": np.uint16, "U8": np.uint8, "BOOL": np.bool_,
}  # fmt: skip


class StoredFile(msgspec.Struct, forbid_unknown_fields=True):
    """What config.json says of a file; ``sha256sum`` prints the same."""

    bytes: int
    sha256: str


def digest(data: bytes | memoryview) -> str:
    return hashlib.sha256(data).hexdigest()


def write_file(path: Path, data: bytes) -> None:
    """All of ``data`` under ``path`` or nothing."""
    temporary, _ = write_temporary(path, [data])
    commit(temporary, path)


def write_temporary(path: Path, blocks: Iterable[bytes | memoryview]) -> tuple[Path, StoredFile]:
    """The blocks in a file beside ``path``, fsynced, under a name that `sweep` knows; its size and digest."""
    hasher, size = hashlib.sha256(), 0
    with _temporary_beside(path) as (file, temporary):
        for block in blocks:
            file.write(block)
            hasher.update(block)
            size += len(block)
    return temporary, StoredFile(size, hasher.hexdigest())


def write_and_forget(path: Path, blocks: Iterable[bytes | memoryview]) -> None:
    """All of the blocks under ``path`` or nothing, for a file that is as a rule not read back at once.

    It goes to the disk while it is still written, and its pages serve again for what follows: a gigabyte of text
    neither waits for the disk in the end nor drives everything else out of the memory.
    """
    with _temporary_beside(path) as (file, temporary), ThreadPoolExecutor(1) as pool:
        size, settled = 0, 0
        going: Future[None] | None = None
        for block in blocks:
            file.write(block)
            size += len(block)
            if size - settled >= SETTLED_AT_ONCE and (going is None or going.done()):
                if going is not None:
                    going.result()  # its error is told once, here and not by fsync
                going, settled = pool.submit(_settle, file.fileno()), size
        if going is not None:
            going.result()
    commit(temporary, path)


def _settle(handle: int) -> None:
    os.fsync(handle)
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)


@contextmanager
def _temporary_beside(path: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """A file that is fsynced in the end, or gone after an error."""
    try:
        handle, name = tempfile.mkstemp(prefix=TEMPORARY, dir=path.parent)
    except OSError as error:
        raise save_error(path, error) from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file, temporary
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise save_error(path, error) from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def commit(temporary: Path, path: Path) -> None:
    """Give the file its name, and fsync the folder."""
    try:
        temporary.rename(path)
        sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise save_error(path, error) from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def save_error(path: Path, error: OSError) -> ModelError:
    mend = "free some space, or choose another folder with -o"
    if isinstance(error, (FileExistsError, NotADirectoryError)):
        mend = "a file of that name is in the way: choose another folder with -o"
    elif isinstance(error, PermissionError):
        mend = "choose a folder with -o that you may write to"
    return ModelError(
        "E-SAVE-001",
        "the file cannot be written",
        where=str(path),
        why=error.strerror or type(error).__name__,
        mend=mend,
        kept="whatever the folder held before is untouched",
    )


def sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_arrays(folder: Path, prefix: str, arrays: Arrays) -> tuple[str, StoredFile]:
    """Store arrays as ``<prefix>-<8 hex of the digest>.safetensors``, block by block: no second copy in memory."""
    names = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))  # so that each is aligned
    temporary, stored = write_temporary(folder / prefix, safetensors_blocks({n: arrays[n] for n in names}))
    name = f"{prefix}-{stored.sha256[:8]}.safetensors"
    commit(temporary, folder / name)
    if stored.bytes > FULL_DIGEST_BYTES:
        remember(folder / name, stored)
    return name, stored


def safetensors_blocks(arrays: Arrays, metadata: Mapping[str, str] | None = None) -> Iterable[bytes | memoryview]:
    """The bytes of a safetensors file: the length of the header, the header, the arrays."""
    yield safetensors_header({name: (array.dtype, array.shape) for name, array in arrays.items()}, metadata)[0]
    for array in arrays.values():
        if array.size:
            view = np.ascontiguousarray(array).data.cast("B")
            yield from (view[start : start + BLOCK] for start in range(0, len(view), BLOCK))


def safetensors_header(
    shapes: Mapping[str, tuple[Any, tuple[int, ...]]], metadata: Mapping[str, str] | None = None
) -> tuple[bytes, dict[str, int]]:
    """The header of arrays of these types and shapes, in this order, and the byte at which each begins."""
    codes = {np.dtype(dtype): code for code, dtype in DTYPES.items()}
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    begins, at = {}, 0
    for name, (dtype, shape) in shapes.items():
        end = at + np.dtype(dtype).itemsize * math.prod(shape)
        header[name] = {"dtype": codes[np.dtype(dtype)], "shape": list(shape), "data_offsets": [at, end]}
        begins[name], at = at, end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    data = len(text).to_bytes(8, "little") + text
    return data, {name: len(data) + begin for name, begin in begins.items()}


class NamelessFile:
    """A file of ``folder`` for this process alone: no exit, not even a kill, leaves it behind."""

    def __init__(self, folder: Path):
        try:
            self.file: BufferedRandom = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - it lives as long as this object
        except OSError as error:
            raise save_error(folder, error) from error
        self._lock = Lock()
        weakref.finalize(self, self.file.close)

    @property
    def size(self) -> int:
        with self._lock:
            return self.file.seek(0, os.SEEK_END)

    def read(self, begin: int, out: NDArray[Any]) -> None:
        """Fill ``out``, contiguous, from a byte on; threads may read and write at once. OSError if it ends before."""
        with self._lock:
            self.file.seek(begin)
            if self.file.readinto(out.data.cast("B")) != out.nbytes:
                raise OSError(errno.EIO, "a temporary file is shorter than what was written to it")

    def write(self, begin: int, array: NDArray[Any]) -> None:
        """Write over what stands there from a byte on."""
        with self._lock:
            self.file.seek(begin)
            self.file.write(array.data.cast("B"))

    def append(self, arrays: Iterable[NDArray[Any]]) -> list[int]:
        """Write arrays at the end; the byte at which each begins."""
        begins = []
        with self._lock:
            at = self.file.seek(0, os.SEEK_END)
            for array in arrays:
                begins.append(at)
                at += self.file.write(np.ascontiguousarray(array).data.cast("B"))
        return begins


class ArrayFile:
    """A file of arrays that is filled piece by piece, for arrays that shall not stand in memory.

    Until `commit` gives it its name, it is a temporary file of ``folder``, which goes when nothing uses it any more.
    """

    def __init__(self, folder: Path, shapes: Mapping[str, tuple[Any, tuple[int, ...]]]):
        header, self._begins = safetensors_header(shapes)
        self._lock = Lock()
        self._row_bytes = {n: np.dtype(dtype).itemsize * math.prod(shape[1:]) for n, (dtype, shape) in shapes.items()}
        try:
            handle, name = tempfile.mkstemp(prefix=TEMPORARY, dir=folder)
            self._file, self._path = os.fdopen(handle, "wb"), Path(name)
            weakref.finalize(self, self._path.unlink, missing_ok=True)
            self._file.write(header)
        except OSError as error:
            raise save_error(folder, error) from error

    def put(self, name: str, row: int, rows: NDArray[Any]) -> None:
        """Write ``rows`` of an array, from ``row`` on; threads may at once."""
        try:
            with self._lock:
                self._file.seek(self._begins[name] + int(row) * self._row_bytes[name])
                self._file.write(np.ascontiguousarray(rows).data)
        except OSError as error:
            raise save_error(self._path, error) from error

    def finish(self) -> Arrays:
        """All is written, if not on the disk yet: the arrays, mapped."""
        try:
            self._file.close()
        except OSError as error:
            raise save_error(self._path, error) from error
        return read_arrays(self._path)

    def commit(self, folder: Path, prefix: str, arrays: Arrays) -> tuple[str, StoredFile]:
        """`write_arrays` of ``arrays``, which this file holds: a second name for the same bytes, if it can be had.

        It cannot in another file system, nor once the file's own folder was swept: the arrays outlive it, mapped.
        """
        path = self._path
        link = folder / (path.name + "-link")
        try:
            with path.open("rb") as file, ThreadPoolExecutor(1) as pool:
                synced = pool.submit(os.fsync, file.fileno())  # the disk and the digest take as long as each other
                stored = StoredFile(path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())
                synced.result()
            path.chmod(0o644)
            os.link(path, link)
        except OSError:
            return write_arrays(folder, prefix, arrays)
        name = f"{prefix}-{stored.sha256[:8]}.safetensors"
        commit(link, folder / name)
        remember(folder / name, stored)
        return name, stored


def read_arrays(path: Path) -> Arrays:
    """All arrays of a file, read-only; those of a large file stay on disk until they are looked at."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:  # checks the header: sizes, no overlap, no hole
            names = list(file.keys())
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size > MAPPED_BYTES:
                data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            else:
                data = memoryview(file.read())
        begin = 8 + int.from_bytes(data[:8], "little")
        header = json.loads(bytes(data[8:begin]))
        return {name: array_at(data[begin:], header[name]) for name in names}
    except (SafetensorError, ValueError, KeyError, OSError) as error:
        why, mend = str(error), "train the model again, or copy it again from its source"
        raise ModelError("E-MODEL-008", "the arrays cannot be read", where=str(path), why=why, mend=mend) from error


def array_at(data: memoryview, entry: dict[str, Any]) -> NDArray[Any]:
    start, end = entry["data_offsets"]
    return np.frombuffer(data[start:end], DTYPES[entry["dtype"]]).reshape(entry["shape"])


def check_file(folder: Path, name: str, expected: StoredFile, *, remembered: bool) -> None:
    """Size, then digest: always for small files, once per (path, size, time, inode) for large ones."""
    path, mend = folder / name, COPY_AGAIN
    if Path(name).name != name or path.is_symlink() or not path.is_file():
        raise ModelError("E-MODEL-009", "the file is missing or is no plain file", where=str(path), mend=mend)
    status = path.stat()
    if status.st_size != expected.bytes:
        what = f"the file has {status.st_size} bytes, config.json says {expected.bytes}"
        raise ModelError("E-MODEL-010", what, where=str(path), mend=mend)
    memory = _memory(path) if remembered and status.st_size > FULL_DIGEST_BYTES else None
    if memory is not None and memory.is_file() and memory.read_text() == expected.sha256:
        return
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected.sha256:
        raise ModelError(
            "E-MODEL-011", "the file is damaged: its digest differs from config.json", where=str(path), mend=mend
        )
    if memory is not None:
        remember(path, expected)


def remember(path: Path, stored: StoredFile) -> None:
    """That the digest of this very file has been checked."""
    memory = _memory(path)
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        write_file(memory, stored.sha256.encode())
    except (OSError, ChekhovError):
        return  # a cache that cannot be written only costs time


def _memory(path: Path) -> Path:
    from platformdirs import user_cache_path

    status = path.stat()
    key = f"{path.resolve()}|{status.st_size}|{status.st_mtime_ns}|{status.st_ino}"
    return user_cache_path("chekhov") / "digests" / digest(key.encode())

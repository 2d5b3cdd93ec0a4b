"""A model folder is the old model or the new one, never half of either; what is damaged is named."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest

from chekhov import files
from chekhov.errors import ModelError
from chekhov.files import write_and_forget, write_file
from chekhov.saving import locked, read_config, read_folder, save_folder

CALLS = ("mkstemp", "fsync", "chmod", "rename")


def save(folder: Path, value: float = 1.0) -> None:
    save_folder(
        folder,
        kind="test",
        sizes={"n": 3},
        arrays={"a": np.full(3, value, np.float32), "b": np.arange(4)},
        tokenizer=json.dumps({"value": value}).encode(),
        tokenizer_digest="d",
        card="# card",
    )


def value_of(folder: Path) -> float:
    _config, arrays, tokenizer = read_folder(folder)
    assert json.loads(tokenizer)["value"] == arrays["a"][0]
    return float(arrays["a"][0])


def test_what_is_saved_is_read(tmp_path: Path) -> None:
    save(tmp_path)
    config, arrays, _ = read_folder(tmp_path)
    assert config.kind == "test"
    assert config.sizes == {"n": 3}
    np.testing.assert_array_equal(arrays["b"], np.arange(4))
    assert (tmp_path / "README.md").read_text() == "# card"


def test_a_second_save_replaces_the_first_and_sweeps_it(tmp_path: Path) -> None:
    save(tmp_path, 1.0)
    (tmp_path / ".tmp-left-by-a-crash").write_bytes(b"x")
    (tmp_path / "notes.txt").write_text("the user's own")
    save(tmp_path, 2.0)
    assert value_of(tmp_path) == 2.0
    assert len(list(tmp_path.glob("model-*"))) == 1
    assert not list(tmp_path.glob(".tmp-*"))
    assert (tmp_path / "notes.txt").exists()


@pytest.mark.parametrize("lasting", [False, True])
@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EIO, errno.EACCES])
def test_every_failing_call_leaves_the_old_model_or_the_new(tmp_path: Path, lasting: bool, reason: int) -> None:
    """SQLite's loop: fail the n-th call, n = 1, 2, ... until a save passes without a failure."""
    save(tmp_path, 1.0)
    for n in range(1, 100):
        calls = 0

        def failing(original: Any, n: int = n) -> Any:
            def call(*arguments: Any, **flags: Any) -> Any:
                nonlocal calls
                calls += 1
                if calls == n or (lasting and calls > n):
                    raise OSError(reason, os.strerror(reason))
                return original(*arguments, **flags)

            return call

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(files.tempfile, "mkstemp", failing(files.tempfile.mkstemp))
            for name in CALLS[1:]:
                patch.setattr(files.os, name, failing(getattr(os, name)))
            try:
                save(tmp_path, 2.0)
            except ModelError as error:
                assert "cannot be written" in str(error)
                assert os.strerror(reason) in str(error)
        assert value_of(tmp_path) in (1.0, 2.0)
        assert not list(tmp_path.glob(".tmp-*"))
        if calls < n:
            assert n > 8
            return
        save(tmp_path, 1.0)
    pytest.fail("the save never passed")


def test_a_file_that_was_filled_piece_by_piece_is_on_the_disk_or_not_there(tmp_path: Path) -> None:
    """One failing fsync makes it be written once more; where all fail, nothing takes the name."""
    for failures in (0, 1, 100):
        file = files.ArrayFile(tmp_path, {"a": (np.int32, (3,))})
        file.put("a", 0, np.array([1, 2, 3], np.int32))
        arrays, left = file.finish(), failures

        def fsync(handle: int, original: Any = os.fsync) -> None:
            nonlocal left
            left -= 1
            if left >= 0:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            original(handle)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(files.os, "fsync", fsync)
            if failures == 100:
                with pytest.raises(ModelError, match="cannot be written"):
                    file.commit(tmp_path, "model", arrays)
                assert not list(tmp_path.glob("model*"))
            else:
                name, stored = file.commit(tmp_path, "model", arrays)
                assert files.digest((tmp_path / name).read_bytes()) == stored.sha256
                assert files.read_arrays(tmp_path / name)["a"].tolist() == [1, 2, 3]
                (tmp_path / name).unlink()


def test_every_truncation_and_every_flipped_byte_is_noticed(tmp_path: Path) -> None:
    save(tmp_path)
    config = read_config(tmp_path)
    for name in config.files:
        path = tmp_path / name
        whole = path.read_bytes()
        for size in range(len(whole)):
            path.write_bytes(whole[:size])
            with pytest.raises(ModelError, match="E-MODEL-010"):
                read_folder(tmp_path)
        for place in range(len(whole)):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            with pytest.raises(ModelError, match="E-MODEL-011"):
                read_folder(tmp_path)
        path.write_bytes(whole)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda c: c | {"format": 99}, "E-MODEL-006"),
        (lambda c: c | {"surprise": 1}, "E-MODEL-005"),
        (lambda c: c | {"model": "../../etc/passwd"}, "E-MODEL-007"),
        (lambda c: c | {"files": []}, "E-MODEL-005"),
        (lambda c: {k: v for k, v in c.items() if k != "kind"}, "E-MODEL-005"),
    ],
)
def test_a_config_that_is_not_ours_is_refused(tmp_path: Path, change: Any, code: str) -> None:
    save(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(ModelError, match=code):
        read_folder(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b"\xff\xfe", b'{"format": NaN}', b"\x80\x04pickle"])
def test_a_config_that_is_no_json_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(ModelError, match="E-MODEL-005"):
        read_config(tmp_path)


def test_what_is_no_model_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such folder"):
        read_config(tmp_path / "nowhere")
    with pytest.raises(ModelError, match=r"no config\.json"):
        read_config(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(ModelError, match="this is a file"):
        read_config(tmp_path / "file")


def test_a_file_named_by_config_may_not_be_a_link_to_another(tmp_path: Path) -> None:
    save(tmp_path)
    name = read_config(tmp_path).model
    (tmp_path / name).rename(tmp_path / "elsewhere")
    (tmp_path / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ModelError, match="E-MODEL-009"):
        read_folder(tmp_path)


HOLDER = """
import sys
from pathlib import Path
from chekhov.saving import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_writer_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(ModelError, match=rf"in use.*process {process.pid} .* since"), locked(tmp_path):
            pass
        process.kill()  # a dead holder leaves no lock behind
    with locked(tmp_path):
        pass


def test_write_file_says_why_it_could_not(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"Not a directory|No such file"):
        write_file(tmp_path / "file" / "x", b"")


def test_a_large_file_goes_to_the_disk_while_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "SETTLED_AT_ONCE", 1000)
    synced, fsync = Event(), os.fsync
    monkeypatch.setattr(files.os, "fsync", lambda handle: (fsync(handle), synced.set()))
    blocks = [bytes([i]) * 900 for i in range(100)]

    def pieces() -> Iterator[bytes]:
        yield from blocks[:50]
        assert synced.wait(60), "nothing is on the disk while the rest is still made"
        yield from blocks[50:]

    write_and_forget(tmp_path / "a.txt", pieces())
    assert (tmp_path / "a.txt").read_bytes() == b"".join(blocks)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_disk_that_is_full_half_way_leaves_no_large_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is of the thread that sends the file to the disk, and no later fsync would tell it again."""
    monkeypatch.setattr(files, "SETTLED_AT_ONCE", 1000)
    calls = iter([OSError(errno.ENOSPC, "No space left on device")])

    def fsync(handle: int) -> None:
        if (error := next(calls, None)) is not None:
            raise error

    monkeypatch.setattr(files.os, "fsync", fsync)
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(ModelError, match=r"E-SAVE-001[\s\S]*No space left"):
        write_and_forget(tmp_path / "a.txt", (bytes(2000) for _ in range(3)))
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]

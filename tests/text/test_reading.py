"""Files, folders, patterns, .gz and standard input -> documents; and everything that only looks like a file."""

from __future__ import annotations

import gzip
import io
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from calling import OWN_PEAK

from chekhov.errors import ChekhovError, TextError, UsageError
from chekhov.text import files
from chekhov.text.reading import Document, read_documents

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="no such things on Windows")


def write(path: Path, text: str = "Мама мыла раму.\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = text.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def refusal(*sources, **options) -> ChekhovError:
    with pytest.raises(ChekhovError) as error:
        read_documents(sources, **options)
    return error.value


def test_a_file_is_a_document(tmp_path):
    path = write(tmp_path / "a.txt")
    assert read_documents([path]) == [Document(str(path), "Мама мыла раму.\n")]
    assert read_documents(str(path)) == read_documents([str(path)])


def test_order_is_that_of_the_sources_and_any_suffix_goes(tmp_path):
    b, a = write(tmp_path / "b.text", "b"), write(tmp_path / "a", "a")
    assert [document.text for document in read_documents([b, a, b])] == ["b", "a", "b"]


@pytest.mark.parametrize("text", ["a\nb\nc", "a\r\nb\r\nc", "a\rb\rc", "a\r\nb\rc"])
def test_crlf_and_cr_become_lf(tmp_path, text):
    assert read_documents([write(tmp_path / "a.txt", text)])[0].text == "a\nb\nc"


def test_other_separators_are_characters(tmp_path):
    text = "a\u2028b\u0085c\fd\ve\n\n"
    assert read_documents([write(tmp_path / "a.txt", text)])[0].text == text


def test_the_mark_is_kept_for_the_chapter_s_program(tmp_path):
    path = write(tmp_path / "a.txt", "\ufeffмама")
    assert read_documents([path])[0].text == "мама"
    assert read_documents([path], keep_bom=True)[0].text == "\ufeffмама"


def test_encodings_are_noted_and_can_be_given(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("добрый день, друзья мои".encode("koi8-r"))
    notes: list[str] = []
    assert read_documents([path], note=notes.append)[0].text == "добрый день, друзья мои"
    assert len(notes) == 1 and "koi8-r" in notes[0] and str(path) in notes[0]
    assert read_documents([path], encoding="koi8-r", note=notes.append)[0].text == "добрый день, друзья мои"
    assert len(notes) == 1
    assert refusal(path, encoding="klingon").code == "E-TEXT-004"


# Folders and patterns


def test_a_folder_is_its_texts_at_any_depth_in_the_order_of_names(tmp_path):
    for name in ("b.txt", "a/z.txt", "a/b/c.txt.gz", "a.TXT", "notes.md", "data.csv", ".hidden.txt", ".git/x.txt"):
        write(tmp_path / name, name)
    texts = [document.text for document in read_documents([tmp_path])]
    assert texts == ["a/b/c.txt.gz", "a/z.txt", "a.TXT", "b.txt"]


def test_a_folder_of_markdown_alone_is_read_too(tmp_path):
    write(tmp_path / "notes.md", "Заметки")
    assert [document.text for document in read_documents([tmp_path])] == ["Заметки"]


def test_a_folder_without_text_is_named(tmp_path):
    write(tmp_path / "data.csv")
    error = refusal(tmp_path)
    assert isinstance(error, TextError) and error.code == "E-TEXT-020" and str(tmp_path) in str(error)


@posix_only
def test_links_in_circles_do_not_matter(tmp_path):
    write(tmp_path / "a.txt")
    (tmp_path / "again").symlink_to(tmp_path)
    assert len(read_documents([tmp_path])) == 1


def test_a_pattern_is_its_files_sorted(tmp_path):
    for name in ("b.txt", "a.txt", "deep/c.txt", "d.text"):
        write(tmp_path / name, name)
    assert [d.text for d in read_documents([f"{tmp_path}/*.txt"])] == ["a.txt", "b.txt"]
    assert [d.text for d in read_documents([f"{tmp_path}/**/*.txt"])] == ["a.txt", "b.txt", "deep/c.txt"]
    assert refusal(f"{tmp_path}/*.doc").code == "E-TEXT-020"


def test_a_file_that_looks_like_a_pattern_is_a_file(tmp_path):
    write(tmp_path / "b.txt", "wrong")
    assert read_documents([write(tmp_path / "[b].txt", "right")])[0].text == "right"


def test_empty_files_are_errors_if_named_and_notes_if_found(tmp_path):
    empty, full = write(tmp_path / "a.txt", ""), write(tmp_path / "b.txt", "b")
    notes: list[str] = []
    assert [document.text for document in read_documents([tmp_path], note=notes.append)] == ["b"]
    assert len(notes) == 1 and str(empty) in notes[0]
    assert refusal(empty).code == "E-TEXT-021"
    full.write_bytes(b" ")
    assert refusal(tmp_path).code == "E-TEXT-020"


@pytest.mark.parametrize("text", ["", " ", "\n\n\t", "\u00a0\u2003", "\ufeff", "\ufeff\n"])
@pytest.mark.parametrize("keep_bom", [False, True])
def test_a_text_of_nothing_visible_is_refused(tmp_path, text, keep_bom):
    assert refusal(write(tmp_path / "a.txt", text), keep_bom=keep_bom).code == "E-TEXT-021"


def test_no_source_is_a_usage_error():
    assert isinstance(refusal(), UsageError)
    assert isinstance(refusal(""), UsageError)


# Standard input


def give_stdin(monkeypatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_standard_input_is_utf8_unless_said_otherwise(monkeypatch):
    give_stdin(monkeypatch, "мама\r\nмыла".encode())
    assert read_documents(["-"]) == [Document("-", "мама\nмыла")]
    give_stdin(monkeypatch, "добрый день, друзья мои".encode("cp1251"))
    assert refusal("-").code == "E-TEXT-003"
    give_stdin(monkeypatch, "мир".encode("cp1251"))
    assert read_documents(["-"], encoding="cp1251")[0].text == "мир"


def test_standard_input_once_and_not_empty(monkeypatch):
    error = refusal("-", "-")
    assert isinstance(error, UsageError) and error.code == "E-TEXT-023"
    give_stdin(monkeypatch, b"")
    assert refusal("-").code == "E-TEXT-021"
    monkeypatch.setattr(sys, "stdin", None)  # a process without one
    assert refusal("-").code == "E-TEXT-021"


def test_standard_input_has_a_size_limit(monkeypatch):
    monkeypatch.setattr(files, "MAX_BYTES", 10)
    give_stdin(monkeypatch, b"x" * 11)
    assert refusal("-").code == "E-TEXT-014"


# .gz


def test_gz_is_unpacked_whatever_it_consists_of(tmp_path):
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress("мама ".encode()) + gzip.compress("мыла".encode()))
    assert read_documents([path])[0].text == "мама мыла"


def test_broken_gz(tmp_path):
    whole = gzip.compress("мама мыла раму ".encode() * 100)
    path = tmp_path / "a.gz"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert refusal(path).code == ("E-TEXT-015" if length else "E-TEXT-021")
    for data in (whole + b"garbage", b"not gzip", whole[:-8] + b"\0" * 8, whole[:20] + b"\xff" * 9 + whole[29:]):
        path.write_bytes(data)
        assert refusal(path).code == "E-TEXT-015"


def test_a_decompression_bomb_is_stopped_early(tmp_path):
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(b"\0" * (200 << 20), compresslevel=6))
    assert path.stat().st_size < 250_000
    began = time.process_time()
    error = refusal(path)
    assert error.code == "E-TEXT-016"
    assert time.process_time() - began < 0.5  # unpacking all of it takes longer


def test_repetitive_text_is_no_bomb_while_it_is_small(tmp_path):
    text = "мама " * 500_000
    assert read_documents([write(tmp_path / "a.gz", text)])[0].text == text


def test_unpacked_size_has_a_limit(tmp_path, monkeypatch):
    path = write(tmp_path / "a.gz", "x" * 100)
    plain = write(tmp_path / "a.txt", "x" * 100)
    monkeypatch.setattr(files, "MAX_BYTES", 99)
    assert refusal(path).code == refusal(plain).code == "E-TEXT-014"


# What only looks like a file


def test_missing_files(tmp_path):
    assert refusal(tmp_path / "none.txt").code == "E-TEXT-010"
    assert refusal(write(tmp_path / "a.txt") / "b.txt").code == "E-TEXT-010"
    assert refusal("a\0b").code == "E-TEXT-010"
    assert refusal("x" * 5000).code == "E-TEXT-011"


@posix_only
def test_special_files_are_named_by_kind_and_nothing_hangs(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.txt")
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.txt")
        for path, kind in ((tmp_path / "pipe.txt", "pipe"), ("socket.txt", "socket"), ("/dev/zero", "device")):
            error = refusal(path)
            assert error.code == "E-TEXT-012" and kind in str(error)
    assert refusal(tmp_path).code == "E-TEXT-012"  # also if a folder leads to it


@posix_only
def test_a_dangling_link_is_missing(tmp_path):
    (tmp_path / "a.txt").symlink_to(tmp_path / "none")
    assert refusal(tmp_path / "a.txt").code == "E-TEXT-010"
    (tmp_path / "a.txt").unlink()
    (tmp_path / "a.txt").symlink_to(tmp_path / "a.txt")
    assert refusal(tmp_path / "a.txt").code == "E-TEXT-011"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_unreadable_files_and_folders(tmp_path):
    path = write(tmp_path / "a" / "a.txt")
    path.chmod(0)
    assert refusal(path).code == "E-TEXT-011"
    path.parent.chmod(0)
    assert refusal(tmp_path).code == "E-TEXT-011"
    path.parent.chmod(0o700)


def test_permission_errors_are_reported(tmp_path, monkeypatch):
    """As above, for those who test as root."""

    def refuse(path, flags):
        raise PermissionError(13, "Permission denied", path)

    path = write(tmp_path / "a.txt")
    monkeypatch.setattr(os, "open", refuse)
    error = refusal(path)
    assert error.code == "E-TEXT-011" and "Permission denied" in error.why


@posix_only
def test_names_that_are_not_utf8(tmp_path):
    path = os.fsencode(tmp_path) + b"/\xff.txt"
    Path(os.fsdecode(path)).write_text("мама", encoding="utf-8")
    document = read_documents([os.fsdecode(path)])[0]
    assert document.name.encode("utf-8").endswith(b"\\xff.txt")


@pytest.mark.parametrize("size", [10, 4_000_000], ids=["cut", "grown"])
def test_a_file_that_changes_while_it_is_read(tmp_path, monkeypatch, size):
    path = write(tmp_path / "a.txt", "x" * 3_000_000)

    class Changing(io.FileIO):
        def read(self, count=-1):
            chunk = super().read(count)
            os.truncate(path, size)
            return chunk

    monkeypatch.setattr(os, "fdopen", lambda descriptor, mode, buffering: Changing(descriptor, mode))
    assert refusal(path).code == "E-TEXT-013"


HARD_LIMIT = """
import resource, sys
from chekhov.errors import TextError
from chekhov.text.reading import read_documents
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]) << 20,) * 2)
try:
    read_documents([sys.argv[1]])
except TextError as error:
    print(error.code, end="")
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs RLIMIT_AS")
@pytest.mark.parametrize("source", ["file", "stdin"])
@pytest.mark.parametrize("mebibytes", [150, 210, 270, 330])
def test_a_text_that_does_not_fit_in_memory_is_an_error(tmp_path, source, mebibytes):
    path = tmp_path / "large.txt"
    path.write_bytes(b"mama myla " * 20_000_000)
    with path.open("rb") as stdin:
        out = subprocess.run(
            [sys.executable, "-c", HARD_LIMIT, "-" if source == "stdin" else str(path), str(mebibytes)],
            stdin=stdin,
            capture_output=True,
            text=True,
        )
    path.unlink()
    assert (out.stdout, out.stderr) == ("E-TEXT-014", "")


LARGE = """
import resource, sys
from chekhov.text.reading import read_documents
from chekhov.text.splits import split_documents
import chekhov.text.sentences
start, before = resource.getrusage(resource.RUSAGE_SELF), own_peak()
documents = read_documents([sys.argv[1]])
split = split_documents(documents)
end = resource.getrusage(resource.RUSAGE_SELF)
assert len(documents[0].text) == int(sys.argv[2]), len(documents[0].text)
assert split.valid and split.test
print(end.ru_utime - start.ru_utime + end.ru_stime - start.ru_stime, own_peak() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_single_line_of_100_megabytes(tmp_path):
    path = tmp_path / "line.txt"
    path.write_bytes(b"mama myla " * 10_000_000)
    out = subprocess.run(
        [sys.executable, "-c", OWN_PEAK + LARGE, str(path), "100000000"], capture_output=True, text=True
    )
    path.unlink()
    assert out.returncode == 0, out.stderr
    seconds, mebibytes = map(float, out.stdout.split())
    assert seconds < 10
    assert mebibytes < 450  # the bytes, the text and its parts are 286

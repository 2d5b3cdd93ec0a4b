"""A text read block by block has the documents and the parts that it has in memory."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chekhov.errors import TextError, UsageError
from chekhov.tasks.corpus import Corpus
from chekhov.text import blocks, large, splits
from chekhov.text.large import LargeText, blocks_of_long
from chekhov.text.reading import read_documents

LINES = st.lists(st.text("аb \t\n.", min_size=20, max_size=90), min_size=30, max_size=80)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 40 characters, files read 1,000 bytes at a time."""
    monkeypatch.setattr(blocks, "BLOCK", 1000)
    for module in (splits, large):
        monkeypatch.setattr(module, "BLOCK", 40)


@settings(max_examples=300)
@given(LINES, st.integers(1, 400))
def test_blocks_come_as_they_are_cut_in_memory(lines: list[str], width: int) -> None:
    text = "\n".join(lines)
    with pytest.MonkeyPatch.context() as patch:
        for module in (splits, large):
            patch.setattr(module, "BLOCK", 20)
        assume(len(text) >= 20 * splits.PERIOD)
        ends = splits.block_ends(text)
        cut_once = splits._without_blank_blocks(text, splits.block_cuts(text, 20, lines=True))
        assume(ends == cut_once)  # and not more finely, as a text without line ends and blanks is
        whole = [text[start:end] for start, end in pairwise([0, *ends])]
        assert list(blocks_of_long(text[i : i + width] for i in range(0, len(text), width))) == whole


def make(folder: Path, sizes: list[int]) -> list[Path]:
    paths = []
    for number, size in enumerate(sizes):
        rng = np.random.default_rng(number)
        lines = [" ".join(f"с{w}" for w in rng.integers(0, 99, rng.integers(0, 9))) for _ in range(size)]
        paths.append(folder / f"{number}.txt")
        paths[-1].write_text("\ufeff" + "\r\n".join(lines), "utf-8", newline="")
    return paths


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("held_out", [splits.HELD_OUT, 500])
@pytest.mark.parametrize("sizes", [[400], [400, 9], [400, 300], [300, 200, 7, 90], [60] * 30])
def test_the_same_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sizes: list[int], held_out: int) -> None:
    monkeypatch.setattr(splits, "HELD_OUT", held_out)
    paths = make(tmp_path, sizes)
    cut = splits.split_documents(read_documents(paths))
    found = LargeText(paths)
    assert found.description == cut.description
    assert found.digest == Corpus("", [document.text for document in cut.train], [], [], "").digest
    assert "".join(found) == "".join(document.text for document in cut.train)
    for part, same in ((found.valid, cut.valid), (found.test, cut.test)):
        assert "".join(part) == "".join(document.text for document in same)
        assert part
    assert found.characters == sum(len(document.text) for document in cut.train)
    if len(sizes) < 3:
        assert list(found) == list(found) == [document.text for document in cut.train]


@pytest.mark.usefixtures("small")
def test_without_a_split_all_is_training(tmp_path: Path) -> None:
    paths = make(tmp_path, [400, 50])
    found = LargeText(paths, split="none")
    assert "".join(found) == "".join(document.text for document in read_documents(paths))
    assert (found.valid, found.test) == ([], [])
    with pytest.raises(UsageError, match="E-SPLIT-006"):
        LargeText(paths, split="contiguous:0.9")


@pytest.mark.usefixtures("small")
def test_an_error_names_the_file_and_the_line(tmp_path: Path) -> None:
    paths = make(tmp_path, [400, 300])
    lines = paths[1].read_text("utf-8").split("\n")
    found = LargeText(paths)
    for document in found:
        if lines[200] in document and found.reading.endswith("1.txt"):
            line = document.split("\n").index(lines[200]) + 1
            error = found.located(TextError("E-TOKEN-006", "", where=f"line {line}"))
            assert error.where == f"{paths[1]}, line 201"
            break
    else:
        raise AssertionError("the line is held out")


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("sizes", [[400], [300, 200, 90, 70]])
def test_a_file_that_changes_between_readings_is_refused(tmp_path: Path, sizes: list[int]) -> None:
    paths = make(tmp_path, sizes)
    found = LargeText(paths)
    assert list(found)
    changed = next(path for path in paths if found.part_of_path.get(str(path), splits.TRAIN) == splits.TRAIN)
    with changed.open("a", encoding="utf-8") as file:
        file.write("ещё строка\n")
    with pytest.raises(TextError, match=r"E-TEXT-013"):
        list(found)


def test_binary_and_broken_files_are_refused(tmp_path: Path) -> None:
    for data, code in ((b"a\n\0b\n", "E-TEXT-002"), (b"a\n\xffb\n", "E-TEXT-001")):
        (tmp_path / "t.txt").write_bytes(data)
        with pytest.raises(TextError, match=f"{code}.*byte 2"):
            LargeText([tmp_path / "t.txt"])

"""A text that passes through files gives the very model that it gives in memory."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

import chekhov
from chekhov.errors import ChekhovError
from chekhov.ngram import building
from chekhov.tasks.memory import parse_memory
from chekhov.text import blocks


def text(lines: int) -> str:
    rng = np.random.default_rng(lines)
    return "\n".join(
        " ".join(f"w{w}" for w in rng.zipf(1.4, size=int(rng.integers(0, 12))) % 500) for _ in range(lines)
    )


@pytest.mark.parametrize(
    "flags", [{}, {"prune": "0,0,1"}, {"smoothing": "witten-bell", "order": 3}, {"vocab_size": 60}]
)
def test_the_same_table_and_tokenizer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: dict[str, object]
) -> None:
    monkeypatch.setattr(blocks, "BLOCK", 1000)
    source = tmp_path / "t.txt"
    source.write_text("\ufeff" + text(2000).replace("\n", "\r\n"), "utf-8")
    inside = chekhov.train("ngram", source, out=tmp_path / "a", tokens="whitespace", split="none", **flags)
    outside = chekhov.train(
        "ngram", source, out=tmp_path / "b", tokens="whitespace", split="none", memory="32M", **flags
    )
    assert inside.tokenizer.digest == outside.tokenizer.digest
    for name, array in inside.model.arrays().items():
        np.testing.assert_array_equal(array, outside.model.arrays()[name])
    assert chekhov.load(tmp_path / "b").score("w1 w2").log_probs == inside.score("w1 w2").log_probs
    assert not [path for path in (tmp_path / "b").iterdir() if path.name.startswith(".tmp")]


def test_a_large_table_is_saved_again_wherever_its_first_folder_went(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "LARGE", 0)
    (tmp_path / "t.txt").write_text(text(400))
    model = chekhov.train("ngram", tmp_path / "t.txt", tokens="whitespace", split="none")  # in a folder that is gone
    model.save(tmp_path / "a")
    model.save(tmp_path / "a")
    model.save(tmp_path / "b")
    for name in ("a", "b"):
        assert chekhov.load(tmp_path / name).score("w1 w2").log_probs == model.score("w1 w2").log_probs


def test_several_files_and_gz_are_one_text(tmp_path: Path) -> None:
    first, second = text(300), text(200)
    (tmp_path / "a.txt").write_text(first)
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(second.encode()))
    (tmp_path / "both.txt").write_text(f"{first}\n{second}\n")
    flags = {"tokens": "whitespace", "split": "none", "memory": "32M"}
    two = chekhov.train("ngram", [tmp_path / "a.txt", tmp_path / "b.txt.gz"], **flags)
    one = chekhov.train("ngram", tmp_path / "both.txt", **flags)
    np.testing.assert_array_equal(two.model.table.entries, one.model.table.entries)


@pytest.mark.parametrize(
    ("content", "flags", "says"),
    [
        (b"a b\nc \xff d\n", {}, "E-TEXT-001 .*byte 6 is not UTF-8"),
        (b"a\n" * 3000 + b"b </s>\n", {}, "E-TOKEN-006 line 3,001"),
        (b" \n\n", {}, "E-TOKEN-008"),
        (b"a <unk> b\n", {"literal_unk": "refuse"}, "E-TOKEN-007 line 1"),
        (b"a b\n", {"memory": "1M"}, "E-NGRAM-004 .*at least 8M"),
        (b"a b\n", {"memory": "much"}, "E-RANGE-003"),
        (b"a b\n", {"tokens": "words"}, "E-MEMORY-003 .*--tokens words"),
        (b"a b\n", {"split": "auto"}, "E-MEMORY-003 .*--split auto"),
        (b"a b\n", {"lowercase": True}, "E-MEMORY-003 .*--lowercase"),
        (b"a b\n", {"smoothing": "jelinek-mercer"}, "E-NGRAM-003"),
        (b"a b\n", {"order": 0}, "order is 0"),
        (b"a b\n", {"hidden_size": 4}, "E-TRAIN-008 ngram has no setting hidden_size"),
    ],
)
def test_what_cannot_be_done_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, flags: dict[str, object], says: str
) -> None:
    monkeypatch.setattr(blocks, "BLOCK", 1000)
    (tmp_path / "t.txt").write_bytes(content)
    settings = {"tokens": "whitespace", "split": "none", "memory": "32M", **flags}
    with pytest.raises(ChekhovError, match=says):
        chekhov.train("ngram", tmp_path / "t.txt", out=tmp_path / "m", **settings)
    assert not list((tmp_path / "m").glob("*")) if (tmp_path / "m").exists() else True


def test_a_broken_gz_and_sizes(tmp_path: Path) -> None:
    (tmp_path / "t.gz").write_bytes(gzip.compress(text(500).encode())[:-20])
    with pytest.raises(ChekhovError, match="E-TEXT-015"):
        chekhov.train("ngram", tmp_path / "t.gz", tokens="whitespace", split="none", memory="32M")
    assert [parse_memory(size) for size in ("512M", "2G", "64K", "1000", "1GiB", "3mb")] == [
        512 << 20, 2 << 30, 64 << 10, 1000, 1 << 30, 3 << 20
    ]  # fmt: skip


@pytest.mark.parametrize("tokens", ["characters", "words", "whitespace", "bytes"])
def test_a_net_on_a_text_read_block_by_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tokens: str
) -> None:
    pytest.importorskip("torch")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "t.txt").write_text(text(9000))
    notes: list[str] = []

    def train(name: str, memory: str | None) -> chekhov.tasks.text_model.TextModel:
        flags = {"size": "small", "hidden_size": 8, "epochs": 2, "sequence_length": 200, "quiet": True}
        out = tmp_path / name
        return chekhov.train(
            "elman", tmp_path / "t.txt", out=out, tokens=tokens, memory=memory, note=notes.append, **flags
        )

    inside, outside = train("a", None), train("b", "1M")
    assert inside.tokenizer.digest == outside.tokenizer.digest
    for name, array in inside.model.arrays().items():
        np.testing.assert_array_equal(array, outside.model.arrays()[name])
    same = ("text_digest", "split", "test")
    timed = ("model", "tokens_per_second", "seconds", "cpu_seconds")
    for key in same:
        one, other = inside.training[key], outside.training[key]
        if isinstance(one, dict):
            one, other = ({k: v for k, v in d.items() if k not in timed} for d in (one, other))
        assert one == other
    small = outside.tokenizer.vocabulary.size <= 256
    [ids] = (tmp_path / "cache/chekhov/ids").glob("*.uint8" if small else "*.uint16")
    made = ids.stat().st_mtime_ns
    again = train("c", "1M")
    assert ids.stat().st_mtime_ns == made
    assert sum("are there from before" in note for note in notes) == 1
    ids.write_bytes(ids.read_bytes()[:-1] + b"?")
    damaged = train("d", "1M")
    assert ids.stat().st_mtime_ns != made
    for name, array in inside.model.arrays().items():
        np.testing.assert_array_equal(array, again.model.arrays()[name])
        np.testing.assert_array_equal(array, damaged.model.arrays()[name])


def test_the_net_says_where_a_mark_stands_and_where_the_cache_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    lines = text(3000).split("\n")
    lines[1300] = "w1 </s>"
    (tmp_path / "t.txt").write_text("\n".join(lines))
    where = r"E-TOKEN-006 .*t\.txt, line 1,301"
    with pytest.raises(ChekhovError, match=where):
        chekhov.train("elman", tmp_path / "t.txt", tokens="whitespace", memory="4K", quiet=True)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(ChekhovError, match=r"E-CACHE-001 .*XDG_CACHE_HOME"):
        chekhov.train("elman", tmp_path / "t.txt", memory="4K", quiet=True)

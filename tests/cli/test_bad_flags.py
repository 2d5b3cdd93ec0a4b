"""Flags out of range give one message with its mend, and nothing half-written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from calling import call, refused

WHOLE = ("0", "-1", "1.5", "nan", "1e30", "many", "9" * 30)
REAL = ("-1", "nan", "inf", "1e30", "many")
TRAIN = [
    *[("chain", "--order", value) for value in WHOLE],
    *[("ngram", "--order", value) for value in (*WHOLE, "1000")],
    *[("ngram", "--vocab-size", value) for value in (*WHOLE, "3")],
    *[("ngram", "--seed", value) for value in (*WHOLE[1:], str(2**64))],
    ("ngram", "--smoothing", "guess"),
    ("ngram", "--tokens", "sentences"),
    *[("ngram", "--split", value) for value in ("half", "contiguous:2", "contiguous:nan", "contiguous:0.9,0.9")],
    ("ngram", "--encoding", "klingon"),
    ("ngram", "--literal-unk", "perhaps"),
    *[
        ("lstm", flag, value)
        for flag in ("--hidden-size", "--num-layers", "--batch-size", "--sequence-length")
        for value in (*WHOLE, "1000000000")
    ],
    *[("lstm", flag, value) for flag in ("--epochs", "--threads") for value in WHOLE],
    *[("lstm", flag, value) for flag in ("--patience", "--seed", "--embedding-size") for value in WHOLE[1:]],
    *[("lstm", flag, "1000000000") for flag in ("--embedding-size",)],
    *[("lstm", flag, value) for flag in ("--clip-value", "--momentum") for value in REAL],
    *[("lstm", flag, "guess") for flag in ("--size", "--optimiser", "--schedule")],
    ("elman", "--activation", "cube"),
    ("indrnn", "--activation", "identity"),
    ("gru", "--reset", "never"),
    ("gru", "--update", "never"),
    ("window", "--width", "0"),
    ("mingru", "--bidirectional"),
    ("ngram", "--tokens", "bpe", "--vocab-size", "100"),
    *[("lstm", flag, value) for flag in ("--lr", "--clip") for value in (*REAL, "0")],
    *[("lstm", flag, value) for flag in ("--weight-decay", "--dropout", "--alpha", "--beta") for value in REAL],
    ("lstm", "--dropout", "1"),
    *[("lstm", "--time", value) for value in (*REAL, "0", "soon", "", "1d")],
    *[("lstm", "--memory", value) for value in ("0", "-1", "much", "nan")],
    ("lstm", "--memory", "1", "--split", "contiguous:0.9"),
    ("lstm", "--precision", "int1"),
    ("lstm", "--epochs", "1", "--time", "1"),
    ("lstm", "--colour", "red"),
    ("gpt",),
]


@pytest.mark.parametrize("flags", TRAIN, ids=" ".join)
def test_training_flags_out_of_range(tmp_path: Path, folder: Path, flags: tuple[str, ...]) -> None:
    kind, *rest = flags
    refused("train", kind, str(folder / "che.txt"), "-o", str(tmp_path / "m"), *rest, code=2, says="Mend: ")
    assert not (tmp_path / "m" / "config.json").exists()
    assert not list((tmp_path / "m").glob(".tmp-*"))


GENERATE = [
    *[("--temperature", value) for value in (*REAL, "101")],
    *[("--top-k", value) for value in WHOLE],
    *[("--top-p", value) for value in (*REAL, "0", "1.1")],
    *[("--min-p", value) for value in (*REAL, "-0.1", "1.1")],
    *[("--repetition-penalty", value) for value in (*REAL, "0")],
    *[("--max-tokens", value) for value in (*WHOLE, "1000000000000")],
    *[("--num", value) for value in (*WHOLE, "1000000000")],
    *[("--seed", value) for value in (*WHOLE[1:], str(2**64))],
    ("--stop", ""),
    ("--colour", "red"),
]


@pytest.mark.parametrize("flags", GENERATE, ids=" ".join)
@pytest.mark.parametrize("kind", ["ngram", "lstm"])
def test_generation_flags_out_of_range(folder: Path, kind: str, flags: tuple[str, str]) -> None:
    seed = () if flags[0] == "--seed" else ("--seed", "1")
    refused("generate", str(folder / kind), *flags, *seed, code=2, says="Mend: ")


def test_what_the_parser_refuses_has_a_code_too(folder: Path) -> None:
    model = str(folder / "ngram")
    for arguments in (["generate", model, "--top-k", "many"], ["generate", model, "--colour"], ["fly"], ["generate"]):
        refused(*arguments, code=2, says="E-USAGE-001 chekhov.*Mend: see chekhov")
        code, out, _ = call(*arguments, "--json")
        assert code == 2
        assert json.loads(out)["error"]["code"] == "E-USAGE-001"


def test_help_is_no_error() -> None:
    for arguments, code in (([], 2), (["train"], 2), (["-h"], 0), (["train", "lstm", "-h"], 0), (["--version"], 0)):
        found, out, err = call(*arguments)
        assert found == code
        assert "chekhov" in out + err
        assert "E-" not in err


def test_the_chapters_mode_is_for_its_chain_only(folder: Path, tmp_path: Path) -> None:
    refused("generate", str(folder / "ngram"), "--chapter-compatible", "--seed", "1", code=2, says="E-CHAPTER-001")
    flags = ("--chapter-compatible", "--seed", str(2**32))
    refused("generate", str(folder / "chain"), *flags, code=2, says="E-CHAPTER-002")
    for words in ("0", "-3", "100000000000"):
        flags = ("--chapter-compatible", "--seed", "1", "--max-tokens", words)
        refused("generate", str(folder / "chain"), *flags, code=2, says="E-RANGE-001 max_tokens")
    (tmp_path / "low.txt").write_text("мама мыла раму " * 5)
    assert call("train", "chain", str(tmp_path / "low.txt"), "-o", str(tmp_path / "low"))[0] == 0
    refused("generate", str(tmp_path / "low"), "--chapter-compatible", "--seed", "1", code=1, says="all? lower-case")

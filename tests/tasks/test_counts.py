"""Counts that are stored and merged give the very model of all texts at once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from calling import call, refused
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import chekhov
from chekhov.errors import ChekhovError
from chekhov.files import digest, read_arrays, write_arrays
from chekhov.ngram import counting
from chekhov.ngram.smoothing import PRUNABLE, SMOOTHINGS
from chekhov.tasks.counts import read_counts
from chekhov.types import BOS, EOS

words = st.sampled_from([*"abcdefg", "ё", "<unk>", "Дядя", "B"])
documents = st.lists(st.lists(words, max_size=9).map(" ".join), min_size=1, max_size=12).map("\n".join)
corpora = st.lists(documents.filter(str.strip), min_size=1, max_size=4)


def assert_same(found: chekhov.TextModel, expected: chekhov.TextModel) -> None:
    assert found.tokenizer.to_json() == expected.tokenizer.to_json()
    assert found.model.sizes() == expected.model.sizes()
    for name, array in expected.model.arrays().items():
        assert array.tobytes() == found.model.arrays()[name].tobytes(), name


@settings(max_examples=150, deadline=None)
@given(corpora, st.data())
def test_the_model_is_that_of_all_texts_at_once(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("counts")
    tokens = data.draw(st.sampled_from(["whitespace", "words", "characters", "bytes"]))
    of_text: dict[str, Any] = {"tokens": tokens}
    if tokens in ("whitespace", "words"):
        of_text["literal_unk"] = data.draw(st.sampled_from(["word", "unknown"]))
        if of_text["literal_unk"] == "unknown":  # a text of nothing else has no vocabulary
            assume(all(set(text.split()) - {"<unk>"} for text in texts))
    of_text["lowercase"] = data.draw(st.booleans())
    order = data.draw(st.integers(1, 5))
    flags: dict[str, Any] = {"order": order, "smoothing": data.draw(st.sampled_from(list(SMOOTHINGS)))}
    if flags["smoothing"] in PRUNABLE and order > 1:
        flags["prune"] = [0, data.draw(st.integers(0, 3))]
    if tokens != "bytes":
        flags["vocab_size"] = data.draw(st.none() | st.integers(4, 9))
    weight = data.draw(st.none() | st.lists(st.integers(1, 3), min_size=len(texts), max_size=len(texts)))
    sources, counts = [], []
    for number, text in enumerate(texts):
        sources.append(folder / f"{number}.txt")
        sources[-1].write_text(text, "utf-8")
        counts.append(folder / str(number))
        counted = data.draw(st.integers(max(order, 2), 6))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(counting, "TARGETS", data.draw(st.integers(1, 50)))
            chekhov.count(sources[-1], out=counts[-1], order=counted, threads=2, **of_text)
    valid = sources[0]
    expected = chekhov.train("ngram", sources, split="none", valid=valid, weight=weight, **of_text, **flags)
    found = chekhov.train("ngram", counts=counts, out=folder / "model", valid=valid, weight=weight, **flags)
    assert_same(found, expected)
    assert found.training["valid"]["perplexity"] == expected.training["valid"]["perplexity"]
    assert_same(chekhov.load(folder / "model"), expected)


@pytest.fixture
def counted(tmp_path: Path) -> tuple[list[Path], list[Path]]:
    """Three texts and their counts, of order 4, on whitespace."""
    rng = np.random.default_rng(3)
    texts, counts = [], []
    for number in range(3):
        lines = [" ".join(f"w{w}" for w in rng.zipf(1.3, size=int(rng.integers(0, 12))) % 4000) for _ in range(900)]
        texts.append(tmp_path / f"{number}.txt")
        texts[-1].write_text("\n".join(lines) + "\n")
        counts.append(tmp_path / f"counts-{number}")
        chekhov.count(texts[-1], out=counts[-1], order=4, tokens="whitespace")
    return texts, counts


def test_out_of_core_on_both_sides(counted: tuple[list[Path], list[Path]]) -> None:
    texts, counts = counted
    large = texts[0].parent / "large"
    chekhov.count(texts[1:], out=large, order=4, tokens="whitespace", memory="64M", weight="2,1")
    expected = chekhov.train(
        "ngram", [*texts[:2], *texts[1:]], tokens="whitespace", split="none", order=4, prune="0,0,1"
    )
    assert_same(chekhov.train("ngram", counts=[counts[0], large], memory="64M", prune="0,0,1"), expected)


def test_the_table_does_not_depend_on_the_order_of_the_counts(counted: tuple[list[Path], list[Path]]) -> None:
    _, counts = counted
    assert_same(chekhov.train("ngram", counts=counts[::-1]), chekhov.train("ngram", counts=counts))


def test_a_tokenizer_that_was_given_is_kept(counted: tuple[list[Path], list[Path]]) -> None:
    texts, _ = counted
    folder = texts[0].parent
    flags: dict[str, Any] = {"split": "none", "order": 3}
    chekhov.train("ngram", texts[0], out=folder / "first", tokens="whitespace", vocab_size=100, **flags)
    for number in (1, 2):
        chekhov.count(texts[number], out=folder / f"fixed-{number}", order=3, tokenizer=folder / "first")
    both = [folder / "fixed-1", folder / "fixed-2"]
    assert_same(
        chekhov.train("ngram", counts=both),
        chekhov.train("ngram", texts[1:], tokenizer=folder / "first", **flags),
    )
    with pytest.raises(ChekhovError, match=r"E-COUNT-006 the vocabulary of the counts was given"):
        chekhov.train("ngram", counts=both, vocab_size=50)
    with pytest.raises(ChekhovError, match=r"E-COUNT-004 .*fixed-1.*other tokens"):
        chekhov.train("ngram", counts=[folder / "counts-0", *both], order=3)
    chekhov.train("ngram", texts[1], out=folder / "second", tokens="whitespace", vocab_size=100, **flags)
    chekhov.count(texts[0], out=folder / "other", order=3, tokenizer=folder / "second")
    with pytest.raises(ChekhovError, match=r"E-COUNT-004 .*the vocabulary of"):
        chekhov.train("ngram", counts=[*both, folder / "other"])


def test_the_counts_themselves(tmp_path: Path) -> None:
    """Every n-gram of the highest order, and those that begin a sentence, by hand."""
    (tmp_path / "t.txt").write_text("a b\na b\nb\n")
    chekhov.count(tmp_path / "t.txt", out=tmp_path / "c", order=3, tokens="whitespace")
    stored = read_counts(tmp_path / "c")
    a, b = stored.tokenizer.encode("a b").tolist()[:2]
    assert stored.runs.word_counts().tolist() == [0, 0, 3, *([2, 3] if a == 3 else [3, 2])]
    # <s> a, <s> b; <s> a b; <s> b </s>, a b </s>
    assert stored.runs.sizes.tolist() == [0, 2, 0, *([1, 2] if a == 3 else [2, 1])]
    assert sorted(stored.runs.counts.tolist()) == [1, 1, 2, 2, 2]
    assert b != a


def test_the_commands(counted: tuple[list[Path], list[Path]], tmp_path: Path) -> None:
    texts, counts = (list(map(str, paths)) for paths in counted)
    out = str(tmp_path / "again")
    code, printed, errors = call("count", texts[0], "-o", out, "--order", "4", "--tokens", "whitespace", "--json")
    assert code == 0, errors
    record = json.loads(printed)
    assert record["order"] == 4
    assert record["ngrams"] == len(read_counts(out).runs.counts)
    refused("count", texts[1], "-o", out, code=1, says="E-SAVE-002")
    code, _, errors = call("count", texts[1], "-o", out, "--tokens", "whitespace", "--overwrite")
    assert code == 0, errors
    assert "train ngram --counts" in errors
    both = ["--counts", counts[0], "--counts", counts[1]]
    code, _, errors = call("train", "ngram", *both, "-o", str(tmp_path / "m"), "--valid", texts[2])
    assert code == 0, errors
    assert "held-out" in errors
    for verb in (["info", counts[0]], ["verify", counts[0]], ["verify", str(tmp_path / "m")]):
        code, printed, errors = call(*verb)
        assert code == 0, errors
    for verb in (["generate", counts[0]], ["evaluate", counts[0], "--text", texts[0]]):
        refused(*verb, code=1, says="E-COUNT-001 .*counts-0: these are counts, not a model.*--counts")


def test_what_cannot_be_merged_is_said(counted: tuple[list[Path], list[Path]], tmp_path: Path) -> None:
    texts, counts = (list(map(str, paths)) for paths in counted)
    train = ("train", "ngram", "--counts", counts[0])
    out = ("-o", str(tmp_path / "m"))
    call("count", texts[0], "-o", str(tmp_path / "words"), "--order", "4")
    call("count", texts[0], "-o", str(tmp_path / "low"), "--order", "3", "--tokens", "whitespace")
    call("train", "ngram", texts[0], "-o", str(tmp_path / "model"))
    refused(*train, "--counts", str(tmp_path / "words"), *out, code=2, says="E-COUNT-004 .*words .* here, whitespace")
    refused(*train, "--counts", str(tmp_path / "low"), *out, code=2, says="E-COUNT-005 .*orders 4, 3.*--order 3")
    refused(*train, "--order", "5", *out, code=2, says="E-COUNT-005 .*--order 5, and the counts are of order 4")
    refused(*train, "--counts", str(tmp_path / "model"), *out, code=1, says="E-COUNT-002 .*of kind ngram, not counts")
    refused(*train, "--counts", str(tmp_path / "none"), *out, code=1, says="E-MODEL-001")
    refused(*train, texts[0], *out, code=2, says="E-COUNT-006 .*not with TEXT")
    refused(*train, "--tokens", "words", "--split", "auto", *out, code=2, says="not with --split, --tokens")
    refused(*train, "--kenlm-compat", *out, code=2, says="E-NGRAM-005 .*--counts")
    refused(*train, "--weight", "1,2", *out, code=2, says="E-WEIGHT-002 --weight: 2 numbers for 1")
    refused(*train, "--weight", "2000000000", *out, code=2, says="E-WEIGHT-003")
    refused(*train, "--memory", "1M", *out, code=2, says="E-NGRAM-004")
    refused(*train, "--smoothing", "jelinek-mercer", *out, code=2, says="E-NGRAM-003")
    refused("train", "ngram", *out, code=2, says="E-TEXT-022")
    refused("count", texts[0], "--tokens", "bpe", *out, code=2, says="E-COUNT-007")
    refused("count", texts[0], "--order", "1", *out, code=2, says="order is 1")
    refused("count", texts[0], "--memory", "64M", *out, code=2, says="E-MEMORY-003")
    refused("count", texts[0], "--memory", "1M", "--tokens", "whitespace", *out, code=2, says="E-NGRAM-004")
    assert not (tmp_path / "m").exists()
    with pytest.raises(ChekhovError, match="E-TRAIN-008 chain has no setting counts"):
        chekhov.train("chain", texts[0], counts=counts)


def spoilt(folder: Path, to: Path, **arrays: np.ndarray) -> Path:
    """A copy of counts with other arrays, and digests that hold."""
    shutil.copytree(folder, to)
    config = json.loads((to / "config.json").read_text())
    found = read_arrays(to / config["model"])
    name, stored = write_arrays(to, "model", {**found, **arrays})
    del config["files"][config["model"]]
    config["model"], config["files"][name] = name, {"bytes": stored.bytes, "sha256": stored.sha256}
    (to / "config.json").write_text(json.dumps(config))
    return to


def test_damaged_counts_are_refused(counted: tuple[list[Path], list[Path]], tmp_path: Path) -> None:
    _, counts = counted
    runs = read_counts(counts[0]).runs
    model = next(path for path in counts[0].glob("model-*"))
    for damage, says in (
        (lambda data: data[:-9], "E-MODEL-010"),
        (lambda data: data[:-9] + bytes(9), "E-MODEL-011"),
    ):
        folder = tmp_path / says
        shutil.copytree(counts[0], folder)
        (folder / model.name).write_bytes(damage(model.read_bytes()))
        refused("train", "ngram", "--counts", str(folder), "-o", str(tmp_path / "m"), code=1, says=says)
    swapped = tmp_path / "swapped"
    shutil.copytree(counts[0], swapped)
    other = next(path for path in counts[1].glob("model-*"))
    (swapped / model.name).write_bytes(other.read_bytes())
    refused("train", "ngram", "--counts", str(swapped), "-o", str(tmp_path / "m"), code=1, says="E-MODEL-01[01]")
    D, bits, words_each = runs.layout
    first, last = runs.sizes[: BOS + 1].sum() - 1, len(runs.counts) - 1  # of <s>, and of another word
    top = np.int64(1) << (bits * (words_each - 1))
    keys = {
        "zero": (last, 0, runs.keys[last, 0] % top),  # nothing before a word that is not <s>
        "end": (last, 0, runs.keys[last, 0] % top + (EOS + 1) * top),  # </s> inside a sentence
        "beyond": (last, 0, runs.keys[last, 0] % top + ((1 << bits) - 1) * top),  # no such id
        "before": (first, 0, runs.keys[first, 0] + top),  # a word before <s>
        "word": (last, (D - 1) // words_each, 0),  # the word itself is nothing
    }
    wrong: dict[str, dict[str, np.ndarray]] = {}
    for name, (row, chunk, value) in keys.items():
        own = runs.keys.copy()
        own[row, chunk] = value
        wrong[name] = {"keys": own}
    wrong["moved"] = {"sizes": np.roll(runs.sizes, 1)}
    wrong["negative"] = {"sizes": np.where(np.arange(len(runs.sizes)) == 0, -1, runs.sizes)}
    wrong["none"] = {"counts": np.zeros_like(runs.counts)}
    wrong["short"] = {"counts": runs.counts[:-1]}
    wrong["typed"] = {"counts": runs.counts.astype(np.int64)}
    wrong["empty"] = {"keys": runs.keys[:0], "counts": runs.counts[:0], "sizes": np.zeros_like(runs.sizes)}
    for name, arrays in wrong.items():
        folder = spoilt(counts[0], tmp_path / name, **arrays)
        says = rf"E-COUNT-003 \S*{name}\S*: the counts are damaged"
        refused("train", "ngram", "--counts", str(folder), "-o", str(tmp_path / "m"), code=1, says=says)
        refused("verify", str(folder), code=1, says=says)
    sized = tmp_path / "sized"
    shutil.copytree(counts[0], sized)
    text = (sized / "config.json").read_text()
    for old, new in (('"order": 4', '"order": 99'), ('"order": 4', '"order": 9'), ('"fixed": false', '"fixed": 0')):
        (sized / "config.json").write_text(text.replace(old, new))
        refused("train", "ngram", "--counts", str(sized), "-o", str(tmp_path / "m"), code=1, says="E-COUNT-003")
    vocabulary = json.loads(text)
    vocabulary["sizes"]["vocab_size"] += 1
    (sized / "config.json").write_text(json.dumps(vocabulary))
    refused("train", "ngram", "--counts", str(sized), "-o", str(tmp_path / "m"), code=1, says="E-COUNT-003")
    assert not (tmp_path / "m").exists()
    assert digest(model.read_bytes())[:8] in model.name

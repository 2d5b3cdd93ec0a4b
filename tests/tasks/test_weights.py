"""``train ngram A B --weight 1 --weight 3`` is ``train ngram A B B B``, the tokenizer and the split included."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from calling import call, refused

import chekhov
from chekhov.inspection.counts import text_counts

WEIGHTS = [2, 1, 3]


@pytest.fixture
def texts(tmp_path: Path) -> list[Path]:
    rng = np.random.default_rng(5)
    for name in ("a.txt", "b.txt", "c.txt"):
        lines = [" ".join(f"w{w}" for w in rng.zipf(1.4, size=int(rng.integers(1, 12))) % 900) for _ in range(120)]
        (tmp_path / name).write_text(".\n".join(lines) + ".\n")
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress((tmp_path / "b.txt").read_bytes()))
    return [tmp_path / "a.txt", tmp_path / "b.txt.gz", tmp_path / "c.txt"]


def repeated(texts: list[Path]) -> list[Path]:
    return [text for text, weight in zip(texts, WEIGHTS, strict=True) for _ in range(weight)]


@pytest.mark.parametrize(
    "flags",
    [
        {"tokens": "whitespace", "split": "none"},
        {"tokens": "whitespace", "split": "none", "memory": "64M"},
        {"tokens": "whitespace", "split": "none", "vocab_size": 50, "literal_unk": "unknown"},
        {"tokens": "whitespace", "split": "none", "memory": "64M", "vocab_size": 50, "prune": "0,0,2"},
        {"tokens": "words", "order": 3, "smoothing": "jelinek-mercer"},
        {"tokens": "words", "lowercase": True, "split": "none", "smoothing": "witten-bell"},
        {"tokens": "characters", "order": 4},
        {"tokens": "bytes", "order": 4, "split": "none"},
    ],
    ids=lambda flags: " ".join(map(str, flags.values())),
)
def test_the_folder_is_that_of_the_repeated_texts(texts: list[Path], flags: dict[str, Any]) -> None:
    folder = texts[0].parent
    weighted = chekhov.train("ngram", texts, out=folder / "weighted", weight=WEIGHTS, **flags)
    expected = chekhov.train("ngram", repeated(texts), **flags)
    assert weighted.tokenizer.to_json() == expected.tokenizer.to_json()
    for name, array in expected.model.arrays().items():
        assert array.tobytes() == weighted.model.arrays()[name].tobytes()
    assert chekhov.load(folder / "weighted").training["weights"] == WEIGHTS


def test_what_is_held_out_counts_once(texts: list[Path]) -> None:
    plain = chekhov.train("ngram", texts[0])
    weighted = chekhov.train("ngram", texts[0], weight=3)
    assert weighted.training["split"] == plain.training["split"]
    assert weighted.training["valid"]["tokens"] == plain.training["valid"]["tokens"] > 0


def test_a_folder_has_one_weight_and_a_tokenizer_may_be_given(texts: list[Path]) -> None:
    both = texts[0].parent / "both"
    both.mkdir()
    for text in (texts[0], texts[2]):
        (both / text.name).write_bytes(text.read_bytes())
    flags: dict[str, Any] = {"split": "none", "order": 3}
    first = chekhov.train("ngram", texts[1], out=both.parent / "model", **flags)
    flags["tokenizer"] = both.parent / "model"
    found = chekhov.train("ngram", [texts[1], both], weight="1,2", **flags)
    expected = chekhov.train("ngram", [texts[1], both, both], **flags)
    assert found.tokenizer.digest == first.tokenizer.digest
    np.testing.assert_array_equal(found.model.table.entries, expected.model.table.entries)


def test_weights_of_one_are_no_weights(texts: list[Path]) -> None:
    assert "weights" not in chekhov.train("ngram", texts, weight="1,1,1").training


def test_the_counts_of_a_trace_are_multiplied(texts: list[Path]) -> None:
    flags: dict[str, Any] = {"tokens": "whitespace", "split": "none", "order": 2}
    once, thrice = (chekhov.train("ngram", texts[0], weight=weight, **flags) for weight in (1, 3))
    words = once.tokenizer.encode("w1 w1").tolist()[:2]
    counts = [text_counts(model, str(texts[0])).of(words) for model in (once, thrice)]
    assert counts[1]["count"] == 3 * counts[0]["count"] > 0
    several = chekhov.train("ngram", texts, weight=WEIGHTS, **flags)
    several.training["text_digest"] = once.training["text_digest"]
    with pytest.raises(chekhov.errors.ChekhovError, match=r"E-TRACE-008 .*more than this text"):
        text_counts(several, str(texts[0]))


@pytest.mark.parametrize("weight", ["0.5", "0", "-1", "two", "1e3", "99999999999", "1,,x", "٣"])
def test_what_is_no_weight(texts: list[Path], weight: str) -> None:
    refused(
        "train", "ngram", str(texts[0]), str(texts[1]), "--weight", "1", f"--weight={weight}", "-o", "m",
        code=2, says="is not a whole number from 1 on. discounts are made of how many n-grams",
    )  # fmt: skip


def test_other_refusals(texts: list[Path]) -> None:
    a, b, _ = map(str, texts)
    refused("train", "ngram", a, b, "--weight", "3", "-o", "m", code=2, says="E-WEIGHT-002 --weight: 1 numbers for 2")
    refused("train", "ngram", a, "--weight", "1,3", "-o", "m", code=2, says="E-WEIGHT-002 --weight: 2 numbers for 1")
    refused("train", "ngram", a, "--weight", "2", "--tokens", "bpe", "-o", "m", code=2, says="E-WEIGHT-004")
    refused("train", "ngram", a, "--weight", "2000000000", "-o", "m", code=2, says="E-WEIGHT-003")
    refused("train", "chain", a, "--weight", "2", "-o", "m", code=2, says="No such option: --weight")
    with pytest.raises(chekhov.errors.ChekhovError, match="E-TRAIN-008 chain has no setting weight"):
        chekhov.train("chain", a, weight=2)
    with pytest.raises(chekhov.errors.ChekhovError, match="E-TRAIN-008 ngram has no setting weights"):
        chekhov.train("ngram", a, weights=[2])


def test_the_command_takes_a_number_for_each_text_or_one_list(texts: list[Path], tmp_path: Path) -> None:
    a, b, c = map(str, texts)
    ways = [["--weight", "2,1,3"], ["--weight", "2", "--weight", "1", "--weight", "3"]]
    digests = set()
    for number, way in enumerate(ways):
        code, _, errors = call("train", "ngram", a, b, c, *way, "-o", str(tmp_path / str(number)), "-q")
        assert code == 0, errors
        digests.add(next((tmp_path / str(number)).glob("model-*")).name)
    assert len(digests) == 1

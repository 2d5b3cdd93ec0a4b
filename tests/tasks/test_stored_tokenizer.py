"""A large vocabulary of a model folder is mapped: it says what tokenizer.json says, and what is wrong is told."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chekhov
from chekhov.errors import ModelError
from chekhov.files import read_arrays, write_arrays
from chekhov.ngram import table
from chekhov.saving import read_config
from chekhov.tasks import text_model
from chekhov.tasks.stored_tokenizer import LARGE, read_tokenizer, verify_tokenizer, words_file
from chekhov.tokens import storage
from chekhov.tokens.tokenizer import tokenizer_from_json

WORDS = ["слово" + f"{i:04d}".translate(str.maketrans("0123456789", "абвгдежзик")) for i in range(LARGE)]
TEXT = "".join(f"{a} {b} <unk> {a}\n" for a, b in zip(WORDS, reversed(WORDS), strict=True))


@pytest.fixture(scope="module", params=["words", "whitespace"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp(request.param)
    (base / "text.txt").write_text(TEXT)
    flags = {"tokens": request.param, "order": 2, "split": "none", "vocab_size": LARGE}
    chekhov.train("ngram", base / "text.txt", out=base / "m", **flags)
    return base / "m"


def changed(folder: Path, out: Path, change: Any) -> Path:
    """A copy whose table of words is another, its digest in config.json made to fit."""
    shutil.copytree(folder, out)
    config = read_config(out)
    name = words_file(config)
    arrays = {key: array.copy() for key, array in read_arrays(out / name).items()}
    change(arrays)
    (out / name).unlink()
    new, stored = write_arrays(out, "tokenizer", arrays)
    content = json.loads((out / "config.json").read_bytes())
    del content["files"][name]
    content["files"][new] = {"bytes": stored.bytes, "sha256": stored.sha256}
    (out / "config.json").write_text(json.dumps(content))
    return out


def test_loading_reads_no_json_and_gives_the_same_tokenizer(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tokenizer_from_json((folder / "tokenizer.json").read_bytes(), where="")
    with monkeypatch.context() as patch:
        patch.setattr(storage, "read", lambda *_, **__: pytest.fail("tokenizer.json was parsed"))
        model = chekhov.load(folder)
        text = TEXT[:20_000] + "новое <unk>\n"
        assert np.array_equal(model.tokenizer.encode(text), whole.encode(text))
        assert np.array_equal(model.tokenizer.encode(TEXT), whole.encode(TEXT))
        assert model.tokenizer.digest == whole.digest
        assert model.tokenizer.settings == whole.settings
        assert model.tokenizer.decode(np.arange(50)) == whole.decode(np.arange(50))
        assert model.score(" ".join(WORDS[5:7])).tokens[:2] == WORDS[5:7]
    assert model.tokenizer.spelling_bits("слово") == whole.spelling_bits("слово")
    assert model.tokenizer.to_json() == whole.to_json()
    assert copy.deepcopy(model.tokenizer) == whole


def test_a_folder_without_a_table_loads_as_ever(folder: Path, tmp_path: Path) -> None:
    """As folders were before there were tables."""
    shutil.copytree(folder, tmp_path / "old")
    content = json.loads((tmp_path / "old" / "config.json").read_bytes())
    name = words_file(read_config(tmp_path / "old"))
    (tmp_path / "old" / name).unlink()
    del content["files"][name]
    (tmp_path / "old" / "config.json").write_text(json.dumps(content))
    old, new = chekhov.load(tmp_path / "old"), chekhov.load(folder)
    assert old.score(TEXT[:99]).log_probs == new.score(TEXT[:99]).log_probs
    assert old.tokenizer.digest == new.tokenizer.digest
    new.save(tmp_path / "again")
    old.save(tmp_path / "old")  # now with a table
    files = [sorted(read_config(tmp_path / each).files.items()) for each in ("again", "old")]
    assert files[0] == files[1] == sorted(read_config(folder).files.items())


def test_a_small_vocabulary_has_no_table(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("a b\n" * 9)
    chekhov.train("ngram", tmp_path / "text.txt", out=tmp_path / "m", split="none")
    assert words_file(read_config(tmp_path / "m")) is None


def test_a_table_of_another_tokenizer_is_refused(folder: Path, tmp_path: Path) -> None:
    def other(arrays: dict[str, Any]) -> None:
        arrays["tokenizer_digest"] = arrays["tokenizer_digest"][::-1].copy()

    def none(arrays: dict[str, Any]) -> None:
        del arrays["tokenizer_digest"]

    for number, change in enumerate((other, none)):
        with pytest.raises(ModelError, match="E-MODEL-015"):
            chekhov.load(changed(folder, tmp_path / str(number), change))


def test_verify_finds_a_table_that_says_other_things_than_tokenizer_json(folder: Path, tmp_path: Path) -> None:
    def swap(arrays: dict[str, Any]) -> None:
        spelt = WORDS[17].encode()
        arrays["spellings"][bytes(arrays["spellings"]).index(spelt) + len(spelt) - 1] ^= 1

    verify_tokenizer(folder, read_config(folder))
    out = changed(folder, tmp_path / "m", swap)
    chekhov.load(out)  # the digests hold
    with pytest.raises(ModelError, match="E-TOKEN-014"):
        verify_tokenizer(out, read_config(out))


def test_a_damaged_table_is_refused_by_its_digest(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "m")
    path = tmp_path / "m" / words_file(read_config(folder))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelError, match="E-MODEL-011"):
        chekhov.load(tmp_path / "m")
    with pytest.raises(ModelError, match="E-MODEL-011"):
        read_tokenizer(tmp_path / "m", read_config(tmp_path / "m"))


def test_a_tokenizer_json_that_was_replaced_since_is_refused_when_it_is_read(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "m")
    model = chekhov.load(tmp_path / "m")
    (tmp_path / "m" / "tokenizer.json").write_bytes(b"{}")
    assert model.tokenizer.vocabulary.id(WORDS[7]) > 2
    with pytest.raises(ModelError, match="E-MODEL-010"):
        model.tokenizer.spelling_bits("чудо")


def test_a_large_table_of_ngrams_is_looked_through_by_verify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "text.txt").write_text(TEXT)
    flags = {"tokens": "whitespace", "order": 3, "split": "none"}
    chekhov.train("ngram", tmp_path / "text.txt", out=tmp_path / "m", **flags)
    config = read_config(tmp_path / "m")
    monkeypatch.setattr(table, "CHECKED_BYTES", 0)
    path = tmp_path / "m" / config.model
    arrays = {key: array.copy() for key, array in read_arrays(path).items()}
    arrays["entries"][-1, 1] = np.float32(0.5).view(np.int32)  # a probability above one
    path.unlink()
    new, stored = write_arrays(tmp_path / "m", "model", arrays)
    content = json.loads((tmp_path / "m" / "config.json").read_bytes())
    del content["files"][config.model]
    content["model"], content["files"][new] = new, {"bytes": stored.bytes, "sha256": stored.sha256}
    (tmp_path / "m" / "config.json").write_text(json.dumps(content))
    model = chekhov.load(tmp_path / "m")
    with pytest.raises(ModelError, match=r"E-MODEL-020.*positive"):
        text_model.verify_content(model)

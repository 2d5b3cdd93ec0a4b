"""Features of words: characters, vectors of others, states of one's own language model; stored with the model."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from calling import call, refused

import chekhov
from chekhov.errors import ChekhovError, UsageError
from chekhov.tasks.classifier import Classifier
from chekhov.tasks.state_features import StateReader
from chekhov.tasks.tagger import Tagger
from chekhov.tasks.word_inputs import WordInputs

SMALL: dict[str, Any] = {
    "hidden_size": 8, "word_size": 4, "affix_size": 4, "character_size": 4, "projection_size": 4, "dropout": 0.0,
    "batch_size": 4, "nets": 1, "lr": 0.03, "epochs": 30,
}  # fmt: skip
PLACES, PEOPLE = ("Омск", "Тула", "Псков", "Ржев"), ("Анна", "Олег", "Иван", "Вера")
SENTENCES = [[place, "тих"] for place in PLACES * 4] + [[name, "тих"] for name in PEOPLE * 4]
TAGS = [["LOC", "A"]] * 16 + [["PER", "A"]] * 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Language models of characters, forward and backward, and vectors that know places from people."""
    folder = tmp_path_factory.mktemp("inputs")
    text = "".join(" ".join(words) + " .\n" for words in SENTENCES)
    for name, own in (("lm", text), ("back", "\n".join(line[::-1] for line in text.split("\n")))):
        (folder / f"{name}.txt").write_text(own, "utf-8")
        sizes: dict[str, Any] = {"hidden_size": 6, "embedding_size": 4, "epochs": 1}
        chekhov.train("lstm", folder / f"{name}.txt", out=folder / name, split="none", **sizes)
    names = {**dict.fromkeys((*PLACES, "Орск"), "1 0 0"), **dict.fromkeys((*PEOPLE, "Глеб"), "0 1 0")}
    names["тих"] = "0 0 1"
    (folder / "v.vec").write_text(f"{len(names)} 3\n" + "".join(f"{w} {v}\n" for w, v in names.items()), "utf-8")
    return folder


def settings_of(folder: Path) -> list[dict[str, Any]]:
    return [
        {"features": "chars"},
        {"features": "affixes, chars", "vectors": str(folder / "v.vec")},
        {"features": f"affixes,lm:{folder / 'lm'},lm-backward:{folder / 'back'}"},
    ]


@pytest.mark.parametrize("which", [0, 1, 2])
def test_every_feature_is_learnt_from_and_comes_back(which: int, folder: Path, tmp_path: Path) -> None:
    tagger = Tagger(**SMALL, **settings_of(folder)[which]).fit(SENTENCES, TAGS, out=tmp_path)
    assert tagger.score(SENTENCES, TAGS) == 1.0
    again = Tagger.load(tmp_path)  # the folder is all that it needs
    for one, other in zip(again.predict_proba(SENTENCES), tagger.predict_proba(SENTENCES)):
        np.testing.assert_array_equal(one, other)
    assert again.get_params() == {**tagger.get_params(), "columns": ["tag"]}


def test_vectors_tell_what_a_word_is_that_training_has_not_seen(folder: Path) -> None:
    tagger = Tagger(**{**SMALL, "word_dropout": 0.9, "affix_size": 1}, model="net", vectors=str(folder / "v.vec"))
    tagger.fit(SENTENCES, TAGS)
    assert tagger.predict([["Орск", "тих"], ["Глеб", "тих"]]) == [["LOC", "A"], ["PER", "A"]]
    before = tagger.inputs.arrays()["vectors"].copy()
    assert before.std() == pytest.approx(1, rel=0.1)
    np.testing.assert_array_equal(tagger.net.encoder.vectors.numpy(), before)  # they are not trained


def test_a_classifier_has_them_too(folder: Path, tmp_path: Path) -> None:
    texts, labels = [" ".join(words) for words in SENTENCES], ["place"] * 16 + ["person"] * 16
    settings = {**SMALL, "features": f"chars,lm:{folder / 'lm'}", "vectors": str(folder / "v.vec")}
    classifier = Classifier(**settings).fit(texts, labels, out=tmp_path)
    assert classifier.score(texts, labels) == 1.0
    np.testing.assert_array_equal(Classifier.load(tmp_path).predict_proba(texts), classifier.predict_proba(texts))


@pytest.mark.parametrize("backward", [False, True])
def test_states_are_the_language_models_own(backward: bool, folder: Path) -> None:
    """Character by character, with nothing but `initial_state` and `advance`."""
    reader = StateReader.open(folder / ("back" if backward else "lm"), backward=backward)
    sentences = [["Омск", "тих", "."], [], ["Анна"]]
    wanted = []
    for words in sentences:
        for place in range(len(words)):
            text = " ".join(words[: place + 1])
            if backward:
                text = " ".join(words[place:])[::-1]
            state = reader.model.initial_state(1)
            for token in reader.tokenizer.encode_prompt(text):
                state = reader.model.advance(state, np.array([token]))
            wanted.append(state.features[0])
    np.testing.assert_allclose(reader.states(sentences).astype(np.float32), wanted, atol=2e-3)


def test_resuming_with_other_vectors_is_refused(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.vec"
    other.write_text((folder / "v.vec").read_text("utf-8").replace("0 1 0", "0 2 0"), "utf-8")
    Tagger(**SMALL, vectors=str(folder / "v.vec")).fit(SENTENCES, TAGS, out=tmp_path / "t")
    with pytest.raises(ChekhovError, match="E-RESUME-003"):
        Tagger(**SMALL, vectors=str(other)).fit(SENTENCES, TAGS, out=tmp_path / "t", resume=True)


def test_what_cannot_be_used_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("на стене висело ружьё .\n" * 20, "utf-8")
    chekhov.train("ngram", tmp_path / "words.txt", out=tmp_path / "ngram")
    for features, code in (("suffixes", "013"), ("", "013"), ("lm:", "013"), (f"lm:{tmp_path / 'ngram'}", "014")):
        with pytest.raises(UsageError, match=f"E-LABEL-{code}"):
            WordInputs.begin(features, None, 10)


def test_parts_that_do_not_go_together_are_refused(folder: Path) -> None:
    tagger = Tagger(**{**SMALL, "epochs": 1}, features="affixes,chars", vectors=str(folder / "v.vec"))
    tagger.fit(SENTENCES, TAGS)
    for change in ({"words": ["", "дом"]}, {"features": ("chars",)}, {"vectors": None}):
        with pytest.raises(ChekhovError, match="E-MODEL-016"):
            dataclasses.replace(tagger.inputs, **change).attach(tagger.net)
    arrays = {**tagger.inputs.arrays(), "vectors": np.full((3, 3), np.nan, np.float32)}
    with pytest.raises(ChekhovError, match="E-MODEL-016"):
        WordInputs.from_stored(tagger.inputs.to_json(), arrays)


def test_the_command_line(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "t.bio").write_text(
        "\n".join("".join(f"{w}\t{t}\n" for w, t in zip(ws, ts)) for ws, ts in zip(SENTENCES, TAGS)), "utf-8"
    )
    out = str(tmp_path / "t")
    flags = ("--features", "affixes,chars", "--vectors", str(folder / "v.vec"), "--hidden-size", "8", "--epochs", "2")
    code, _, err = call("train", "tagger", str(tmp_path / "t.bio"), "-o", out, *flags)
    assert code == 0, err
    code, printed, err = call("tag", out, stdin="Омск тих\n".encode())
    assert code == 0, err
    assert printed.startswith("Омск\t")
    (tmp_path / "bad.vec").write_text("a 1 2\nb 1\n")
    bad = ("--vectors", str(tmp_path / "bad.vec"), "--overwrite")
    refused("train", "tagger", str(tmp_path / "t.bio"), "-o", out, *bad, code=1, says=r"E-VECTORS-002 .*bad\.vec:2")

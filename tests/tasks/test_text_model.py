"""From a text to a model and back from its folder: the Python interface, for every kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chekhov
from chekhov.errors import ModelError, UsageError
from chekhov.tasks.generate import generate
from chekhov.tasks.mix import mix
from chekhov.testing import check_language_model, check_tokenizer

TEXT = (
    "\n".join(
        f"{who} {what} {where} ."
        for who in ("доктор", "няня", "Ваня")
        for what in ("спит", "пел")
        for where in ("в саду", "у окна", "дома")
    )
    * 3
    + "\n"
)
SMALL = {"hidden_size": 12, "embedding_size": 8, "epochs": 2, "quiet": True, "sequence_length": 16, "baselines": False}
KINDS: dict[str, dict[str, Any]] = {
    "chain": {"split": "auto"},
    "ngram": {"tokens": "characters", "order": 4},
    "lstm": SMALL,
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "che.txt"
    path.write_text(TEXT)
    return path


@pytest.fixture(scope="module")
def models(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[chekhov.TextModel, Path]]:
    folder = tmp_path_factory.mktemp("models")
    trained = {}
    for kind, flags in KINDS.items():
        shared = {"tokenizer": folder / "ngram"} if kind == "lstm" else {}
        trained[kind] = (chekhov.train(kind, source, out=folder / kind, **flags, **shared), folder / kind)
    mixture = mix([trained["ngram"][0], trained["lstm"][0]], [TEXT])
    mixture.save(folder / "mixture")
    trained["mixture"] = (mixture, folder / "mixture")
    return trained


@pytest.mark.parametrize("kind", [*KINDS, "mixture"])
def test_a_loaded_model_is_the_trained_one(models: dict[str, Any], kind: str) -> None:
    trained, folder = models[kind]
    loaded = chekhov.load(folder)
    assert loaded.kind == kind
    assert loaded.score("Ваня спит").log_probs == trained.score("Ваня спит").log_probs
    assert loaded.generate(seed=5, max_tokens=20) == trained.generate(seed=5, max_tokens=20)
    check_language_model(loaded.model, np.random.default_rng(0))
    check_tokenizer(loaded.tokenizer, TEXT)
    card = (folder / "README.md").read_text()
    assert loaded.kind in card


@pytest.mark.parametrize("kind", [*KINDS, "mixture"])
def test_scores_add_up_to_the_evaluation(models: dict[str, Any], kind: str) -> None:
    model = models[kind][0]
    score, figures = model.score(TEXT), model.evaluate(TEXT)
    assert figures.tokens == len(score.tokens)
    assert -score.total_log_prob / figures.tokens == pytest.approx(figures.cross_entropy, rel=1e-9)
    assert score.perplexity == pytest.approx(figures.perplexity, rel=1e-6)


def test_the_mixture_is_no_worse_than_its_parts(models: dict[str, Any]) -> None:
    bits = {kind: models[kind][0].evaluate(TEXT).bits_per_character for kind in ("ngram", "lstm", "mixture")}
    assert bits["mixture"] <= min(bits["ngram"], bits["lstm"]) + 1e-9


def test_models_of_other_tokens_are_not_mixed(models: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"read different tokens.*--tokenizer"):
        mix([models["ngram"][0], models["chain"][0]], [TEXT])
    with pytest.raises(UsageError, match="mixed again"):
        mix([models["mixture"][0], models["ngram"][0]], [TEXT])


def test_sample_i_is_the_same_alone_or_beside_others(models: dict[str, Any]) -> None:
    for kind in ("ngram", "lstm"):
        many = generate(models[kind][0], "Ваня", num=5, seed=9, max_tokens=15)
        assert generate(models[kind][0], "Ваня", num=2, seed=9, max_tokens=15) == many[:2]
        assert len({item.text for item in many}) > 1
        assert all(item.text.startswith("Ваня") for item in many)


def test_temperature_zero_is_greedy_and_stop_strings_cut(models: dict[str, Any]) -> None:
    model = models["ngram"][0]
    assert {item.text for item in generate(model, num=4, temperature=0.0, seed=1)} == {
        generate(model, temperature=0.0, seed=2)[0].text
    }
    whole = generate(model, "доктор", seed=3, max_tokens=40)[0].text
    cut = generate(model, "доктор", seed=3, max_tokens=40, stop=[whole[8]])[0]
    assert cut.finish_reason == "stop"
    assert whole.startswith(cut.text)
    assert whole[8] not in cut.text[len("доктор") :]


def test_watching_sees_the_text_that_is_returned(models: dict[str, Any]) -> None:
    pieces: list[str] = []
    text = generate(models["lstm"][0], "няня", seed=4, max_tokens=30, watch=pieces.append)[0].text
    assert "".join(pieces) == text


def test_json_of_a_score_has_the_documented_keys(models: dict[str, Any]) -> None:
    record = json.loads(json.dumps(models["ngram"][0].score("Ваня ж").as_json(), allow_nan=False))
    assert set(record) == {"schema", "text", "tokens", "total_log_prob", "perplexity"}
    assert set(record["tokens"][0]) == {"token", "log_prob", "surprisal_bits", "oov", "order"}
    assert set(models["lstm"][0].score("Ваня").as_json()["tokens"][0]) == {"token", "log_prob", "surprisal_bits", "oov"}
    assert [token["oov"] for token in record["tokens"]] == [False] * 5 + [True, False]


def test_training_twice_gives_the_same_bytes(source: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        chekhov.train("lstm", source, out=tmp_path / name, seed=3, **SMALL)
    files = [sorted(path.name for path in (tmp_path / name).glob("model-*")) for name in ("one", "two")]
    assert files[0] == files[1]  # the name is the digest


def test_a_folder_with_a_model_is_not_written_over_by_accident(models: dict[str, Any], source: Path) -> None:
    folder = models["ngram"][1]
    before = (folder / "config.json").read_bytes()
    with pytest.raises(ModelError, match=r"already holds a model.*--overwrite"):
        chekhov.train("ngram", source, out=folder)
    assert (folder / "config.json").read_bytes() == before


def test_a_model_with_another_tokenizer_is_refused(models: dict[str, Any], tmp_path: Path) -> None:
    model, _ = models["ngram"]
    other = chekhov.TextModel(model.model, models["chain"][0].tokenizer)
    other.save(tmp_path / "odd")
    with pytest.raises(ModelError, match=r"the model has .* tokens, its tokenizer"):
        chekhov.load(tmp_path / "odd")


def test_unknown_kinds_and_settings_are_named(source: Path) -> None:
    with pytest.raises(UsageError, match="kind 'transformer' is unknown"):
        chekhov.train("transformer", source)
    with pytest.raises(UsageError, match="ngram has no setting hidden_size"):
        chekhov.train("ngram", source, hidden_size=3)
    with pytest.raises(UsageError, match="lstm has no setting order"):
        chekhov.train("lstm", source, order=3)


def test_a_time_is_a_number_or_a_word_for_it(source: Path) -> None:
    from chekhov.tasks.recurrent import parse_time

    assert [parse_time(time) for time in (None, 7, "90", "90s", "5m", "1.5h")] == [None, 7, 90, 90, 300, 5400]
    net = chekhov.train("lstm", source, time="0.5s", hidden_size=8, embedding_size=4, quiet=True)
    assert net.training["seconds"] < 5
    for wrong in ("", "soon", "5 parsecs"):
        with pytest.raises(UsageError, match="E-RANGE-002"):
            parse_time(wrong)

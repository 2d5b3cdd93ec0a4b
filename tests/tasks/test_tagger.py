"""The tagger: it learns, does not depend on batches, comes back from its folder, resumes to the same bits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from calling import call, refused

import chekhov.tasks.tagger as module
from chekhov.errors import ChekhovError
from chekhov.kernels import dispatch
from chekhov.labels.spans import convert, spans_of
from chekhov.recurrent.tagger_net import gather_rows
from chekhov.tasks.tagger import Tagger

SMALL: dict[str, Any] = {
    "features": "affixes", "nets": 1, "hidden_size": 12, "word_size": 8, "affix_size": 4, "dropout": 0.1,
    "batch_size": 4, "lr": 0.02,
}  # fmt: skip
NAMES = ("Анна", "Олег", "Иван", "Вера", "Глеб", "Нина")


def corpus() -> tuple[list[list[str]], list[list[str]]]:
    """A name is a person, after «в» a place; the word before decides."""
    words, tags = [], []
    for place, name in enumerate(NAMES * 6):
        if place % 2:
            words.append(["живёт", "в", name, "Старой", "."])
            tags.append(["O", "O", "B-LOC", "I-LOC", "O"])
        else:
            words.append(["здесь", name, "живёт"])
            tags.append(["O", "B-PER", "O"])
    return words, tags


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return Tagger(**SMALL, epochs=30).fit(*corpus())


def bio(path: Path, count: int = 99) -> Path:
    words, tags = corpus()
    text = ["".join(f"{w}\t{t}\n" for w, t in zip(ws, ts)) for ws, ts in zip(words[:count], tags[:count])]
    path.write_text("\n".join(text), "utf-8")
    return path


def test_it_learns(tagger: Tagger) -> None:
    words, tags = corpus()
    assert tagger.score(words, tags) == 1.0
    assert tagger.predict([[], ["живёт", "в", "Анна", "Старой"]]) == [[], ["O", "O", "B-LOC", "I-LOC"]]


def test_spans_have_the_probability_of_their_tags(tagger: Tagger) -> None:
    words, tags = corpus()
    for found, right in zip(tagger.predict_spans(words), tags):
        assert [(s.start, s.end, s.label) for s in found] == spans_of(right)
        assert all(0.3 < span.confidence <= 1 for span in found)


def test_batches_change_nothing(tagger: Tagger, monkeypatch: pytest.MonkeyPatch) -> None:
    words, _ = corpus()
    words = [*words, ["дом"] * 40, []]
    whole = tagger.predict_proba(words)
    monkeypatch.setattr(module, "MAX_TOKENS", 1)
    for one, other in zip(whole, tagger.predict_proba(words)):
        np.testing.assert_allclose(one, other, atol=1e-5)
        assert one.shape == (len(other), len(tagger.labels_[0]))
    for word_list, chances in zip(words, whole):
        assert len(chances) == len(word_list)
        np.testing.assert_allclose(chances.sum(1), 1, atol=1e-6)


def test_it_comes_back_from_its_folder(tagger: Tagger, tmp_path: Path) -> None:
    words, _ = corpus()
    tagger.save(tmp_path / "t")
    again = Tagger.load(tmp_path / "t")
    assert again.predict(words) == tagger.predict(words)
    assert again.get_params() == {**tagger.get_params(), "columns": ["tag"]}


def test_several_nets_are_averaged_and_share_the_transitions(tmp_path: Path) -> None:
    words, tags = corpus()
    made = Tagger(**{**SMALL, "nets": 3}, model="net", epochs=4, adversarial=0.0).fit(words, tags, out=tmp_path / "t")
    net, (batch, places) = made.net, gather_rows(made.inputs.number(words), np.arange(len(words)))
    scores = [each.own_scores(batch)[0] for each in net.nets]
    assert not torch.allclose(scores[0], scores[1], atol=1e-3)
    torch.testing.assert_close(net(batch)[0], sum(scores) / 3)
    targets = torch.from_numpy(np.array([0, *range(len(net.columns[0]))])[places % 4])
    targets[torch.from_numpy(places) < 0] = -1
    losses = [net.heads[0].loss(own, targets, batch.lengths) for own in scores]
    torch.testing.assert_close(net.loss(batch, targets[None]), sum(losses) / 3)
    again = Tagger.load(tmp_path / "t")
    assert again.net.sizes()["nets"] == 3
    kernels = {"amx": "torch"}.get(dispatch.chosen().name, dispatch.chosen().name)  # in float32
    assert json.loads((tmp_path / "t" / "config.json").read_text())["kernels"] == kernels
    assert again.predict(words) == made.predict(words)
    ((_, _, found),) = made._scores(words[:1])
    np.testing.assert_allclose(found[0][0], made.net(batch)[0][0, : len(words[0])].detach().numpy(), atol=1e-5)


def test_several_columns() -> None:
    words, tags = corpus()
    lengths = [[str(len(word)) for word in sentence] for sentence in words]
    tagger = Tagger(**SMALL, columns=("ner", "length"), epochs=30).fit(words, [tags, lengths])
    first, second = tagger.predict(words)
    assert first == tags
    assert np.mean([a == b for r, f in zip(lengths, second) for a, b in zip(r, f)]) > 0.9


def test_a_crf_of_tags_that_are_no_spans(tmp_path: Path) -> None:
    words, tags = corpus()
    kinds = [[tag[:1] for tag in sentence] for sentence in tags]  # O, B, I: of no span
    tagger = Tagger(**SMALL, head="crf", epochs=30).fit(words, kinds, out=tmp_path / "t")
    assert (tagger.net.crf, tagger.net.spans, tagger.labels_) == ([True], [False], [["B", "I", "O"]])
    assert not tagger.net.heads[0].forbidden.any()
    assert tagger.predict(words) == kinds
    assert Tagger.load(tmp_path / "t").predict(words) == kinds
    assert all(np.allclose(rows.sum(1), 1) for rows in tagger.predict_proba(words))


@pytest.mark.parametrize("case", ["one tag", "long", "only O"])
def test_odd_data(case: str) -> None:
    words, tags = corpus()
    if case == "one tag":
        tags = [["X"] * len(sentence) for sentence in words]
    elif case == "only O":
        tags = [["O"] * len(sentence) for sentence in words]
    else:
        words, tags = [*words, ["дом"] * 10_000], [*tags, ["O"] * 10_000]
    tagger = Tagger(**SMALL, epochs=1).fit(words, tags)
    assert [len(found) for found in tagger.predict(words)] == [len(sentence) for sentence in words]


def test_few_sentences_have_other_defaults() -> None:
    assert Tagger()._settings_for(5000) == {"features": "affixes", "dropout": 0.5, "nets": 1, "epochs": 10}
    of_few = {"features": "affixes,chars", "dropout": 0.0, "nets": 3, "epochs": 20}
    assert Tagger(dropout=0.0)._settings_for(4999) == of_few
    assert Tagger(time=2.0)._plan(12).epochs is None


def by_the_gate() -> tuple[list[list[str]], list[list[str]]]:
    """What the training part knows nothing of."""
    words = [["у", name, "ворота"] for name in NAMES * 3]
    return words, [["O", "B-LOC", "I-LOC"]] * len(words)


@pytest.mark.parametrize("nets", [1, 2])
def test_the_validation_part_is_learnt_in_the_end(nets: int) -> None:
    measured: list[float] = []
    seen: list[Any] = []
    tagger = Tagger(**{**SMALL, "nets": nets, "epochs": 30}, refit=True)

    def measure() -> None:
        measured.append(tagger.score(*by_the_gate()))
        assert any(record["valid_loss"] is not None for record in seen)
        seen.clear()

    tagger.fit(*corpus(), valid=by_the_gate(), measure=measure, watch=seen.append)
    [before] = measured
    assert seen
    assert all(record["valid_loss"] is None for record in seen)  # there is none any more
    assert before < tagger.score(*by_the_gate()) == 1.0
    assert tagger.score(*corpus()) == 1.0
    plain = Tagger(**{**SMALL, "nets": nets, "epochs": 30}).fit(*corpus(), valid=by_the_gate())
    assert plain.score(*by_the_gate()) == before  # the run before it is the same
    assert "learnt_too" in tagger.training
    assert "learnt_too" not in plain.training
    assert tagger.training["steps"] > plain.training["steps"]


def test_the_part_that_was_taken_from_training_is_learnt_unless_one_says_no() -> None:
    assert "learnt_too" in Tagger(**SMALL, epochs=5).fit(*corpus()).training
    assert "learnt_too" not in Tagger(**SMALL, epochs=5, refit=False).fit(*corpus()).training
    few = tuple(part[:10] for part in corpus())  # of so few, all have been both parts from the start
    assert "learnt_too" not in Tagger(**SMALL, epochs=2).fit(*few).training


def test_validation_sentences_with_tags_that_training_has_not_are_left_out() -> None:
    words, tags = by_the_gate()
    more = [["у", "реки"]], [["O", "B-RIVER"]]
    tagger = Tagger(**SMALL, epochs=30, refit=True).fit(*corpus(), valid=(words + more[0], tags + more[1]))
    assert tagger.predict(words) == tags
    assert "B-RIVER" not in tagger.labels_[0]


@pytest.mark.parametrize(
    ("words", "tags", "code"),
    [([["a"]], [[]], "003"), ([["a"]], [], "003"), ([], [], "004"), ([[]], [[]], "004"), (["ab"], [["O", "O"]], "003")],
)
def test_data_that_do_not_fit_are_refused(words: Any, tags: Any, code: str) -> None:
    with pytest.raises(ChekhovError) as caught:
        Tagger().fit(words, tags)
    assert caught.value.code == f"E-LABEL-{code}"


FLAGS = (
    "--hidden-size", "8", "--word-size", "4", "--affix-size", "4", "--batch-size", "4", "--epochs", "4", "--nets", "1",
    "-q",
)  # fmt: skip


def test_the_command_line(tmp_path: Path) -> None:
    data, out = bio(tmp_path / "train.bio"), str(tmp_path / "t")
    code, printed, err = call("train", "tagger", str(data), "-o", out, "--valid", str(data), "--json", *FLAGS)
    assert code == 0, err
    assert json.loads(printed)["valid"]["words"] == sum(map(len, corpus()[0]))
    code, printed, err = call("tag", out, str(data))
    assert code == 0, err
    assert [line.split("\t")[0] for line in printed.splitlines()][:3] == ["здесь", "Анна", "живёт"]
    code, printed, _ = call("tag", out, "--spans", stdin="Здесь Анна живёт. Живёт в Олег Старой.".encode())
    for line in printed.splitlines():
        record = json.loads(line)
        assert "Здесь Анна живёт. Живёт в Олег Старой."[record["start"] : record["end"]] == record["text"]
    code, printed, err = call("tag", out, str(data), "--json")
    assert code == 0, err
    tagger, records = Tagger.load(out), [json.loads(line) for line in printed.splitlines()]
    assert [record["tokens"] for record in records] == corpus()[0]
    for record, chances in zip(records, tagger.predict_proba(corpus()[0])):
        own = [tagger.labels_[0].index(tag) for tag in convert(record["tags"]["tag"], "bioes")]
        assert record["confidence"]["tag"] == pytest.approx(chances[np.arange(len(own)), own], abs=1e-4)
    code, printed, err = call("evaluate", out, "--text", str(data), "--json")
    assert code == 0, err
    assert {"accuracy", "span_f1", "span_f1_interval", "calibration_error"} <= json.loads(printed).keys()
    assert call("evaluate", out, "--text", str(data))[0] == call("info", out)[0] == call("verify", out)[0] == 0
    refused("train", "tagger", str(data), "-o", out, *FLAGS, code=1, says="E-SAVE-002")
    refused("generate", out, code=1, says="E-MODEL-024")


def test_who_measures_on_what_was_learnt_is_told(tmp_path: Path) -> None:
    train, valid = bio(tmp_path / "train.bio"), bio(tmp_path / "valid.bio", 8)
    for name, more in (("m", ["--refit"]), ("plain", [])):
        code, _, err = call(
            "train", "tagger", str(train), "-o", str(tmp_path / name), "--valid", str(valid), *FLAGS, *more
        )
        assert code == 0, err
    for model, text, is_told in (("m", valid, True), ("m", train, False), ("plain", valid, False)):
        code, _, err = call("evaluate", str(tmp_path / model), "--text", str(text))
        assert code == 0
        assert ("no measure of it" in err) == is_told


def test_confidence_of_tags_that_are_no_well_formed_spans() -> None:
    tagger = Tagger(**SMALL, epochs=1).fit([["a", "b"]] * 4, [["B-X", "I-X"]] * 4)
    assert tagger.labels_ == [["B-X", "E-X"]]  # of one word nothing is well-formed
    assert [len(sure) for sure in tagger.predict_confidence([["a"], [], ["a", "b"]])] == [1, 0, 2]


def test_conllu_in_conllu_out(tmp_path: Path) -> None:
    from labels.test_conllu import GOOD

    data, out = tmp_path / "train.conllu", str(tmp_path / "t")
    data.write_text(GOOD * 4, "utf-8")
    code, _, err = call("train", "tagger", str(data), "-o", out, "--column", "UPOS", "--column", "FEATS", *FLAGS)
    assert code == 0, err
    code, printed, err = call("tag", out, str(data))
    assert code == 0, err
    assert [line.split("\t")[:3] for line in printed.splitlines()] == [
        line.split("\t")[:3] for line in (GOOD * 4).splitlines()
    ]
    bad = tmp_path / "bad.conllu"
    bad.write_text("1\tx\n\n" + GOOD, "utf-8")
    refused("tag", out, str(bad), code=1, says=r"bad\.conllu:1:4")
    code, printed, err = call("tag", out, str(bad), "--skip-bad")
    assert code == 0
    assert "1 of 3 sentences left out" in err
    assert len(printed.splitlines()) == len(GOOD.splitlines())


def test_a_run_that_was_stopped_ends_with_the_same_bits(tmp_path: Path) -> None:
    from chekhov.training import loop

    class StopError(Exception):
        pass

    words, tags = corpus()
    whole = Tagger(**SMALL, epochs=3).fit(words, tags, out=tmp_path_made(tmp_path / "whole"))
    seen = []

    def stop(record: dict[str, Any]) -> None:
        seen.append(record["step"])
        if record["step"] == 12:
            raise StopError

    with pytest.raises(StopError):
        Tagger(**SMALL, epochs=3).fit(words, tags, out=tmp_path_made(tmp_path / "cut"), watch=stop)
    again = Tagger(**SMALL, epochs=3).fit(words, tags, out=tmp_path / "cut", resume=True)
    assert loop.VALIDATIONS and seen
    for name, array in whole.net.arrays().items():
        np.testing.assert_array_equal(array, again.net.arrays()[name])


def tmp_path_made(path: Path) -> Path:
    path.mkdir()
    return path

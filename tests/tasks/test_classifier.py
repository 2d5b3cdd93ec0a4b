"""The classifier: every task, pooling and model; its folder; scikit-learn's tools; bad input."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from calling import call, refused

from chekhov.errors import ChekhovError, TextError
from chekhov.labels.rows import read_jsonl, read_tsv
from chekhov.recurrent.classifier_net import POOLINGS, ClassifierNet, Pool
from chekhov.recurrent.tagger_net import gather_rows
from chekhov.recurrent.word_encoder import Rows
from chekhov.tasks.classifier import Classifier
from chekhov.tasks.label_values import words_of
from chekhov.tasks.tagger import Tagger
from chekhov.training.progress import describe

SIZES: dict[str, Any] = {
    "hidden_size": 8, "word_size": 8, "affix_size": 4, "dropout": 0.1, "batch_size": 8, "epochs": 12, "lr": 0.02
}  # fmt: skip
SMALL = {**SIZES, "nets": 1}
WORDS = ("дом", "сад", "лес", "мост", "двор")
TEXTS = [f"{word} очень {mood}" for word in WORDS * 6 for mood in ("хорош", "плох")]
LABELS = ["good", "bad"] * (len(WORDS) * 6)


@pytest.mark.parametrize("pooling", [*POOLINGS, "max+mean"])
def test_every_pooling_learns(pooling: str) -> None:
    assert Classifier(**SMALL, pooling=pooling).fit(TEXTS, LABELS).score(TEXTS, LABELS) == 1.0


def test_scores_are_those_of_the_net() -> None:
    classifier = Classifier(**{**SIZES, "nets": 3, "epochs": 1}).fit(TEXTS, LABELS)
    rows, _ = gather_rows(classifier.inputs.number(words_of(TEXTS)), np.arange(len(TEXTS)))
    with torch.inference_mode():
        np.testing.assert_allclose(classifier._scores(TEXTS), classifier.net(rows), atol=1e-5)


@pytest.mark.parametrize("model", ["net", "bag"])
def test_texts_without_a_word(model: str) -> None:
    classifier = Classifier(**{**SMALL, "epochs": 1}, model=model).fit(TEXTS, LABELS)
    alone = classifier.predict_proba(["", " "])
    np.testing.assert_array_equal(alone, classifier.predict_proba(["", *TEXTS, " "])[[0, -1]])


@pytest.mark.parametrize("kind", POOLINGS)
def test_padding_is_left_out(kind: str) -> None:
    torch.manual_seed(0)
    pool, hidden = Pool(kind, 6), torch.randn(2, 5, 6)
    whole = pool(hidden, torch.tensor([3, 5]))
    cut = pool(hidden[:1, :3], torch.tensor([3]))
    torch.testing.assert_close(whole[:1], cut)
    assert torch.isfinite(pool(hidden, torch.tensor([0, 5]))).all()


@pytest.mark.parametrize("task", ["multiclass", "multilabel", "regression"])
def test_several_nets_are_averaged_and_each_learns_by_itself(task: str) -> None:
    sizes: dict[str, Any] = {"words": 20, "labels": 3, "task": task, "pooling": "max"}
    sizes |= {"word_size": 4, "affix_size": 0, "hidden_size": 3, "num_layers": 1, "dropout": 0.0, "word_dropout": 0.0}
    torch.manual_seed(5)
    several = ClassifierNet(nets=3, **sizes)
    rows = Rows(torch.arange(20)[:, None], torch.randint(20, (6, 4)), torch.tensor([4, 1, 2, 4, 3, 4]))
    targets = {"multiclass": torch.arange(6) % 3, "multilabel": torch.rand(6, 3).round(), "regression": torch.randn(6)}
    singles = []
    for prefix in ("", "others.0.", "others.1."):
        own = {n.removeprefix(prefix): a for n, a in several.arrays().items() if n.startswith(prefix)}
        own = {name: array for name, array in own.items() if not name.startswith("others.")}
        singles.append(ClassifierNet.from_arrays(sizes, own))  # as folders of before have them, without "nets"
    scores = [single(rows) for single in singles]
    assert (scores[0] - scores[1]).abs().max() > 1e-3
    torch.testing.assert_close(several(rows), (scores[0] + scores[1] + scores[2]) / 3)
    losses = [single.loss(rows, targets[task]) for single in singles]
    torch.testing.assert_close(several.loss(rows, targets[task]), (losses[0] + losses[1] + losses[2]) / 3)
    assert several.sizes()["nets"] == 3


@pytest.mark.parametrize("model", ["net", "bag", "linear", "auto"])
def test_every_model_comes_back_from_its_folder(model: str, tmp_path: Path) -> None:
    classifier = Classifier(**SIZES, nets=2, model=model).fit(TEXTS, LABELS, out=tmp_path)
    again = Classifier.load(tmp_path)
    np.testing.assert_array_equal(again.predict_proba(TEXTS), classifier.predict_proba(TEXTS))
    assert again.predict(["лес очень плох"]).tolist() == ["bad"]
    assert not list(tmp_path.glob("*.pkl"))
    if model == "auto":
        assert [row["model"] for row in classifier.table] == ["naive bayes", "linear", "bag", "net", "net + linear"]


def test_net_and_linear_model_have_a_say_by_their_log_probabilities(tmp_path: Path) -> None:
    net = Classifier(**SMALL, model="net").fit(TEXTS, LABELS)
    linear = Classifier(**SMALL, model="linear").fit(TEXTS, LABELS)
    log_p = [model._scores(TEXTS) for model in (net, linear)]
    log_p = [scores - np.logaddexp.reduce(scores, axis=1, keepdims=True) for scores in log_p]
    net._mix_with(linear.net, TEXTS, LABELS)
    assert net.table[-1]["model"] == "net + linear"
    np.testing.assert_allclose(net._scores(TEXTS), net.share * log_p[0] + (1 - net.share) * log_p[1], rtol=1e-9)
    net.save(tmp_path)
    again = Classifier.load(tmp_path)
    np.testing.assert_array_equal(again.predict_proba(TEXTS), net.predict_proba(TEXTS))
    assert again.parameter_count == net.parameter_count > linear.parameter_count


def test_several_labels_at_once() -> None:
    labels = [f"{label},{text.split()[0]}" for text, label in zip(TEXTS, LABELS)]
    classifier = Classifier(**SMALL, task="multilabel").fit(TEXTS, labels)
    assert classifier.score(TEXTS, labels) >= 0.9
    assert (classifier.predict_proba(TEXTS).sum(1) > 1).all()


def test_numbers() -> None:
    numbers = [10.0 if label == "good" else -10.0 for label in LABELS]
    classifier = Classifier(**SMALL, task="regression").fit(TEXTS, numbers)
    assert classifier.score(TEXTS, numbers) > 0.9
    assert classifier.predict(TEXTS).shape == (len(TEXTS),)


def test_class_weights_and_probabilities() -> None:
    texts, labels = TEXTS + TEXTS[::2] * 4, LABELS + LABELS[::2] * 4
    classifier = Classifier(**SMALL, class_weight="balanced").fit(texts, labels)
    assert classifier.net.class_weights == pytest.approx([3.0, 0.6], rel=0.2)
    np.testing.assert_allclose(classifier.predict_proba(TEXTS).sum(1), 1)


def test_texts_may_be_empty_long_or_new() -> None:
    classifier = Classifier(**{**SMALL, "epochs": 1}).fit(TEXTS, LABELS)
    assert len(classifier.predict(["", "слово " * 10_000, "\t", "неведомое"])) == 4


@pytest.mark.parametrize(
    ("settings", "labels", "code"),
    [
        ({"model": "linear"}, ["a"] * 60, "E-LABEL-012"),
        ({"model": "linear", "task": "regression"}, [1.0] * 60, "E-LABEL-011"),
        ({"task": "regression"}, [float("nan")] * 60, "E-LABEL-010"),
        ({"task": "regression"}, ["many"] * 60, "E-LABEL-010"),
        ({"pooling": "median"}, LABELS, "E-LABEL-001"),
        ({"nets": 0}, LABELS, "E-RANGE-001"),
        ({"model": "forest"}, LABELS, "E-LABEL-001"),
        ({"task": "ranking"}, LABELS, "E-LABEL-001"),
        ({}, LABELS[1:], "E-LABEL-003"),
    ],
)
def test_what_cannot_be_learnt_is_refused(settings: dict[str, Any], labels: list[Any], code: str) -> None:
    with pytest.raises(ChekhovError) as caught:
        Classifier(**{**SMALL, **settings}).fit(TEXTS, labels)
    assert caught.value.code == code


def test_one_class_is_no_fault_of_a_net() -> None:
    assert Classifier(**{**SMALL, "epochs": 1}).fit(TEXTS, ["a"] * 60).predict(["x"]).tolist() == ["a"]


def test_rows() -> None:
    assert read_tsv("a\tx\ty\n\nb\tz") == (["x\ty", "z"], ["a", "b"])
    assert read_jsonl('{"text":"x","label":["a","b"]}\n{"text":"y","label":2}') == (["x", "y"], ["a,b", "2"])
    for read, line, code in ((read_tsv, "x", "1"), (read_tsv, "\tx", "2"), (read_jsonl, "{", "3")):
        with pytest.raises(TextError) as caught:
            read("\n" + line, name="f")
        assert (caught.value.code, caught.value.where) == (f"E-ROWS-00{code}", "f:2:1")
        skipped: list[TextError] = []
        assert read(line, skipped=skipped.append) == ([], [])
        assert len(skipped) == 1


def test_scikit_learn_uses_both() -> None:
    pytest.importorskip("sklearn")
    from sklearn.base import clone
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import FunctionTransformer

    classifier = Classifier(**SMALL)
    copy = clone(classifier)
    assert copy.get_params() == classifier.get_params()
    assert repr(copy).startswith("Classifier(")
    steps = [("lower", FunctionTransformer(lambda texts: [text.lower() for text in texts])), ("net", classifier)]
    pipe = Pipeline(steps).fit(TEXTS, LABELS)
    assert pipe.score(TEXTS, LABELS) == 1.0
    assert cross_val_score(classifier, TEXTS, LABELS, cv=2).mean() > 0.9
    search = GridSearchCV(classifier, {"pooling": ["max", "mean"]}, cv=2).fit(TEXTS, LABELS)
    assert search.best_score_ > 0.9
    tagger = Tagger(**{**SIZES, "epochs": 20}, features="affixes")
    sentences = [text.split() for text in TEXTS]
    tags = [["N", "A", word[2][0]] for word in sentences]
    assert cross_val_score(tagger, sentences, tags, cv=2).mean() > 0.9
    with pytest.raises(ChekhovError, match="E-LABEL-002"):
        classifier.set_params(depth=3)


def test_a_copy_in_memory_predicts_the_same() -> None:
    classifier = Classifier(**SMALL).fit(TEXTS, LABELS)
    again = pickle.loads(pickle.dumps(classifier))  # noqa: S301 - our own bytes, as joblib makes them
    np.testing.assert_array_equal(again.predict_proba(TEXTS), classifier.predict_proba(TEXTS))


def test_the_command_line(tmp_path: Path) -> None:
    data, out = tmp_path / "train.tsv", str(tmp_path / "c")
    data.write_text("".join(f"{label}\t{text}\n" for text, label in zip(TEXTS, LABELS)), "utf-8")
    flags = ("--hidden-size", "8", "--epochs", "2")
    code, printed, err = call("train", "classifier", str(data), "-o", out, "--valid", str(data), "--json", *flags)
    assert code == 0, err
    assert json.loads(printed)["valid"]["accuracy"] > 0.9
    code, printed, err = call("classify", out, stdin="дом очень хорош\n".encode())
    assert code == 0, err
    assert printed.startswith("good\t")
    code, printed, _ = call("classify", out, "--json", stdin="дом очень хорош\n".encode())
    assert set(json.loads(printed)["probabilities"]) == {"good", "bad"}
    for command in (("evaluate", out, "--text", str(data)), ("info", out), ("verify", out)):
        code, _, err = call(*command)
        assert code == 0, err
    refused("tag", out, code=2, says="E-LABEL-008")
    data.write_text("no tab here\n", "utf-8")
    refused("train", "classifier", str(data), "-o", out, "--overwrite", code=1, says=r"train\.tsv:1:1")


def test_a_folder_for_each_label(tmp_path: Path) -> None:
    from chekhov.tasks.labelled_files import read_labelled

    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "1.txt").write_text(f"text {label}")
    assert read_labelled(tmp_path, note=print) == (["text a", "text b"], ["a", "b"])
    with pytest.raises(TextError, match="E-ROWS-004"):
        read_labelled(tmp_path / "a", note=print)


def test_progress_says_which_model_it_is_of() -> None:
    records: list[dict[str, Any]] = []
    Classifier(**{**SMALL, "epochs": 1}, model="auto").fit(TEXTS, LABELS, watch=records.append)
    assert {record["model"] for record in records} == {"bag", "net"}
    assert describe(records[-1]).startswith(f"{records[-1]['model']}  loss ")


def test_auto_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    """The bag is done and the net under way when it stops; resumed, the bag is not trained again."""

    class StopError(Exception):
        pass

    def once(count: int) -> Callable[[dict[str, Any]], None]:
        seen: list[Any] = []

        def watch(record: dict[str, Any]) -> None:
            seen.append(record)
            if len(seen) == count:
                raise StopError

        return watch

    settings = {**SIZES, "nets": 2, "epochs": 2, "model": "auto"}
    whole = Classifier(**settings).fit(TEXTS, LABELS, out=tmp_path / "whole")
    assert not (tmp_path / "whole" / "runs").exists()
    steps: list[int] = []
    with pytest.raises(StopError):
        Classifier(**settings).fit(TEXTS, LABELS, out=tmp_path / "cut", watch=once(20))
    again = Classifier(**settings).fit(
        TEXTS, LABELS, out=tmp_path / "cut", resume=True, watch=lambda record: steps.append(record["step"])
    )
    assert 0 < len(steps) < 14 and steps[0] > 1
    for name, array in whole.net.arrays().items():
        np.testing.assert_array_equal(array, again.net.arrays()[name])
    with pytest.raises(ChekhovError, match="E-RESUME-001"):
        Classifier(**settings).fit(TEXTS, LABELS, out=tmp_path / "cut", resume=True)


def test_auto_stops_where_it_is_told_to(tmp_path: Path) -> None:
    import os
    import signal

    def stop(record: dict[str, Any]) -> None:
        if record["step"] == 3:
            os.kill(os.getpid(), signal.SIGINT)

    settings = {**SMALL, "epochs": 2, "model": "auto"}
    classifier = Classifier(**settings).fit(TEXTS, LABELS, out=tmp_path, watch=stop)
    assert [row["model"] for row in classifier.table] == ["naive bayes", "linear", "bag"]
    assert classifier.training["stopped_by"] == "SIGINT"
    again = Classifier(**settings).fit(TEXTS, LABELS, out=tmp_path, resume=True)
    assert [row["model"] for row in again.table] == ["naive bayes", "linear", "bag", "net", "net + linear"]

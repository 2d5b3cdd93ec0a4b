"""Files of labels: patterns, formats, encodings, and what a person is told of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from calling import call, refused

from chekhov.cli.tag import span_records
from chekhov.errors import UsageError
from chekhov.labels.columns import read_columns
from chekhov.tasks.classifier import Classifier
from chekhov.tasks.label_training import say_what_is_odd
from chekhov.tasks.labelled_files import TaggedFile, detect, read_labelled, read_tagged
from chekhov.tasks.tagger import Tagger

ROW = "1\t{}\t_\t{}" + "\t_" * 6 + "\n\n"
FLAGS = ("--nets", "1", "--hidden-size", "4", "--word-size", "4", "--affix-size", "2", "--epochs", "1")


def quiet(message: str) -> None:
    pass


def test_all_files_of_a_pattern_are_read(tmp_path: Path) -> None:
    for name, word, tag in (("a", "дом", "NOUN"), ("b", "Анна", "PROPN")):
        (tmp_path / f"{name}.conllu").write_text(ROW.format(word, tag), "utf-8")
        (tmp_path / f"{name}.tsv").write_text(f"{tag}\t{word}\n", "utf-8")
        (tmp_path / f"{name}.txt").write_text(f"{word}\n", "utf-8")
    found = read_tagged(tmp_path / "*.conllu", note=quiet)
    assert (found.sentences, found.columns(["UPOS"])) == ([["дом"], ["Анна"]], [[["NOUN"], ["PROPN"]]])
    assert read_labelled(tmp_path / "*.tsv", note=quiet) == (["дом", "Анна"], ["NOUN", "PROPN"])
    for pattern in ("*.txt", "*.[ct]*"):  # offsets would be of no text; two formats
        with pytest.raises(UsageError, match="E-LABEL-015"):
            read_tagged(tmp_path / pattern, note=quiet)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("1\tx" + "\t_" * 8, "conllu"),
        ("1\tx" + "\t_" * 7, "conllu"),
        ("x\tx" + "\t_" * 8, "conllu"),
        ("x\tNOUN", "columns"),
        ("a b", "text"),
        ("a\tb\tc", "text"),
    ],
)
def test_the_first_line_tells_the_format_and_it_is_said(text: str, kind: str) -> None:
    said: list[str] = []
    assert detect("-", text + "\n", said.append) == kind
    assert bool(said) == (kind != "text")
    assert detect("x.bio", text, said.append) == "columns"


def test_the_width_of_columns_is_that_of_most_lines() -> None:
    text = "a\tb\tO\n\n" + "в\tO\n\n" * 3
    skipped: list[Any] = []
    assert len(read_columns(text, skipped=skipped.append)) == 3
    assert len(skipped) == 1
    assert ":1:" in str(skipped[0])


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ([["B-PER", "O"]] * 9 + [["PER", "O"]], "1 of 20 tags are none of spans, first 'PER' of 'a' in sentence 10"),
        ([["X", "X"]] * 10, "every word has the tag X"),
        ([["NOUN", "O"]] * 10, ""),
        ([["B-PER", "O"]] * 10, ""),
    ],
)
def test_what_is_odd_in_a_column_is_said(tags: list[list[str]], said: str) -> None:
    heard: list[str] = []
    say_what_is_odd("tag", [["a", "b"]] * 10, tags, heard.append)
    assert bool(heard) == bool(said)
    assert said in "".join(heard)


def test_a_heading_and_columns_the_other_way_round_are_said(tmp_path: Path) -> None:
    path, notes = tmp_path / "train.tsv", []  # type: Path, list[str]
    path.write_text("Label\tText\ngood\tдом хорош\nbad\tдом плох\n", "utf-8")
    assert read_labelled(path, note=notes.append)[1] == ["Label", "good", "bad"]
    assert len(notes) == 1 and "looks like a heading" in notes[0]
    path.write_text("".join(f"дом номер {number} хорош\tgood\n" for number in range(40)), "utf-8")
    read_labelled(path, note=notes.append)
    assert len(notes) == 2 and "is it text<TAB>label?" in notes[1]
    path.write_text("".join(f"{number}.5\tдом номер {number} хорош\n" for number in range(40)), "utf-8")
    read_labelled(path, note=notes.append)
    path.write_text("text\tдом\ntext\tсад\n", "utf-8")
    read_labelled(path, note=notes.append)
    assert len(notes) == 2


def test_an_encoding_can_be_named(tmp_path: Path) -> None:
    words, texts, out = tmp_path / "w.bio", tmp_path / "t.tsv", tmp_path / "t"
    words.write_bytes("дом\tN\nбежит\tV\n\n".encode("cp1251") * 30)
    texts.write_bytes("N\tдом\nV\tбежит\n".encode("cp1251") * 30)
    for kind, file, verb in (("tagger", words, "tag"), ("classifier", texts, "classify")):
        folder = str(out / kind)
        flags = FLAGS if kind == "tagger" else ("--model", "net", "--nets", "1", "--epochs", "1", "--hidden-size", "4")
        code, _, err = call("train", kind, str(file), "-o", folder, "--encoding", "cp1251", *flags)
        assert code == 0, err
        assert call(verb, folder, str(file), "--encoding", "cp1251")[0] == 0
        code, printed, err = call("evaluate", folder, "--text", str(file), "--encoding", "cp1251")
        assert code == 0, err
        assert "accuracy" in printed
    other = tmp_path / "other.bio"
    other.write_text("дом\tNOUN\n", "utf-8")
    code, _, err = call("evaluate", str(out / "tagger"), "--text", str(other))
    assert code == 0
    assert "none of the file's labels is the model's; it has NOUN, ..., the model N, V" in err
    refused("evaluate", str(out / "tagger"), "--text", str(words), "--part", "valid", code=2, says="E-LABEL-009")


def test_a_finished_classifier_is_not_trained_again(tmp_path: Path) -> None:
    data, out = tmp_path / "t.tsv", str(tmp_path / "t")
    data.write_text("N\tдом\nV\tбежит\n" * 30, "utf-8")
    command = ("train", "classifier", str(data), "-o", out, "--nets", "1", "--hidden-size", "4", "--epochs")
    assert call(*command, "1")[0] == 0

    def files() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (tmp_path / "t").iterdir() if path.name != ".lock"}

    before = files()
    code, _, err = call(*command, "1", "--resume")
    assert code == 0
    assert "finished already" in err
    refused(*command, "2", "--resume", code=1, says="E-RESUME-001")  # other settings: it was not this run
    assert files() == before


def test_a_run_without_valid_says_how_good_it_is(tmp_path: Path) -> None:
    data, out = tmp_path / "w.bio", str(tmp_path / "t")
    data.write_text("дом\tN\nбежит\tV\n\n" * 30, "utf-8")
    code, _, err = call("train", "tagger", str(data), "-o", out, *FLAGS)
    assert code == 0
    assert "valid: accuracy" in err
    code, printed, _ = call("info", out)
    assert code == 0
    assert "N, V" in printed
    assert "valid" in printed


def test_what_is_asked_before_training_or_of_a_string_is_refused() -> None:
    tagger = Tagger(epochs=1, nets=1, hidden_size=4).fit([["a", "b"]] * 5, [["X", "Y"]] * 5)
    for ask, code in (
        (lambda: Tagger().predict([["a"]]), "016"),
        (lambda: Tagger().save("x"), "016"),
        (lambda: Classifier().predict(["a"]), "016"),
        (lambda: tagger.predict("a b"), "017"),
        (lambda: tagger.predict(["a", "b"]), "017"),
        (lambda: tagger.predict_proba("a"), "017"),
        (lambda: Classifier().fit(["a", None], ["x", "y"]), "017"),
    ):
        with pytest.raises(UsageError, match=f"E-LABEL-{code}"):
            ask()
    assert tagger.predict([]) == []


def test_spans_are_those_of_the_column_that_has_some(capsys: pytest.CaptureFixture[str]) -> None:
    words, kinds, names = [["Анна", "идёт"]] * 10, [["NOUN", "VERB"]] * 10, [["B-PER", "O"]] * 10
    tagger = Tagger(columns=("UPOS", "NE"), epochs=10, nets=1, hidden_size=4, lr=0.03).fit(words, [kinds, names])
    (record,) = span_records(tagger, TaggedFile("columns", "", words[:1]))
    assert (record["text"], record["label"], record["sentence"]) == ("Анна", "PER", 0)
    assert "spans are those of the column NE" in capsys.readouterr().err

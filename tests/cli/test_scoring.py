"""score in colour, sorted and as a page; rescore; doctor."""

from __future__ import annotations

import io
import json
import math
import re
import sys
from pathlib import Path

import pytest

import chekhov
from chekhov.cli.main import main
from chekhov.errors import TextError
from chekhov.tasks.rescore import rescore
from chekhov.tasks.surprisal import colour_of, spans

TEXT = "Ружьё висело на стене.\nНикто не стрелял.\nВ последнем акте ружьё выстрелило.\n" * 30
LINES = "Ружьё висело на стене.\n\nслон <b>съел</b> рояль\nНикто не стрелял.\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("scoring")
    (path / "che.txt").write_text(TEXT)
    chekhov.train("ngram", path / "che.txt", out=path / "m", order=3)
    return str(path / "m")


def call(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["chekhov", *arguments])
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8"))
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        with pytest.raises(SystemExit) as ended:
            main()
    return int(ended.value.code or 0), out.getvalue(), err.getvalue()


def test_the_strangest_line_comes_first(folder: str) -> None:
    code, out, _ = call("score", folder, "--sort", "surprisal", "--top", "2", stdin=LINES)
    assert code == 0
    header, first, *rest = out.splitlines()
    assert header == "line\tbits/token\tlog_prob\tperplexity\ttext"
    assert first.startswith("3\t")
    assert len(rest) == 1
    code, out, _ = call("score", folder, "--sort", "surprisal", "--json", stdin=LINES)
    assert sorted(json.loads(line)["line"] for line in out.splitlines()) == [1, 2, 3, 4]


def test_query_prints_what_kenlm_s_query_does(folder: str, tmp_path: Path) -> None:
    code, out, _ = call("score", folder, "--query", stdin="Никто не плясал.\nРужьё висело")
    assert code == 0
    first, second, *summary = out.splitlines()
    model = chekhov.load(folder)
    both = [model.score("Никто не плясал."), model.score("Ружьё висело")]
    for line, found in zip((first, second), both, strict=True):
        *words, last = line.split("\t")
        assert last == f"Total: {found.total_log_prob / math.log(10):.7g} OOV: {sum(found.oov)}"
        rows = zip(found.tokens, found.ids, found.orders, found.log_probs, strict=True)
        assert words == [f"{token}={id} {order} {p / math.log(10):.7g}" for token, id, order, p in rows]
    assert [line.split(":\t")[0] for line in summary[:2]] == ["Perplexity including OOVs", "Perplexity excluding OOVs"]
    tokens = [p for found in both for p in found.log_probs]
    known = [p for found in both for p, oov in zip(found.log_probs, found.oov, strict=True) if not oov]
    for line, own in zip(summary, (tokens, known), strict=False):
        assert float(line.split("\t")[1]) == pytest.approx(math.exp(-math.fsum(own) / len(own)))
    assert summary[2:] == ["OOVs:\t1", f"Tokens:\t{len(tokens)}"]
    (tmp_path / "che.txt").write_text(TEXT)
    chekhov.train("chain", tmp_path / "che.txt", out=tmp_path / "chain")
    code, _, err = call("score", str(tmp_path / "chain"), "--query", stdin="Никто")
    assert code == 2
    assert err.startswith("E-SCORE-002")


def test_a_smaller_model(folder: str, tmp_path: Path) -> None:
    (tmp_path / "che.txt").write_text(TEXT)
    held_out = ("--text", str(tmp_path / "che.txt"))
    code, out, _ = call("prune", folder, "-o", str(tmp_path / "s"), "--threshold", "0.05", "--json", *held_out)
    assert code == 0
    record = json.loads(out)
    assert 0 < sum(record["ngrams"]) < sum(record["ngrams_before"])
    assert record["perplexity"] > record["perplexity_before"]
    assert chekhov.load(tmp_path / "s").model.parameter_count < chekhov.load(folder).model.parameter_count
    code, _, err = call("prune", folder, "-o", str(tmp_path / "t"), "--size", str(sum(record["ngrams"])), *held_out)
    assert code == 0
    assert f"{record['perplexity']:,.2f}" in err
    for flags in ((), ("--size", "1"), ("--threshold", "-1"), ("--threshold", "nan")):
        assert call("prune", folder, "-o", str(tmp_path / "u"), *flags)[0] == 2
    assert not (tmp_path / "u").exists()


def test_sentences_of_a_chain(folder: str, tmp_path: Path) -> None:
    text = tmp_path / "che.txt"
    text.write_text("Ружьё висело на стене. Доктор молчал на веранде. Никто не стрелял на улице. Он молчал на стене.")
    chain = str(tmp_path / "chain")
    chekhov.train("chain", text, out=chain, order=1)
    code, out, err = call("generate", chain, "--sentences", "3", "--seed", "1", "--max-words", "5")
    assert code == 0, err
    lines = out.splitlines()
    assert len(lines) == 3
    assert all(len(line.split()) <= 5 and line not in text.read_text() for line in lines)
    code, out, _ = call("generate", chain, "--sentences", "2", "--start", "Доктор", "--seed", "1", "--json")
    assert code == 0
    assert all(json.loads(line)["words"][0] == "Доктор" for line in out.splitlines())
    for flags, error in (
        (("--sentences", "1", "--temperature", "0.5"), "E-MARKOV-008"),
        (("--max-words", "5"), "E-MARKOV-008"),
        (("--sentences", "0"), "E-RANGE-001"),
        (("--sentences", "1", "--start", "слон"), "E-MARKOV-004"),
        (("--sentences", "1", "--max-words", "1"), "E-MARKOV-003"),
    ):
        code, _, err = call("generate", chain, "--seed", "1", *flags)
        assert (code, err.split()[0]) == (1 if error == "E-MARKOV-003" else 2, error)
    code, out, _ = call("generate", folder, "--sentences", "4", "--max-words", "30", "--seed", "1", "--json")
    drawn = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [sentence["finish_reason"] in ("end", "length") for sentence in drawn] == [True] * 4
    assert "E-MARKOV-008" in call("generate", folder, "--sentences", "1", "--min-words", "2", "--seed", "1")[2]
    mixture = str(tmp_path / "mixture")
    assert call("mix", folder, folder, "-o", mixture, "--valid", str(text))[0] == 0
    assert "E-MARKOV-007" in call("generate", mixture, "--sentences", "1", "--seed", "1")[2]
    assert call("score", folder, "--query", "--json", stdin="Никто")[0] == 2


def test_from_a_pipe_to_an_arpa_file(tmp_path: Path) -> None:
    flags = ("--tokens", "whitespace", "--split", "none", "--order", "3")
    code, _, err = call("train", "ngram", "-", "--arpa", str(tmp_path / "m.arpa"), *flags, stdin=TEXT)
    assert code == 0, err
    (tmp_path / "t.txt").write_text(TEXT)
    folder = str(tmp_path / "m")
    assert call("train", "ngram", str(tmp_path / "t.txt"), "-o", folder, *flags)[0] == 0
    assert call("export", folder, "-o", str(tmp_path / "same.arpa"))[0] == 0
    assert (tmp_path / "m.arpa").read_bytes() == (tmp_path / "same.arpa").read_bytes()
    code, _, err = call("train", "ngram", "-", *flags, stdin=TEXT)
    assert code == 2
    assert err.startswith("E-TRAIN-018")


def test_flags_out_of_range(folder: str) -> None:
    assert call("score", folder, "--sort", "length", stdin=LINES)[0] == 2
    assert call("score", folder, "--top", "0", stdin=LINES)[0] == 2


def test_without_colours_the_surprisals_stand_behind_the_tokens(folder: str) -> None:
    code, out, _ = call("score", folder, "--colour", stdin=LINES)
    assert code == 0
    assert re.fullmatch(
        r"Ружьё\[[\d.]+\] висело\[[\d.]+\] на\[[\d.]+\] стене\[[\d.]+\]\.\[[\d.]+\] ⏎\[[\d.]+\]", out.splitlines()[0]
    )


def test_the_page_is_whole_and_safe(folder: str, tmp_path: Path) -> None:
    code, out, _ = call("score", folder, "--html", str(tmp_path / "s.html"), stdin=LINES)
    assert (code, out) == (0, "")
    page = (tmp_path / "s.html").read_text("utf-8")
    assert page.count("<p ") == 4
    assert "<b>" not in page
    assert "http" not in page
    assert re.search(r'<span style="background:rgb\(\d+,\d+,\d+\)" title="[\d.]+ bits">слон</span>', page)


def test_the_pieces_are_the_line_and_the_bits_are_the_score(folder: str) -> None:
    result = chekhov.load(folder).score("Ружьё  висело, на стене.")
    pieces = list(spans(result))
    assert "".join(piece for piece, _ in pieces[:-2]) == result.text
    assert math.fsum(bits for _, bits in pieces if bits is not None) * math.log(2) == pytest.approx(
        -result.total_log_prob
    )


def test_more_surprising_is_redder() -> None:
    greens = [colour_of(bits)[1] for bits in (0, 1, 2, 4, 7, 10, 13, 40, math.inf)]
    assert greens == sorted(greens, reverse=True)


def test_rescoring_brings_the_likelier_text_forward(folder: str) -> None:
    nbest = "a\t-1.0\tникто рояль стрелял\na\t-1.2\tНикто не стрелял.\nb\t-3\tВ последнем акте\n"
    code, out, _ = call("rescore", folder, "-", "--weight", "1", "--best", stdin=nbest)
    assert code == 0
    assert [line.split("\t")[-1] for line in out.splitlines()[1:]] == ["Никто не стрелял.", "В последнем акте"]
    code, out, _ = call("rescore", folder, "-", "--weight", "0", "--json", stdin=nbest)
    records = [json.loads(line) for line in out.splitlines()]
    assert [record["total"] for record in records] == [-1.0, -1.2, -3.0]
    model = chekhov.load(folder)
    ((first, _), _) = rescore(model, nbest.splitlines(), weight=0.5, length_bonus=2.0)
    assert first.total == pytest.approx(first.score + 0.5 * first.log_prob + 2 * len(model.score(first.text).tokens))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("a\t1", "line 2: the line has 2 fields"),
        ("a\t1\tb\tc", "4 fields"),
        ("a\tone\tb", "line 2, field 2"),
        ("a\tnan\tb", "not finite"),
    ],
)
def test_a_bad_n_best_list_names_its_line(folder: str, line: str, says: str) -> None:
    code, _, err = call("rescore", folder, "-", stdin=f"a\t1\tb\n{line}\n")
    assert code == 1
    assert says in err
    with pytest.raises(TextError, match="E-RESCORE"):
        list(rescore(chekhov.load(folder), [line]))


def test_doctor_names_every_package_and_what_it_is_for() -> None:
    code, out, _ = call("doctor", "--json")
    record = json.loads(out)
    assert code == 0
    assert {"chekhov", "python", "processor", "numpy", "torch", "training", "memory", "cache"} <= set(record)
    assert call("doctor")[1].startswith("chekhov ")

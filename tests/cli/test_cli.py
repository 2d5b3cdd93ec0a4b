"""The commands as a user gives them: what stands on stdout, what on stderr, and the exit code."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chekhov.cli.main import main

TEXT = "Ружьё висело на стене.\nНикто не стрелял.\nВ последнем акте ружьё выстрелило.\n" * 40


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("texts") / "che.txt"
    path.write_text(TEXT)
    return str(path)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*arguments: str, stdin: str | None = None, code: int = 0) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["chekhov", *arguments])
        if stdin is not None:
            import io

            stream = io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8")
            monkeypatch.setattr(sys, "stdin", stream)
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        assert (ended.value.code or 0) == code, err
        return out, err

    return call


LSTM = ("--hidden-size", "12", "--embedding-size", "8", "--epochs", "2", "--sequence-length", "16")


def test_from_a_text_to_figures_and_text(run: Any, text: str, tmp_path: Path) -> None:
    """One story through every verb."""
    ngram, lstm, mixture = (str(tmp_path / name) for name in ("ngram", "lstm", "mixture"))
    out, err = run("train", "ngram", text, "-o", ngram, "--tokens", "characters", "--order", "5")
    assert out == ""
    assert "bits/character" in err
    assert f"chekhov generate {ngram}" in err
    _, err = run("train", "lstm", text, "-o", lstm, "--tokenizer", ngram, *LSTM)
    assert "baseline 3-gram Kneser-Ney" in err
    for figure in ("loss ", "ppl ", "bits/char", "tok/s", "|g| ", "lr ", "eta ", "sample:"):
        assert figure in err
    out, _ = run("generate", ngram, "--seed", "1", "--num", "3", "--max-tokens", "20")
    assert len(out.strip().splitlines()) >= 3
    out, err = run("generate", lstm, "--prompt", "Ружьё", "--max-tokens", "10")
    assert out.startswith("Ружьё")
    assert err.startswith("seed ")
    out, _ = run("mix", ngram, lstm, "-o", mixture, "--valid", text, "--json")
    weights = json.loads(out)["weights"]
    assert sum(weights.values()) == pytest.approx(1, abs=1e-5)
    out, _ = run("evaluate", ngram, lstm, mixture, "--text", text)
    assert [line.split()[0] for line in out.splitlines()[1:4]] == ["ngram", "lstm", "mixture"]
    out, _ = run("evaluate", ngram, mixture, "--text", text, "--json")
    first, second, comparison = map(json.loads, out.splitlines())
    assert {comparison["best"], comparison["other"]} == {"ngram", "mixture"}
    assert second["bits_per_character"] <= first["bits_per_character"] + 1e-9
    out, _ = run("score", mixture, text)
    assert len(out.splitlines()) == 1 + TEXT.count("\n")
    out, _ = run("info", mixture)
    assert "mixture" in out
    out, _ = run("info", lstm)
    assert re.search(r"^kernels +(amx|avx512|avx2|torch|reference)$", out, re.MULTILINE)
    out, _ = run("verify", mixture)
    assert out.rstrip().endswith("a sound mixture")


def test_json_of_training_has_the_documented_keys(run: Any, text: str, tmp_path: Path) -> None:
    out, err = run("train", "ngram", text, "-o", str(tmp_path / "m"), "--json", "-q")
    record = json.loads(out)
    assert {"schema", "kind", "perplexity", "bits_per_character", "bits_per_byte", "tokens", "oov", "seconds"} <= set(
        record
    )
    assert err == ""


def test_training_writes_a_log_of_documented_records(run: Any, text: str, tmp_path: Path) -> None:
    run("train", "lstm", text, "-o", str(tmp_path / "m"), *LSTM)
    records = [json.loads(line) for line in (tmp_path / "m" / "metrics.jsonl").read_text().splitlines()]
    keys = {
        "step",
        "tokens",
        "loss",
        "valid_loss",
        "perplexity",
        "bits_per_character",
        "learning_rate",
        "gradient_norm",
    }
    assert all(keys | {"seconds", "cpu_seconds", "tokens_per_second", "eta"} <= set(record) for record in records)
    assert [record["step"] for record in records] == sorted({record["step"] for record in records})
    assert records[-1]["step"] == records[-1]["total_steps"]


def test_resume_of_a_finished_run_changes_nothing(run: Any, text: str, tmp_path: Path) -> None:
    folder = str(tmp_path / "m")
    run("train", "lstm", text, "-o", folder, *LSTM)
    before = (tmp_path / "m" / "metrics.jsonl").read_bytes()
    run("train", "lstm", text, "-o", folder, *LSTM, "--resume")
    assert (tmp_path / "m" / "metrics.jsonl").read_bytes() == before


def test_the_chapters_program_word_for_word(run: Any, text: str, tmp_path: Path) -> None:
    """A text with a BOM, which the chapter's program glues to its first word."""
    import numpy as np

    source = tmp_path / "bom.txt"
    source.write_text("\ufeff" + TEXT)
    run("train", "chain", str(source), "-o", str(tmp_path / "chain"), "--order", "1")
    corpus = source.read_text("utf8").split()
    followers: dict[str, list[str]] = {}
    for word, following in itertools.pairwise(corpus):
        followers.setdefault(word, []).append(following)
    for seed in range(5):
        np.random.seed(seed)
        word = np.random.choice(corpus)
        while word.islower():
            word = np.random.choice(corpus)
        chain = [word]
        for _ in range(100):
            chain.append(np.random.choice(followers[chain[-1]]))
        out, _ = run("generate", str(tmp_path / "chain"), "--chapter-compatible", "--seed", str(seed))
        assert out == " ".join(chain) + "\n"


def test_scores_of_lines_from_stdin(run: Any, text: str, tmp_path: Path) -> None:
    folder = str(tmp_path / "m")
    run("train", "ngram", text, "-o", folder)
    out, _ = run("score", folder, "--json", stdin="Ружьё выстрелило.\nКот пел.\n")
    likely, unlikely = map(json.loads, out.splitlines())
    assert likely["perplexity"] < unlikely["perplexity"]
    assert any(token["oov"] for token in unlikely["tokens"])
    out, _ = run("score", folder, "--per-token", stdin="Ружьё выстрелило.\n")
    assert "'Ружьё'=" in out
    assert "'</s>'=" in out


def test_greedy_and_seeded_texts_repeat(run: Any, text: str, tmp_path: Path) -> None:
    folder = str(tmp_path / "m")
    run("train", "ngram", text, "-o", folder, "--tokens", "characters")
    first = run("generate", folder, "--seed", "7", "--temperature", "0.8", "--top-k", "5", "--json")[0]
    assert run("generate", folder, "--seed", "7", "--temperature", "0.8", "--top-k", "5", "--json")[0] == first
    assert set(json.loads(first)) == {"schema", "text", "tokens", "seed", "finish_reason"}


def test_the_demo_prints_one_table_and_a_text_of_each(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    out, err = run("demo", "demo:rifle-ru?tokens=4000", "--time", "2")
    for model in ("chain, order 1", "Kneser-Ney 5-gram", "fixed window", "Elman", "GRU", "minGRU", "LSTM", "mixture"):
        assert f"{model} writes:" in out or model in ("mixture", "fixed window")
        assert sum(line.startswith(model) for line in out.splitlines()) >= 1
    assert "over floor" in out
    assert "Best: " in out
    assert "8/8" in err
    out, _ = run("demo", "demo:rifle-en?tokens=4000", "--time", "1", "--json", "-o", "second")
    assert len([json.loads(line) for line in out.splitlines()]) == 8


def test_version_and_help(run: Any) -> None:
    import chekhov

    assert run("--version")[0] == f"chekhov {chekhov.__version__}\n"
    for verb in ("train", "generate", "score", "evaluate", "mix", "info", "verify", "demo"):
        assert verb in run("--help")[0]
        assert "--help" in run(verb, "--help")[0]


def test_the_part_that_a_split_kept_aside(run: Any, text: str, tmp_path: Path) -> None:
    """mix --text and evaluate --part find it again: the figures are those of the training."""
    longer = tmp_path / "long.txt"
    longer.write_text("\n".join(f"{i}. {Path(text).read_text()}" for i in range(25)))
    source, (a, b) = str(longer), (str(tmp_path / name) for name in "ab")
    run("train", "ngram", source, "-o", a, "--tokens", "characters", "--order", "3")
    out, _ = run("train", "ngram", source, "-o", b, "--tokenizer", a, "--order", "2", "--json")
    valid = json.loads(out)["bits_per_character"]
    out, _ = run("evaluate", a, b, "--text", source, "--part", "valid", "--json")
    assert json.loads(out.splitlines()[1])["bits_per_character"] == pytest.approx(valid, abs=1e-9)
    out, _ = run("mix", a, b, "-o", str(tmp_path / "m"), "--text", source, "--json")
    assert json.loads(out)["bits_per_character"] <= valid
    run("evaluate", str(tmp_path / "m"), "--text", source, "--part", "test")
    run("train", "ngram", source, "-o", str(tmp_path / "whole"), "--split", "none")
    refusals = {
        "E-SPLIT-003": ("evaluate", a, "--text", text, "--part", "test"),
        "E-SPLIT-004": ("evaluate", str(tmp_path / "whole"), "--text", source, "--part", "test"),
        "E-SPLIT-005": ("evaluate", a, "--text", source, "--part", "train"),
        "E-MIX-008": ("mix", a, b, "-o", str(tmp_path / "n")),
        "E-TOKEN-012": ("train", "ngram", source, "-o", str(tmp_path / "n"), "--tokenizer", a, "--tokens", "words"),
    }
    for code, arguments in refusals.items():
        assert run(*arguments, code=2)[1].startswith(code)
    assert not (tmp_path / "n").exists()


def test_where_the_chapters_program_would_stop_a_note_says_so(run: Any, tmp_path: Path) -> None:
    source = tmp_path / "end.txt"
    source.write_text("Ружьё висит Ружьё стреляет")
    run("train", "chain", str(source), "-o", str(tmp_path / "chain"))
    out, err = run("generate", str(tmp_path / "chain"), "--chapter-compatible", "--seed", "3")
    assert len(out.split()) == 101
    assert "KeyError" in err
    assert "'стреляет'" in err


def test_the_likeliest_texts_by_a_beam_and_how_much_was_copied(run: Any, text: str, tmp_path: Path) -> None:
    folder = str(tmp_path / "m")
    run("train", "ngram", text, "-o", folder, "--tokens", "characters", "--order", "6")
    out, _ = run("generate", folder, "--prompt", "Никто", "--beam", "4", "--num", "2", "--max-tokens", "12", "--json")
    first, second = map(json.loads, out.splitlines())
    assert first["text"].startswith("Никто не стре")
    assert first["text"] != second["text"]
    again, _ = run("generate", folder, "--prompt", "Никто", "--beam", "4", "--num", "2", "--max-tokens", "12", "--json")
    assert again == out
    out, _ = run("generate", folder, "--beam", "4", "--max-tokens", "30", "--novelty", text, "--json")
    report = json.loads(out)
    assert report["copied_tokens"] > 10
    assert report["copied"] in Path(text).read_text()
    assert all(0 <= share <= 1 for share in report["new"].values())
    _, err = run("generate", folder, "--seed", "1", "--novelty", text)
    assert "longest copy: " in err
    for flags in (("--beam", "0"), ("--beam", "3", "--num", "4"), ("--beam", "3", "--length-penalty", "-1")):
        assert "E-RANGE-001" in run("generate", folder, *flags, code=2)[1]
    assert "E-GENERATE-005" in run("generate", folder, "--beam", "3", "--top-k", "5", code=2)[1]


def test_a_shell_is_told_every_option() -> None:
    asked = {"_CHEKHOV_COMPLETE": "complete_bash", "COMP_WORDS": "chekhov train ngram --ord", "COMP_CWORD": "3"}
    program = "import sys; sys.argv = ['chekhov']; from chekhov.cli.main import main; main()"
    command, environment = [sys.executable, "-c", program], {**os.environ, **asked}
    found = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert found.stdout.split() == ["--order"]


def test_ctrl_c_is_answered_wherever_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parser turns KeyboardInterrupt into an exit code, so that the message must come before it."""
    import os
    import signal

    from calling import call

    def app(standalone_mode: bool) -> int:
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt:
            return 130
        return 0

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr("chekhov.cli.main.parser", lambda arguments, whole: app)
    assert call("train") == (130, "", "stopped\n")
    assert signal.getsignal(signal.SIGINT) == before

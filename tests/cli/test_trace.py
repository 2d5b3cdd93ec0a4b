"""``chekhov trace`` for every kind of model, and what it refuses."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from calling import call, refused

from chekhov.files import read_arrays
from chekhov.tasks.text_model import load

PROMPT = "Ружьё висело"


def objects(*arguments: str) -> list[dict[str, object]]:
    code, out, err = call("trace", *arguments, "--json")
    assert code == 0, err
    return [json.loads(line) for line in out.splitlines()]


def test_a_net_gives_a_file_and_a_table(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "trace.safetensors"
    code, shown, _ = call("trace", str(folder / "lstm"), "--text", str(folder / "che.txt"), "-o", str(out))
    assert code == 0
    assert shown.startswith("lstm (lstm): 3,041 tokens, ")
    assert "forget_gate" in shown
    arrays = read_arrays(out)
    assert arrays["layers.0.forget_gate"].shape == (3042, 8)
    expected = load(folder / "lstm").score((folder / "che.txt").read_text()).log_probs
    assert arrays["log_probs"][1:] == pytest.approx(expected, abs=1e-4)
    rows = objects(str(folder / "lstm"), "--prompt", PROMPT)
    assert [row["name"] for row in rows if "layer" in row][:2] == ["input_gate", "forget_gate"]
    tokens = [row for row in rows if "token" in row]
    assert "".join(str(row["token"]) for row in tokens) == PROMPT
    assert [PROMPT[row["start"] : row["end"]] for row in tokens] == list(PROMPT)  # type: ignore[misc]


@pytest.mark.parametrize("kind", ["ngram", "chain"])
def test_a_counting_model_gives_a_path_for_each_token(folder: Path, kind: str) -> None:
    text = folder / "che.txt"
    rows = objects(str(folder / kind), "--text", str(text))
    score = load(folder / kind).score(text.read_text())
    assert [row["token"] for row in rows] == score.tokens
    for row, log_p in zip(rows, score.log_probs, strict=True):
        steps = row["path"]
        paid = [s["log10_prob"] if "log10_prob" in s else s["log10_backoff"] for s in steps]  # type: ignore[attr-defined]
        assert (math.fsum(paid) * math.log(10) if None not in paid else -math.inf) == pytest.approx(log_p, abs=1e-5)
    code, out, _ = call("trace", str(folder / kind), "--prompt", PROMPT)
    assert code == 0
    assert out.splitlines()[-1].split(" tokens")[0] == ("2" if kind == "chain" else "12")


def test_counts_of_the_training_text(folder: Path) -> None:
    rows = objects(str(folder / "ngram"), "--prompt", "Р", "--counts", str(folder / "che.txt"))
    last = rows[0]["path"][-1]  # type: ignore[index]
    assert last["count"] >= 1
    assert last["context_count"] >= last["count"]
    code, out, _ = call("trace", str(folder / "ngram"), "--prompt", "Р", "--counts", str(folder / "che.txt"))
    assert code == 0
    assert f"{last['count']:,} of {last['context_count']:,}" in out


@pytest.mark.parametrize("kind", ["ngram", "lstm"])
def test_saliency_of_a_token(folder: Path, tmp_path: Path, kind: str) -> None:
    page = tmp_path / "page.html"
    arguments = (str(folder / kind), "--prompt", PROMPT, "--saliency", "-1")
    code, out, _ = call("trace", *arguments, "--html", str(page))
    assert code == 0
    assert out.startswith(f"{kind}: log p(о) = ")
    assert "title=" in page.read_text()
    rows = objects(*arguments)
    assert len(rows) == len(PROMPT) - 1
    assert ("gradient" in rows[0]) == (kind == "lstm")
    assert objects(str(folder / kind), "--prompt", PROMPT, "--saliency", "о") == rows


def test_what_the_model_does_not_know_is_said(folder: Path) -> None:
    code, out, err = call("trace", str(folder / "ngram"), "--prompt", "Ружьё xyx")
    assert code == 0
    assert "note: the model does not know 3 of 9 tokens (<unk> to it): x, y" in err
    assert "x?  log10 p" in out


def test_what_is_refused(folder: Path, tmp_path: Path) -> None:
    net, ngram, text = str(folder / "lstm"), str(folder / "ngram"), str(folder / "che.txt")
    refused("trace", net, code=2, says="E-TRACE-006 .*--text FILE or --prompt")
    refused("trace", net, "--text", text, "--prompt", "x", code=2, says="E-TRACE-006")
    refused("trace", net, "--prompt", "x", "--html", "x.html", code=2, says="E-TRACE-006 .*--saliency")
    both = ("--saliency", "1", "-o", "x")
    refused("trace", net, "--prompt", "Ружьё", *both, code=2, says="E-TRACE-006 .*leave one")
    refused("trace", net, "--prompt", "", code=1, says="E-TRACE-002")
    refused("trace", net, "--prompt", "Ружьё", "--counts", text, code=2, says="E-TRACE-007 .*kind lstm")
    refused("trace", ngram, "--prompt", "Ружьё", "-o", str(tmp_path / "x"), code=2, says="E-TRACE-001 .*no states")
    for model in (net, ngram):
        refused("trace", model, "--prompt", "Ружьё", "--saliency", "9", code=2, says="E-TRACE-003 .*has 5 tokens")
        refused("trace", model, "--prompt", "Ружьё", "--saliency", "ы", code=2, says="E-TRACE-003 .*no token")
        refused("trace", model, "--prompt", "Ружьё", "--saliency", "1", code=2, says="E-TRACE-009 .*is the first")
    refused("trace", net, "--prompt", "Ружьё", "-o", str(tmp_path / "no" / "x"), code=1, says="E-SAVE-001")
    assert list(tmp_path.iterdir()) == []


def test_a_mixture_can_be_asked_what_it_rests_on(folder: Path, tmp_path: Path) -> None:
    parts, valid = (str(folder / "ngram"), str(folder / "lstm")), str(folder / "che.txt")
    code, _, err = call("mix", *parts, "--valid", valid, "-o", str(tmp_path / "m"))
    assert code == 0, err
    refused("trace", str(tmp_path / "m"), "--prompt", "Ружьё", code=2, says="E-TRACE-001 m: a mixture")
    assert len(objects(str(tmp_path / "m"), "--prompt", "Ружьё", "--saliency", "-1")) == 4

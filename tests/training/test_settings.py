"""Optimisers, clipping, schedules, sizes, memory, curves, and going on from a trained model."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from calling import OWN_PEAK

import chekhov
from chekhov.errors import ModelError, UsageError
from chekhov.tasks.text_model import RECURRENT
from chekhov.training import memory
from chekhov.training.loop import Plan
from chekhov.training.optimisers import clip, make_optimisers
from chekhov.training.plot import curve_line
from chekhov.training.schedules import share

TEXT = "Ружьё висело на стене.\nНикто не стрелял.\nВ последнем акте ружьё выстрелило.\n" * 40
TINY: dict[str, Any] = {"hidden_size": 12, "embedding_size": 8, "epochs": 2, "sequence_length": 16, "quiet": True}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "che.txt").write_text(TEXT)
    return tmp_path / "che.txt"


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_step_of_sgd_is_its_formula(momentum: float) -> None:
    net = torch.nn.Linear(3, 2, bias=False)
    (optimiser,) = make_optimisers(net, Plan(optimiser="sgd", lr=0.5, momentum=momentum, weight_decay=0.0, epochs=1))
    weight, velocity = net.weight.detach().clone(), torch.zeros(2, 3)
    for step in range(3):
        gradient = torch.full((2, 3), 1.0 + step)
        net.weight.grad = gradient.clone()
        optimiser.step()
        velocity = momentum * velocity + gradient
        weight = weight - 0.5 * velocity
    torch.testing.assert_close(net.weight.detach(), weight, atol=1e-7, rtol=0)


@pytest.mark.parametrize(
    ("kind", "flags", "expected"),
    [
        ("lstm", {}, ("muon", 0.012, 0.1)),
        ("window", {}, ("adamw", 0.004, 0.01)),
        ("elman", {"optimiser": "adamw"}, ("adamw", 0.008, 0.01)),
        ("gru", {"optimiser": "sgd", "weight_decay": 0.0}, ("sgd", 1.0, 0.0)),
        ("window", {"optimiser": "muon", "lr": 0.02}, ("muon", 0.02, 0.1)),
    ],
)
def test_optimiser_rate_and_decay_by_kind(
    source: Path, tmp_path: Path, kind: str, flags: dict[str, Any], expected: tuple[str, float, float]
) -> None:
    chekhov.train(kind, source, out=tmp_path / "m", **{**TINY, "epochs": 1}, **flags)
    plan = json.loads((tmp_path / "m" / "checkpoint.json").read_text())["plan"]
    assert (plan["optimiser"], plan["lr"], plan["weight_decay"]) == expected


def test_clipping_by_norm_keeps_the_direction_and_by_value_the_bounds() -> None:
    net = torch.nn.Linear(4, 4)
    gradient = torch.randn(4, 4)
    for value in (None, 0.1):
        net.weight.grad, net.bias.grad = gradient.clone(), torch.ones(4)
        before = float(torch.cat([gradient.flatten(), torch.ones(4)]).norm())
        assert clip(net, norm=0.5, value=value) == pytest.approx(before)
        if value is None:
            after = torch.cat([net.weight.grad.flatten(), net.bias.grad])
            assert float(after.norm()) == pytest.approx(0.5, abs=1e-4)
            cosine = torch.nn.functional.cosine_similarity(net.weight.grad.flatten(), gradient.flatten(), dim=0)
            assert float(cosine) == pytest.approx(1)
        else:
            torch.testing.assert_close(net.weight.grad, gradient.clamp(-0.1, 0.1))


def test_schedules() -> None:
    def rates(schedule: str, plateaus: int = 0) -> list[float]:
        return [share(schedule, step, 100, warmup_steps=4, plateaus=plateaus) for step in (0, 3, 4, 99)]

    assert rates("constant") == pytest.approx([0.2, 0.8, 1, 1])
    assert rates("plateau", 2) == pytest.approx([0.2 / 16, 0.8 / 16, 1 / 16, 1 / 16])
    assert rates("cosine")[2:] == pytest.approx([1, 0.02], abs=0.01)


def test_the_rate_falls_after_a_validation_that_was_no_better(source: Path, tmp_path: Path) -> None:
    flags = {**TINY, "epochs": 40, "lr": 0.5, "schedule": "plateau", "optimiser": "sgd", "warmup_steps": 0}
    chekhov.train("elman", source, out=tmp_path / "m", **flags)
    records = [json.loads(line) for line in (tmp_path / "m" / "metrics.jsonl").read_text().splitlines()]
    bad, expected = 0, []
    for record in records:
        expected.append(0.5 * 0.25**bad)
        bad += record["valid_loss"] is not None and not record["best"]
    assert bad > 0
    assert [record["learning_rate"] for record in records] == pytest.approx(expected)


@pytest.mark.parametrize("kind", RECURRENT)
def test_going_on_from_a_model_begins_where_it_stood(kind: str, source: Path, tmp_path: Path) -> None:
    first = chekhov.train(kind, source, out=tmp_path / "a", **{**TINY, "epochs": 12})
    other = tmp_path / "other.txt"
    other.write_text("Чайка летела над озером. Никто не стрелял.\n" * 60)
    second = chekhov.train(kind, other, out=tmp_path / "b", start_from=tmp_path / "a", epochs=1, lr=1e-6, quiet=True)
    assert second.tokenizer.digest == first.tokenizer.digest
    assert second.evaluate(TEXT).bits_per_character == pytest.approx(first.evaluate(TEXT).bits_per_character, abs=0.02)


def test_what_cannot_be_gone_on_from_is_refused(source: Path, tmp_path: Path) -> None:
    chekhov.train("gru", source, out=tmp_path / "gru", **TINY)
    chekhov.train("ngram", source, out=tmp_path / "words")

    def go_on(kind: str, code: str, **flags: Any) -> None:
        with pytest.raises(UsageError, match=code):
            chekhov.train(kind, source, out=tmp_path / "new", start_from=tmp_path / "gru", quiet=True, **flags)

    go_on("lstm", "E-TRAIN-012")
    go_on("gru", "E-TRAIN-013 hidden_size", hidden_size=99)
    go_on("gru", "E-TRAIN-013 reset", reset="before")
    go_on("gru", "E-TRAIN-017", tokenizer=tmp_path / "words")
    go_on("ngram", "E-TRAIN-016")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        ({"bidirectional": True}, "E-TRAIN-014 .*left to right"),
        ({"reset": "before"}, "E-TRAIN-008 lstm has no setting reset"),
        ({"size": "huge"}, "E-TRAIN-010 --size huge"),
        ({"optimiser": "adam"}, "E-TRAIN-010 --optimiser adam"),
        ({"schedule": "step"}, "E-TRAIN-010"),
        ({"clip_value": -1.0}, "E-RANGE-001 clip-value"),
        ({"momentum": 1.5}, "E-RANGE-001 momentum"),
        ({"tied": True}, "E-TRAIN-011"),
        ({"plot": "no/such/folder/x.svg"}, "E-TRAIN-015"),
    ],
)
def test_flags_that_make_no_sense_are_named(flags: dict[str, Any], code: str, source: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=code):
        chekhov.train("lstm", source, out=tmp_path / "m", **{**TINY, **flags})


def test_a_run_that_does_not_fit_is_refused_before_it_begins(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda: 500 << 20)
    with pytest.raises(ModelError, match=r"E-MEMORY-002 training needs about \d\.\d GiB.*--hidden-size"):
        chekhov.train("lstm", source, out=tmp_path / "m", hidden_size=4096, quiet=True)
    assert not (tmp_path / "m").exists()
    chekhov.train("lstm", source, out=tmp_path / "m", **TINY)


def test_presets_give_way_to_flags(source: Path) -> None:
    small = chekhov.train("gru", source, size="small", epochs=1, quiet=True).model.sizes()
    assert (small["hidden_size"], small["embedding_size"], small["num_layers"]) == (128, 64, 1)
    large = chekhov.train("gru", source, size="large", hidden_size=16, epochs=1, quiet=True).model.sizes()
    assert (large["hidden_size"], large["embedding_size"], large["num_layers"]) == (16, 256, 2)


def test_curves_on_the_terminal_in_a_picture_and_in_tensorboard(source: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra plots is not installed")
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
    chekhov.train(
        "elman", source, out=tmp_path / "m", **TINY, plot=tmp_path / "curve.svg", tensorboard=tmp_path / "logs"
    )
    assert "</svg>" in (tmp_path / "curve.svg").read_text()
    assert list((tmp_path / "logs").glob("events.out.*"))
    line = curve_line(tmp_path / "m")
    assert line.startswith("loss ")
    assert "█" in line
    assert "▁" in line


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_the_estimate_of_memory_is_near_the_truth() -> None:
    """Peak resident memory of three real steps, in a process of its own, against the estimate."""
    import subprocess

    program = (
        "import torch\n"
        "from chekhov.recurrent.language_model import RecurrentLM\n"
        "from chekhov.training.memory import estimate_bytes\n"
        "torch.set_num_threads(1)\n"
        "model = RecurrentLM('lstm', 20000, embedding_size=256, hidden_size=512)\n"
        "optimiser = torch.optim.AdamW(model.parameters(), fused=True)\n"
        "for _ in range(3):\n"
        "    ids = torch.randint(20000, (16, 64))\n"
        "    features, _ = model(ids, model.stack.initial_state(16))\n"
        "    loss = torch.nn.functional.cross_entropy(model.head(features).flatten(0, 1), ids.flatten())\n"
        "    optimiser.zero_grad(); loss.backward(); optimiser.step()\n"
        "sizes = model.sizes()\n"
        "print(int(own_peak() * 2**20),\n"
        "      estimate_bytes('lstm', model.parameter_count, 20000, sizes, 16 * 64))\n"
    )
    out = subprocess.run([sys.executable, "-c", OWN_PEAK + program], capture_output=True, text=True, check=True).stdout
    peak, estimate = map(int, out.split())
    assert np.log(estimate / peak) == pytest.approx(0, abs=np.log(1.5))


@pytest.mark.parametrize("there", [True, False])
def test_bf16_that_is_no_faster_is_told(
    source: Path, tmp_path: Path, there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chekhov.training.precision.multiplies_bf16", lambda: there)
    notes: list[str] = []
    flags = {**TINY, "epochs": 1, "precision": "bf16", "note": notes.append}
    chekhov.train("lstm", source, out=tmp_path / "m", **flags)
    assert any("does not multiply bfloat16" in note for note in notes) == (not there)

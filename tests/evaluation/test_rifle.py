"""The rifle test: models whose memory is known by construction are measured exactly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from calling import call

import chekhov
from chekhov.errors import UsageError
from chekhov.evaluation.rifle import horizon, planted_accuracy, reach, rifle_horizon, wilson_low
from chekhov.generation.sampling import read_prompts
from chekhov.mixture import Mixture
from chekhov.ngram.model import train_ngram
from chekhov.tasks.rifle import planted_test, rifle_test
from chekhov.tasks.text_model import TextModel
from chekhov.types import BOS, Ids, LogProbs

FARTHEST = 40


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TextModel]:
    folder, text = tmp_path_factory.mktemp("rifle"), "demo:rifle-ru?tokens=20000"
    models = {
        "chain 1": chekhov.train("chain", text, order=1),
        "chain 3": chekhov.train("chain", text, order=3),
        "2-gram": chekhov.train("ngram", text, out=folder / "n", order=2),
        "5-gram": chekhov.train("ngram", text, order=5, tokenizer=folder / "n"),
        "window": chekhov.train("window", text, width=6, tokenizer=folder / "n", time=1.0, hidden_size=16),
        "lstm": chekhov.train("lstm", text, tokenizer=folder / "n", time=1.0, hidden_size=16),
    }
    for name, model in models.items():
        model.name = name
    return models


@pytest.fixture(scope="module")
def test_part() -> str:
    from chekhov.text.demo import demo_corpus

    return demo_corpus("demo:rifle-ru?tokens=20000").test


@pytest.mark.parametrize(
    ("name", "memory"), [("chain 1", 1), ("chain 3", 3), ("2-gram", 1), ("5-gram", 4), ("window", 6)]
)
def test_reach_is_what_the_model_reads(demo: dict[str, TextModel], test_part: str, name: str, memory: int) -> None:
    model = demo[name]
    assert reach(model.model, model.tokenizer.encode(test_part), farthest=FARTHEST) == memory


def test_a_mixture_reaches_as_far_as_its_farthest_part(demo: dict[str, TextModel], test_part: str) -> None:
    ids = demo["2-gram"].tokenizer.encode(test_part)
    parts = [demo["2-gram"].model, demo["window"].model]
    assert reach(Mixture(parts, [0.5, 0.5]), ids, farthest=FARTHEST) == 6
    assert reach(demo["lstm"].model, ids, farthest=FARTHEST) > 6


class Kept(NamedTuple):
    kind: Ids  # (B,) 0 or 1: what began the row
    age: Ids  # (B,) tokens since


class Toy:
    """A or B, then noise; ``lag`` tokens later the same again, surely, if no more than ``memory`` are kept in mind."""

    kind, vocab_size, parameter_count = "toy", 7, 0

    def __init__(self, memory: int, sure: float = 0.98):
        self.memory, self.sure = memory, sure

    def initial_state(self, batch_size: int) -> Kept:
        return Kept(np.full(batch_size, -1), np.zeros(batch_size, np.int64))

    def advance(self, state: Kept, tokens: Ids) -> Kept:
        thing = tokens >= 5
        return Kept(np.where(thing, tokens - 5, state.kind), np.where(thing, 1, state.age + 1))

    def log_probs(self, state: Kept) -> LogProbs:
        rows = np.full((len(state.kind), self.vocab_size), 0.2)
        rows[:, BOS], rows[:, 2] = 0.0, 1e-3
        knows = (state.kind >= 0) & (state.age <= self.memory)
        rows[knows, 5 + state.kind[knows]] += self.sure
        with np.errstate(divide="ignore"):
            return np.log(rows / rows.sum(axis=1, keepdims=True)).astype(np.float32)

    def score(self, state: Kept, ids: Ids) -> tuple[LogProbs, Kept]:
        from chekhov.types import score_stepwise

        return score_stepwise(self, state, ids)  # type: ignore[arg-type]


def test_planted_rifles_go_off_as_far_as_memory_goes() -> None:
    rng = np.random.default_rng(0)
    planted = []
    for distance in (2, 4, 8, 16):
        right = rng.integers(0, 2, 300)
        prompts = [np.array([5 + r, *rng.integers(3, 5, distance - 1)]) for r in right]
        state = read_prompts(Toy(8), prompts)  # type: ignore[arg-type]
        hits = planted_accuracy(Toy(8), state, [np.array([5]), np.array([6])], right)  # type: ignore[arg-type]
        planted.append((distance, float(hits.mean()), 300))
    assert [accuracy for _, accuracy, _ in planted[:3]] == [1.0, 1.0, 1.0]
    assert planted[3][1] == pytest.approx(0.5, abs=0.1)
    assert rifle_horizon(planted, 2) == 8
    assert rifle_horizon([(2, 0.5, 300)], 2) == 0


def test_the_horizon_is_where_the_text_depends_on() -> None:
    """Each token is the one two before it, but for every tenth: two tokens of context say it all."""
    rng = np.random.default_rng(1)
    ids = [3, 4]
    for _ in range(9_000):
        ids.append(ids[-2] if rng.random() < 0.9 else int(rng.integers(3, 6)))
    model = train_ngram(np.array(ids[:6_000]), order=4, vocab_size=6, smoothing="witten-bell")
    found = horizon(model, np.array(ids[6_000:]), positions=500, farthest=60)
    assert (found.horizon, found.low, found.high) == (2, 2, 2)
    losses = dict(found.curve)
    assert losses[1] > losses[2] + 0.3
    assert losses[2] <= losses[60] + 0.01


def test_the_lower_bound_of_a_share() -> None:
    assert wilson_low(0.5, 100) == pytest.approx(0.4038, abs=1e-4)  # Wilson (1927), worked by hand
    assert wilson_low(1.0, 500) == pytest.approx(0.99238, abs=1e-4)


def test_an_ngram_is_at_chance_beyond_its_order(demo: dict[str, TextModel]) -> None:
    planted, alternatives = planted_test(demo["5-gram"], 400, 0)
    assert alternatives == 8
    assert [distance for distance, _, _ in planted] == [8, 16, 32, 64, 128, 256]
    assert all(abs(accuracy - 1 / 8) < 0.07 for _, accuracy, _ in planted)


def test_a_report_and_what_cannot_be_measured(demo: dict[str, TextModel], test_part: str) -> None:
    notes: list[str] = []
    report = rifle_test(demo["chain 3"], [test_part], items=20, farthest=FARTHEST, positions=300, note=notes.append)
    assert report.horizon is None
    assert "without smoothing" in notes[0]
    assert report.as_json()["horizon"] is None
    report = rifle_test(demo["5-gram"], [test_part], items=20, farthest=FARTHEST, positions=200)
    assert report.horizon is not None
    assert report.horizon.horizon <= 4
    record = report.as_json()
    assert (record["reach"], record["reach_capped"]) == (4, False)
    assert len(record["planted"]) == 6
    with pytest.raises(UsageError, match=r"E-RIFLE-001 .*42 are needed"):
        rifle_test(demo["5-gram"], ["ружьё висело"], farthest=FARTHEST)
    with pytest.raises(UsageError, match="E-RANGE-001"):
        rifle_test(demo["5-gram"], [test_part], items=0)


def test_the_verb(tmp_path: Path, test_part: str) -> None:
    model, real = str(tmp_path / "m"), tmp_path / "t.txt"
    chekhov.train("ngram", "demo:rifle-ru?tokens=20000", out=model, order=3)
    flags = ("--farthest", "30", "--items", "10", "--positions", "60")
    code, out, err = call("rifle", model, *flags, "--plot", str(tmp_path / "p.svg"))
    assert code == 0, err
    assert "horizon" in out
    assert "<svg" in (tmp_path / "p.svg").read_text()
    real.write_text(test_part, "utf-8")
    code, out, _ = call("rifle", model, *flags, "--text", str(real), "--json")
    assert (code, json.loads(out)["reach"]) == (0, 2)
    other: Any = str(tmp_path / "other")
    chekhov.train("ngram", real, out=other)
    code, _, err = call("rifle", other, *flags)
    assert (code, err.split()[0]) == (2, "E-RIFLE-003")
    assert call("rifle", model, "--plot", str(tmp_path / "p.doc"))[0] == 2

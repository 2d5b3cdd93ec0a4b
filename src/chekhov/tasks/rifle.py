"""The rifle test of a trained model: `evaluation.rifle` on held-out text, and on what the demo's grammar plants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chekhov.errors import UsageError, check_range
from chekhov.evaluation.rifle import FARTHEST, Horizon, horizon, planted_accuracy, reach, rifle_horizon
from chekhov.generation.sampling import read_prompts
from chekhov.tasks.text_model import TextModel
from chekhov.text.demo import SHORTEST, demo_corpus, planted_items
from chekhov.text.reading import read_documents

Note = Callable[[str], None]
DISTANCES = (8, 16, 32, 64, 128, 256)  # words between the rifle and the shot, from the shortest that the grammar has


@dataclass(frozen=True)
class RifleReport:
    """Distances in tokens. ``horizon`` is None for a model without smoothing, ``planted`` empty for other texts."""

    model: str
    farthest: int  # what stands for "and more"
    reach: int
    characters_per_token: float
    horizon: Horizon | None
    planted: list[tuple[int, float, int]]  # d, accuracy, items
    rifle_horizon: int | None
    alternatives: int = 0

    def as_json(self) -> dict[str, Any]:
        h = self.horizon
        interval = (h.horizon, h.low, h.high) if h else (None, None, None)
        record = {"schema": 1, "model": self.model, "reach": self.reach, "reach_capped": self.reach >= self.farthest}
        record |= dict(zip(("horizon", "horizon_low", "horizon_high"), interval, strict=True))
        record |= {"curve": [list(point) for point in h.curve] if h else []}
        record |= {"planted": [list(point) for point in self.planted], "rifle_horizon": self.rifle_horizon}
        return record | {"characters_per_token": self.characters_per_token}


def rifle_test(
    model: TextModel,
    texts: Sequence[str],
    *,
    items: int = 500,
    farthest: int = FARTHEST,
    positions: int = 1_000,
    seed: int = 0,
    note: Note = lambda message: None,
) -> RifleReport:
    """``texts``: held-out documents. ``items``: planted ones at each distance, if the model has learnt the demo's text.

    Raises `UsageError` for a number out of range or texts too short for the distance.
    """
    check_range("items", items, 1, 100_000)
    check_range("farthest", farthest, 16, 100_000)
    check_range("positions", positions, 10, 1_000_000)
    ids = model.tokenizer.encode_all(texts)
    found = reach(model.model, ids, farthest=farthest)
    try:
        measured: Horizon | None = horizon(model.model, ids, positions=positions, farthest=farthest, seed=seed)
    except UsageError as error:
        if error.code != "E-RIFLE-002":
            raise
        note(f"{model.name}: {error.what}: it has no horizon")
        measured = None
    planted, alternatives = planted_test(model, items, seed)
    last = rifle_horizon(planted, alternatives) if planted else None
    per_token = sum(map(len, texts)) / max(1, len(ids))
    return RifleReport(model.name, farthest, found, per_token, measured, planted, last, alternatives)


def planted_test(model: TextModel, items: int, seed: int) -> tuple[list[tuple[int, float, int]], int]:
    """(d, accuracy, items) at each distance, and how many alternatives there are; nothing for other texts."""
    name = str(model.training.get("text", "")).partition("?")[0].removeprefix("demo:")
    if name not in SHORTEST:
        return [], 0
    planted, alternatives = [], 0
    for distance in sorted({max(d, SHORTEST[name]) for d in DISTANCES}):
        given = planted_items(name, distance, items, seed)
        shots = given[0].alternatives
        encode = model.tokenizer.encode_prompt
        prompts = [encode(item.prefix) for item in given]
        answers = [encode(f"{given[0].prefix} {shot}")[len(prompts[0]) :] for shot in shots]
        right = np.array([shots.index(item.answer) for item in given])
        accuracy = planted_accuracy(model.model, read_prompts(model.model, prompts), answers, right)
        planted.append((distance, float(accuracy.mean()), items))
        alternatives = len(shots)
    return planted, alternatives


def rifle_texts(model: TextModel, text: Sequence[str], encoding: str | None, note: Note) -> list[str]:
    """What ``--text`` names (of a demo: its test part), or else the test part of the demo that the model learnt."""
    source = text[0] if len(text) == 1 else "" if text else str(model.training.get("text", ""))
    if source.startswith("demo:rifle-"):
        return [demo_corpus(source).test]
    if text:
        return [document.text for document in read_documents(text, encoding=encoding, note=note)]
    what = f"{model.name} was trained on {source or 'a text that it does not name'}"
    raise UsageError("E-RIFLE-003", what, mend="give held-out text with --text")

"""Beam search: the most probable texts that can be found with B of them in hand at every step.

    score(y) = log p(y | prompt) / |y|^alpha        |y|: tokens, </s> among them

alpha 0 prefers short texts, since every token costs; 0.5 to 1 takes that away (Wu et al. 2016 use 0.6 to 0.7 of a
like formula). A beam of V^T is exhaustive: tested.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from chekhov.errors import check_range
from chekhov.generation.sampling import read_prompts
from chekhov.state import select
from chekhov.types import BOS, EOS, UNK, Ids, LanguageModel

MAX_BEAM = 10_000


@dataclass(frozen=True)
class Hypothesis:
    """``ids`` leave ``</s>`` out; ``log_prob`` (nats) counts it. ``score``: what the search ranks by."""

    ids: tuple[int, ...]
    log_prob: float
    score: float
    finish_reason: Literal["end", "length"]


def beam_search(
    model: LanguageModel[Any],
    prompt: Ids,
    *,
    beam: int,
    max_tokens: int,
    length_penalty: float = 0.0,
    stop_ids: Sequence[int] = (EOS,),
    allow_unk: bool = False,
) -> list[Hypothesis]:
    """Up to ``beam`` texts, the best first. A text that has drawn a stop id is put aside and its place is given on.

    Ends when ``beam`` texts are finished of which none can be overtaken, or at ``max_tokens``. Raises `UsageError`
    for a flag out of range. The state of a row is a value, so a text that splits costs one `select`.
    """
    check_range("beam", beam, 1, MAX_BEAM)
    check_range("max_tokens", max_tokens, 1, 1 << 20)
    check_range("length_penalty", length_penalty, 0.0, 10.0)
    forbidden = [BOS] if allow_unk else [BOS, UNK]
    state = read_prompts(model, [np.asarray(prompt, np.int64)])
    rows: list[tuple[int, ...]] = [()]
    totals = np.zeros(1)
    finished: list[Hypothesis] = []
    for step in range(1, max_tokens + 1):
        candidates = totals[:, None] + model.log_probs(state).astype(np.float64)  # (rows, V)
        candidates[:, forbidden] = -np.inf
        going: list[tuple[int, int, float]] = []  # row, token, total
        for place, index in enumerate(best_first(candidates.ravel(), beam * (1 + len(stop_ids))).tolist()):
            row, token = divmod(index, model.vocab_size)
            total = float(candidates[row, token])
            if token not in stop_ids and len(going) < beam:
                going.append((row, token, total))
            elif token in stop_ids and place < beam:  # so that a beam of one is greedy
                finished.append(Hypothesis(rows[row], total, total / step**length_penalty, "end"))
        finished = sorted(finished, key=rank)[:beam]
        rows = [(*rows[row], token) for row, token, _ in going]
        totals = np.array([total for *_, total in going])
        if step == max_tokens:
            for ids, total in zip(rows, totals.tolist(), strict=True):
                finished.append(Hypothesis(ids, total, total / step**length_penalty, "length"))
        elif not going or overtaken_by_none(finished, beam, totals.max(), max_tokens, length_penalty):
            break
        else:
            state = select(state, [row for row, *_ in going])
            state = model.advance(state, np.array([token for _, token, _ in going]))
    return sorted(finished, key=rank)[:beam]


def best_first(values: np.ndarray, count: int) -> np.ndarray:
    """The places of the ``count`` largest finite values, the largest first; of equals the first."""
    count = min(count, len(values))
    places = np.argpartition(-values, count - 1)[:count]
    places = places[np.lexsort((places, -values[places]))]
    return places[np.isfinite(values[places])]


def overtaken_by_none(finished: list[Hypothesis], beam: int, best: float, max_tokens: int, alpha: float) -> bool:
    """Whether the best that goes on could at most reach less than the worst that is finished: totals only fall."""
    return len(finished) >= beam and best / max_tokens**alpha < finished[-1].score


def rank(hypothesis: Hypothesis) -> tuple[float, tuple[int, ...]]:
    return -hypothesis.score, hypothesis.ids

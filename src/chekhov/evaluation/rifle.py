"""How far back a model remembers: reach, horizon and the planted test, by one measure for every kind of model.

    reach     the largest d whose token, replaced, changes log p(next) anywhere; d = 1 is the newest token
    horizon   the smallest d for which contexts cut to d tokens cost at most 0.01 nats a token more than those of 1,000
              (cf. Khandelwal, He, Qi & Jurafsky 2018, section 3)
    planted   d words after a thing on the wall, how often its verb is the likeliest of all the verbs

A chain of order k has reach k, an n-gram n - 1, a fixed window its width: measured, not believed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chekhov.errors import UsageError
from chekhov.state import select
from chekhov.types import BOS, Ids, LanguageModel

FARTHEST = 1_000  # tokens
CHANGE = 1e-6  # nats: what counts as one
POSITIONS = 10_000
SITES_AT_FIRST = 64
MOST_TOKENS = 500_000  # that the second look reads: all positions where the memory is short
NEAR_ENOUGH = 0.01  # nats a token
GRID = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, FARTHEST)
DRAWS = 1_000  # of the bootstrap
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Horizon:
    """``horizon`` and its interval of 95 % in tokens; curve: (d, nats a token with contexts of d tokens)."""

    horizon: int
    low: int
    high: int
    curve: list[tuple[int, float]]


def reach(model: LanguageModel[Any], ids: Ids, *, farthest: int = FARTHEST, positions: int = POSITIONS) -> int:
    """The largest d up to ``farthest`` at which a replaced token changes log p(next) by more than 1e-6 nats; 0: none.

    ids (N,) of a text. A token is replaced by another one of the text, and the d tokens behind it are scored both ways:
    first at 64 places and all distances, then, if that ends before the farthest, at ``positions`` places (fewer where
    it is hundreds of tokens) up to twice as far. Behind what the model gives no chance nothing is compared: a chain
    begins anew there.
    """
    check_length(ids, farthest + 2)
    rng = np.random.default_rng(0)
    found = _changed(model, ids, _sites(ids, farthest, SITES_AT_FIRST, rng), farthest, rng)
    if found == farthest:
        return found
    near = min(farthest, 2 * found + 8)
    sites = _sites(ids, near, min(positions, MOST_TOKENS // near), rng)
    parts = [sites[start : start + 1_000] for start in range(0, len(sites), 1_000)]
    return max(found, *(_changed(model, ids, part, near, rng) for part in parts))


def _sites(ids: Ids, behind: int, count: int, rng: np.random.Generator) -> Ids:
    last = len(ids) - behind - 1
    return np.sort(rng.choice(last, size=min(count, last), replace=False))


def _changed(model: LanguageModel[Any], ids: Ids, sites: Ids, distance: int, rng: np.random.Generator) -> int:
    """The largest d up to ``distance`` with a change at any of the sites."""
    rows = ids[sites[:, None] + np.arange(distance + 1)]  # the token of the site, and those behind it
    others = ids[rng.integers(0, len(ids), size=(len(sites), 16))]
    differs = (others != rows[:, :1]) & (others != BOS)
    replaced = rows.copy()
    replaced[:, 0] = others[np.arange(len(sites)), differs.argmax(axis=1)]
    kept = differs.any(axis=1)
    rows, replaced = rows[kept], replaced[kept]
    if len(rows) == 0:
        return 0
    state = model.initial_state(len(rows))
    ours, others_scores = model.score(state, rows)[0], model.score(state, replaced)[0]
    with np.errstate(invalid="ignore"):
        difference = np.abs(ours - others_scores)
    impossible = np.isinf(ours) | np.isinf(others_scores)
    impossible[:, 0] = False  # the token of the site itself
    after = (np.cumsum(impossible, axis=1) - impossible) > 0  # a chain has begun anew there: not what it remembers
    difference[after | np.isnan(difference)] = 0.0  # NaN: no chance either way
    changed = np.flatnonzero((difference[:, 1:] > CHANGE).any(axis=0))
    return int(changed[-1]) + 1 if len(changed) else 0


def horizon(
    model: LanguageModel[Any], ids: Ids, *, positions: int = 1_000, farthest: int = FARTHEST, seed: int = 0
) -> Horizon:
    """See the head of this file; ids (N,). The interval is the bootstrap's over the positions.

    Raises `UsageError` for a text of fewer than ``farthest`` tokens and some, and for a model that gives no chance to
    what stands there: without smoothing a shorter context can only help.
    """
    check_length(ids, farthest + 100)
    places = np.unique(np.linspace(farthest, len(ids) - 1, positions).astype(np.int64))
    losses: dict[int, Floats] = {farthest: cut_losses(model, ids, places, farthest)}
    if not np.isfinite(losses[farthest]).all():
        what = f"a {model.kind} without smoothing gives no chance to {np.isinf(losses[farthest]).sum()} of the tokens"
        raise UsageError("E-RIFLE-002", what, mend="its reach is all that can be said; or train with smoothing")

    def excess(d: int) -> float:
        if d not in losses:
            losses[d] = cut_losses(model, ids, places, d)
        return float((losses[d] - losses[farthest]).mean())

    grid = [d for d in GRID if d < farthest]
    low = 0
    high = next((d for d in grid if excess(d) <= NEAR_ENOUGH), farthest)
    low = max((d for d in grid if d < high), default=0)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if excess(middle) <= NEAR_ENOUGH else (middle, high)
    rng = np.random.default_rng(seed)
    known = sorted(losses)
    extra = np.stack([losses[d] - losses[farthest] for d in known])
    drawn = rng.integers(0, len(places), size=(DRAWS, len(places)))
    means = np.stack([extra[:, rows].mean(axis=1) for rows in drawn])  # (DRAWS, distances)
    ends = [known[int(np.argmax(row <= NEAR_ENOUGH))] for row in means]
    least, most = (int(np.quantile(ends, share)) for share in (0.025, 0.975))
    return Horizon(high, least, most, [(d, float(losses[d].mean())) for d in known])


def cut_losses(model: LanguageModel[Any], ids: Ids, places: Ids, distance: int) -> Floats:
    """-log p (nats) of the token at each place, after the ``distance`` tokens before it and nothing else."""
    losses = []
    for start in range(0, len(places), 500):
        own = places[start : start + 500]
        state = model.initial_state(len(own))
        for step in range(distance, 0, -1):
            state = model.advance(state, ids[own - step])
        losses.append(-model.score(state, ids[own][:, None])[0][:, 0].astype(np.float64))
    return np.concatenate(losses)


def planted_accuracy(model: LanguageModel[Any], state: Any, answers: Sequence[Ids], right: Ids) -> Floats:
    """(N,): was the right answer the likeliest? state: of N rows, before the shot; answers: the ids of each
    alternative; right (N,): which of them is to come."""
    totals = []
    for answer in answers:
        scored = [model.score(select(state, rows), np.tile(answer, (len(rows), 1)))[0].sum(axis=1) for rows in
                  np.array_split(np.arange(len(right)), max(1, len(right) // 250))]  # fmt: skip
        totals.append(np.concatenate(scored))
    return (np.argmax(totals, axis=0) == right).astype(np.float64)


def rifle_horizon(planted: Sequence[tuple[int, float, int]], alternatives: int) -> int:
    """The last d before the first whose lower bound of 95 % (Wilson 1927) is under half-way from chance to 1; 0: none.

    planted: (d, accuracy, items) by rising d.
    """
    half_way, last = (1 + 1 / alternatives) / 2, 0
    for distance, accuracy, count in planted:
        if wilson_low(accuracy, count) < half_way:
            return last
        last = distance
    return last


def wilson_low(share: float, count: int, z: float = 1.96) -> float:
    """The lower bound of the score interval for ``share`` of ``count`` trials."""
    centre = share + z * z / (2 * count)
    spread = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return (centre - spread) / (1 + z * z / count)


def check_length(ids: Ids, least: int) -> None:
    if len(ids) < least:
        what = f"the text has {len(ids):,} tokens; {least:,} are needed for distances so far"
        raise UsageError("E-RIFLE-001", what, mend="give a longer --text, or a smaller --farthest")

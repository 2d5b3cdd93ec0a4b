"""Ancestral sampling: draw a token from p(next | state), read it, and so on. For any model that keeps the contract.

    token = min { v : p(0) + ... + p(v) > u },  u = draw i of the row's stream, in float64

Draw i belongs to the i-th new token of a row (`draws.uniforms`), so a row's text does not depend on its batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chekhov.errors import ModelError, UsageError, check_range
from chekhov.generation.draws import Draws
from chekhov.generation.filters import Filter, compose, forbid, normalise, penalise
from chekhov.state import concatenate, select
from chekhov.types import BOS, EOS, UNK, Ids, LanguageModel, LogProbs

FinishReason = Literal["length", "stop", "end"]  # max_tokens reached; another of stop_ids drawn; </s> drawn
NO_TOKEN = -1  # what a row that has finished gives


class Step(NamedTuple):
    """What one step gave to each of the B rows."""

    ids: Ids  # (B,): the token drawn, a stop token too; NO_TOKEN where the row had finished before
    log_probs: NDArray[np.float64]  # (B,): log p(token | state), nats, of the model itself: before masks and filters
    finished: tuple[FinishReason | None, ...]  # (B,): why the row finished at this step or before; None: it goes on


@dataclass
class Sample:
    """One generated row. ``ids`` and ``log_probs`` (nats, see `Step`) leave the stop token out."""

    ids: list[int] = field(default_factory=list)
    log_probs: list[float] = field(default_factory=list)
    finish_reason: FinishReason = "length"


def generate_ids(model: LanguageModel[Any], prompts: Sequence[Ids], **settings: Any) -> list[list[int]]:
    """The new ids of each row, without the prompt and the stop token. Arguments: `generate_steps`."""
    return [sample.ids for sample in generate_samples(model, prompts, **settings)]


def generate_samples(model: LanguageModel[Any], prompts: Sequence[Ids], **settings: Any) -> list[Sample]:
    """As `generate_ids`, with log-probabilities and the reason of each end. Arguments: `generate_steps`."""
    samples = [Sample() for _ in prompts]
    for step in generate_steps(model, prompts, **settings):
        for sample, id, log_prob, reason in zip(samples, step.ids.tolist(), step.log_probs, step.finished, strict=True):
            if id == NO_TOKEN:
                continue
            if reason is None or reason == "length":
                sample.ids.append(id)
                sample.log_probs.append(float(log_prob))
            if reason is not None:
                sample.finish_reason = reason
    return samples


def generate_steps(
    model: LanguageModel[Any],
    prompts: Sequence[Ids],
    *,
    max_tokens: int,
    filters: Sequence[Filter] = (),
    repetition_penalty: float = 1.0,
    seed: int = 0,
    streams: Sequence[int] | None = None,
    start: int = 0,
    stop_ids: Sequence[int] = (EOS,),
    allow_unk: bool = False,
) -> Iterator[Step]:
    """Yield the tokens of all rows, step by step, until every row has finished.

    prompts: B arrays of ids, of any lengths; each is read after ``<s>`` and is not given back.
    filters: applied in this order, after ``<unk>`` and ``<s>`` were masked and the penalty for repetition was paid.
    streams: B stream numbers, by default 0 ... B - 1; row b is the same text in any batch if its stream is the same.
    start: the index of the first draw: to go on, put the n ids so far behind the prompt and give ``start=n``.
    stop_ids: a row finishes where it draws one of these; () never stops but at ``max_tokens``.

    Where masks and filters leave nothing, ``</s>`` is still allowed if the model gives it mass. Raises `ModelError`
    if not, or if the model gives what is no probability; `UsageError`, before anything is generated, for a setting
    out of range.
    """
    check_range("max_tokens", max_tokens, 0, 2**53)
    check_range("repetition_penalty", repetition_penalty, 0.1, 10)
    streams = range(len(prompts)) if streams is None else streams
    if len(streams) != len(prompts):
        what = f"{len(prompts)} prompts need as many streams, not {len(streams)}"
        raise UsageError("E-GENERATE-001", what, mend="give one stream a prompt")
    prompts = [np.asarray(prompt, dtype=np.int64) for prompt in prompts]
    for prompt in prompts:
        if prompt.size:
            check_range("prompt id", int(prompt.min()), 0, model.vocab_size - 1)
            check_range("prompt id", int(prompt.max()), 0, model.vocab_size - 1)
    draws = [Draws(seed, stream, start) for stream in streams]
    policy = _Policy(forbid([BOS] if allow_unk else [UNK, BOS]), repetition_penalty, compose(filters))
    return _steps(model, prompts, int(max_tokens), policy, draws, frozenset(stop_ids))


class _Policy(NamedTuple):
    mask: Filter
    repetition_penalty: float
    filter: Filter


def _steps(
    model: LanguageModel[Any],
    prompts: list[Ids],
    max_tokens: int,
    policy: _Policy,
    draws: list[Draws],
    stop_ids: frozenset[int],
) -> Iterator[Step]:
    B = len(prompts)
    finished: list[FinishReason | None] = [None] * B
    history = [set(prompt.tolist()) for prompt in prompts]
    rows = list(range(B))  # those that go on; the state holds no other
    if not B or not max_tokens:
        return
    state = read_prompts(model, prompts)
    for i in range(1, max_tokens + 1):
        log_probs = model.log_probs(state)
        filtered = _distribution(log_probs, policy, [history[b] for b in rows])
        ids, given = np.full(B, NO_TOKEN), np.full(B, np.nan)
        for j, b in enumerate(rows):
            ids[b] = id = draw(filtered[j], draws[b].next())
            given[b] = log_probs[j, id]
            history[b].add(id)
            if id in stop_ids:
                finished[b] = "end" if id == EOS else "stop"
            elif i == max_tokens:
                finished[b] = "length"
        yield Step(ids, given, tuple(finished))
        going = [j for j, b in enumerate(rows) if finished[b] is None]
        if not going:
            return
        if len(going) < len(rows):
            state, rows = select(state, going), [rows[j] for j in going]
        state = model.advance(state, ids[rows])


def draw(log_probs: NDArray[np.floating[Any]], u: float) -> int:
    """The token of (V,) log-probabilities at the place u in [0, 1) of their cumulative sum, ids in order."""
    mass = np.cumsum(np.exp(log_probs, dtype=np.float64))
    id = int(np.searchsorted(mass, u * mass[-1], side="right"))
    return min(id, int(np.searchsorted(mass, mass[-1], side="left")))  # u * total may round up to the total


def _distribution(log_probs: LogProbs, policy: _Policy, history: Sequence[set[int]]) -> NDArray[Any]:
    if not (log_probs <= 1e-3).all():  # false for NaN; a little above 0 is rounding
        raise ModelError(
            "E-GENERATE-002",
            "the model gives NaN, or more than 1, for a probability",
            why="its weights are damaged, or its training diverged",
            mend="chekhov verify tells whether the files are whole; if they are, train with a lower learning rate",
        )
    exact = log_probs.astype(np.float64)
    masked = policy.mask(exact)
    if policy.repetition_penalty != 1:
        masked = penalise(masked, [sorted(ids) for ids in history], policy.repetition_penalty)
    filtered = policy.filter(masked)
    empty = np.asarray(np.isneginf(filtered).all(axis=1))
    if empty.any():
        end = np.full_like(exact, -np.inf)
        end[:, EOS] = exact[:, EOS]
        if np.isneginf(end[empty, EOS]).any():
            raise ModelError(
                "E-GENERATE-003",
                "the masks and filters leave no token to draw",
                why="the model gives all its mass to <unk>, or to forbidden tokens",
                mend="allow <unk> (--allow-unk), or train with a larger vocabulary",
            )
        filtered = np.where(empty[:, None], normalise(end), filtered)
    return filtered


def read_prompts(model: LanguageModel[Any], prompts: Sequence[Ids]) -> Any:
    """The states (B rows) after ``<s>`` and the prompts. Equal prompts are read once; the output layer is not paid for.

    All rows go forward together, the longest first, and a row leaves where its prompt ends.
    """
    distinct = sorted({tuple(prompt.tolist()) for prompt in prompts}, key=lambda prompt: (-len(prompt), prompt))
    place = {prompt: i for i, prompt in enumerate(distinct)}
    state, count = model.initial_state(len(distinct)), len(distinct)
    ended: list[Any] = []
    for t in range(len(distinct[0])):
        longer = sum(len(prompt) > t for prompt in distinct[:count])
        if longer < count:
            ended.append(select(state, range(longer, count)))
            state, count = select(state, range(longer)), longer
        state = model.advance(state, np.array([prompt[t] for prompt in distinct[:count]], dtype=np.int64))
    states = concatenate([state, *reversed(ended)])
    return select(states, [place[tuple(prompt.tolist())] for prompt in prompts])

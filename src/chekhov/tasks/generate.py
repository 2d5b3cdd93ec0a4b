"""Sampled text from any model: the filters in one order, one named stream of draws per sample."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from chekhov.errors import UsageError, check_range
from chekhov.evaluation.novelty import Source, novelty
from chekhov.generation import filters as cuts
from chekhov.generation.beam import beam_search
from chekhov.generation.sampling import NO_TOKEN, generate_steps
from chekhov.tasks.decoders import silent

if TYPE_CHECKING:
    from chekhov.tasks.text_model import TextModel

MAX_TOKENS = 10_000_000


@dataclass(frozen=True)
class Generated:
    text: str  # the prompt included
    tokens: list[str]  # the new ones
    seed: int
    finish_reason: str  # "length", "end" (</s> drawn) or "stop"

    def as_json(self) -> dict[str, Any]:
        return {"schema": 1, **self.__dict__}


def generate(
    model: TextModel,
    prompt: str = "",
    *,
    max_tokens: int = 100,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    repetition_penalty: float = 1.0,
    stop: Sequence[str] = (),
    seed: int = 0,
    num: int = 1,
    allow_unk: bool = False,
    beam: int | None = None,
    length_penalty: float = 0.0,
    precision: str = "float32",
    note: Callable[[str], None] = silent,
    watch: Callable[[str], None] | None = None,
) -> list[Generated]:
    """``num`` samples; sample i is the same alone or beside others (stream i of ``seed``).

    ``beam``: no drawing, but the ``num`` most probable texts that beam search finds, the best first; ``length_penalty``
    is its exponent. ``stop``: strings at whose first occurrence in the new text it is cut. ``precision``: of a net's
    arithmetic (`tasks.decoders.decoder`), and ``note`` tells if it cannot be had. ``watch`` gets the new text of sample
    0 as it grows. Raises `UsageError` naming the flag that is out of range.
    """
    check_range("num", num, 1, 100_000)
    check_range("max_tokens", max_tokens, 1, MAX_TOKENS)
    if any(not text for text in stop):
        raise UsageError("E-GENERATE-004", "a stop string is empty", mend="leave --stop out")
    prompt_ids, decoder = model.tokenizer.encode_prompt(prompt), model.decoder(precision, note)
    if beam is not None:
        check_range("num", num, 1, beam)
        if (temperature, top_k, top_p, min_p, repetition_penalty) != (1.0, None, None, None, 1.0):
            what = "beam search draws nothing: temperature, cuts and the penalty for repetition are for sampling"
            raise UsageError("E-GENERATE-005", what, mend="leave them out, or --beam")
        found = beam_search(
            decoder,
            prompt_ids,
            beam=beam,
            max_tokens=max_tokens,
            length_penalty=length_penalty,
            allow_unk=allow_unk,
        )
        return [finish(model, prompt, prompt_ids, list(h.ids), h.finish_reason, stop, seed) for h in found[:num]]
    steps = generate_steps(
        decoder,
        [prompt_ids] * num,
        max_tokens=max_tokens,
        filters=make_filters(temperature, top_k, top_p, min_p),
        repetition_penalty=repetition_penalty,
        seed=seed,
        allow_unk=allow_unk,
    )
    rows: list[list[int]] = [[] for _ in range(num)]
    reasons: list[str] = ["length"] * num
    shown = ""
    for count, step in enumerate(steps):
        for row, token in enumerate(step.ids.tolist()):
            if token != NO_TOKEN and step.finished[row] in (None, "length"):
                rows[row].append(token)
            reasons[row] = step.finished[row] or reasons[row]
        if watch is not None and not stop:
            text = continuation(model, prompt, prompt_ids, rows[0])
            if text.startswith(shown):
                watch(text[len(shown) :])
                shown = text
        if stop and count % 8 == 7 and all(stopped(model, row, stop) for row in rows):
            break
    return [
        finish(model, prompt, prompt_ids, row, reason, stop, seed) for row, reason in zip(rows, reasons, strict=True)
    ]


def make_filters(t: float, k: int | None, p: float | None, least: float | None) -> list[cuts.Filter]:
    """Temperature first, then the cuts, as every sampler of the field orders them."""
    filters = [cuts.temperature(t)] if t != 1 else []
    filters += [cuts.top_k(k)] if k is not None else []
    filters += [cuts.top_p(p)] if p is not None else []
    return filters + ([cuts.min_p(least)] if least is not None else [])


def continuation(model: TextModel, prompt: str, prompt_ids: Any, row: list[int]) -> str:
    """The text so far, prompt included. A lossy tokenizer joins the two by its rule for blanks."""
    if model.tokenizer.lossless or not len(prompt_ids):
        return prompt + model.tokenizer.decode(np.array(row, np.int64))
    return model.tokenizer.decode(np.concatenate([prompt_ids, np.array(row, np.int64)]))


def find_stop(text: str, stop: Sequence[str]) -> int | None:
    """The place of the first stop string; None if there is none."""
    return min((text.find(string) for string in stop if string in text), default=None)


def stopped(model: TextModel, row: list[int], stop: Sequence[str]) -> bool:
    return find_stop(model.tokenizer.decode(np.array(row, np.int64)), stop) is not None


def finish(
    model: TextModel, prompt: str, prompt_ids: Any, row: list[int], reason: str, stop: Sequence[str], seed: int
) -> Generated:
    text = continuation(model, prompt, prompt_ids, row)
    tokens = [model.tokenizer.vocabulary.token(token) for token in row]
    before = len(continuation(model, prompt, prompt_ids, []))
    place = find_stop(text[before:], stop)
    if place is not None:
        return Generated(text[: before + place], tokens, seed, "stop")
    return Generated(text, tokens, seed, reason)


def copied(samples: Sequence[Generated], model: TextModel, source: Sequence[str]) -> list[dict[str, Any]]:
    """What of each sample stands in ``source``: the longest span of it, and the share of n-grams that are new."""
    tokenizer = model.tokenizer
    known = Source([tokenizer.encode_prompt(text) for text in source])
    found = []
    for sample in samples:
        ids = np.array([tokenizer.vocabulary.id(token) for token in sample.tokens], np.int64)
        result = novelty(ids, known)
        start, length = result.copied
        found.append(
            {"copied_tokens": length, "copied": tokenizer.decode(ids[start : start + length]), "new": result.new}
        )
    return found

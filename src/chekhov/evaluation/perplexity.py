"""How well a model predicts a text: cross-entropy, perplexity, bits per character (DESIGN.md's definitions, one each).

cross_entropy       nats per token, <unk> at its probability, </s> counted
perplexity          exp(cross_entropy); perplexity_without_oov leaves the unknown tokens out
bits_per_character  all that it takes to write the text down: -log2 p of every token, and for each unknown token
                    its spelling besides (oov_bits), over all code points, blanks and line breaks included
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from chekhov.tokens.tokenizer import Tokenizer
from chekhov.tokens.vocabulary import RESERVED
from chekhov.types import UNK, Ids, LanguageModel

WARM_UP = 1_100  # tokens
BLOCK = 1 << 16  # tokens scored at once


@dataclass(frozen=True)
class Evaluation:
    """Figures of one model on one text.

    ``lossless``: the tokens give this text back to the letter. ``bits_per_character_without_zeros`` leaves the tokens
    of probability 0 out: what an unsmoothed model would have if it had never met them.
    """

    model: str
    kind: str
    parameters: int
    bytes: int
    tokens: int
    characters: int
    oov: int
    cross_entropy: float
    perplexity: float
    perplexity_without_oov: float
    bits_per_character: float
    bits_per_character_without_zeros: float
    bits_per_byte: float
    oov_bits: float
    zero_probability_tokens: int
    lossless: bool
    tokenizer: str
    tokenizer_digest: str
    seconds: float
    cpu_seconds: float
    tokens_per_second: float
    token_bits: tuple[np.ndarray, ...] = field(repr=False, compare=False)  # of each document (N,), spelling included

    @property
    def star(self) -> str:
        """``*`` where bits per character are not those of the whole text to the letter."""
        return "" if self.lossless and self.kind != "chain" else "*"

    def as_json(self) -> dict[str, Any]:
        record = {"schema": 1, **asdict(self)}
        del record["token_bits"]
        return {key: None if isinstance(v, float) and not math.isfinite(v) else v for key, v in record.items()}


def token_log_probs(model: LanguageModel[Any], ids: Ids) -> np.ndarray:
    """ids (N,) of one document -> log p of each (N,), from the initial state, the state carried."""
    state, parts = model.initial_state(1), []
    for start in range(0, len(ids), BLOCK):
        log_probs, state = model.score(state, ids[None, start : start + BLOCK])
        parts.append(log_probs[0])
    return np.concatenate(parts) if parts else np.empty(0, np.float32)


def evaluate(
    model: LanguageModel[Any], tokenizer: Tokenizer, texts: Sequence[str], *, name: str = "", stored_bytes: int = 0
) -> Evaluation:
    """Score every document of a corpus from the initial state."""
    started, cpu_started = time.monotonic(), time.process_time()
    documents = [tokenizer.encode(text) for text in texts]
    for ids in documents[:1]:
        token_log_probs(model, ids[:WARM_UP])  # what is loaded or compiled at the first use is no part of the speed
    encoded_in, encode_cpu = time.monotonic() - started, time.process_time() - cpu_started
    scored = [token_log_probs(model, ids) for ids in documents]
    seconds = time.monotonic() - started - encoded_in
    cpu_seconds = time.process_time() - cpu_started - encode_cpu
    ids = np.concatenate(documents) if documents else np.empty(0, np.int64)
    log_probs = np.concatenate(scored).astype(np.float64) if scored else np.empty(0)
    unknown = ids == UNK
    spelling = np.zeros(len(ids))
    spelt = list(unknown_tokens(tokenizer, texts, documents))
    bits_of = {token: tokenizer.spelling_bits(token) for token in set(spelt)}
    spelling[unknown] = [bits_of[token] for token in spelt]
    oov_bits = float(spelling.sum())
    characters, size = sum(map(len, texts)), sum(len(text.encode()) for text in texts)
    total = -float(log_probs.sum())
    possible = -float(log_probs[np.isfinite(log_probs)].sum())
    tokens = len(ids)
    bits = total / math.log(2) + oov_bits
    entropy = total / tokens if tokens else math.nan
    known = -float(log_probs[~unknown].mean()) if (~unknown).any() else math.nan
    return Evaluation(
        model=name,
        kind=model.kind,
        parameters=model.parameter_count,
        bytes=stored_bytes,
        tokens=tokens,
        characters=characters,
        oov=int(unknown.sum()),
        cross_entropy=entropy,
        perplexity=_exp(entropy),
        perplexity_without_oov=_exp(known),
        bits_per_character=bits / characters if characters else math.nan,
        bits_per_character_without_zeros=(possible / math.log(2) + oov_bits) / characters if characters else math.nan,
        bits_per_byte=bits / size if size else math.nan,
        oov_bits=oov_bits,
        zero_probability_tokens=int(np.isneginf(log_probs).sum()),
        lossless=tokenizer.lossless or gives_back(tokenizer, texts, documents),
        tokenizer=tokenizer.name,
        tokenizer_digest=tokenizer.digest,
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        tokens_per_second=tokens / max(seconds, 1e-9),
        token_bits=tuple(np.split(spelling - log_probs / math.log(2), np.cumsum(list(map(len, documents)))[:-1])),
    )


def gives_back(tokenizer: Tokenizer, texts: Sequence[str], documents: Sequence[Ids]) -> bool:
    """Whether a tokenizer that is lossy in general loses nothing of these texts."""
    return all(  # <unk> gives back nothing but itself, and is seen sooner than a whole text is put together
        (RESERVED[UNK] in text or not (ids == UNK).any()) and tokenizer.decode(ids) == text
        for text, ids in zip(texts, documents, strict=True)
    )


def unknown_tokens(tokenizer: Tokenizer, texts: Sequence[str], documents: Sequence[Ids]) -> Iterator[str]:
    """The spellings that ``<unk>`` stands for, in order; a text without any is not cut up again."""
    for text, ids in zip(texts, documents, strict=True):
        places = np.flatnonzero(ids == UNK)
        if len(places):
            tokens = tokenizer.segment(text)
            yield from (tokens[place] for place in places)


def _exp(nats: float) -> float:
    return math.inf if nats > 700 else math.exp(nats)

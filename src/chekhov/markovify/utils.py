"""Several models as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chekhov.markovify.chain import Chain
from chekhov.markovify.text import Text
from chekhov.ngram.sentence_chain import BEFORE, chain_of_rows


def combine(models: Sequence[Any], weights: Sequence[float] | None = None) -> Any:
    """Chains, texts, dictionaries or lists of states as one, their counts times ``weights``."""
    weights = [1] * len(models) if weights is None else list(weights)
    if len(models) != len(weights):
        raise ValueError(f"{len(models)} models have {len(weights)} weights")
    if len(set(map(type, models))) != 1:
        raise ValueError("models of different types cannot be combined")
    if any(isinstance(m, (Chain, Text)) and (m if isinstance(m, Chain) else m.chain).compiled for m in models):
        raise ValueError("a compiled model cannot be combined: combine first")
    if isinstance(models[0], (list, dict)):
        chains = [Chain.from_json(model) for model in models]
    elif isinstance(models[0], (Chain, Text)):
        chains = [model if isinstance(model, Chain) else model.chain for model in models]
    else:
        raise ValueError(f"a {type(models[0]).__name__} is no Text, Chain, dictionary or list of states")
    if len({chain.state_size for chain in chains}) != 1:
        raise ValueError("models of different state sizes cannot be combined")
    ids: dict[Any, int] = {}
    states, follows, amounts = [], [], []
    for chain, weight in zip(chains, weights, strict=True):
        numbers = np.array([*(ids.setdefault(word, len(ids)) for word in chain.words), BEFORE], np.int32)  # [-1]: -1
        core = chain.core
        states.append(np.repeat(numbers[core.states], np.diff(core.offsets), axis=0))
        follows.append(numbers[core.follows])
        amounts.append(core.weights().astype(np.float64) * weight)
    core = chain_of_rows(np.concatenate(states), np.concatenate(follows), np.concatenate(amounts))
    combined = Chain._of(list(ids), core)
    first = models[0]
    if isinstance(first, Chain):
        return combined
    if isinstance(first, dict):
        return combined.model
    if isinstance(first, list):
        return list(combined.model.items())
    kept = [sentence for model in models if model.retain_original for sentence in model.parsed_sentences]
    return type(first)(None, state_size=core.order, chain=combined, parsed_sentences=kept or None)

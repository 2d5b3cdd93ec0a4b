"""Interpolate trained models: their weights by EM on held-out text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import chekhov
from chekhov.errors import UsageError
from chekhov.evaluation.perplexity import token_log_probs
from chekhov.mixture import Mixture, fit_weights
from chekhov.tasks.text_model import TextModel

ORIGIN = ("text", "text_digest", "split", "split_by", "seed")


def mix(models: Sequence[TextModel], valid: Sequence[str], *, command: str = "") -> TextModel:
    """The mixture of ``models`` that gives the ``valid`` documents the highest likelihood.

    Raises `UsageError` unless all read the same tokens (equal tokenizer digests).
    """
    if len(models) < 2:
        raise UsageError("E-MIX-005", "a mixture needs two models or more", mend="name two model folders")
    tokenizer = models[0].tokenizer
    for model in models[1:]:
        if model.tokenizer.digest != tokenizer.digest:
            raise UsageError(
                "E-MIX-006",
                f"{models[0].name} and {model.name} read different tokens",
                why=f"{tokenizer.name} {tokenizer.digest[:8]} and {model.tokenizer.name} {model.tokenizer.digest[:8]}",
                mend=f"train one of them with --tokenizer and the folder of the other, e.g. {models[0].name}",
            )
        if model.kind == "mixture" or models[0].kind == "mixture":
            raise UsageError("E-MIX-007", "a mixture cannot be mixed again", mend="mix its parts at once")
    log_probs = [
        np.concatenate([token_log_probs(model.model, tokenizer.encode(text)) for text in valid]) for model in models
    ]
    weights = fit_weights(np.stack(log_probs))
    names = distinct([model.name or model.kind for model in models])
    origin = {key: value for key, value in models[0].training.items() if key in ORIGIN}
    training: dict[str, Any] = {
        "name": " + ".join(names),
        "chekhov": chekhov.__version__,
        **origin,
        "command": command,
        "weights": {name: round(float(w), 6) for name, w in zip(names, weights, strict=True)},
        "cpu_seconds": round(sum(model.training.get("cpu_seconds", 0.0) for model in models), 3),
        "seconds": round(sum(model.training.get("seconds", 0.0) for model in models), 3),
    }
    return TextModel(Mixture([model.model for model in models], weights.tolist()), tokenizer, training)


def distinct(names: Sequence[str]) -> list[str]:
    """a/lstm and b/lstm are both called lstm: the second becomes "lstm (2)", so that each keeps its weight."""
    return [
        f"{name} ({names[:i].count(name) + 1})" if name in names[:i] else name for i, name in enumerate(list(names))
    ]

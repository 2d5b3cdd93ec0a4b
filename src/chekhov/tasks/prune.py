"""A smaller n-gram model out of a trained one: fewer n-grams, or fewer bits for each."""

from __future__ import annotations

from typing import Any

import chekhov
from chekhov.errors import UsageError
from chekhov.ngram.entropy import prune_by_entropy
from chekhov.ngram.model import NGram
from chekhov.ngram.packed import PackedNGram
from chekhov.ngram.packing import pack
from chekhov.tasks.text_model import TextModel


def prune(
    model: TextModel, *, threshold: float | None = None, size: int | None = None, name: str = "", command: str = ""
) -> TextModel:
    """The model without the n-grams that matter least: see `ngram.entropy`.

    Raises `UsageError` for another kind of model, or if not exactly one of ``threshold`` and ``size`` is given.
    """
    whole = ngram_of(model)
    table, least = prune_by_entropy(whole.table, threshold=threshold, size=size)
    training = made_from(model, name, command, f"entropy pruning at {least:.3g}") | {"threshold": least}
    return TextModel(NGram(table, whole.smoothing), model.tokenizer, training, name=name or model.name)


def quantise(model: TextModel, *, name: str = "", command: str = "") -> TextModel:
    """The model in four to five bytes an n-gram, its probabilities and back-offs in 8 bits each: see `ngram.packed`.

    Raises `UsageError` for another kind of model, and for one of order 1.
    """
    whole = ngram_of(model)
    if whole.order < 2:
        raise UsageError("E-PRUNE-007", "a model of order 1 is small already", mend="leave it as it is")
    training = made_from(model, name, command, "probabilities and back-offs in 8 bits")
    return TextModel(
        PackedNGram(pack(whole.table), whole.smoothing), model.tokenizer, training, name=name or model.name
    )


def ngram_of(model: TextModel) -> NGram:
    if not isinstance(model.model, NGram):
        what = f"a model of kind {model.kind} has no n-grams that can be made smaller"
        raise UsageError("E-PRUNE-006", what, mend="give one that `chekhov train ngram` or `import` wrote")
    return model.model


def made_from(model: TextModel, name: str, command: str, how: str) -> dict[str, Any]:
    """The record of a model that was made of ``model``."""
    training = {key: value for key, value in model.training.items() if key not in ("valid", "test")}
    training |= {"name": name or model.name, "chekhov": chekhov.__version__, "command": command}
    training["notes"] = [*training.get("notes", []), how]
    return training

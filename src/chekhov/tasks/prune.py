"""A smaller n-gram model out of a trained one."""

from __future__ import annotations

import chekhov
from chekhov.errors import UsageError
from chekhov.ngram.entropy import prune_by_entropy
from chekhov.ngram.model import NGram
from chekhov.tasks.text_model import TextModel


def prune(
    model: TextModel, *, threshold: float | None = None, size: int | None = None, name: str = "", command: str = ""
) -> TextModel:
    """The model without the n-grams that matter least: see `ngram.entropy`.

    Raises `UsageError` for another kind of model, or if not exactly one of ``threshold`` and ``size`` is given.
    """
    if not isinstance(model.model, NGram):
        what = f"a model of kind {model.kind} has no n-grams to drop"
        raise UsageError("E-PRUNE-006", what, mend="give one that `chekhov train ngram` or `import` wrote")
    table, least = prune_by_entropy(model.model.table, threshold=threshold, size=size)
    training = {key: value for key, value in model.training.items() if key not in ("valid", "test")}
    training |= {"name": name or model.name, "chekhov": chekhov.__version__, "command": command, "threshold": least}
    training["notes"] = [*training.get("notes", []), f"entropy pruning at {least:.3g}"]
    return TextModel(NGram(table, model.model.smoothing), model.tokenizer, training, name=name or model.name)

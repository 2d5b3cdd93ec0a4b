"""The log-linear models that stand beside the net of a tagger, one for each column."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chekhov.errors import ModelError
from chekhov.labels.features import Words
from chekhov.labels.log_linear import LogLinear
from chekhov.types import Arrays

MAX_TAGS = 64  # of a column; the table of more would be large
SHARES = (0.4, 0.2, 0.6, 0.8, 1.0, 0.0)  # the first until the net is trained; of equally good ones the first is kept
SHARE, CODES, WEIGHTS = "linear.share", "linear.codes.", "linear.weights."  # of arrays; the column's number follows


@dataclass
class LinearPartner:
    """score(tag) = the net's + ``share`` * the log-linear model's, where a column has one: a product of probabilities
    (Hinton 2002, products of experts). ``at``: where the affixes begin among the features of words."""

    models: dict[int, LogLinear]
    at: int
    share: float = SHARES[0]

    @classmethod
    def fit(cls, words: Words, at: int, targets: NDArray[np.int64], tags: list[int], seed: int) -> LinearPartner:
        """targets (columns, words); ``tags``: of each column."""
        columns = [column for column, count in enumerate(tags) if count <= MAX_TAGS]
        return cls({c: LogLinear.fit(words, at, targets[c], tags[c], seed) for c in columns}, at)

    def scores(self, words: Words) -> dict[int, NDArray[np.float32]]:
        """(words, tags) to add to those of the net, by column."""
        if self.share == 0:
            return {}
        return {column: self.share * model.scores(words, self.at) for column, model in self.models.items()}

    def choose(self, error: Callable[[], float]) -> None:
        """Take the share with the least ``error()``."""
        errors = []
        for self.share in SHARES:
            errors.append(error())
        self.share = SHARES[int(np.argmin(errors))]

    @property
    def parameter_count(self) -> int:
        return sum(len(model.rows) * model.tags for model in self.models.values())

    def arrays(self) -> Arrays:
        if self.share == 0:
            return {}
        codes = {f"{CODES}{column}": model.codes for column, model in self.models.items()}
        weights = {f"{WEIGHTS}{column}": model.weights for column, model in self.models.items()}
        return {SHARE: np.array([self.share], np.float32), **codes, **weights}

    @classmethod
    def from_stored(cls, arrays: Arrays, at: int | None, tags: list[int]) -> tuple[LinearPartner, Arrays]:
        """And the arrays that are others'. ModelError for weights that do not fit ``tags``, or are not finite."""
        rest = dict(arrays)
        shared = rest.pop(SHARE, np.zeros(1, np.float32))
        if shared.shape != (1,):
            what = f"the weight {SHARE} has shape {shared.shape}, expected (1,)"
            raise ModelError("E-MODEL-013", what, mend="train the model again")
        share = float(shared[0])
        models = {}
        for column, count in enumerate(tags):
            name = f"{WEIGHTS}{column}"
            weights = rest.pop(name, None)
            if weights is None:
                continue
            codes = rest.pop(f"{CODES}{column}", np.zeros(0, np.uint64))
            if at is None or weights.shape != (codes.size, count) or codes.ndim != 1 or codes.dtype != np.uint64:
                what = f"the weights {name} have shape {weights.shape}, expected {(codes.size, count)}"
                what += f", with codes of uint64, not {codes.dtype} {codes.shape}"
                raise ModelError("E-MODEL-013", what, mend="train the model again")
            if not (np.isfinite(weights).all() and np.isfinite(share)):
                raise ModelError(
                    "E-MODEL-014", f"{name} or {SHARE} holds NaN or infinity", mend="train the model again"
                )
            models[column] = LogLinear.of(codes, weights)
        return cls(models, at or 0, share if models else 0.0), rest

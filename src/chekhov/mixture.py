"""A mixture of models is a model: p(w | past) = sum_k weight_k p_k(w | past) (Jelinek & Mercer 1980).

The components read the same ids; the weights are fitted by EM on held-out text, where each step raises its likelihood.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chekhov.errors import COPY_AGAIN, ModelError
from chekhov.types import Arrays, Ids, LanguageModel, LogProbs


class Mixture:
    kind = "mixture"

    def __init__(self, components: Sequence[LanguageModel[Any]], weights: Sequence[float]):
        self.components = tuple(components)
        self.weights = np.asarray(weights, np.float64)
        if len(self.components) != len(self.weights) or not self.components:
            raise ModelError(
                "E-MIX-001",
                f"{len(self.components)} models and {len(self.weights)} weights do not pair",
                mend=COPY_AGAIN,
            )
        if (self.weights < 0).any() or not abs(self.weights.sum() - 1) < 1e-6:
            raise ModelError(
                "E-MIX-002", "the weights of a mixture are not probabilities that sum to 1", mend=COPY_AGAIN
            )
        if len({model.vocab_size for model in components}) != 1:
            raise ModelError(
                "E-MIX-003",
                "the models of a mixture have vocabularies of different sizes",
                mend="mix models that share a tokenizer",
            )
        self.vocab_size = components[0].vocab_size

    def initial_state(self, batch_size: int) -> tuple[Any, ...]:
        return tuple(model.initial_state(batch_size) for model in self.components)

    def log_probs(self, state: tuple[Any, ...]) -> LogProbs:
        rows = [model.log_probs(part) for model, part in zip(self.components, state, strict=True)]
        return interpolate(np.stack(rows), self.weights)

    def advance(self, state: tuple[Any, ...], tokens: Ids) -> tuple[Any, ...]:
        return tuple(model.advance(part, tokens) for model, part in zip(self.components, state, strict=True))

    def score(self, state: tuple[Any, ...], ids: Ids) -> tuple[LogProbs, tuple[Any, ...]]:
        scored = [model.score(part, ids) for model, part in zip(self.components, state, strict=True)]
        return interpolate(np.stack([log_probs for log_probs, _ in scored]), self.weights), tuple(s for _, s in scored)

    def sizes(self) -> dict[str, Any]:
        return {"components": [{"kind": model.kind, "sizes": model.sizes()} for model in self.components]}

    def arrays(self) -> Arrays:
        """The components' arrays under ``0.``, ``1.``, ... and the weights."""
        stored: Arrays = {"weights": self.weights}
        for index, model in enumerate(self.components):
            stored.update({f"{index}.{name}": array for name, array in model.arrays().items()})
        return stored

    @property
    def parameter_count(self) -> int:
        return len(self.weights) + sum(model.parameter_count for model in self.components)


def interpolate(log_probs: NDArray[np.float32], weights: NDArray[np.float64]) -> LogProbs:
    """log sum_k weight_k exp(log_probs[k]); log_probs (K, ...), weights (K,), summed in float64."""
    with np.errstate(divide="ignore"):
        logs = log_probs.astype(np.float64) + np.log(weights).reshape(-1, *[1] * (log_probs.ndim - 1))
    top = logs.max(axis=0)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return (top + np.log(np.exp(logs - top).sum(axis=0))).astype(np.float32)


def fit_weights(log_probs: NDArray[np.float32], *, tolerance: float = 1e-9, rounds: int = 1000) -> NDArray[np.float64]:
    """EM for the weights of fixed components; log_probs (K, N) of N held-out tokens -> (K,), sums to 1.

    Expectation: the share of each token that each component explains; maximisation: the mean of these shares
    (Dempster, Laird & Rubin 1977). Tokens to which no component gives a chance are left out.
    """
    logs = log_probs[:, np.isfinite(log_probs).any(axis=0)].astype(np.float64)
    if logs.shape[1] == 0:
        raise ModelError(
            "E-MIX-004", "no held-out token has a probability under any model", mend="give other --valid text"
        )
    probabilities = np.exp(logs - logs.max(axis=0))
    weights = np.full(len(logs), 1 / len(logs))
    for _ in range(rounds):
        shares = weights[:, None] * probabilities
        updated = (shares / shares.sum(axis=0)).mean(axis=1)
        done = np.abs(updated - weights).max() < tolerance
        weights = updated
        if done:
            break
    return weights / weights.sum()

"""Mixtures: the contract, EM against a grid, and the promise that no component alone is better on the fitted text."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from chekhov.errors import ModelError
from chekhov.mixture import Mixture, fit_weights, interpolate
from chekhov.recurrent.language_model import RecurrentLM
from chekhov.testing import check_language_model


def net(seed: int) -> RecurrentLM:
    torch.manual_seed(seed)
    return RecurrentLM("lstm", 7, embedding_size=3, hidden_size=4).eval()


def test_a_mixture_is_a_language_model() -> None:
    check_language_model(Mixture([net(1), net(2)], [0.3, 0.7]), np.random.default_rng(0))


def test_interpolation_is_the_weighted_mean_of_probabilities() -> None:
    p = np.array([[0.5, 0.0], [0.1, 0.9]])
    with np.errstate(divide="ignore"):
        mixed = np.exp(interpolate(np.log(p).astype(np.float32), np.array([0.25, 0.75])))
    np.testing.assert_allclose(mixed, [0.2, 0.675], atol=1e-7)


def test_em_finds_the_best_weight_of_a_grid() -> None:
    rng = np.random.default_rng(5)
    logs = np.log(rng.uniform(0.01, 1, size=(2, 400))).astype(np.float32)
    grid = np.linspace(0.001, 0.999, 999)
    likelihood = [interpolate(logs, np.array([w, 1 - w])).sum() for w in grid]
    assert fit_weights(logs)[0] == pytest.approx(grid[int(np.argmax(likelihood))], abs=2e-3)


def test_the_mixture_is_at_least_as_good_as_its_best_part() -> None:
    rng = np.random.default_rng(6)
    logs = np.log(rng.uniform(0.001, 1, size=(3, 200))).astype(np.float32)
    mixed = interpolate(logs, fit_weights(logs)).mean()
    assert mixed >= logs.mean(axis=1).max()


def test_tokens_that_no_part_can_explain_do_not_spoil_the_weights() -> None:
    logs = np.array([[-1.0, -np.inf, -2.0], [-2.0, -np.inf, -1.0]], np.float32)
    np.testing.assert_allclose(fit_weights(logs), [0.5, 0.5], atol=1e-6)


@pytest.mark.parametrize("weights", [[0.5, 0.6], [1.5, -0.5], [1.0]])
def test_weights_that_are_no_distribution_are_refused(weights: list[float]) -> None:
    with pytest.raises(ModelError):
        Mixture([net(1), net(2)], weights)

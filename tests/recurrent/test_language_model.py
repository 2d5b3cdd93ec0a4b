"""The recurrent language model keeps the contract; hostile weights are refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from chekhov.errors import ModelError, UsageError
from chekhov.recurrent.language_model import RecurrentLM
from chekhov.testing import check_language_model


def small(num_layers: int = 1) -> RecurrentLM:
    torch.manual_seed(3)
    return RecurrentLM("lstm", 9, embedding_size=4, hidden_size=6, num_layers=num_layers, dropout=0.3).eval()


@pytest.mark.parametrize("num_layers", [1, 2])
def test_it_keeps_the_contract(num_layers: int) -> None:
    check_language_model(small(num_layers), np.random.default_rng(0))


def test_it_carries_its_state_over_the_end_of_a_sentence() -> None:
    model = small()
    ids = np.array([[4, 5, 2, 6], [7, 8, 2, 6]])
    scores, _ = model.score(model.initial_state(2), ids)
    assert scores[0, 3] != scores[1, 3]


def test_the_training_loss_is_the_score() -> None:
    from chekhov.batches.streams import Streams
    from chekhov.training.objectives import next_token

    model = small()
    ids = np.random.default_rng(1).integers(2, 9, size=40)
    batch = Streams(ids, batch_size=1, sequence_length=40).batch(0)
    loss, _ = next_token(model, "float32")(batch, None)
    model.head.bias.data[1] = -1e9  # <s> is no target; the training loss leaves its column in
    exact, _ = next_token(model, "float32")(batch, None)
    scores, _ = model.score(model.initial_state(1), ids[None])
    assert float(exact.detach()) == pytest.approx(-scores.mean(), abs=1e-5)
    assert float(loss.detach()) > float(exact.detach())


@pytest.mark.parametrize("alpha, beta", [(2.0, 0.0), (0.0, 1.0), (2.0, 1.0)])
@pytest.mark.parametrize("length", [1, 7])
def test_activation_penalties_reach_the_gradient_and_not_the_loss(alpha: float, beta: float, length: int) -> None:
    from chekhov.batches.streams import Batch
    from chekhov.training.objectives import next_token

    model = small(2).train()
    ids = np.random.default_rng(1).integers(3, 9, size=(2, 3, length))
    found, slopes = [], []
    for penalised in (True, False):
        torch.manual_seed(0)
        objective = next_token(model, "float32", **({"alpha": alpha, "beta": beta} if penalised else {}))
        kept = []
        for name in ("outputs", "dropped"):
            own = getattr(type(model), name)
            setattr(model, name, lambda *a, own=own, kept=kept: kept.append(own(model, *a)) or kept[-1])
        loss, _ = objective(Batch(ids[0], ids[1], False), None)
        _, (outputs, _), features = kept  # the first is the embedding
        found.append(loss)
        if not penalised:  # Merity, McCann & Socher's formula as their code has it
            loss = loss + alpha * features.pow(2).mean()
            if length > 1:
                loss = loss + beta * (outputs[:, 1:] - outputs[:, :-1]).pow(2).mean()
        slopes.append(torch.autograd.grad(3 * loss, list(model.parameters())))
    assert torch.equal(*found)
    for one, other in zip(*slopes, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)


def test_sizes_out_of_range_are_named() -> None:
    with pytest.raises(UsageError, match="hidden_size is 0"):
        RecurrentLM("lstm", 9, hidden_size=0)


def test_weights_that_do_not_fit_are_refused_before_anything_is_allocated() -> None:
    model = small()
    arrays = {name: np.array(array) for name, array in model.arrays().items()}
    with pytest.raises(ModelError, match=r"expected \(9, 16384\)"):
        RecurrentLM.from_arrays({**model.sizes(), "hidden_size": 16384}, arrays)
    arrays["head.bias"][2] = np.nan
    with pytest.raises(ModelError, match=r"head\.bias holds NaN"):
        RecurrentLM.from_arrays(model.sizes(), arrays)
    del arrays["head.bias"]
    with pytest.raises(ModelError, match=r"head\.bias has shape None"):
        RecurrentLM.from_arrays(model.sizes(), arrays)

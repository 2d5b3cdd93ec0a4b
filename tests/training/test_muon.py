"""Muon: its iteration against a polynomial of singular values, its steps against PyTorch's, the weights it takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from chekhov.recurrent.language_model import CELLS, RecurrentLM
from chekhov.training import muon
from chekhov.training.loop import Plan
from chekhov.training.muon import Muon, by_parts, matrices_of, orthogonalised
from chekhov.training.optimisers import make_optimisers


def reference(X: np.ndarray) -> np.ndarray:
    """By the singular values, in float64: each is sent through the odd polynomial three times."""
    U, S, V = np.linalg.svd(X.astype(np.float64), full_matrices=False)
    S = S / max((S**4).sum() ** 0.25, 1e-15)
    for _ in range(muon.ITERATIONS):
        S = muon.a * S + muon.b * S**3 + muon.c * S**5
    return (U * S) @ V


@given(st.integers(1, 3), st.integers(1, 40), st.integers(1, 40), st.integers(-6, 6), st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_the_iteration_is_its_polynomial_of_the_singular_values(
    n: int, rows: int, columns: int, scale: int, seed: int
) -> None:
    torch.manual_seed(seed)
    matrices = torch.randn(n, rows, columns) * 10.0**scale
    for found, matrix in zip(orthogonalised(matrices), matrices):
        np.testing.assert_allclose(found, reference(matrix.numpy()), atol=2e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_singular_values_come_near_one(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    found = torch.linalg.svdvals(orthogonalised(torch.randn(4, 64, 256).to(dtype)).float())
    assert found.min() > 0.6 and found.max() < 1.25


def test_no_gradient_is_no_step() -> None:
    assert not orthogonalised(torch.zeros(2, 8, 8)).any()


@pytest.mark.parametrize("H", [5, 64, 65, 130])
def test_each_gate_and_part_goes_by_itself(H: int) -> None:
    """Also where a gate's rows cannot be cut into equal parts."""
    torch.manual_seed(0)
    matrix, parts = torch.randn(3 * H, 20), -(-H // muon.ROWS)
    found = by_parts(matrix, 3)
    for gate, own in zip(matrix.split(H), found.split(H)):
        rows = -(-H // parts)
        for part, step in zip(gate.split(rows), own.split(rows)):
            torch.testing.assert_close(step, orthogonalised(part[None])[0], atol=1e-4, rtol=1e-4)


def test_a_step_goes_nearly_where_pytorchs_muon_goes() -> None:
    """PyTorch's has Jordan's normalisation and five iterations in bfloat16; the length is the same by design."""
    torch.manual_seed(0)
    start, steps = torch.randn(64, 96), []
    flags = {"lr": 0.02, "weight_decay": 0.1}
    for kind in ("ours", "torch"):
        weight = torch.nn.Parameter(start.clone())
        torch.manual_seed(1)
        theirs = torch.optim.Muon([weight], momentum=muon.MOMENTUM, adjust_lr_fn="match_rms_adamw", **flags)
        optimiser = Muon([(weight, 1)], **flags) if kind == "ours" else theirs
        for _ in range(5):
            weight.grad = torch.randn(64, 96)
            optimiser.step()
        steps.append((weight.detach() - start).flatten())
    assert torch.nn.functional.cosine_similarity(*steps, dim=0) > 0.97
    assert float(steps[0].norm() / steps[1].norm()) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("cell", CELLS)
def test_it_takes_the_matrices_of_cells_and_nothing_else(cell: str) -> None:
    net = RecurrentLM(cell, 11, embedding_size=7, hidden_size=6, num_layers=2)
    taken = {id(matrix): gates for matrix, gates in matrices_of(net)}
    for name, weight in net.named_parameters():
        is_matrix = name.startswith("stack.") and weight.ndim == 2 and len(weight) % 6 == 0
        assert (id(weight) in taken) == is_matrix, name
        assert taken.get(id(weight), len(weight) // 6) == len(weight) // 6


def test_every_weight_has_one_optimiser() -> None:
    net = RecurrentLM("lstm", 11, embedding_size=7, hidden_size=6)
    rest, matrices = make_optimisers(net, Plan(optimiser="muon"))
    both = [{id(w) for group in each.param_groups for w in group["params"]} for each in (rest, matrices)]
    assert not both[0] & both[1]
    assert both[0] | both[1] == {id(w) for w in net.parameters()}
    assert isinstance(matrices, Muon) and len(both[1]) == 2


def test_a_closure_reckons_the_gradient_of_its_step() -> None:
    weight = torch.nn.Parameter(torch.eye(4))
    optimiser = Muon([(weight, 1)], lr=0.1)

    def closure() -> torch.Tensor:
        loss = weight.square().sum()
        (weight.grad,) = torch.autograd.grad(loss, [weight])
        return loss.detach()

    losses = [float(optimiser.step(closure)) for _ in range(5)]
    assert losses == sorted(losses, reverse=True) and losses[-1] < losses[0] == 4


@pytest.mark.parametrize("there", [True, False])
def test_it_multiplies_in_bf16_only_where_the_processor_does(there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chekhov.training.optimisers.multiplies_bf16", lambda: there)
    plan = Plan(optimiser="muon", precision="bf16")
    optimiser: Any = make_optimisers(RecurrentLM("lstm", 9, embedding_size=4, hidden_size=6), plan)[1]
    assert optimiser.dtype == (torch.bfloat16 if there else torch.float32)

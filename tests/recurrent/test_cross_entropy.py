"""Sums of products and cross-entropy in bfloat16 against float64: fresh inputs, odd sizes, poisoned memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from chekhov.kernels import dispatch
from chekhov.recurrent import workspace
from chekhov.recurrent.cross_entropy import LinearCrossEntropy
from chekhov.recurrent.matrices import PANEL, bfloat_lines, sums_of_products, up

pytestmark = pytest.mark.skipif(not dispatch.chosen().bf16, reason=f"no bfloat16: {dispatch.chosen().why}")
SIZES = [(1, 1, 1), (5, 7, 3), (40, 33, 65), (33, 65, 600), (100, 700, 1030)]  # N, H, V


def poison() -> None:
    for buffers in workspace.WORKSPACE.buffers.values():
        for buffer, _ in buffers:
            buffer[:] = 0xFF


def error(found: Tensor, expected: Tensor) -> float:
    return float((found.double() - expected).norm() / expected.norm())


@pytest.mark.parametrize("gates, width", [(4, 16), (3, 32), (1, 32)])
@pytest.mark.parametrize("H, K, N", [(16, 3, 5), (40, 70, 33), (64, 32, 1500), (33, 100, 800)])
def test_sums_of_products(gates: int, width: int, H: int, K: int, N: int) -> None:
    poison()
    units = up(H, PANEL)
    left, right = torch.randn(N, gates, units // width, width), torch.randn(N, K)
    lines = left.transpose(1, 2).reshape(N, gates * units)  # interleaved
    rounded = bfloat_lines(lines), bfloat_lines(right)
    found = sums_of_products(rounded[0], [rounded[1]] * 2, [K, K], gates, H, width)
    natural = rounded[0][:N].double().view(N, units // width, gates, width).transpose(1, 2).reshape(N, gates, units)
    expected = (natural[:, :, :H].flatten(1).t() @ rounded[1][:N, :K].double()).view(gates * H, K)
    assert all(error(one, expected) < 1e-6 for one in found)


@pytest.mark.parametrize("N, H, V", SIZES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_cross_entropy_and_its_gradients(N: int, H: int, V: int, dtype: torch.dtype) -> None:
    poison()
    features, W, b = torch.randn(N, H).to(dtype), 2 * H**-0.5 * torch.randn(V, H), torch.randn(V)
    targets = torch.randint(0, V, (N,))
    inputs = [tensor.clone().requires_grad_() for tensor in (features, W, b)]
    with torch.autocast("cpu", torch.bfloat16):
        loss = LinearCrossEntropy.apply(*inputs, targets)
    (7 * loss).backward()
    twins = [tensor.bfloat16().double().requires_grad_() for tensor in (features, W)] + [b.double().requires_grad_()]
    expected = F.cross_entropy(F.linear(*twins), targets)
    (7 * expected).backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6, abs=1e-6)
    if V == 1:
        assert all(float(one.grad.abs().max()) == 0 for one in inputs)
    else:
        assert all(error(one.grad, twin.grad) < 2e-2 for one, twin in zip(inputs, twins))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_is_not_hidden(bad: float) -> None:
    features, targets = torch.randn(9, 20), torch.zeros(9, dtype=torch.long)
    features[4, 3] = bad
    loss = LinearCrossEntropy.apply(features, torch.randn(50, 20), torch.zeros(50), targets)
    assert not loss.isfinite()


def test_a_certain_prediction_keeps_its_small_gradient() -> None:
    """p - 1 where p is nearly 1: not the difference of two rounded numbers."""
    W, b = torch.zeros(40, 8, requires_grad=True), torch.zeros(40)
    b[3] = 12.0
    b.requires_grad_()
    loss = LinearCrossEntropy.apply(torch.randn(1, 8), W, b, torch.tensor([3]))
    loss.backward()
    assert float(b.grad[3]) == pytest.approx(-39 / (39 + np.exp(12.0)), rel=0.02)

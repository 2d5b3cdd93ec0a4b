"""Dropout by kernels and by PyTorch: how many, which, and that the gradient has the same mask."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from chekhov.kernels import dispatch
from chekhov.recurrent.dropout import dropout

DTYPES = [torch.float32, torch.bfloat16, torch.float64]  # the last one by PyTorch


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("locked", [False, True])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_share_scale_and_gradient(share: float, locked: bool, dtype: torch.dtype) -> None:
    x = torch.randn(50, 7, 45, dtype=dtype).requires_grad_()
    y = dropout(x, share, True, locked=locked)
    zero = y.detach() == 0
    draws = zero[:, 0].numel() if locked else zero.numel()
    assert abs(float(zero.double().mean()) - share) < 5 * (share * (1 - share) / draws) ** 0.5
    torch.testing.assert_close(y[~zero], (x / (1 - share))[~zero], rtol=1e-2, atol=1e-6)
    y.sum().backward()
    expected = torch.where(zero, 0.0, 1 / (1 - share)).to(dtype)
    torch.testing.assert_close(x.grad, expected, rtol=1e-2, atol=0)
    assert bool((zero == zero[:, :1]).all()) == locked
    rows = zero[:, 0].double()
    assert float((rows[0] - rows[1]).abs().sum()) > 0


def test_draws_are_those_of_the_seed_and_no_two_alike() -> None:
    x = torch.ones(4, 3, 100)
    torch.manual_seed(5)
    first, second = dropout(x, 0.5, True), dropout(x, 0.5, True)
    torch.manual_seed(5)
    assert torch.equal(first, dropout(x, 0.5, True))
    assert not torch.equal(first, second)
    assert dropout(x, 0.5, False) is x
    assert dropout(x, 0.0, True) is x


@pytest.mark.skipif(not dispatch.chosen().compiled, reason="no kernels")
def test_neighbours_in_place_and_in_seed_are_independent() -> None:
    from chekhov.recurrent.dropout import dropped

    masks = np.stack([dropped(torch.ones(1, 40_000), 0.5, 1, seed).numpy()[0] > 0 for seed in (7, 8, 1 << 40, 9 << 32)])
    signs = 2.0 * masks - 1
    bound = 5 / np.sqrt(masks.shape[1])
    for apart in (1, 2, 3, 16, 17, 256):
        assert np.abs((signs[:, apart:] * signs[:, :-apart]).mean(axis=1)).max() < bound
    agreement = signs @ signs.T / masks.shape[1] - np.eye(len(signs))
    assert np.abs(agreement).max() < bound


def test_second_gradients() -> None:
    x = torch.randn(3, 40, requires_grad=True)
    y = dropout(x, 0.5, True)
    (first,) = torch.autograd.grad((y**2).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    torch.testing.assert_close(second, torch.where(y == 0, 0.0, 8.0))

"""Rows of a matrix by number, beside PyTorch's."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from chekhov.recurrent.embedding import embedding


@settings(deadline=None)  # the first one compiles
@given(rows=st.integers(1, 30), size=st.integers(1, 40), ids=st.lists(st.integers(0, 29), max_size=60))
def test_rows_and_their_gradients_are_torchs(rows: int, size: int, ids: list[int]) -> None:
    numbers = torch.tensor([n % rows for n in ids], dtype=torch.long).reshape(2 if len(ids) % 2 == 0 else 1, -1)
    weight = torch.randn(rows, size, requires_grad=True)
    wanted = torch.randn(*numbers.shape, size)

    def gradient(found: Tensor) -> Tensor:
        return torch.autograd.grad((found * wanted).sum(), weight)[0]

    found, expected = embedding(numbers, weight), F.embedding(numbers, weight)
    assert torch.equal(found, expected)
    torch.testing.assert_close(gradient(found), gradient(expected), rtol=1e-6, atol=1e-6)


def test_gradients_that_are_kept_are_not_written_over() -> None:
    weight, ids = torch.ones(5, 3, requires_grad=True), torch.tensor([1, 1, 4])
    kept = [torch.autograd.grad((embedding(ids, weight) * k).sum(), weight)[0] for k in (1.0, 2.0, 3.0)]
    for k, gradient in enumerate(kept, start=1):
        assert gradient[:, 0].tolist() == [0, 2 * k, 0, 0, k]


def test_second_gradients_and_float64() -> None:
    ids = torch.tensor([[0, 2], [2, 2]])
    weight = torch.randn(3, 2, requires_grad=True)
    (first,) = torch.autograd.grad((embedding(ids, weight) ** 3).sum(), weight, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), weight)
    count = torch.tensor([[1.0], [0], [3]])
    torch.testing.assert_close(second, 6 * count * weight.detach())
    double = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda w: embedding(ids, w), (double,))


@pytest.mark.parametrize("ids", [[3], [-1]])
def test_an_id_of_no_row_is_refused(ids: list[int]) -> None:
    with pytest.raises(IndexError):
        embedding(torch.tensor(ids), torch.randn(3, 2, requires_grad=True))

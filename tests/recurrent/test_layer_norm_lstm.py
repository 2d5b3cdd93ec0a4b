"""The LSTM with layer norm: the paper's equations, finite differences, and the kernels against them."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from chekhov.errors import UsageError
from chekhov.kernels import dispatch
from chekhov.recurrent import workspace
from chekhov.recurrent.formulas import layer_norm_lstm_formula
from chekhov.recurrent.lstm import LSTM, LSTMState
from chekhov.recurrent.sequences import kernels_of, layer_norm_lstm_sequence

needs_kernels = pytest.mark.skipif(not dispatch.chosen().compiled, reason=f"no kernels: {dispatch.chosen().why}")
BF16 = [False, pytest.param(True, marks=pytest.mark.skipif(not dispatch.chosen().bf16, reason="no bfloat16"))]
SHAPES = [(1, 1, 4, 1), (3, 5, 7, 9), (8, 4, 16, 32), (13, 6, 65, 50), (20, 3, 20, 48), (17, 2, 33, 16)]  # B, T, I, H


def tensors(B: int, T: int, I: int, H: int) -> list[Tensor]:
    """What the formula takes, in float64, gains and biases as they are in the middle of training."""
    torch.manual_seed(B * T + H)
    shapes = [(B, T, I), (B, H), (B, H), (4 * H, I), (4 * H, H), *[(4 * H,)] * 3, (H,), (H,)]
    scales = [1.0, 0.5, 0.5, I**-0.5, H**-0.5, *[0.3] * 5]
    found = [scale * torch.randn(*shape, dtype=torch.float64) for shape, scale in zip(shapes, scales)]
    return [tensor + (place in (6, 7, 8)) for place, tensor in enumerate(found)]


def ours(*inputs: Tensor, bf16: bool = False) -> Any:
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        return layer_norm_lstm_sequence(*inputs)


def gradients(function: Any, inputs: list[Tensor], mixes: list[Tensor]) -> tuple[Any, Any]:
    inputs = [tensor.detach().requires_grad_() for tensor in inputs]
    found = function(*inputs)
    poison()
    return found, torch.autograd.grad(found, inputs, [mix.to(one.dtype) for mix, one in zip(mixes, found)])


def poison() -> None:
    """Memory that is to be used again holds NaN, so that what a kernel leaves unwritten is seen."""
    for buffers in workspace.WORKSPACE.buffers.values():
        for place in range(len(buffers)):
            if sys.getrefcount(buffers[place][0]) == 2:
                buffers[place][0][:] = 0xFF


def norm(a: np.ndarray) -> np.ndarray:
    return (a - a.mean()) / np.sqrt(((a - a.mean()) ** 2).mean() + 1e-5)


def sigmoid(a: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-a))


def test_the_formula_is_the_papers_and_the_cells_step_is_the_formula() -> None:
    xs, h, c, W, U, b, gain_ih, gain_hh, gain_c, bias_c = every = tensors(1, 4, 5, 6)
    hidden, cell = h[0].numpy(), c[0].numpy()
    for x in xs[0].numpy():  # equations 20 to 22
        a = norm(U.numpy() @ hidden) * gain_hh.numpy() + norm(W.numpy() @ x) * gain_ih.numpy() + b.numpy()
        i, f, g, o = np.split(a, 4)
        cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
        hidden = sigmoid(o) * np.tanh(norm(cell) * gain_c.numpy() + bias_c.numpy())
    outputs, h_last, c_last = layer_norm_lstm_formula(*every)
    np.testing.assert_allclose(h_last[0], hidden, atol=1e-12)
    np.testing.assert_allclose(c_last[0], cell, atol=1e-12)
    own = LSTM(5, 6, layer_norm=True).double()
    with torch.no_grad():
        for weight, value in zip((*own.parameters_by_letter(), *own.norm.parameters()), (W, U, b, b * 0, *every[6:])):
            weight.copy_(value)
    state = LSTMState(h, c)
    for t in range(4):
        output, state = own.step(xs[:, t], state)
        torch.testing.assert_close(output, outputs[:, t], atol=1e-12, rtol=0)


@needs_kernels
@pytest.mark.parametrize("bf16", BF16)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_outputs_and_gradients_equal_the_formula(shape: tuple[int, int, int, int], bf16: bool) -> None:
    B, T, _, H = shape
    mixes = [torch.randn(B, T, H), torch.randn(B, H), torch.randn(B, H)]
    expected, slopes = gradients(layer_norm_lstm_formula, tensors(*shape), mixes)
    poison()
    found, slope = gradients(lambda *i: ours(*i, bf16=bf16), [t.float() for t in tensors(*shape)], mixes)
    for one, other in zip(found, expected):
        np.testing.assert_allclose(one.detach().float(), other.detach(), atol=4e-2 if bf16 else 4e-6)
    for one, other in zip(slope, slopes, strict=True):
        error = np.linalg.norm(one.float().numpy() - other.numpy())
        assert error <= (4e-2 if bf16 else 4e-6) * max(np.linalg.norm(other), 0.1)


@needs_kernels
def test_gradients_are_finite_differences() -> None:
    """Along one direction of each argument: (L(a + e v) - L(a - e v)) / 2 e."""
    inputs, mixes = tensors(5, 6, 7, 20), [torch.randn(5, 6, 20), torch.randn(5, 20), torch.randn(5, 20)]
    _, slopes = gradients(ours, [t.float() for t in inputs], mixes)

    def loss(moved: list[Tensor]) -> float:
        return sum(float((mix * one).sum()) for mix, one in zip(mixes, layer_norm_lstm_formula(*moved)))

    for place, slope in enumerate(slopes):
        v = torch.randn_like(inputs[place])
        sides = [[t + e * v if p == place else t for p, t in enumerate(inputs)] for e in (1e-5, -1e-5)]
        difference = (loss(sides[0]) - loss(sides[1])) / 2e-5
        assert float((slope * v).sum()) == pytest.approx(difference, rel=1e-4, abs=1e-4)


@needs_kernels
@pytest.mark.parametrize("bf16", BF16)
def test_rows_depend_neither_on_their_batch_nor_on_the_threads(bf16: bool) -> None:
    xs, h, c, *rest = (t.float() for t in tensors(37, 4, 12, 40))
    whole = ours(xs, h, c, *rest, bf16=bf16)
    for first, last in [(0, 1), (3, 5), (0, 15), (20, 37)]:
        for one, other in zip(ours(xs[first:last], h[first:last], c[first:last], *rest, bf16=bf16), whole):
            if bf16:  # PyTorch multiplies the inputs there, and sums in another order for another number of rows
                torch.testing.assert_close(one.float(), other[first:last].float(), atol=2e-2, rtol=0)
            else:
                assert torch.equal(one, other[first:last])
    mixes = [torch.randn(37, 4, 40), torch.randn(37, 40), torch.randn(37, 40)]
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found.append(gradients(lambda *i: ours(*i, bf16=bf16), [xs, h, c, *rest], mixes))
    finally:
        torch.set_num_threads(before)
    for one, other in zip(found[0][0], found[1][0]):
        assert torch.equal(one, other)
    for place in (1, 2, 5, 6, 7, 8, 9):  # what the kernel sums itself; the others are PyTorch's products
        assert torch.equal(found[0][1][place], found[1][1][place])


@needs_kernels
def test_the_gradient_can_be_differentiated_and_a_kept_graph_gives_it_again() -> None:
    inputs = [t.float().requires_grad_() for t in tensors(3, 4, 5, 6)]
    found = []
    for function in (ours, layer_norm_lstm_formula):
        outputs, h, c = function(*inputs)
        loss = (outputs**2).sum() + h.sum() + c.sum()
        first = torch.autograd.grad(loss, inputs, create_graph=True)
        found.append(torch.autograd.grad(sum((g**2).sum() for g in first), inputs))
    for one, other in zip(*found, strict=True):
        assert float((one - other).norm()) <= 1e-3 * float(other.norm())
    loss = ours(*inputs)[0].square().sum()
    (once,) = torch.autograd.grad(loss, inputs[0], retain_graph=True)
    assert torch.equal(once, torch.autograd.grad(loss, inputs[0])[0])


@needs_kernels
@pytest.mark.parametrize("bf16", BF16)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_stays_in_its_row(bad: float, bf16: bool) -> None:
    xs, *rest = (t.float() for t in tensors(9, 4, 5, 20))
    xs[2, 1, 0] = bad
    outputs, _, _ = ours(xs, *rest, bf16=bf16)
    assert torch.equal(outputs.isnan(), layer_norm_lstm_formula(xs, *rest)[0].isnan())
    assert outputs[2, 1:].isnan().all()


@needs_kernels
def test_the_cell_runs_on_the_kernels() -> None:
    torch.manual_seed(0)
    cell, xs, state = LSTM(5, 20, layer_norm=True), torch.randn(3, 7, 5), LSTMState(*torch.randn(2, 3, 20))
    outputs, _ = cell.unroll(xs, state)
    assert type(outputs.grad_fn).__name__ == "LayerNormLSTMSequenceBackward"
    torch.testing.assert_close(outputs, super(LSTM, cell).unroll(xs, state)[0], atol=4e-6, rtol=0)
    assert kernels_of("lstm", 4000, {"layer_norm": True}, "float32") == dispatch.chosen().name
    torch.testing.assert_close(cell.unroll(1000 * xs, state)[0], cell.unroll(2000 * xs, state)[0], atol=1e-4, rtol=0)


@pytest.mark.parametrize("option", [{"zoneout": 0.1}, {"peephole": True}, {"coupled": True}], ids=str)
def test_layer_norm_stands_alone(option: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"E-TRAIN-020.*layer norm has neither"):
        LSTM(3, 4, layer_norm=True, **option)

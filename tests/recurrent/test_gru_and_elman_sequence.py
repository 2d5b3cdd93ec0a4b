"""The GRU and Elman kernels against their float64 twins, fresh inputs and odd sizes, and the cells on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from chekhov.kernels import dispatch, reference
from chekhov.recurrent.cell import Cell
from chekhov.recurrent.elman import Elman
from chekhov.recurrent.elman_sequence import ElmanSequence
from chekhov.recurrent.formulas import elman_formula, gru_before_formula, gru_formula
from chekhov.recurrent.gru import GRU
from chekhov.recurrent.gru_before_sequence import GRUBeforeSequence
from chekhov.recurrent.gru_sequence import GRUSequence
from chekhov.recurrent.lstm_sequence import LSTMSequence

pytestmark = pytest.mark.skipif(not dispatch.chosen().compiled, reason=f"no kernels: {dispatch.chosen().why}")
BF16 = [False, pytest.param(True, marks=pytest.mark.skipif(not dispatch.chosen().bf16, reason="no bfloat16"))]
SHAPES = [(1, 1, 1, 3), (3, 5, 7, 9), (8, 4, 16, 32), (13, 6, 65, 50), (17, 2, 33, 16)]  # B, T, I, H


def weights(gates: int, vectors: int, B: int, T: int, I: int, H: int) -> list[Tensor]:
    """xs, h, W, U and bias vectors in float64, at the size that a net has; of no fixed seed."""
    scaled = [((B, T, I), 1.0), ((B, H), 0.5), ((gates * H, I), I**-0.5), ((gates * H, H), H**-0.5)]
    scaled += [((gates * H,), 0.3)] * vectors
    return [scale * torch.randn(*shape, dtype=torch.float64) for shape, scale in scaled]


def compare(
    apply: Any, twin: Any, twin_gradients: Any, tensors: list[Tensor], lengths: Tensor, bf16: bool, **how: Any
) -> None:
    B, T, H = *tensors[0].shape[:2], tensors[1].shape[1]
    mixes = [torch.randn(B, T, H), torch.randn(B, H)]
    plain, ends = [t.numpy() for t in tensors], lengths.numpy()
    expected = twin(*plain, ends, **how)
    slopes = twin_gradients(*plain, ends, *(m.double().numpy() for m in mixes), **how)
    inputs = [t.float().requires_grad_() for t in tensors]
    found = apply(*inputs)
    slope = torch.autograd.grad(found, inputs, [m.to(f.dtype) for m, f in zip(mixes, found)])
    for one, other in zip(found, expected):
        np.testing.assert_allclose(one.detach().float(), other, atol=4e-2 if bf16 else 3e-6)
    for one, other in zip(slope, slopes):
        error = np.linalg.norm(one.float().numpy() - other)
        assert error <= (4e-2 if bf16 else 3e-6) * max(np.linalg.norm(other), 1.0)


@pytest.mark.parametrize("bf16", BF16)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_gru_equals_its_twin(shape: tuple[int, int, int, int], reverse: bool, bf16: bool) -> None:
    B, T = shape[:2]
    for lengths in (torch.full((B,), T), torch.randint(0, T + 1, (B,))):

        def apply(*inputs: Tensor, ends: Tensor = lengths) -> Any:
            return GRUSequence.apply(*inputs, ends, reverse, bf16)

        tensors = weights(3, 2, *shape)
        compare(apply, reference.gru, reference.gru_gradients, tensors, lengths, bf16, reverse=reverse)


@pytest.mark.parametrize("bf16", BF16)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_gru_with_reset_before_equals_its_twin(shape: tuple[int, int, int, int], reverse: bool, bf16: bool) -> None:
    B, T = shape[:2]
    for lengths in (torch.full((B,), T), torch.randint(0, T + 1, (B,))):
        for time_first in (False, True):

            def apply(xs: Tensor, *rest: Tensor, ends: Tensor = lengths, time_first: bool = time_first) -> Any:
                if not time_first:
                    return GRUBeforeSequence.apply(xs, *rest, ends, reverse, bf16)
                outputs, h = GRUBeforeSequence.apply(xs.transpose(0, 1), *rest, ends, reverse, bf16, True)
                return outputs.transpose(0, 1), h

            tensors = weights(3, 1, *shape)
            twin, slopes = reference.gru_before, reference.gru_before_gradients
            compare(apply, twin, slopes, tensors, lengths, bf16, reverse=reverse)


def test_the_twin_of_reset_before_has_the_gradients_of_its_own_formula() -> None:
    tensors = [t.requires_grad_() for t in weights(3, 1, 3, 5, 4, 6)]
    lengths, mixes = torch.tensor([5, 0, 3]), [torch.randn(3, 5, 6).double(), torch.randn(3, 6).double()]
    found = gru_before_formula(*tensors, lengths, reverse=True)
    slope = torch.autograd.grad(found, tensors, mixes)
    plain = [t.detach().numpy() for t in tensors]
    expected = reference.gru_before_gradients(*plain, lengths.numpy(), *(m.numpy() for m in mixes), reverse=True)
    for one, other in zip(slope, expected):
        np.testing.assert_allclose(one, other, atol=1e-12)
    short = [t[:, :3] if place == 0 else t for place, t in enumerate(tensors)]
    assert torch.autograd.gradcheck(lambda *given: gru_before_formula(*given, lengths.clamp(max=3)), short)


def test_rows_of_the_gru_with_reset_before_depend_neither_on_their_batch_nor_on_the_threads() -> None:
    xs, h, *rest = (t.float() for t in weights(3, 1, 37, 4, 12, 40))
    whole = GRUBeforeSequence.apply(xs, h, *rest, None, False, False)
    for first, last in [(0, 1), (3, 5), (0, 15), (7, 23), (20, 37)]:
        for one, other in zip(GRUBeforeSequence.apply(xs[first:last], h[first:last], *rest, None, False, False), whole):
            assert torch.equal(one, other[first:last])
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        for one, other in zip(GRUBeforeSequence.apply(xs, h, *rest, None, False, False), whole):
            assert torch.equal(one, other)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("bf16", BF16)
@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_elman_net_equals_its_twin(shape: tuple[int, int, int, int], activation: str, bf16: bool) -> None:
    if bf16 and activation == "relu":
        pytest.skip("where rounding moves a sum across 0, the slope of ReLU is another")
    B, T = shape[:2]
    for lengths in (torch.full((B,), T), torch.randint(0, T + 1, (B,))):
        for reverse in (False, True):

            def apply(*inputs: Tensor, ends: Tensor = lengths, back: bool = reverse) -> Any:
                return ElmanSequence.apply(*inputs, ends, back, bf16, activation)

            how = {"reverse": reverse, "activation": activation}
            tensors = weights(1, 1, *shape)
            compare(apply, reference.elman, reference.elman_gradients, tensors, lengths, bf16, **how)


@pytest.mark.parametrize(
    ("apply", "formula", "gates", "vectors"),
    [
        (GRUSequence.apply, gru_formula, 3, 2),
        (GRUBeforeSequence.apply, gru_before_formula, 3, 1),
        (ElmanSequence.apply, elman_formula, 1, 1),
    ],
    ids=["gru", "gru before", "elman"],
)
def test_gradients_can_be_differentiated(apply: Any, formula: Any, gates: int, vectors: int) -> None:
    torch.manual_seed(0)
    tensors = [t.float().requires_grad_() for t in weights(gates, vectors, 3, 4, 5, 6)]
    rest = (None, False, False) + (("tanh",) if gates == 1 else ())
    results = []
    for function in (lambda *inputs: apply(*inputs, *rest), formula):
        outputs, h = function(*tensors)
        first = torch.autograd.grad((outputs**2).sum() + h.sum(), tensors, create_graph=True)
        results.append(torch.autograd.grad(sum((g**2).sum() for g in first), tensors))
    for one, other in zip(*results):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("bf16", BF16)
def test_nothing_is_written_beside_the_arrays(bf16: bool, borders_hold: Callable[[], bool]) -> None:
    """Shapes by lot."""
    rng = np.random.default_rng()
    for _ in range(20):
        B, T, I, H = (int(rng.integers(1, most)) for most in (20, 6, 70, 80))
        lengths = torch.from_numpy(rng.integers(0, T + 1, B))
        for apply, gates, vectors, rest in (
            (GRUSequence.apply, 3, 2, ()),
            (GRUBeforeSequence.apply, 3, 1, ()),
            (ElmanSequence.apply, 1, 1, ("tanh",)),
            (lambda x, h, *w: LSTMSequence.apply(x, h, h, *w), 4, 1, ()),
        ):
            inputs = [t.float().requires_grad_() for t in weights(gates, vectors, B, T, I, H)]
            outputs = apply(*inputs, lengths, bool(rng.integers(2)), bf16, *rest)[0]
            outputs.float().sum().backward()
    assert borders_hold()


@pytest.mark.parametrize(
    "cell",
    [
        lambda: GRU(5, 20),
        lambda: GRU(5, 20, update="replace"),
        lambda: GRU(5, 20, reset="before"),
        lambda: GRU(5, 20, reset="before", update="replace"),
        lambda: Elman(5, 20),
        lambda: Elman(5, 20, activation="relu"),
        lambda: Elman(5, 20, activation="sigmoid", bias=False),
    ],
    ids=["gru", "replace", "before", "colah", "tanh", "relu", "sigmoid"],
)
def test_the_cells_unroll_to_their_steps(cell: Any) -> None:
    torch.manual_seed(0)
    module = cell()
    xs, h = torch.randn(9, 7, 5), torch.randn(9, 20)
    results = []
    for unroll in (module.unroll, lambda xs, h: Cell.unroll(module, xs, h)):
        outputs, last = unroll(xs, h)
        gradients = torch.autograd.grad(outputs.square().sum() + last.sum(), list(module.parameters()))
        results.append([outputs, last, *gradients])
    for one, other in zip(*results):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-5)

"""The LSTM kernels against their float64 twin, and what they promise besides: rows apart, threads, second gradients."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from chekhov.kernels import dispatch, reference
from chekhov.recurrent import workspace
from chekhov.recurrent.formulas import lstm_formula
from chekhov.recurrent.lstm import LSTM, LSTMState, drawn
from chekhov.recurrent.lstm_sequence import LSTMSequence, zoneout_masks
from chekhov.recurrent.sequences import Zoneout

pytestmark = pytest.mark.skipif(not dispatch.chosen().compiled, reason=f"no kernels: {dispatch.chosen().why}")
BF16 = [False, pytest.param(True, marks=pytest.mark.skipif(not dispatch.chosen().bf16, reason="no bfloat16"))]
SHAPES = [(1, 1, 1, 1), (3, 5, 7, 9), (8, 4, 16, 32), (13, 6, 65, 50), (20, 3, 20, 48), (17, 2, 33, 16)]  # B, T, I, H


def weights(B: int, T: int, I: int, H: int) -> list[Tensor]:
    """xs, h, c, W, U, b in float64, at the size that a net has."""
    torch.manual_seed(B * T + H)
    shapes = [(B, T, I), (B, H), (B, H), (4 * H, I), (4 * H, H), (4 * H,)]
    scales = [1.0, 0.5, 0.5, I**-0.5, H**-0.5, 0.3]
    return [scale * torch.randn(*shape, dtype=torch.float64) for shape, scale in zip(shapes, scales)]


def poison() -> None:
    """Memory that is to be used again holds NaN, so that what a kernel leaves unwritten is seen."""
    for buffers in workspace.WORKSPACE.buffers.values():
        for place in range(len(buffers)):
            if sys.getrefcount(buffers[place][0]) == 2:
                buffers[place][0][:] = 0xFF


def gradients(function: Any, tensors: list[Tensor], mixes: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    inputs = [tensor.detach().requires_grad_() for tensor in tensors]
    found = function(*inputs)
    poison()
    return list(found), list(torch.autograd.grad(found, inputs, [m.to(f.dtype) for m, f in zip(mixes, found)]))


@pytest.mark.parametrize("bf16", BF16)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_outputs_and_gradients_equal_the_twin(shape: tuple[int, int, int, int], reverse: bool, bf16: bool) -> None:
    B, T, _, H = shape
    tensors = weights(*shape)
    for lengths in (torch.full((B,), T), torch.randint(0, T + 1, (B,))):
        mixes = [torch.randn(B, T, H), torch.randn(B, H), torch.randn(B, H)]
        plain, ends = [t.numpy() for t in tensors], lengths.numpy()
        expected = reference.lstm(*plain, ends, reverse=reverse)
        slopes = reference.lstm_gradients(*plain, ends, *(m.double().numpy() for m in mixes), reverse=reverse)
        poison()
        found, slope = gradients(
            lambda *inputs, ends=lengths: LSTMSequence.apply(*inputs, ends, reverse, bf16),
            [t.float() for t in tensors],
            mixes,
        )
        for one, other in zip(found, expected):
            np.testing.assert_allclose(one.detach().float(), other, atol=2e-2 if bf16 else 2e-6)
        for one, other in zip(slope, slopes):
            error = np.linalg.norm(one.float().numpy() - other)
            assert error <= (2e-2 if bf16 else 2e-6) * max(np.linalg.norm(other), 1e-3)


def test_the_twin_has_the_gradients_of_its_own_formula() -> None:
    tensors = weights(3, 5, 4, 6)
    mixes, lengths = [torch.randn(3, 5, 6).double(), torch.randn(3, 6).double(), torch.randn(3, 6).double()], [5, 0, 3]
    _, slope = gradients(lambda *inputs: lstm_formula(*inputs, torch.tensor(lengths), reverse=True), tensors, mixes)
    plain = [t.numpy() for t in tensors]
    expected = reference.lstm_gradients(*plain, lengths, *(m.numpy() for m in mixes), reverse=True)
    for one, other in zip(slope, expected):
        np.testing.assert_allclose(one, other, atol=1e-12)


@pytest.mark.parametrize("bf16", BF16)
def test_rows_depend_neither_on_their_batch_nor_on_the_threads(bf16: bool) -> None:
    xs, h, c, W, U, b = (t.float() for t in weights(37, 4, 12, 40))
    whole = LSTMSequence.apply(xs, h, c, W, U, b, None, False, bf16)
    for first, last in [(0, 1), (3, 5), (0, 15), (7, 23), (20, 37)]:
        part = LSTMSequence.apply(xs[first:last], h[first:last], c[first:last], W, U, b, None, False, bf16)
        for one, other in zip(part, whole):
            if bf16:  # PyTorch multiplies the inputs there, and sums in another order for another number of rows
                torch.testing.assert_close(one.float(), other[first:last].float(), atol=2e-2, rtol=0)
            else:
                assert torch.equal(one, other[first:last])
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        for one, other in zip(LSTMSequence.apply(xs, h, c, W, U, b, None, False, bf16), whole):
            assert torch.equal(one, other)
    finally:
        torch.set_num_threads(before)


def test_the_gradient_can_be_differentiated() -> None:
    tensors = [t.float().requires_grad_() for t in weights(3, 4, 5, 6)]

    def penalty(function: Any) -> list[Tensor]:
        outputs, h, c = function(*tensors)
        first = torch.autograd.grad((outputs**2).sum() + h.sum() + c.sum(), tensors, create_graph=True)
        return list(torch.autograd.grad(sum((g**2).sum() for g in first), tensors))

    ours = penalty(lambda *inputs: LSTMSequence.apply(*inputs, None, False, False))
    for one, other in zip(ours, penalty(lstm_formula)):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_a_graph_that_is_kept_gives_the_same_gradient_again() -> None:
    xs, *rest = (t.float().requires_grad_() for t in weights(9, 4, 5, 20))
    loss = LSTMSequence.apply(xs, *rest, None, False, False)[0].square().sum()
    (first,) = torch.autograd.grad(loss, xs, retain_graph=True)
    (second,) = torch.autograd.grad(loss, xs)
    assert torch.equal(first, second)


@pytest.mark.parametrize("bf16", BF16)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_stays_in_its_row(bad: float, bf16: bool) -> None:
    xs, h, c, W, U, b = (t.float() for t in weights(9, 4, 5, 20))
    xs[2, 1, 0] = bad
    outputs, _, _ = LSTMSequence.apply(xs, h, c, W, U, b, None, False, bf16)
    expected, _, _ = lstm_formula(xs, h, c, W, U, b)
    assert torch.equal(outputs.isnan(), expected.isnan())
    assert outputs[3].isfinite().all()


def test_the_cell_runs_on_the_kernels_in_float32_and_under_autocast() -> None:
    torch.manual_seed(0)
    cell = LSTM(5, 20)
    xs, state = torch.randn(3, 7, 5), LSTMState(torch.randn(3, 20), torch.randn(3, 20))
    outputs, _ = cell.unroll(xs, state)
    assert outputs.grad_fn is not None
    expected, _ = super(LSTM, cell).unroll(xs, state)
    torch.testing.assert_close(outputs, expected, atol=2e-6, rtol=0)
    with torch.autocast("cpu", torch.bfloat16):
        rounded, _ = cell.unroll(xs, state)
    assert rounded.dtype == torch.bfloat16
    torch.testing.assert_close(rounded.float(), expected, atol=2e-2, rtol=0)


DRAWN = Zoneout(0.3, (12345678901234, 1 << 61))
OPTIONS = [(Zoneout(0.3, None), False), (DRAWN, False), (None, True), (DRAWN, True)]
NAMES = ["expectation", "drawn", "peephole", "drawn and peephole"]


def peepholes(H: int, there: bool) -> list[Tensor]:
    return [0.5 * torch.randn(3 * H, dtype=torch.float64)] if there else []


@pytest.mark.parametrize("bf16", BF16)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("zoneout, peephole", OPTIONS, ids=NAMES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_options_equal_the_twin(
    shape: tuple[int, int, int, int], zoneout: Zoneout | None, peephole: bool, reverse: bool, bf16: bool
) -> None:
    B, T, _, H = shape
    tensors, lengths = [*weights(*shape), *peepholes(H, peephole)], torch.randint(0, T + 1, (B,))
    mixes = [torch.randn(B, T, H), torch.randn(B, H), torch.randn(B, H)]
    zones = zoneout_masks(zoneout, B, T, H)
    options: dict[str, Any] = {"reverse": reverse, "zones": zones and tuple(m.double().numpy() for m in zones)}
    plain = [*(t.numpy() for t in tensors[:6]), lengths.numpy()]
    options["p"] = tensors[6].numpy() if peephole else None
    expected = reference.lstm(*plain, **options)
    slopes = reference.lstm_gradients(*plain, *(m.double().numpy() for m in mixes), **options)
    poison()

    def ours(*inputs: Tensor) -> Any:
        return LSTMSequence.apply(*inputs[:6], lengths, reverse, bf16, False, zoneout, *inputs[6:])

    found, slope = gradients(ours, [t.float() for t in tensors], mixes)
    for one, other in zip(found, expected):
        np.testing.assert_allclose(one.detach().float(), other, atol=2e-2 if bf16 else 2e-6)
    for one, other in zip(slope, slopes, strict=True):
        error = np.linalg.norm(one.float().numpy() - other)
        assert error <= (2e-2 if bf16 else 2e-6) * max(np.linalg.norm(other), 1e-3)


def test_the_twin_of_the_options_has_the_gradients_of_its_own_formula() -> None:
    tensors, lengths = [*weights(3, 5, 4, 6), *peepholes(6, True)], [5, 0, 3]
    mixes = [torch.randn(3, 5, 6).double(), torch.randn(3, 6).double(), torch.randn(3, 6).double()]
    zones = torch.rand(2, 3, 5, 6, dtype=torch.float64).unbind()

    def formula(*inputs: Tensor) -> Any:
        return lstm_formula(*inputs[:6], torch.tensor(lengths), reverse=True, zones=zones, p=inputs[6])

    found, slope = gradients(formula, tensors, mixes)
    *plain, p = [t.numpy() for t in tensors]
    options: dict[str, Any] = {"reverse": True, "zones": tuple(z.numpy() for z in zones), "p": p}
    for one, other in zip(found, reference.lstm(*plain, lengths, **options)):
        np.testing.assert_allclose(one.detach(), other, atol=1e-12)
    expected = reference.lstm_gradients(*plain, lengths, *(m.numpy() for m in mixes), **options)
    for one, other in zip(slope, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)


@pytest.mark.parametrize("time_first", [False, True])
@pytest.mark.parametrize("zoneout, peephole", [(None, False), *OPTIONS], ids=["plain", *NAMES])
@pytest.mark.parametrize("B", [1, 3])
def test_second_gradients_of_the_options(B: int, zoneout: Zoneout | None, peephole: bool, time_first: bool) -> None:
    tensors = [t.float().requires_grad_() for t in [*weights(B, 4, 5, 6), *peepholes(6, peephole)]]
    zones = zoneout_masks(zoneout, B, 4, 6, time_first=time_first)

    def penalty(function: Any) -> list[Tensor]:
        outputs, h, c = function(*tensors)
        first = torch.autograd.grad((outputs**2).sum() + h.sum() + c.sum(), tensors, create_graph=True)
        return list(torch.autograd.grad(sum((g**2).sum() for g in first), tensors))

    def ours(xs: Tensor, *rest: Tensor) -> Any:
        lines = xs.transpose(0, 1).contiguous() if time_first else xs
        return LSTMSequence.apply(lines, *rest[:5], None, False, False, time_first, zoneout, *rest[5:])

    def theirs(*inputs: Tensor) -> Any:
        return lstm_formula(*inputs[:6], zones=zones, p=inputs[6] if peephole else None)

    for one, other in zip(penalty(ours), penalty(theirs)):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("bf16", BF16)
def test_units_keep_their_old_value_to_the_bit_and_as_often_as_was_asked(bf16: bool) -> None:
    B, T, H, share = 20, 30, 65, 0.2
    xs, h, c, W, U, b = (t.float() for t in weights(B, T, 8, H))
    torch.manual_seed(5)
    zoneout = drawn(share, training=True)
    outputs, _, _ = LSTMSequence.apply(xs, h, c, W, U, b, None, False, bf16, False, zoneout)
    kept = outputs[:, 1:] == outputs[:, :-1]
    wanted = zoneout_masks(zoneout, B, T, H)[1][:, 1:].bool()
    assert bool(kept[wanted].all())
    assert abs(float(wanted.double().mean()) - share) < 5 * (share * (1 - share) / wanted.numel()) ** 0.5
    if not bf16:
        assert float(kept[~wanted].double().mean()) < 1e-3
    torch.manual_seed(5)
    assert drawn(share, training=True) == zoneout != drawn(share, training=True)
    assert drawn(share, training=False) == (share, None)
    assert drawn(0.0, training=True) is None


def test_a_cell_with_zoneout_draws_in_training_and_takes_the_expectation_else() -> None:
    torch.manual_seed(0)
    cell, xs, state = LSTM(5, 20, zoneout=0.4), torch.randn(3, 7, 5), LSTMState(torch.randn(3, 20), torch.randn(3, 20))
    torch.manual_seed(1)
    first, last = cell.unroll(xs, state)
    second, _ = cell.unroll(xs, state)
    torch.manual_seed(1)
    assert torch.equal(first, cell.unroll(xs, state)[0])
    assert not torch.equal(first, second)
    assert torch.equal(last.h, first[:, -1])
    torch.testing.assert_close(cell.eval().unroll(xs, state), super(LSTM, cell).unroll(xs, state), atol=2e-6, rtol=0)
    step, _ = cell.train().step(xs[:, 0], state)
    shares = [(cell.step(xs[:, 0], state)[0] == state.h).double().mean().item() for _ in range(200)]
    assert step.shape == (3, 20)
    assert np.mean(shares) == pytest.approx(0.4, abs=0.025)


@pytest.mark.parametrize("peephole", [False, True])
def test_coupled_gates_run_on_the_kernel_of_four(peephole: bool) -> None:
    torch.manual_seed(0)
    cell = LSTM(5, 20, coupled=True, peephole=peephole)
    xs, state = torch.randn(3, 7, 5), LSTMState(torch.randn(3, 20), torch.randn(3, 20))
    if cell.peepholes is not None:
        torch.nn.init.normal_(cell.peepholes)
    found = []
    for outputs, last in (cell.unroll(xs, state), super(LSTM, cell).unroll(xs, state)):
        found.append([outputs, *last, *torch.autograd.grad(outputs.square().sum() + last.c.sum(), cell.parameters())])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)
    assert len(cell.weights.weight_hh_l0) == 3 * 20
    named, _ = cell.trace_step(xs[:, 0], state)
    torch.testing.assert_close(named["input_gate"], 1 - named["forget_gate"])
    torch.testing.assert_close(named["input_gate"], torch.sigmoid(named["input_gate_pre_activation"]))


def test_coupled_gates_start_open() -> None:
    f, g, o = (LSTM(3, 8, coupled=True).weights.bias_ih_l0).detach().chunk(3)
    assert (f == 1).all()
    assert not torch.cat([g, o]).any()


def test_second_gradients_of_coupled_gates() -> None:
    torch.manual_seed(0)
    cell, xs = LSTM(3, 4, coupled=True, peephole=True), torch.randn(2, 5, 3)
    torch.nn.init.normal_(cell.peepholes)
    weights = list(cell.parameters())
    found = []
    for unroll in (cell.unroll, super(LSTM, cell).unroll):
        loss = unroll(xs, cell.initial_state(2))[0].square().sum()
        first = torch.autograd.grad(loss, weights, create_graph=True)
        found.append(torch.autograd.grad(sum((g**2).sum() for g in first), weights))
    for one, other in zip(*found):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)

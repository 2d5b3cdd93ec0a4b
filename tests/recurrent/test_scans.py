"""Elementwise recurrences: each cell's step against its paper's formula in NumPy, scans against steps, kernels against
their formula in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from chekhov.errors import UsageError
from chekhov.kernels import dispatch
from chekhov.recurrent.cell import Cell
from chekhov.recurrent.indrnn import IndRNN
from chekhov.recurrent.mingru import MinGRU
from chekhov.recurrent.minlstm import MinLSTM
from chekhov.recurrent.qrnn import QRNN
from chekhov.recurrent.rglru import RGLRU
from chekhov.recurrent.scan_formulas import STEPS, scan_formula
from chekhov.recurrent.sequences import scan_sequence
from chekhov.recurrent.sru import SRU
from chekhov.state import leaves, map_state

needs_kernels = pytest.mark.skipif(not dispatch.chosen().compiled, reason=f"no kernels: {dispatch.chosen().why}")
BF16 = [False, pytest.param(True, marks=pytest.mark.skipif(not dispatch.chosen().bf16, reason="no bfloat16"))]
CELLS: dict[str, Callable[[int, int], Cell]] = {
    "mingru": MinGRU,
    "minlstm": MinLSTM,
    "qrnn": QRNN,
    "sru": SRU,
    "rglru": RGLRU,
    "indrnn": IndRNN,
    "indrnn tanh": lambda i, h: IndRNN(i, h, activation="tanh"),
    "indrnn sigmoid": lambda i, h: IndRNN(i, h, activation="sigmoid"),
}
GATES = {"mingru": 2, "minlstm": 3, "qrnn": 3, "sru": 3, "rglru": 2}  # one more for x, of the last two; else 1
VECTORS = {"sru": 2, "rglru": 1, "indrnn_relu": 1, "indrnn_tanh": 1, "indrnn_sigmoid": 1}


def sigmoid(a: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-a))


def by_the_paper(cell: Any, x: np.ndarray, state: Any) -> np.ndarray:
    """The output of one step for x (I,) and one row's state."""
    W, b = (p.detach().numpy() for p in (cell.projection.weight, cell.projection.bias))
    seen = np.concatenate([state.x[0].numpy(), x]) if isinstance(cell, QRNN) else x
    first, *others = np.split(W @ seen + b, len(W) // cell.hidden_size)
    c = leaves(state)[0][0].numpy()
    if isinstance(cell, MinGRU):
        return (1 - sigmoid(first)) * c + sigmoid(first) * others[0]
    if isinstance(cell, MinLSTM):
        f, i = sigmoid(first), sigmoid(others[0])
        return f / (f + i) * c + i / (f + i) * others[1]
    if isinstance(cell, QRNN):
        f, o = sigmoid(others[0]), sigmoid(others[1])
        return o * (f * c + (1 - f) * np.tanh(first))
    if isinstance(cell, SRU):
        v_f, v_r = cell.v.detach().numpy()
        f, r = sigmoid(first + v_f * c), sigmoid(others[0] + v_r * c)
        highway = others[2] if len(others) == 3 else x
        return r * (f * c + (1 - f) * others[1]) + (1 - r) * highway * np.sqrt(1 + 2 * np.exp(0.0))
    if isinstance(cell, RGLRU):
        a = sigmoid(cell.Lambda.detach().numpy()) ** (8 * sigmoid(first))
        return a * c + np.sqrt(1 - a**2) * (sigmoid(others[0]) * (others[1] if len(others) == 2 else x))
    f = {"relu": lambda a: np.maximum(a, 0), "tanh": np.tanh, "sigmoid": sigmoid}[cell.activation]
    return f(first + cell.u.detach().numpy() * c)


@pytest.mark.parametrize("sizes", [(3, 5), (4, 4)], ids=str)
@pytest.mark.parametrize("name", CELLS)
def test_a_step_is_the_papers_formula(name: str, sizes: tuple[int, int]) -> None:
    torch.manual_seed(0)
    cell: Any = CELLS[name](*sizes).double()
    for weight in cell.parameters():
        torch.nn.init.normal_(weight)
    x, state = torch.randn(1, sizes[0]).double(), map_state(torch.randn_like, cell.initial_state(1))
    output, after = cell.step(x, state)
    np.testing.assert_allclose(output[0].detach(), by_the_paper(cell, x[0].numpy(), state), rtol=1e-12, atol=1e-14)
    if isinstance(cell, QRNN):
        assert torch.equal(after.x, x)


@given(st.sampled_from(sorted(CELLS)), *(st.integers(1, most) for most in (18, 40, 70, 70)), st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_a_scan_is_its_steps(name: str, B: int, T: int, I: int, H: int, seed: int) -> None:
    torch.manual_seed(seed)
    cell = CELLS[name](I, H)
    xs, start = torch.randn(B, T, I), map_state(torch.randn_like, cell.initial_state(B))
    results = []
    for unroll in (cell.unroll, lambda xs, start: Cell.unroll(cell, xs, start)):
        outputs, last = unroll(xs, start)
        gradients = torch.autograd.grad(outputs.square().mean() + leaves(last)[0].mean(), list(cell.parameters()))
        results.append([outputs, *leaves(last), *gradients])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def inputs(kind: str, B: int, T: int, I: int, H: int, *, own: bool) -> list[Tensor]:
    """xs, state, W, b and the cell's own vectors in float64; ``own``: x itself goes in, and I is H."""
    I = H if own else I
    gates = GATES.get(kind, 1) + (kind in ("sru", "rglru") and not own)
    scaled = [((B, T, I), 1.0), ((B, H), 0.5), ((gates * H, I), I**-0.5), ((gates * H,), 0.5)]
    vectors = torch.rand(VECTORS.get(kind, 0), H, dtype=torch.float64)  # below 1: sums of a net that is stable
    return [scale * torch.randn(*shape, dtype=torch.float64) for shape, scale in scaled] + [
        -2 * vectors if kind == "rglru" else vectors
    ]


def compare(kind: str, tensors: list[Tensor], lengths: Tensor, bf16: bool, *, reverse: bool, time_first: bool) -> None:
    (B, T, _), H = tensors[0].shape, tensors[1].shape[1]
    mixes = [torch.randn(B, T, H).double(), torch.randn(B, H).double()]
    results = []
    for ours in (True, False):
        given_ = [t.to(torch.float32 if ours else torch.float64).requires_grad_() for t in tensors]
        if ours:
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                xs = given_[0].transpose(0, 1) if time_first else given_[0]
                outputs, last = scan_sequence(
                    xs, *given_[1:], lengths, kind=kind, reverse=reverse, time_first=time_first
                )
            outputs = outputs.transpose(0, 1) if time_first else outputs
        else:
            outputs, last = scan_formula(*given_, lengths, kind=kind, reverse=reverse)
        loss = (outputs.double() * mixes[0]).sum() + (last.double() * mixes[1]).sum()
        results.append([outputs, last, *torch.autograd.grad(loss, given_, allow_unused=True, materialize_grads=True)])
    for one, other in zip(*results, strict=True):
        error = float((one.double() - other).norm().detach())
        assert error <= (3e-2 if bf16 else 3e-6) * max(float(other.detach().norm()), 1.0)


@needs_kernels
@pytest.mark.parametrize("bf16", BF16)
@pytest.mark.parametrize("kind", STEPS)
@given(
    *(st.integers(1, most) for most in (18, 9, 70, 70)), st.booleans(), st.booleans(), st.booleans(), st.booleans(),
    st.integers(0, 2**31),
)  # fmt: skip
@settings(max_examples=25, deadline=None)
def test_the_kernels_equal_the_formula_in_float64(
    kind: str, bf16: bool, B: int, T: int, I: int, H: int, own: bool, reverse: bool, time_first: bool, ragged: bool,
    seed: int,
) -> None:  # fmt: skip
    if bf16 and kind == "indrnn_relu":
        pytest.skip("where rounding moves a sum across 0, the slope of ReLU is another")
    torch.manual_seed(seed)
    lengths = torch.randint(0, T + 1, (B,)) if ragged else torch.full((B,), T)
    compare(kind, inputs(kind, B, T, I, H, own=own), lengths, bf16, reverse=reverse, time_first=time_first)


@pytest.mark.parametrize("kind", STEPS)
@pytest.mark.parametrize("own", [False, True])
def test_the_formula_has_the_gradients_of_finite_differences(kind: str, own: bool) -> None:
    torch.manual_seed(0)
    tensors = [t.requires_grad_() for t in inputs(kind, 3, 4, 2, 3, own=own)]
    lengths = torch.tensor([4, 0, 3])
    assert torch.autograd.gradcheck(lambda *found: scan_formula(*found, lengths, kind=kind, reverse=True), tensors)


@needs_kernels
@pytest.mark.parametrize("kind", STEPS)
def test_gradients_can_be_differentiated(kind: str) -> None:
    torch.manual_seed(0)
    tensors = [t.float().requires_grad_() for t in inputs(kind, 3, 4, 5, 6, own=False)]
    used = [t for t in tensors if t.numel()]
    results = []
    for function in (scan_sequence, scan_formula):
        outputs, last = function(*tensors, None, kind=kind)
        first = torch.autograd.grad((outputs**2).sum() + last.sum(), used, create_graph=True)
        results.append(torch.autograd.grad(sum((g**2).sum() for g in first), used))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


@needs_kernels
@pytest.mark.parametrize("kind", STEPS)
def test_rows_depend_neither_on_their_batch_nor_on_the_threads(kind: str) -> None:
    xs, state, *rest = (t.float() for t in inputs(kind, 37, 5, 12, 40, own=False))
    whole = scan_sequence(xs, state, *rest, kind=kind)
    for first, last in [(0, 1), (3, 5), (0, 15), (7, 23), (20, 37)]:
        for one, other in zip(scan_sequence(xs[first:last], state[first:last], *rest, kind=kind), whole):
            assert torch.equal(one, other[first:last])
    slopes = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            tensors = [t.clone().requires_grad_() for t in (xs, state, *rest)]
            found = scan_sequence(*tensors, kind=kind)
            assert torch.equal(found[0], whole[0])
            slopes.append(torch.autograd.grad(found[0].square().sum(), (tensors[1], tensors[3])))
    finally:
        torch.set_num_threads(before)
    for one, other in zip(*slopes):
        assert torch.equal(one, other)


@needs_kernels
@pytest.mark.parametrize("bf16", BF16)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("kind", STEPS)
def test_what_is_not_finite_stays_in_its_row(kind: str, bad: float, bf16: bool) -> None:
    tensors = [t.float() for t in inputs(kind, 9, 4, 6, 20, own=False)]  # 6: of an odd number oneDNN reads on
    tensors[0][2, 1, 0] = bad
    expected = scan_formula(*tensors, kind=kind)[0]
    tensors = [t.requires_grad_() for t in tensors]
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        outputs = scan_sequence(*tensors, kind=kind)[0]
    assert torch.equal(outputs.isfinite(), expected.isfinite())
    others = torch.arange(9) != 2
    assert outputs[others].isfinite().all()
    (slope,) = torch.autograd.grad(outputs.float().sum(), tensors[0])
    assert slope[others].isfinite().all()


@needs_kernels
@pytest.mark.parametrize("bf16", BF16)
def test_nothing_is_written_beside_the_arrays(bf16: bool, borders_hold: Callable[[], bool]) -> None:
    """Shapes by lot."""
    rng = np.random.default_rng()
    for kind in [*STEPS] * 3:
        B, T, I, H = (int(rng.integers(1, most)) for most in (20, 6, 70, 80))
        tensors = [t.float().requires_grad_() for t in inputs(kind, B, T, I, H, own=bool(rng.integers(2)))]
        lengths = torch.from_numpy(rng.integers(0, T + 1, B))
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            outputs, last = scan_sequence(*tensors, lengths, kind=kind, reverse=bool(rng.integers(2)))
        found = torch.autograd.grad(outputs.float().sum() + last.sum(), tensors)
        for tensor in (outputs, last, *found):
            assert tensor.isfinite().all()
    assert borders_hold()


@needs_kernels
def test_a_graph_that_is_kept_gives_the_same_gradient_again() -> None:
    for kind in STEPS:
        tensors = [t.float().requires_grad_() for t in inputs(kind, 9, 4, 20, 20, own=True)]
        loss = scan_sequence(*tensors, kind=kind)[0].square().sum()
        (first,) = torch.autograd.grad(loss, tensors[0], retain_graph=True)
        (second,) = torch.autograd.grad(loss, tensors[0])
        assert torch.equal(first, second)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("sizes", [(6, 20), (20, 20)], ids=str)
def test_under_autocast_the_state_stays_in_float32(name: str, sizes: tuple[int, int]) -> None:
    torch.manual_seed(0)
    cell = CELLS[name](*sizes)
    xs, start = torch.randn(3, 30, sizes[0]), cell.initial_state(3)
    expected, _ = Cell.unroll(cell, xs, start)
    with torch.autocast("cpu", torch.bfloat16):
        outputs, last = cell.unroll(xs, start)
    assert {leaf.dtype for leaf in leaves(last)} == {torch.float32}
    torch.testing.assert_close(outputs.float(), expected, atol=5e-2, rtol=5e-2)


def test_the_rglru_starts_to_keep_between_90_and_999_of_a_thousand_and_its_input_is_scaled_to_match() -> None:
    cell = RGLRU(4, 400)
    kept = torch.sigmoid(cell.Lambda).detach() ** 8
    assert 0.9 <= float(kept.min()) < 0.91 < 0.99 < float(kept.max()) <= 0.999
    named, _ = cell.trace_step(torch.randn(1, 4), cell.initial_state(1))
    torch.testing.assert_close(
        named["hidden_state"], torch.sqrt(1 - named["decay"].double() ** 2).float() * named["taken_in"],
        atol=1e-6, rtol=1e-4,
    )  # fmt: skip


def test_the_shares_of_a_minlstm_sum_to_one() -> None:
    """A constant candidate is where every unit ends, whatever its gates are."""
    cell = MinLSTM(3, 7)
    torch.nn.init.zeros_(cell.projection.weight[14:])
    torch.nn.init.constant_(cell.projection.bias[14:], 0.5)
    outputs, _ = cell.unroll(torch.randn(2, 200, 3), cell.initial_state(2))
    torch.testing.assert_close(outputs[:, -1], torch.full((2, 7), 0.5))


def test_an_unknown_activation_is_named() -> None:
    with pytest.raises(UsageError, match="activation 'identity' is unknown"):
        IndRNN(2, 3, activation="identity")

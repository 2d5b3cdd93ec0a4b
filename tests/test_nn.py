"""`chekhov.nn` is `torch.nn`: the same weights give the same numbers, gradients, shapes and errors, in every form."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from chekhov import nn
from chekhov.kernels import dispatch
from chekhov.recurrent.sequences import torch_lstm_fails

NAMES = ("LSTM", "GRU", "RNN")
FORMS = list(itertools.product((1, 2), (False, True), (False, True), (False, True), ("batch", "alone", "packed")))


@pytest.fixture(autouse=True)
def on_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nn, "torch_is_as_fast", lambda: False)


def tensors(found: Any) -> list[Tensor]:
    if isinstance(found, PackedSequence):
        return [found.data]
    return [found] if isinstance(found, Tensor) else [tensor for part in found for tensor in tensors(part)]


def pair(name: str, *args: Any, **options: Any) -> tuple[Any, Any]:
    theirs, ours = getattr(torch.nn, name)(*args, **options), getattr(nn, name)(*args, **options)
    ours.load_state_dict(theirs.state_dict())
    assert repr(theirs) == repr(ours)
    return theirs, ours


def same(theirs: Any, ours: Any, *inputs: Any, atol: float = 1e-5) -> None:
    """Outputs, states and the gradient of every weight."""
    results = []
    for module in (theirs, ours):
        torch.manual_seed(1)
        results.append(module(*inputs))
        sum(tensor.float().square().sum() for tensor in tensors(results[-1])).backward()
    for one, other in zip(*map(tensors, results), strict=True):
        assert one.dtype == other.dtype
        torch.testing.assert_close(other, one, atol=atol, rtol=0)
    for (label, weight), twin in zip(theirs.named_parameters(), ours.parameters()):
        torch.testing.assert_close(twin.grad, weight.grad, atol=10 * atol, rtol=10 * atol, msg=label)
        weight.grad = twin.grad = None


@pytest.mark.parametrize("name", NAMES)
def test_every_form_equals_torch(name: str) -> None:
    torch.manual_seed(0)
    for layers, bidirectional, batch_first, bias, mode in FORMS:
        options = {"bias": bias, "batch_first": batch_first, "bidirectional": bidirectional}
        theirs, ours = pair(name, 5, 20, layers, dropout=0.3 if layers > 1 else 0.0, **options)
        xs: Any = torch.randn(7, 6, 5) if batch_first else torch.randn(6, 7, 5)
        h = torch.randn(layers * (1 + bidirectional), 7, 20)
        if mode == "alone":
            xs, h = torch.randn(6, 5), h[:, 0]
        elif mode == "packed":
            ends = torch.tensor([3, 6, 1, 2, 6, 5, 4])
            xs = pack_padded_sequence(xs, ends, batch_first=batch_first, enforce_sorted=False)
        same(theirs, ours, xs)
        same(theirs, ours, xs, (h, h / 2) if name == "LSTM" else h)


@pytest.mark.filterwarnings("ignore:LSTM with projections")
@pytest.mark.parametrize("name", NAMES)
def test_what_the_kernels_do_not_do_torch_does(name: str) -> None:
    torch.manual_seed(0)
    theirs, ours = pair(name, 3, 4)
    same(theirs.double(), ours.double(), torch.randn(2, 3, 3).double())
    if name == "LSTM":
        same(*pair(name, 3, 8, 2, proj_size=5, bidirectional=True), torch.randn(4, 2, 3))
    if name == "RNN":
        same(*pair(name, 3, 8, nonlinearity="relu"), torch.randn(4, 2, 3))
    with pytest.raises(RuntimeError) as theirs_error:
        theirs(torch.randn(0, 2, 3).double())
    with pytest.raises(RuntimeError) as ours_error:
        ours(torch.randn(0, 2, 3).double())
    assert str(ours_error.value) == str(theirs_error.value)


BAD = [
    (torch.randn(2, 3, 9), None),
    (torch.randn(2, 3, 5, 1), None),
    (torch.randn(2, 3, 5), "wrong rows"),
    (torch.randn(2, 5), "three dimensions"),
    (torch.randn(2, 3, 5).double(), None),
    (torch.randint(5, (2, 3, 5)), None),
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", range(len(BAD)))
def test_errors_are_torchs(name: str, case: int) -> None:
    theirs, ours = pair(name, 5, 4)
    xs, what = BAD[case]
    h = {"wrong rows": torch.randn(1, 9, 4), "three dimensions": torch.randn(1, 2, 4)}.get(what or "")
    state = (h, h) if h is not None and name == "LSTM" else h
    messages = []
    for module in (theirs, ours):
        with pytest.raises((RuntimeError, ValueError, AssertionError)) as error:
            module(xs, state)
        messages.append((type(error.value), str(error.value)))
    assert messages[0] == messages[1]


@pytest.mark.parametrize("name", NAMES)
def test_autocast_gives_bfloat16_near_float32(name: str) -> None:
    torch.manual_seed(0)
    theirs, ours = pair(name, 40, 64, bidirectional=True)
    xs = torch.randn(9, 5, 40)
    with torch.autocast("cpu", torch.bfloat16):
        found, fails = ours(xs), name == "LSTM" and torch_lstm_fails()  # then theirs stays in float32
    with torch.autocast("cpu", torch.bfloat16, enabled=not fails):
        expected = theirs(xs)
    for one, other in zip(tensors(expected), tensors(found)):
        assert other.dtype == (torch.bfloat16 if fails else one.dtype)
        torch.testing.assert_close(other.float(), one.float(), atol=3e-2, rtol=0)


@pytest.mark.parametrize(
    ("name", "form", "theirs"),
    [*itertools.product(NAMES, ("batch", "packed"), (False,)), ("LSTM", "batch", True)],
)
def test_autocast_is_kept_where_the_processor_has_no_bfloat16(
    name: str, form: str, theirs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In float32 then, and rounded; also where the gradient is asked for inside of the block."""
    monkeypatch.setattr(nn, "torch_is_as_fast", lambda: theirs)
    path = dispatch.chosen()._replace(bf16=False)
    monkeypatch.setattr(dispatch, "chosen", lambda: path)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    torch.manual_seed(0)
    module = getattr(nn, name)(6, 20, num_layers=2, bidirectional=True)
    xs = torch.randn(9, 4, 6)
    given = xs if form == "batch" else pack_padded_sequence(xs, torch.tensor([9, 7, 7, 2]))
    expected, _ = module(given)
    with torch.autocast("cpu", torch.bfloat16):
        found, _ = module(given)
        tensors(found)[0].float().square().sum().backward()
    slopes = [weight.grad.clone() for weight in module.parameters()]
    module.zero_grad()
    tensors(expected)[0].square().sum().backward()
    if name != "GRU" and (path.compiled or name == "LSTM"):  # PyTorch's GRU keeps what its state is
        assert tensors(found)[0].dtype == torch.bfloat16
    torch.testing.assert_close(tensors(found)[0].float(), tensors(expected)[0], atol=1e-2, rtol=0)
    for slope, weight in zip(slopes, module.parameters()):
        assert float((slope - weight.grad).norm() / weight.grad.norm()) < 2e-2


@pytest.mark.parametrize("name", ["LSTM", "GRU", "RNN"])
def test_a_module_in_bf16_computes_as_under_autocast_and_gives_what_it_is_given(name: str) -> None:
    module = getattr(nn, name)(8, 40, 2, precision="bf16")
    plain = getattr(nn, name)(8, 40, 2)
    plain.load_state_dict(module.state_dict())
    xs = torch.randn(6, 5, 8)
    outputs, states = module(xs)
    with torch.autocast("cpu", torch.bfloat16):
        expected, _ = plain(xs)
    assert outputs.dtype == (states[0] if name == "LSTM" else states).dtype == torch.float32
    assert torch.equal(outputs, expected.float())
    assert copy.deepcopy(module).precision == "bf16"
    packed = module(pack_padded_sequence(xs, torch.tensor([6, 3, 2, 1, 1])))[0]
    assert packed.data.dtype == torch.float32
    with pytest.raises(ValueError, match="fp8"):
        getattr(nn, name)(8, 40, precision="fp8")


@pytest.mark.parametrize("name", NAMES)
def test_second_gradients(name: str) -> None:
    torch.manual_seed(0)
    results = []
    for module in pair(name, 3, 6, 2, bidirectional=True, batch_first=False):
        torch.manual_seed(2)
        xs = torch.randn(4, 2, 3, requires_grad=True)
        outputs, _ = module(xs)
        (slope,) = torch.autograd.grad(outputs.square().sum(), xs, create_graph=True)
        results.append(torch.autograd.grad(slope.square().sum(), [xs, *module.parameters()], allow_unused=True))
    for one, other in zip(*results):
        if one is not None:
            torch.testing.assert_close(other, one, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_a_module_is_one_of_torchs(name: str) -> None:
    module = getattr(nn, name)(3, 4, 2)
    assert isinstance(module, getattr(torch.nn, name))
    twin = copy.deepcopy(module)
    module.flatten_parameters()
    xs = torch.randn(5, 2, 3)
    assert torch.equal(module(xs)[0], twin(xs)[0])
    with torch.no_grad():
        twin.weight_hh_l0.mul_(2)
    assert not torch.equal(module(xs)[0], twin(xs)[0])
    assert [len(weights) for weights in module.all_weights] == [4, 4]
    assert not module(torch.randn(1, 1, 3))[0].isnan().any()  # one step


def test_it_runs_on_the_kernels_where_there_are_any(monkeypatch: pytest.MonkeyPatch) -> None:
    if not dispatch.chosen().compiled:
        pytest.skip(dispatch.chosen().why)
    monkeypatch.setattr(torch.nn.LSTM, "forward", lambda *_: pytest.fail("torch was asked"))
    precision = "bf16" if dispatch.chosen().bf16 else "float32"  # beside AMX, float32 is left to oneDNN
    outputs, _ = nn.LSTM(3, 4, precision=precision)(torch.randn(5, 2, 3))
    assert outputs.shape == (5, 2, 4)


def module_infos() -> list[Any]:
    pytest.importorskip("expecttest", reason="torch's own test data needs it")
    from torch.testing._internal.common_modules import module_db

    return [info for info in module_db if info.name.removeprefix("nn.") in NAMES]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NAMES)
def test_the_inputs_of_torchs_own_tests(name: str) -> None:
    infos = [info for info in module_infos() if info.name == f"nn.{name}"]
    assert infos
    for info in infos:
        for training in (True, False):
            inputs = info.module_inputs_func(
                info, device="cpu", dtype=torch.float32, requires_grad=False, training=training
            )
            for sample in inputs:
                args, options = sample.constructor_input.args, sample.constructor_input.kwargs
                theirs, ours = pair(name, *args, **options)
                same(
                    theirs.train(training),
                    ours.train(training),
                    *sample.forward_input.args,
                    *sample.forward_input.kwargs.values(),
                )


@pytest.mark.parametrize(
    ("threads", "policy", "bf16", "forced", "theirs"),
    [
        (1, "", False, False, 1), (1, "passive", False, False, 1), (2, "", False, False, 1),
        (2, "passive", False, False, 0), (2, "PASSIVE", False, False, 0), (2, "", True, False, 0),
        (1, "", True, False, 0), (1, "", False, True, 0), (2, "", False, True, 0),
    ],
)  # fmt: skip
def test_an_lstm_in_float32_is_torch_s_where_that_is_as_fast(
    monkeypatch: pytest.MonkeyPatch, threads: int, policy: str, bf16: bool, forced: bool, theirs: int
) -> None:
    path, calls, forward = dispatch.chosen(), [], torch.nn.LSTM.forward
    if not path.compiled or path.name == "amx" or (bf16 and not path.bf16):
        pytest.skip("on this path all are PyTorch's, or there is no bfloat16")
    monkeypatch.undo()  # of what makes the other tests run on kernels
    monkeypatch.setenv("OMP_WAIT_POLICY", policy)
    monkeypatch.setenv("CHEKHOV_ISA", path.name if forced else "")
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    monkeypatch.setattr(torch.nn.LSTM, "forward", lambda *given: (calls.append(1), forward(*given))[1])
    module, xs = nn.LSTM(8, 16), torch.randn(6, 20, 8)
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        module(xs)
    assert len(calls) == theirs
    module(pack_padded_sequence(xs, torch.full((20,), 6)))
    assert len(calls) == theirs

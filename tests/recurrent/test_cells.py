"""Every cell: the contract of a cell, PyTorch's figures where it has the cell, and what its formula promises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from chekhov.errors import ModelError, UsageError
from chekhov.recurrent.bidirectional import Bidirectional
from chekhov.recurrent.cell import Cell
from chekhov.recurrent.convert import from_torch, negate_update_gate, to_torch
from chekhov.recurrent.elman import Elman
from chekhov.recurrent.generator import refusal
from chekhov.recurrent.gru import GRU
from chekhov.recurrent.indrnn import IndRNN
from chekhov.recurrent.language_model import CELLS, RecurrentLM
from chekhov.recurrent.lstm import LSTM
from chekhov.recurrent.mingru import MinGRU
from chekhov.recurrent.minlstm import MinLSTM
from chekhov.recurrent.qrnn import QRNN
from chekhov.recurrent.rglru import RGLRU
from chekhov.recurrent.scan import linear_scan
from chekhov.recurrent.sru import SRU
from chekhov.recurrent.stack import Stack
from chekhov.recurrent.window import FixedWindow
from chekhov.tasks.text_model import RECURRENT
from chekhov.testing import check_cell, check_language_model


def seeing(cell: LSTM) -> LSTM:
    """Peepholes as they are in the middle of training."""
    torch.nn.init.normal_(cell.peepholes)
    return cell


FORMS: dict[str, Callable[[int, int], Cell]] = {
    "elman": Elman,
    "elman of the chapter": lambda i, h: Elman(i, h, bias=False),
    "elman relu": lambda i, h: Elman(i, h, activation="relu"),
    "elman sigmoid": lambda i, h: Elman(i, h, activation="sigmoid"),
    "gru": GRU,
    "gru reset before": lambda i, h: GRU(i, h, reset="before"),
    "gru update replace": lambda i, h: GRU(i, h, update="replace"),
    "gru of colah": lambda i, h: GRU(i, h, reset="before", update="replace"),
    "mingru": MinGRU,
    "minlstm": MinLSTM,
    "qrnn": QRNN,
    "sru": SRU,
    "sru and rglru of as many inputs as units": lambda i, h: Stack([QRNN(i, h), SRU(h, h), RGLRU(h, h)]),
    "indrnn": IndRNN,
    "indrnn tanh": lambda i, h: IndRNN(i, h, activation="tanh"),
    "rglru": RGLRU,
    "window 1": lambda i, h: FixedWindow(i, h, width=1),
    "window 3": lambda i, h: FixedWindow(i, h, width=3),
    "lstm": LSTM,
    "lstm zoneout": lambda i, h: LSTM(i, h, zoneout=0.3).eval(),
    "lstm peephole": lambda i, h: seeing(LSTM(i, h, peephole=True)),
    "lstm peephole zoneout": lambda i, h: seeing(LSTM(i, h, peephole=True, zoneout=0.3).eval()),
    "lstm layer norm": lambda i, h: LSTM(i, h, layer_norm=True),
    "lstm coupled": lambda i, h: LSTM(i, h, coupled=True),
    "lstm coupled peephole": lambda i, h: seeing(LSTM(i, h, coupled=True, peephole=True)),
    "residual": lambda i, h: Stack([MinGRU(i, h), GRU(h, h), LSTM(h, h)], residual=True),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_cell_keeps_the_contract(form: str) -> None:
    check_cell(FORMS[form])


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize(
    "options",
    [{}, {"num_layers": 3, "residual": True}, {"embedding_size": 0}, {"embedding_size": 6, "tied": True}],
    ids=["plain", "residual", "one-hot", "tied"],
)
def test_every_language_model_keeps_the_contract(kind: str, options: dict[str, Any]) -> None:
    torch.manual_seed(3)
    model = RecurrentLM(kind, 9, **{"embedding_size": 4, "hidden_size": 6, **options}).eval()
    check_language_model(model, np.random.default_rng(0))


@pytest.mark.parametrize(
    "options", [{"zoneout": 0.3}, {"peephole": True}, {"coupled": True}, {"layer_norm": True}], ids=str
)
def test_every_form_of_the_lstm_makes_a_language_model(options: dict[str, Any]) -> None:
    torch.manual_seed(3)
    model = RecurrentLM("lstm", 9, embedding_size=4, hidden_size=6, num_layers=2, cell_options=options).eval()
    check_language_model(model, np.random.default_rng(0))
    assert ("none for an LSTM with" in refusal(model, "float32")) == ("coupled" not in options)


def test_the_kinds_that_the_command_line_knows_are_the_cells() -> None:
    assert set(RECURRENT) == set(CELLS)


MODULES = {
    "tanh": lambda **flags: torch.nn.RNN(5, 7, batch_first=True, **flags),
    "relu": lambda **flags: torch.nn.RNN(5, 7, nonlinearity="relu", batch_first=True, **flags),
    "gru": lambda **flags: torch.nn.GRU(5, 7, batch_first=True, **flags),
    "lstm": lambda **flags: torch.nn.LSTM(5, 7, batch_first=True, **flags),
}
FLAGS = [{}, {"bias": False}, {"num_layers": 3}, {"bidirectional": True, "num_layers": 2}]


@pytest.mark.parametrize("flags", FLAGS, ids=str)
@pytest.mark.parametrize("name", MODULES)
def test_weights_go_from_torch_and_back_and_the_formula_gives_torchs_figures(name: str, flags: dict[str, Any]) -> None:
    torch.manual_seed(0)
    theirs = MODULES[name](**flags).double()
    ours = from_torch(theirs)
    xs = torch.randn(3, 11, 5, dtype=torch.float64)
    if isinstance(ours, Bidirectional):
        found = ours(xs)
    else:
        found, _ = Stack.unroll(ours, xs, ours.initial_state(3))
        by_formula = [cell.step for cell in ours.cells]
        state, columns = ours.initial_state(3), []
        for t in range(11):
            x, states = xs[:, t], []
            for step, old in zip(by_formula, state, strict=True):
                x, new = step(x, old)
                states.append(new)
            state = tuple(states)
            columns.append(x)
        torch.testing.assert_close(torch.stack(columns, 1), theirs(xs)[0], atol=1e-12, rtol=0)
    torch.testing.assert_close(found, theirs(xs)[0], atol=1e-12, rtol=0)
    again = to_torch(ours)
    assert again.state_dict().keys() == theirs.state_dict().keys()
    for key, weight in theirs.state_dict().items():
        assert torch.equal(again.state_dict()[key], weight)
    mix = torch.randn_like(found)
    (found * mix).sum().backward()
    (theirs(xs)[0] * mix).sum().backward()
    cells = [*ours.forward_cells, *ours.backward_cells] if isinstance(ours, Bidirectional) else ours.cells
    gradients = sorted(float(w.grad.norm()) for cell in cells for w in cell.parameters())
    assert gradients == pytest.approx(sorted(float(w.grad.norm()) for w in theirs.parameters()), abs=1e-6)


def test_what_torch_has_not_is_refused() -> None:
    for stack in (
        Stack([MinGRU(2, 3)]),
        Stack([GRU(2, 3, reset="before")]),
        Stack([Elman(2, 3, activation="sigmoid")]),
    ):
        with pytest.raises(ModelError, match="no such cell"):
            to_torch(stack)
    with pytest.raises(ModelError, match="no LSTM with zoneout"):
        to_torch(Stack([LSTM(2, 3), LSTM(3, 3, zoneout=0.1)]))
    with pytest.raises(ModelError, match="no LSTM with zoneout and peepholes and coupled gates"):
        to_torch(Stack([LSTM(2, 3, zoneout=0.1, peephole=True, coupled=True)]))
    with pytest.raises(ModelError, match="no LSTM with layer norm"):
        to_torch(Stack([LSTM(2, 3, layer_norm=True)]))
    with pytest.raises(ModelError, match="projection"):
        from_torch(torch.nn.LSTM(3, 4, proj_size=2))


def test_the_two_meanings_of_the_update_gate_are_one_function() -> None:
    torch.manual_seed(0)
    xs = torch.randn(2, 9, 3, dtype=torch.float64)
    for reset in ("before", "after"):
        torchs = GRU(3, 4, reset=reset).double()
        with torch.no_grad():
            for weight in torchs.parameters():
                weight.normal_()
        colahs = negate_update_gate(torchs)
        assert (torchs.update, colahs.update) == ("keep", "replace")
        torch.testing.assert_close(
            colahs.unroll(xs, colahs.initial_state(2)), torchs.unroll(xs, torchs.initial_state(2))
        )


def test_reset_before_and_after_the_product_differ_unless_the_reset_gate_is_open() -> None:
    torch.manual_seed(0)
    after = GRU(3, 4).double()
    before = GRU(3, 4, reset="before").double()
    before.load_state_dict(after.state_dict())
    xs = torch.randn(2, 9, 3, dtype=torch.float64)
    assert not torch.allclose(
        before.unroll(xs, before.initial_state(2))[0], after.unroll(xs, after.initial_state(2))[0]
    )
    for cell in (after, before):
        cell.weights.bias_ih_l0.data[:4] = 1e9  # r = 1
    torch.testing.assert_close(read(before, xs), read(after, xs))


def read(cell: Cell, xs: torch.Tensor) -> torch.Tensor:
    return cell.unroll(xs, cell.initial_state(len(xs)))[0]


def test_the_chapters_formula_has_the_chapters_number_of_parameters() -> None:
    """H d + H^2 + V H without biases."""
    assert sum(weight.numel() for weight in Elman(5, 7, bias=False).parameters()) == 7 * 5 + 7 * 7


def test_a_linear_scan_is_its_recurrence() -> None:
    torch.manual_seed(0)
    a, b = torch.rand(2, 50, 3), torch.randn(2, 50, 3)
    h, expected = torch.randn(2, 3), []
    start = h
    for t in range(50):
        h = a[:, t] * h + b[:, t]
        expected.append(h)
    torch.testing.assert_close(linear_scan(a, b, start), torch.stack(expected, dim=1), atol=1e-5, rtol=0)


def test_a_window_sees_its_width_and_no_more() -> None:
    torch.manual_seed(0)
    cell = FixedWindow(3, 4, width=5).double()
    xs = torch.randn(1, 20, 3, dtype=torch.float64, requires_grad=True)
    outputs, _ = cell.unroll(xs, cell.initial_state(1))
    outputs[0, 12].sum().backward()
    reached = xs.grad[0].abs().sum(dim=1) > 0
    assert reached.nonzero().flatten().tolist() == [8, 9, 10, 11, 12]


def test_both_directions_of_a_text_are_read_and_padding_changes_nothing() -> None:
    torch.manual_seed(0)
    net = Bidirectional([GRU(3, 4), GRU(8, 4)], [GRU(3, 4), GRU(8, 4)]).double()
    xs = torch.randn(2, 9, 3, dtype=torch.float64)
    lengths = torch.tensor([9, 5])
    out = net(xs, lengths)
    torch.testing.assert_close(out[1, :5], net(xs[1:, :5])[0])
    assert not out[1, 5:].any()
    turned = Bidirectional(net.backward_cells, net.forward_cells).double()  # type: ignore[arg-type]
    first = net.forward_cells[1].weights.weight_ih_l0  # the halves of its input change places too
    for cell in (*turned.forward_cells[1:], *turned.backward_cells[1:]):
        weight = cell.weights.weight_ih_l0
        weight.data = torch.cat([weight[:, 4:], weight[:, :4]], dim=1).detach()
    assert first.shape == (12, 8)
    mirrored = turned(xs[:1].flip(1)).flip(1)
    torch.testing.assert_close(torch.cat([mirrored[..., 4:], mirrored[..., :4]], dim=2), out[:1])


def test_a_relu_net_starts_as_the_identity_and_an_unknown_form_is_named() -> None:
    assert torch.equal(Elman(2, 3, activation="relu").weights.weight_hh_l0, torch.eye(3))
    with pytest.raises(UsageError, match="activation 'cube' is unknown"):
        Elman(2, 3, activation="cube")
    with pytest.raises(UsageError, match="--reset never is unknown"):
        GRU(2, 3, reset="never")
    with pytest.raises(UsageError, match=r"zoneout is 1\.0"):
        LSTM(2, 3, zoneout=1.0)
    with pytest.raises(UsageError, match="hidden size"):
        RecurrentLM("gru", 9, embedding_size=4, hidden_size=6, tied=True)

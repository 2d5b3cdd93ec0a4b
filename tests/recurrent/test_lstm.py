"""The LSTM cell against torch.nn.LSTM, against finite differences, and its initialisation against its promise."""

from __future__ import annotations

import torch

from chekhov.recurrent.cell import Cell
from chekhov.recurrent.lstm import LSTM, LSTMState
from chekhov.recurrent.stack import Stack
from chekhov.testing import check_cell


def test_lstm_keeps_the_contract_of_a_cell() -> None:
    check_cell(LSTM)


def test_a_stack_of_cells_is_a_cell() -> None:
    check_cell(lambda i, h: Stack([LSTM(i, 5), LSTM(5, h)]))


def test_the_formula_equals_torch_and_so_do_its_gradients() -> None:
    torch.manual_seed(0)
    ours, theirs = LSTM(5, 7).double(), torch.nn.LSTM(5, 7, batch_first=True).double()
    ours.weights.load_state_dict(theirs.state_dict())
    xs = torch.randn(3, 11, 5, dtype=torch.float64)
    mix = torch.randn(3, 11, 7, dtype=torch.float64)
    outputs, last = Cell.unroll(ours, xs, ours.initial_state(3))
    expected, (h, c) = theirs(xs)
    torch.testing.assert_close(outputs, expected, atol=1e-12, rtol=0)
    torch.testing.assert_close(last, LSTMState(h[0], c[0]), atol=1e-12, rtol=0)
    (outputs * mix).sum().backward()
    (expected * mix).sum().backward()
    for name, weight in ours.weights.named_parameters():
        torch.testing.assert_close(weight.grad, theirs.get_parameter(name).grad, atol=1e-6, rtol=0)


def test_it_starts_with_orthogonal_recurrence_and_an_open_forget_gate() -> None:
    cell = LSTM(3, 8)
    for gate in cell.weights.weight_hh_l0.detach().chunk(4):
        torch.testing.assert_close(gate @ gate.t(), torch.eye(8), atol=1e-5, rtol=0)
    i, f, g, o = (cell.weights.bias_ih_l0 + cell.weights.bias_hh_l0).detach().chunk(4)
    assert (f == 1).all()
    assert not i.any()
    assert not g.any()
    assert not o.any()


def test_a_closed_input_gate_and_an_open_forget_gate_keep_the_cell_state_for_ever() -> None:
    cell = LSTM(2, 3).double()
    with torch.no_grad():
        for weight in cell.parameters():
            weight.zero_()
        cell.weights.bias_ih_l0[:3] = -1e9  # i = 0
        cell.weights.bias_ih_l0[3:6] = 1e9  # f = 1
    kept = torch.tensor([[0.25, -3.0, 7.5]], dtype=torch.float64)
    _, last = cell.unroll(torch.randn(1, 1000, 2, dtype=torch.float64), LSTMState(torch.zeros_like(kept), kept))
    assert torch.equal(last.c, kept)

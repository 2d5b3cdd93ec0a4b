"""The first page a student reads: its hand-written gradients are those of finite differences and of autograd."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from chekhov.recurrent.elman import Elman

PATH = Path(__file__).parents[2] / "examples" / "01_numpy_rnn.py"
V, H, T = 7, 5, 12


@pytest.fixture(scope="module")
def rnn() -> Any:
    spec = importlib.util.spec_from_file_location("numpy_rnn", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def problem(rnn: Any) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    ids = rng.integers(V, size=T + 1)
    return rnn.initial_weights(V, H, rng), ids[:-1], ids[1:], rng.normal(size=H) / 3


def test_backward_is_finite_differences(rnn: Any, problem: Any) -> None:
    w, inputs, targets, h = problem
    states, o = rnn.forward(w, inputs, h)
    d = rnn.backward(w, inputs, targets, states, o)
    for name, weight in w.items():
        for place in np.ndindex(weight.shape):
            kept, values = weight[place], []
            for step in (1e-5, -1e-5):
                weight[place] = kept + step
                values.append(rnn.loss(rnn.forward(w, inputs, h)[1], targets))
            weight[place] = kept
            assert d[name][place] == pytest.approx((values[0] - values[1]) / 2e-5, abs=1e-6)


def test_it_is_our_elman_cell_and_its_gradients_are_autograds(rnn: Any, problem: Any) -> None:
    w, inputs, targets, h = problem
    states, o = rnn.forward(w, inputs, h)
    d = rnn.backward(w, inputs, targets, states, o)
    cell = Elman(V, H, bias=False).double()
    head = torch.tensor(w["W_ho"], requires_grad=True)
    with torch.no_grad():
        cell.weights.weight_ih_l0.copy_(torch.tensor(w["W_xh"]))
        cell.weights.weight_hh_l0.copy_(torch.tensor(w["W_hh"]))
    xs = torch.nn.functional.one_hot(torch.tensor(inputs), V).double()[None]
    outputs, _ = cell.unroll(xs, torch.tensor(h)[None])
    loss = torch.nn.functional.cross_entropy(outputs[0] @ head.t(), torch.tensor(targets), reduction="sum")
    loss.backward()
    assert rnn.loss(o, targets) == pytest.approx(loss.item(), abs=1e-12)
    np.testing.assert_allclose(states[1:], outputs[0].detach(), atol=1e-12)
    for name, gradient in (
        ("W_xh", cell.weights.weight_ih_l0.grad),
        ("W_hh", cell.weights.weight_hh_l0.grad),
        ("W_ho", head.grad),
    ):
        np.testing.assert_allclose(d[name], gradient, atol=1e-12)


def test_it_learns_a_text_by_heart_and_writes_it(rnn: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(rnn, "TEXT", "ружьё стреляет. " * 60)
    monkeypatch.setattr(sys, "argv", ["01_numpy_rnn.py"])
    rnn.main()
    assert "ружьё стреляет. ружьё стреляет." in capsys.readouterr().out

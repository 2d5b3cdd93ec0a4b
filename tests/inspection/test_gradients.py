"""The gradient laboratory: vanishing, explosion, what gates change, and truncation, each against what must come out."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch

from chekhov.errors import ModelError, UsageError
from chekhov.inspection.gradients import (
    bptt_bytes,
    cell_gradients,
    parts,
    step_jacobian,
    text_gradients,
    unroll_in_windows,
)
from chekhov.inspection.laboratory import MAKERS, family, make_cells, set_forget_bias
from chekhov.recurrent.elman import Elman
from chekhov.recurrent.language_model import RecurrentLM
from chekhov.recurrent.lstm import LSTM, LSTMState
from chekhov.training.optimisers import clip

H, T = 16, 100


def inputs(rows: int = 2, steps: int = T, width: int = H, *, seed: int = 0) -> torch.Tensor:
    return torch.randn(rows, steps, width, generator=torch.Generator().manual_seed(seed)).double()


def lab(*names: str, **options: object) -> dict[str, object]:
    found = family(make_cells(names, 32, **options), distance=T)  # type: ignore[arg-type]
    return {each.name: each for each in found}


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_norms_are_those_of_finite_differences(name: str) -> None:
    """Of every cell: dL/ds at a distance, against L with each number of that state moved."""
    cell = make_cells([name], 4)[name].double()
    xs, distance = inputs(1, 7, 4), 3
    found = cell_gradients(name, cell, xs)
    v = torch.randn(1, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    v = v / v.norm()
    state = cell.initial_state(1)
    for t in range(7 - distance):
        _, state = cell.step(xs[:, t], state)

    def loss(state: object) -> float:
        output = xs
        for t in range(7 - distance, 7):
            output, state = cell.step(xs[:, t], state)
        return float((v * output).sum())

    with torch.no_grad():
        for part_name, part in parts(state):
            flat, slopes = part.view(-1), []
            for i in range(len(flat)):
                kept = float(flat[i])
                flat[i] = kept + 1e-6
                more = loss(state)
                flat[i] = kept - 1e-6
                slopes.append((more - loss(state)) / 2e-6)
                flat[i] = kept
            partial = math.hypot(*slopes)
            if part_name == "h":  # c moves h too, of the same step: its gradient is the whole one
                assert found.norms[part_name][distance] == pytest.approx(partial, rel=1e-4, abs=1e-7)


def test_jacobian_of_the_simple_net_is_its_formula() -> None:
    cell, xs = Elman(5, 6).double(), inputs(1, 1, 5)
    state = inputs(1, 1, 6, seed=1)[:, 0]
    h, _ = cell.step(xs[:, 0], state)
    W_hh = cell.parameters_by_letter()[1]
    torch.testing.assert_close(step_jacobian(cell, xs[:, 0], state), torch.diag(1 - h[0] ** 2) @ W_hh)


def test_tanh_vanishes_and_the_linear_net_goes_with_the_power_of_its_radius() -> None:
    tanh = lab("elman", spectral_radius=0.9)["elman"]
    assert tanh.slope("h") <= math.log(0.9)  # type: ignore[attr-defined]
    for radius in (0.9, 1.0, 1.1):
        linear = lab("linear", spectral_radius=radius)["linear"]
        np.testing.assert_allclose(linear.norms["h"], radius ** np.arange(T + 1), rtol=1e-3)  # type: ignore[attr-defined]


def test_a_radius_above_one_need_not_explode() -> None:
    """Trap: tanh saturates, so that 1.2 still vanishes; a largest singular value above 1 is needed, not enough."""
    found = lab("elman", spectral_radius=1.2)["elman"]
    assert found.norms["h"][T] < 1e-3  # type: ignore[attr-defined]
    assert found.singular_values.max() > 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("init", ["orthogonal", "uniform"])
def test_forget_bias_1_is_not_flat_at_the_start_but_3_is(init: str) -> None:
    found = lab("lstm", forget_biases=(0, 1, 3), init=init)
    norms = {name[-1]: each.norms["c"] for name, each in found.items()}  # type: ignore[attr-defined]
    assert norms["0"][T] / norms["0"][0] < 1e-12
    assert norms["1"][T] / norms["1"][0] < 1e-3
    assert norms["3"][T] / norms["3"][0] > 1e-2
    gates = {name[-1]: each.gates["forget_gate"] for name, each in found.items()}  # type: ignore[attr-defined]
    assert gates["1"].mean() == pytest.approx(0.72, abs=0.02)


def test_the_cell_of_1997_keeps_the_gradient_exactly() -> None:
    """Error truncated at the gates, as its authors have it: dc_t/dc_{t-1} = 1, however far."""
    cell = make_cells(["lstm-1997"], H)["lstm-1997"].double()
    first = torch.zeros(1, H, dtype=torch.float64, requires_grad=True)
    c, h = first, torch.zeros(1, H, dtype=torch.float64)
    for x in inputs(1)[0]:
        _, (h, c) = cell.step(x[None], LSTMState(h.detach(), c))
    (slope,) = torch.autograd.grad(c.sum(), first)
    assert (slope == 1).all()


def test_beside_its_gates_the_cell_state_passes_the_gradient_by_the_forget_gate_exactly() -> None:
    cell, x = LSTM(H, H).double(), inputs(1, 1)[:, 0]
    h, c = inputs(1, 1, seed=1)[:, 0], inputs(1, 1, seed=2)[:, 0].requires_grad_()
    named, state = cell.trace_step(x, LSTMState(h, c))
    rows = [torch.autograd.grad(state.c[0, k], c, retain_graph=True)[0][0] for k in range(H)]
    assert torch.equal(torch.stack(rows), torch.diag(named["forget_gate"][0]))


def test_an_open_forget_gate_and_a_shut_input_gate_keep_the_cell_for_ever() -> None:
    cell = set_forget_bias(LSTM(H, H).double(), 50.0)
    with torch.no_grad():
        for letter in cell.parameters_by_letter()[:2]:
            letter[: 2 * H] = 0
        cell.parameters_by_letter()[2][:H] = -800.0  # the input gate is 0 to the last bit
        kept = inputs(1, 1, seed=3)[:, 0]
        state = LSTMState(torch.zeros_like(kept), kept)
        for x in inputs(1, 1000)[0]:
            _, state = cell.step(x[None], state)
    assert torch.equal(state.c, kept)


def test_weights_shared_over_time_get_the_sum_of_the_gradients_of_each_time() -> None:
    cell, xs = Elman(H, H).double(), inputs(2, 5)
    Cell_unroll = super(Elman, cell).unroll.__func__  # type: ignore[attr-defined]
    outputs, _ = Cell_unroll(cell, xs, cell.initial_state(2))
    W = cell.parameters_by_letter()[1]
    (whole,) = torch.autograd.grad(outputs.sum(), W)
    W_xh, _, b, b_hh = cell.parameters_by_letter()
    copies = [W.detach().clone().requires_grad_() for _ in range(5)]
    h, total = cell.initial_state(2), torch.zeros((), dtype=torch.float64)
    for t, own in enumerate(copies):
        h = torch.tanh(xs[:, t] @ W_xh.t() + h @ own.t() + b + b_hh)
        total = total + h.sum()
    torch.testing.assert_close(sum(torch.autograd.grad(total, copies)), whole)


def test_truncated_bptt_carries_the_state_and_cuts_the_gradient() -> None:
    cell, xs = LSTM(H, H).double(), inputs(2, 40).requires_grad_()
    outputs = [outputs for outputs, _ in unroll_in_windows(cell, xs, 20)]
    whole, _ = cell.unroll(xs, cell.initial_state(2))
    torch.testing.assert_close(torch.cat(outputs, dim=1), whole)
    (slope,) = torch.autograd.grad(outputs[1].sum(), xs)
    assert (slope[:, :20] == 0).all() and (slope[:, 20:] != 0).any()
    (slope,) = torch.autograd.grad(whole[:, 20:].sum(), xs)
    assert (slope[:, :20] != 0).any()


def test_memory_of_bptt_grows_with_the_text_and_that_of_truncated_bptt_does_not() -> None:
    cell = LSTM(H, H).double()
    full = [bptt_bytes(cell, inputs(2, steps)) for steps in (50, 100, 200)]
    assert (full[2] - full[1]) == pytest.approx(2 * (full[1] - full[0]), rel=0.02)
    cut = [bptt_bytes(cell, inputs(2, steps), window=25) for steps in (50, 100, 200)]
    assert max(cut) < full[0] and max(cut) - min(cut) < 0.3 * (full[1] - full[0])


def test_clipping_changes_the_length_of_the_gradient_and_not_its_direction() -> None:
    cell = make_cells(["linear"], H, spectral_radius=1.2)["linear"]
    outputs, _ = cell.unroll(inputs().float(), cell.initial_state(2))
    outputs[:, -1].sum().backward()
    before = torch.cat([p.grad.reshape(-1).clone() for p in cell.parameters() if p.grad is not None])
    assert float(before.norm()) > 1e6  # it has exploded
    clip(cell, norm=1.0, value=None)  # type: ignore[arg-type]
    after = torch.cat([p.grad.reshape(-1) for p in cell.parameters() if p.grad is not None])
    assert float(after.norm()) <= 1.0 + 1e-5
    assert float(torch.cosine_similarity(before, after, dim=0)) == pytest.approx(1.0, abs=1e-6)


def test_what_is_not_finite_is_named_with_its_step() -> None:
    cell = make_cells(["linear"], H, spectral_radius=100.0)["linear"]
    with pytest.raises(ModelError, match=r"h is not finite at step 1[0-9][0-9]") as caught:
        cell_gradients("linear", cell, 1e50 * inputs(1, 400))
    assert caught.value.code == "E-GRAD-003"


@pytest.mark.parametrize(
    "options",
    [{"names": ["lstn"]}, {"init": "zeros"}, {"spectral_radius": -1.0}, {"hidden_size": 0}, {"forget_biases": [1e9]}],
)
def test_bad_settings(options: dict[str, object]) -> None:
    settings = {"names": ["lstm"], "hidden_size": 4, **options}
    with pytest.raises(UsageError):
        make_cells(settings.pop("names"), settings.pop("hidden_size"), **settings)  # type: ignore[arg-type]


def test_gradients_of_a_text_are_those_of_autograd_through_the_whole_of_it() -> None:
    net = RecurrentLM("lstm", 9, embedding_size=4, hidden_size=6, num_layers=2)
    ids = np.random.default_rng(0).integers(3, 9, 60)
    found = text_gradients("net", net, ids, distance=10, positions=3)
    assert sorted(found.norms) == ["layers.0.c", "layers.0.h", "layers.1.c", "layers.1.h"]
    assert all(len(norms) == 11 and (norms[1:] > 0).all() for norms in found.norms.values())
    last = text_gradients("net", net, ids, distance=58, positions=1)
    double, kept = copy.deepcopy(net).double(), []
    state = double.stack.initial_state(1)
    for id in ids[:-1].tolist():
        features, state = double.stack.step(double.embed(torch.tensor([id])), state)
        state[0].h.retain_grad()
        kept.append(state[0].h)
    (-double.log_softmax(features)[0, int(ids[-1])]).backward()
    for distance in (0, 5, 40):
        expected = float(kept[-1 - distance].grad.norm())  # type: ignore[union-attr]
        assert last.norms["layers.0.h"][distance] == pytest.approx(expected, rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("window", "solved"), [(20, False), (60, True)])
def test_what_lies_beyond_the_window_is_not_learnt(window: int, solved: bool) -> None:
    """One of two symbols at the start, asked for 40 steps later: windows of 20 leave it at chance."""
    torch.manual_seed(0)
    cell, head = set_forget_bias(LSTM(3, 16), 3.0), torch.nn.Linear(16, 2)
    optimiser = torch.optim.Adam([*cell.parameters(), *head.parameters()], lr=0.01)
    accuracy = 0.0
    for _ in range(400):
        bits = torch.randint(0, 2, (64,))
        xs = torch.zeros(64, 60, 3)
        xs[torch.arange(64), 0, bits] = 1.0
        xs[:, 40, 2] = 1.0
        optimiser.zero_grad()
        for start, (outputs, _) in zip(range(0, 60, window), unroll_in_windows(cell, xs, window), strict=True):
            if start <= 40 < start + window:
                logits = head(outputs[:, 40 - start])
                torch.nn.functional.cross_entropy(logits, bits).backward()
                accuracy = float((logits.argmax(1) == bits).float().mean())
        optimiser.step()
    assert (accuracy > 0.95) == solved and (solved or accuracy < 0.75)

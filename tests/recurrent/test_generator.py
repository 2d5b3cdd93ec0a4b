"""Generation kernels against their float64 twin: every precision, odd sizes, rows apart, memory that holds NaN."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import torch

from chekhov import testing
from chekhov.errors import UsageError
from chekhov.kernels import dispatch
from chekhov.recurrent import generation_reference as reference
from chekhov.recurrent import generator as module
from chekhov.recurrent.generation_weights import quantise
from chekhov.recurrent.generator import Generator, GeneratorState, refusal
from chekhov.recurrent.language_model import RecurrentLM
from chekhov.state import select
from chekhov.types import BOS, EOS

pytestmark = pytest.mark.skipif(not dispatch.chosen().compiled, reason=f"no kernels: {dispatch.chosen().why}")
CELLS: list[tuple[str, dict[str, Any]]] = [
    ("lstm", {}),
    ("lstm", {"bias": False}),
    ("lstm", {"coupled": True}),
    ("gru", {}),
    ("gru", {"update": "replace"}),
    *(("elman", {"activation": name}) for name in ("tanh", "relu", "sigmoid", "identity")),
]


def net(cell: str, V: int, E: int, H: int, L: int, options: dict[str, Any] | None = None, **settings: Any) -> Any:
    torch.manual_seed(V + H)
    model = RecurrentLM(cell, V, embedding_size=E, hidden_size=H, num_layers=L, cell_options=options, **settings).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # biases too
            parameter += 0.1 * torch.randn_like(parameter)
    return model


def made(model: RecurrentLM, precision: str) -> Generator:
    why = refusal(model, precision)
    if why:
        pytest.skip(why)
    return Generator(model, precision)


@pytest.fixture(autouse=True)
def poisoned(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a kernel is to write holds NaN before."""
    monkeypatch.setattr(module, "empty", lambda shape, dtype: np.full(shape, np.nan, dtype))


PRECISIONS = ["float32", "bf16", "int8"]
SIZES = [(3, 1, 1, 1), (17, 5, 7, 2), (64, 16, 16, 1), (65, 24, 33, 2), (200, 40, 70, 3), (131, 100, 144, 2)]


def stepped(
    model: RecurrentLM, streams: list[Any], found: list[Any], token: int, precision: str, exact_input: bool
) -> Any:
    """The states of each layer after a token, and what the output layer reads: by the twin. Each layer reads what was
    ``found`` of the one below, since a number at the edge of two roundings may fall to either side."""
    token = EOS if token == BOS else token
    x, after = model.embed(torch.tensor([token]))[0].detach().numpy(), []
    for layer, (cell, state) in enumerate(zip(model.stack.cells, streams)):
        W, U, b, b_hh = (p.detach().numpy() for p in cell.parameters_by_letter())
        if cell.gates == 3 and model.cell == "lstm":  # i = 1 - f = sigmoid(-a)
            W, U, b, b_hh = (np.concatenate([-p[: cell.hidden_size], p]) for p in (W, U, b, b_hh))
        bias = b if model.cell == "gru" else b.astype(np.float64) + b_hh
        below = reference.product(W, x, "float32" if layer == 0 and exact_input else precision) + bias
        if model.cell == "lstm":
            new = reference.lstm(below, U, *state, precision)
        elif model.cell == "gru":
            new = (reference.gru(below, U, b_hh, *state, precision, cell.update),)
        else:
            new = (reference.elman(below, U, *state, precision, cell.activation),)
        shown = found[layer][0].astype(np.float32)
        x = shown + x if model.stack.residual and layer > 0 else shown
        after.append(new)
    return after, x


def unpacked(generator: Generator, row: Any, H: int) -> list[Any]:
    """The same of a row of the kernels' state."""
    per_layer = 2 if generator.kind == "lstm" else 1
    layers = len(generator.model.stack.cells)
    parts = row[: layers * per_layer * generator.units].reshape(layers, per_layer, generator.units)
    assert not parts[:, :, H:].any(), "units that fill up are not 0"
    return [tuple(part[:H].astype(np.float64) for part in layer) for layer in parts]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("kept", ["all", "as they come", "in shared slots"])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize(("cell", "options"), CELLS, ids=str)
def test_a_step_is_the_twins(
    cell: str, options: dict[str, Any], sizes: Any, kept: str, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    V, E, H, L = sizes
    if kept != "all":
        monkeypatch.setattr(module, "AT_ONCE", 0)
    if kept == "in shared slots":
        monkeypatch.setattr(module, "INPUTS", 2 * 4 * 4 * H)
    model = net(cell, V, E, H, L, options, residual=L == 3)
    generator, rng = made(model, precision), np.random.default_rng(V)
    state = generator.initial_state(5)
    tolerance = 2e-6
    for _ in range(3):
        tokens = rng.integers(0, V, 5)
        after, rows = generator.advance(state, tokens), generator.log_probs(state)
        log_probs = generator.log_probs(after)
        for b in range(5):
            found = unpacked(generator, after.streams[b], H)
            before = unpacked(generator, state.streams[b], H)
            expected, shown = stepped(model, before, found, int(tokens[b]), precision, kept == "all")
            for one, other in zip(found, expected):
                for a, e in zip(one, other):
                    np.testing.assert_allclose(a, e, atol=tolerance * max(1, np.abs(e).max()))
            head = [p.detach().numpy() for p in (model.head.weight, model.head.bias)]
            row = reference.log_softmax(*head, shown, precision)
            np.testing.assert_allclose(log_probs[b], row, atol=10 * tolerance * max(1, np.abs(shown).max()))
        assert not np.isnan(rows).any()
        state = after


def test_whole_numbers_are_summed_exactly() -> None:
    """Weights and features that int8 holds as they are, at the ends of its range: the logits are those of integers."""
    model = net("lstm", 70, 4, 500, 1)
    generator, rng = made(model, "int8"), np.random.default_rng(0)
    q = rng.choice([-127, 127, 1, 0], (70, 500))
    q[:, 0] = 127
    with torch.no_grad():
        model.head.weight[:] = torch.from_numpy(q)
        model.head.bias[:] = 0
    generator = Generator(model, "int8")
    for x in (np.full(500, 127), np.full(500, -127), rng.integers(-127, 128, 500)):
        x[1] = 127
        streams = np.zeros((1, generator.stream_size), np.float32)
        streams[0, generator.shown : generator.shown + 500] = x
        found = generator.log_probs(GeneratorState(streams))[0].astype(np.float64)
        whole = (q @ x).astype(np.float32).astype(np.float64)
        found, whole = np.delete(found, BOS), np.delete(whole, BOS)
        # log-probabilities are float32: of numbers below 2^23 in whole steps of less than 1
        np.testing.assert_allclose(found - found.max(), whole - whole.max(), atol=1.0)


def test_quantised_weights_are_the_nearest_multiples_of_their_rows_scale() -> None:
    W = torch.randn(5, 6, 37)
    W[2, 3] = 0
    q, scale = quantise(W)
    assert q.abs().amax(-1).eq(127).sum() == 29 and not q[2, 3].any()
    assert ((scale[..., None] * q - W).abs() <= scale[..., None] * 0.5001).all()


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(("cell", "options"), CELLS, ids=str)
def test_a_streams_numbers_do_not_depend_on_its_batch(cell: str, options: dict[str, Any], precision: str) -> None:
    model = net(cell, 77, 20, 50, 2, options)
    generator, rng = made(model, precision), np.random.default_rng(1)
    tokens = rng.integers(0, 77, (4, 1000))
    whole, rows = generator.initial_state(1000), []
    for step in tokens:
        whole = generator.advance(whole, step)
        rows.append(generator.log_probs(whole))
    for B in (1, 2, 3, 4, 6, 7, 15, 16, 17, 100):
        for first in (0, 501):
            state = generator.initial_state(B)
            for t, step in enumerate(tokens):
                state = generator.advance(state, step[first : first + B])
                assert np.array_equal(generator.log_probs(state), rows[t][first : first + B])
            assert np.array_equal(state.streams, whole.streams[first : first + B])


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(("cell", "options"), CELLS, ids=str)
def test_it_keeps_the_contract(cell: str, options: dict[str, Any], precision: str) -> None:
    generator, rng = made(net(cell, 30, 8, 20, 2, options), precision), np.random.default_rng(2)
    ids = testing.draw_ids(generator, rng, batch_size=3, length=8)
    testing.check_rows_sum_to_one(generator, ids)
    testing.check_score_equals_stepping(generator, ids, 0.0)
    testing.check_text_may_be_cut_anywhere(generator, ids, 0.0)
    testing.check_rows_do_not_mix(generator, ids, 0.0)
    testing.check_advance_leaves_its_argument_alone(generator, ids)
    testing.check_empty_text(generator)


@pytest.mark.parametrize("settings", [{}, {"tied": True}, {"residual": True}, {"one_hot": True}], ids=str)
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(("cell", "options"), CELLS, ids=str)
def test_it_is_near_the_net_in_float32(
    cell: str, options: dict[str, Any], precision: str, settings: dict[str, Any]
) -> None:
    one_hot = "one_hot" in settings
    settings = {name: value for name, value in settings.items() if name != "one_hot"}
    model = net(cell, 45, 0 if one_hot else 36, 36, 3, options, **settings)
    generator, rng = made(model, precision), np.random.default_rng(3)
    exact, state = model.initial_state(6), generator.initial_state(6)
    for _ in range(12):
        one, other = generator.log_probs(state), model.log_probs(exact)
        size = max(1, np.abs(exact.features).max())
        bound = {"float32": 1e-5, "bf16": 0.05, "int8": 0.3}[precision] * size
        assert np.abs(np.delete(one, BOS, axis=1) - np.delete(other, BOS, axis=1)).max() < bound
        tokens = rng.integers(0, 45, 6)
        state, exact = generator.advance(state, tokens), model.advance(exact, tokens)


def test_states_are_values_and_threads_may_share_a_generator() -> None:
    generator = made(net("lstm", 50, 16, 40, 2), "float32")
    expected, found = [], [None] * 4

    def run(seed: int) -> Any:
        rng, state = np.random.default_rng(seed), generator.initial_state(1 + seed)
        for _ in range(60):
            generator.log_probs(state)
            state = generator.advance(select(state, np.arange(1 + seed)), rng.integers(0, 50, 1 + seed))
        return state.streams

    expected = [run(seed) for seed in range(4)]
    threads = [threading.Thread(target=lambda seed=seed: found.__setitem__(seed, run(seed))) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(one, other) for one, other in zip(found, expected))


def test_what_does_not_fit_is_told_before_a_kernel_reads_it() -> None:
    generator = made(net("lstm", 20, 8, 24, 1), "float32")
    state = generator.initial_state(2)
    for token in (-1, 20, 2**40):
        with pytest.raises(IndexError, match=r"none of 0 \.\. 19"):
            generator.advance(state, np.array([3, token]))
    with pytest.raises(ValueError, match="2 streams cannot read 3 tokens"):
        generator.advance(state, np.array([3, 4, 5]))
    with pytest.raises(ValueError, match="another model's"):
        generator.log_probs(GeneratorState(np.zeros((1, 3), np.float32)))
    with pytest.raises(UsageError, match="no generation kernels for int8: there are none for the cell window"):
        Generator(RecurrentLM("window", 9, embedding_size=4, hidden_size=6), "int8")


def test_a_number_that_is_none_spoils_its_own_stream_alone() -> None:
    for precision in PRECISIONS:
        generator = made(net("lstm", 20, 8, 24, 1), precision)
        state = generator.initial_state(3)
        state.streams[1, 3] = np.nan
        after = generator.log_probs(generator.advance(state, np.array([4, 5, 6])))
        assert np.isnan(after[1]).any() and not np.isnan(after[[0, 2]]).any()


def test_no_streams_are_no_work() -> None:
    generator = made(net("lstm", 20, 8, 24, 1), "float32")
    state = generator.advance(generator.initial_state(0), np.zeros(0, np.int64))
    assert generator.log_probs(state).shape == (0, 20)

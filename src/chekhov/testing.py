"""The contract, as checks that any implementation can be put through: ours are, and yours can be.

    from chekhov.testing import check_language_model
    check_language_model(my_model, rng=np.random.default_rng(0))

Each check raises AssertionError naming the promise that was broken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chekhov.state import concatenate, leaves, map_state, select
from chekhov.types import BOS, LanguageModel, score_stepwise

TOLERANCE = 1e-4  # float32 log-probabilities by two routes


def check_language_model(
    model: LanguageModel[Any], rng: np.random.Generator, *, ids: Any = None, tolerance: float = TOLERANCE
) -> None:
    """All promises of `chekhov.types.LanguageModel` on ``ids`` (B, T), drawn from the model itself if not given."""
    if ids is None:
        ids = draw_ids(model, rng, batch_size=3, length=12)
    check_rows_sum_to_one(model, ids, tolerance)
    check_score_equals_stepping(model, ids, tolerance)
    check_text_may_be_cut_anywhere(model, ids, tolerance)
    check_rows_do_not_mix(model, ids, tolerance)
    check_advance_leaves_its_argument_alone(model, ids)
    check_empty_text(model)
    check_storage(model, ids)


def draw_ids(model: LanguageModel[Any], rng: np.random.Generator, *, batch_size: int, length: int) -> Any:
    """Likely texts of the model, so that its tables are walked and not only its smoothing."""
    state, columns = model.initial_state(batch_size), []
    for _ in range(length):
        rows = np.exp(model.log_probs(state).astype(np.float64))
        columns.append(np.array([rng.choice(len(row), p=row / row.sum()) for row in rows]))
        state = model.advance(state, columns[-1])
    return np.stack(columns, axis=1)


def check_rows_sum_to_one(model: LanguageModel[Any], ids: Any, tolerance: float = TOLERANCE) -> None:
    state = model.initial_state(len(ids))
    for t in range(ids.shape[1] + 1):
        rows = model.log_probs(state)
        assert rows.shape == (len(ids), model.vocab_size), f"log_probs has shape {rows.shape}"
        assert rows.dtype == np.float32, f"log_probs is {rows.dtype}, not float32"
        sums = np.exp(rows.astype(np.float64)).sum(axis=1)
        assert np.abs(sums - 1).max() < tolerance, f"after {t} tokens a row sums to {sums}"
        assert np.isneginf(rows[:, BOS]).all(), "<s> is predicted; it is only ever conditioned on"
        if t < ids.shape[1]:
            state = model.advance(state, ids[:, t])


def check_score_equals_stepping(model: LanguageModel[Any], ids: Any, tolerance: float = TOLERANCE) -> None:
    fast, fast_state = model.score(model.initial_state(len(ids)), ids)
    slow, slow_state = score_stepwise(model, model.initial_state(len(ids)), ids)
    assert fast.dtype == np.float32, f"score is {fast.dtype}, not float32"
    assert_close(fast, slow, tolerance, "score differs from stepping")
    assert_close(model.log_probs(fast_state), model.log_probs(slow_state), tolerance, "the state after score differs")


def check_text_may_be_cut_anywhere(model: LanguageModel[Any], ids: Any, tolerance: float = TOLERANCE) -> None:
    whole, _ = model.score(model.initial_state(len(ids)), ids)
    for cut in range(ids.shape[1] + 1):
        first, state = model.score(model.initial_state(len(ids)), ids[:, :cut])
        second, _ = model.score(state, ids[:, cut:])
        assert_close(np.concatenate([first, second], axis=1), whole, tolerance, f"cut at {cut}, the score differs")


def check_rows_do_not_mix(model: LanguageModel[Any], ids: Any, tolerance: float = TOLERANCE) -> None:
    together, state = model.score(model.initial_state(len(ids)), ids)
    alone = [model.score(model.initial_state(1), ids[b : b + 1]) for b in range(len(ids))]
    assert_close(together, np.concatenate([scores for scores, _ in alone]), tolerance, "a row depends on its batch")
    rebuilt = model.log_probs(concatenate([one for _, one in alone]))
    assert_close(rebuilt, model.log_probs(state), tolerance, "states of single rows do not make the batch's state")
    order = np.arange(len(ids))[::-1]
    assert_close(model.log_probs(select(state, order)), model.log_probs(state)[order], tolerance, "select mixes rows")


def check_advance_leaves_its_argument_alone(model: LanguageModel[Any], ids: Any) -> None:
    state = model.initial_state(len(ids))
    for t in range(ids.shape[1]):
        before = map_state(np.copy, state)
        following = model.advance(state, ids[:, t])
        model.log_probs(state)
        for old, now in zip(leaves(before), leaves(state), strict=True):
            assert np.array_equal(old, now), "advance or log_probs changed the state that it was given"
        state = following


def check_empty_text(model: LanguageModel[Any]) -> None:
    state = model.initial_state(2)
    scores, after = model.score(state, np.empty((2, 0), np.int64))
    assert scores.shape == (2, 0), f"the score of an empty text has shape {scores.shape}"
    assert np.array_equal(model.log_probs(after), model.log_probs(state)), "an empty text changed the state"


def check_storage(model: LanguageModel[Any], ids: Any) -> None:
    """What ``sizes`` and ``arrays`` store is the model: rebuilt from them, it scores the same bits."""
    from pathlib import Path

    from chekhov.tasks.text_model import build_model

    arrays = {name: np.array(array) for name, array in model.arrays().items()}
    rebuilt = build_model(model.kind, model.sizes(), arrays, where=Path("memory"))
    first, _ = model.score(model.initial_state(len(ids)), ids)
    second, _ = rebuilt.score(rebuilt.initial_state(len(ids)), ids)
    assert np.array_equal(first, second), "the model rebuilt from its arrays scores otherwise"
    assert model.parameter_count == rebuilt.parameter_count > 0, "parameter_count does not survive storage"


def check_cell(make: Callable[[int, int], Any], *, tolerance: float = 1e-10) -> None:
    """The promises of `chekhov.recurrent.cell.Cell`, in float64: shapes, unroll = step by step, gradients = finite
    differences, rows apart, the argument untouched. ``make(input_size, hidden_size)`` builds a cell."""
    import torch

    from chekhov.recurrent.cell import Cell

    torch.manual_seed(1)
    cell = make(3, 4).double()
    xs = torch.randn(2, 5, 3, dtype=torch.float64, requires_grad=True)
    start = map_state(torch.randn_like, cell.initial_state(2))
    outputs, last = cell.unroll(xs, start)
    slow, slow_last = Cell.unroll(cell, xs, start)
    assert outputs.shape == (2, 5, cell.hidden_size), f"unroll gives {tuple(outputs.shape)}, not (B, T, H)"
    assert torch.allclose(outputs, slow, atol=tolerance, rtol=0), "unroll differs from its steps"
    for fast_leaf, slow_leaf in zip(leaves(last), leaves(slow_last), strict=True):
        assert torch.allclose(fast_leaf, slow_leaf, atol=tolerance, rtol=0), "the state after unroll differs"
    alone, _ = cell.unroll(xs[1:], map_state(lambda leaf: leaf[1:], start))
    assert torch.allclose(alone, outputs[1:], atol=tolerance, rtol=0), "a row depends on its batch"

    def unrolled(xs: Any, *parts: Any) -> Any:
        rest = iter(parts)
        return cell.unroll(xs, map_state(lambda _: next(rest), start))[0]

    inputs = (xs, *[leaf.requires_grad_() for leaf in leaves(start)])
    assert torch.autograd.gradcheck(unrolled, inputs), "gradients differ from finite differences"
    check_weight_gradients(cell, xs.detach(), map_state(lambda leaf: leaf.detach(), start))


def check_weight_gradients(cell: Any, xs: Any, start: Any, *, step: float = 1e-6, tolerance: float = 1e-6) -> None:
    """dL/dW by autograd against central differences in float64, three entries of every weight."""
    import torch

    rng, mix = np.random.default_rng(2), torch.cos(torch.arange(2 * 5 * cell.hidden_size, dtype=torch.float64))

    def loss() -> Any:
        return (cell.unroll(xs, start)[0].flatten() * mix).sum()

    cell.zero_grad()
    loss().backward()
    for name, weight in cell.named_parameters():
        for index in rng.integers(weight.numel(), size=3):
            flat = weight.data.view(-1)
            kept = float(flat[index])
            flat[index] = kept + step
            above = float(loss().detach())
            flat[index] = kept - step
            below = float(loss().detach())
            flat[index] = kept
            numeric, exact = (above - below) / (2 * step), float(weight.grad.view(-1)[index])
            assert abs(numeric - exact) <= tolerance * max(1, abs(exact)), f"d{name}[{index}]: {exact} but {numeric}"


def check_tokenizer(tokenizer: Any, text: str) -> None:
    """encode and segment agree, a lossless tokenizer gives the text back, and JSON keeps every id."""
    from chekhov.tokens.tokenizer import tokenizer_from_json

    ids = tokenizer.encode(text)
    assert ids.dtype == np.int64, f"ids are {ids.dtype}"
    assert len(ids) == len(tokenizer.segment(text)), "encode and segment give different numbers of tokens"
    assert not (ids == BOS).any(), "<s> was encoded"
    again = tokenizer_from_json(tokenizer.to_json(), where="memory")
    assert again.digest == tokenizer.digest, "the digest changes on the way through JSON"
    assert np.array_equal(again.encode(text), ids), "the ids change on the way through JSON"
    if tokenizer.lossless:
        assert tokenizer.decode(ids) == text, "decode(encode(text)) is not the text"


def assert_close(one: Any, other: Any, tolerance: float, message: str) -> None:
    same_infinity = np.isneginf(one) & np.isneginf(other)
    with np.errstate(invalid="ignore"):
        difference = np.where(same_infinity, 0.0, np.abs(one.astype(np.float64) - other.astype(np.float64)))
    worst = float(difference.max()) if difference.size else 0.0
    assert worst <= tolerance, f"{message}: by {worst:g} nats"

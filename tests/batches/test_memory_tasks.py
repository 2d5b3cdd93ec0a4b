"""Classic tasks: what the batches hold, and the baselines, by simulation."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from chekhov.batches.memory_tasks import TASKS, memory_task, reber_string
from chekhov.errors import UsageError

SMALL = {
    "adding": {"T": 20},
    "copying": {"delay": 10},
    "parity": {"T": 12},
    "brackets": {"T": 20},
    "temporal-order": {"T": 30},
    "delayed-xor": {"T": 12},
    "reber": {"inside": 10},
}


@pytest.mark.parametrize("name", sorted(TASKS))
def test_batches_fit_and_the_baseline_is_what_guessing_gets(name: str) -> None:
    task = memory_task(name, **SMALL[name])
    xs, targets, mask = task.make(np.random.default_rng(0), 4000)
    assert xs.shape == (4000, targets.shape[1], task.inputs)
    assert targets.shape == mask.shape and set(np.unique(mask)) <= {0.0, 1.0} and (mask.sum(axis=1) > 0).all()
    asked = targets[mask == 1]
    if task.classes == 0:
        assert asked.mean() == pytest.approx(1.0, abs=0.02)
        assert ((asked - 1) ** 2).mean() == pytest.approx(task.baseline, rel=0.05) == pytest.approx(1 / 6, rel=0.05)
        return
    shares = np.bincount(asked, minlength=task.classes) / len(asked)
    assert -(shares * np.log(shares)).sum() == pytest.approx(task.baseline, rel=0.01)  # the entropy: no memory, no more
    assert shares.max() == pytest.approx(task.chance, rel=0.12)
    assert task.baseline == pytest.approx(math.log(task.classes))


@pytest.mark.parametrize("name", sorted(TASKS))
def test_the_same_seed_gives_the_same_batch(name: str) -> None:
    task = memory_task(name, **SMALL[name])
    one, other = (task.make(np.random.default_rng(7), 5) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_answers_follow_from_the_inputs() -> None:
    rng = np.random.default_rng(0)
    xs, targets, _ = memory_task("adding", T=9).make(rng, 50)
    np.testing.assert_allclose((xs[:, :, 0] * xs[:, :, 1]).sum(axis=1), targets[:, -1], rtol=1e-6)
    assert (xs[:, : 9 // 2, 1].sum(axis=1) == 1).all() and (xs[:, 9 // 2 :, 1].sum(axis=1) == 1).all()
    xs, targets, mask = memory_task("copying", delay=6, symbols=3, alphabet=4).make(rng, 50)
    ids = xs.argmax(axis=2)
    assert (ids[:, :3] == targets[mask == 1].reshape(50, 3)).all() and (ids[:, -3] == 5).all()
    assert ((ids == 4).sum(axis=1) == 6 + 2 * 3 - 3 - 1).all()  # blanks
    xs, targets, _ = memory_task("parity", T=9).make(rng, 50)
    assert (targets == np.cumsum(xs.argmax(axis=2), axis=1) % 2).all()
    xs, targets, _ = memory_task("delayed-xor", T=9).make(rng, 50)
    marked = (xs[:, :, 0] * xs[:, :, 1]).sum(axis=1)
    assert (marked % 2 == targets[:, -1]).all()
    xs, targets, _ = memory_task("temporal-order", T=30).make(rng, 50)
    for row, answer in zip(xs.argmax(axis=2), targets[:, -1], strict=True):
        first, second = (row[(row == 4) | (row == 5)] - 4).tolist()
        assert 2 * first + second == answer


def test_brackets_close_what_was_opened_last() -> None:
    xs, targets, mask = memory_task("brackets", T=30, kinds=3, depth=2).make(np.random.default_rng(0), 50)
    for ids, answers, asked in zip(xs.argmax(axis=2), targets, mask, strict=True):
        stack: list[int] = []
        for symbol, answer, closes in zip(ids.tolist(), answers.tolist(), asked.tolist(), strict=True):
            assert (symbol == 3) == (closes == 1)
            if closes:
                assert stack.pop() == answer
            else:
                stack.append(symbol)
            assert len(stack) <= 2


def test_reber_strings_are_those_of_the_grammar() -> None:
    rng = np.random.default_rng(0)
    strings = {reber_string(rng) for _ in range(300)}
    assert {"BTXSE", "BPVVE", "BTSXSE", "BPTVVE"} <= strings  # the shortest, by hand
    after = {"B": "TP", "T": "SXTV", "S": "SXE", "X": "SXVT", "P": "TVXSP", "V": "VPE"}  # every pair that may be
    for string in strings:
        assert string[0] == "B" and string[-1] == "E" and string.count("E") == 1
        assert all(next_ in after[letter] for letter, next_ in pairwise(string))
    xs, targets, mask = memory_task("reber", inside=15).make(rng, 50)
    for ids, answers, asked in zip(xs.argmax(axis=2), targets, mask, strict=True):
        said = "".join("BTSXVPE-"[i] for i in ids).rstrip("-")
        place = int(asked.argmax())
        assert place == len(said) - 1 and "TP"[answers[place]] == said[1] and place >= 16


def test_what_is_no_task() -> None:
    with pytest.raises(UsageError, match="is unknown"):
        memory_task("subtracting")
    with pytest.raises(UsageError):
        memory_task("adding", T=1)

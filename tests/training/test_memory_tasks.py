"""Nets with gates solve what the simple net does not."""

from __future__ import annotations

import pytest
import torch

from chekhov.batches.memory_tasks import memory_task
from chekhov.errors import UsageError
from chekhov.training.memory_tasks import train_on_task


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def test_a_gru_learns_parity_and_an_elman_net_does_not() -> None:
    task = memory_task("parity", T=20)
    gru = train_on_task(task, "gru", lr=1e-2, max_steps=500)
    elman = train_on_task(task, "elman", lr=3e-3, max_steps=500)
    assert gru.solved and gru.accuracy >= 0.99
    assert not elman.solved and elman.loss > 0.9 * task.baseline


def test_the_same_seed_gives_the_same_run() -> None:
    task = memory_task("parity", T=8)
    one, other = (train_on_task(task, "lstm", max_steps=20, seed=3) for _ in range(2))
    assert one == other and one.steps == 20 and not one.solved


def test_sizes_are_checked() -> None:
    with pytest.raises(UsageError):
        train_on_task(memory_task("parity"), "lstm", max_steps=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "cell", "lr", "steps"),
    [
        ("adding", "gru", 1e-2, 1000),
        ("adding", "lstm", 1e-2, 3000),
        ("parity", "lstm", 1e-2, 1500),
        ("temporal-order", "lstm", 1e-2, 1500),
        ("temporal-order", "gru", 1e-2, 1500),
    ],
)
def test_nets_with_gates_solve_it(name: str, cell: str, lr: float, steps: int) -> None:
    results = [train_on_task(memory_task(name), cell, lr=lr, max_steps=steps, seed=seed) for seed in range(2)]
    assert all(result.solved for result in results), [result.loss for result in results]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["adding", "parity"])
def test_the_simple_net_does_not(name: str) -> None:
    task = memory_task(name)
    result = train_on_task(task, "elman", max_steps=1000)
    assert not result.solved and result.loss > 0.8 * task.baseline


@pytest.mark.slow
def test_an_lstm_carries_a_letter_over_forty_and_the_simple_net_does_not() -> None:
    task = memory_task("reber")
    assert train_on_task(task, "lstm", max_steps=300).solved
    assert not train_on_task(task, "elman", max_steps=300).solved

"""Looking a word up among those that follow a context: few, many, with a hint and without."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from chekhov.ngram import table_kernels as kernels
from chekhov.ngram.model import NGram, train_ngram
from chekhov.types import EOS

WORDS = 6000


def followed_by(count: int) -> NGram:
    """Of a text in which ``count`` words follow the word 3, and little else stands."""
    others = np.random.default_rng(count).permutation(np.arange(4, WORDS))[:count]
    ids = np.stack([np.full(count, 3), others], axis=1).reshape(-1)
    return train_ngram(np.append(ids, EOS), order=2, vocab_size=WORDS)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 9, 17, 18, 40, 700, WORDS - 4])
@pytest.mark.parametrize("without_hints", [False, True])
def test_every_word_is_found_and_no_other(count: int, without_hints: bool) -> None:
    table = followed_by(count).table
    if without_hints:
        table = dataclasses.replace(table, hints=np.full_like(table.hints, kernels.NO_HINT))
    node, bits = 1 + 3, WORDS.bit_length()
    begin, end = table.nodes[node, 0], table.nodes[node + 1, 0]
    found = [kernels.find(table.nodes, table.entries, table.hints, node, word, bits) for word in range(WORDS)]
    expected = np.full(WORDS, kernels.NOTHING)
    expected[table.entries[begin:end, 0]] = np.arange(begin, end)
    np.testing.assert_array_equal(found, expected)
    assert end - begin == count


@pytest.mark.parametrize("count", [3, 5, 40, 700])
def test_a_batch_finds_what_one_look_up_finds(count: int) -> None:
    model = followed_by(count)
    ids = np.random.default_rng(0).integers(3, WORDS, size=(1, 3000))
    ids[0, ::2] = 3
    state = model.initial_state(1)
    at_once, orders, after = model.score_with_orders(state, ids)
    for t in range(0, 3000, 6):  # short rows are read word by word
        part, some, state = model.score_with_orders(state, ids[:, t : t + 6])
        np.testing.assert_array_equal(part, at_once[:, t : t + 6])
        np.testing.assert_array_equal(some, orders[:, t : t + 6])
    assert state.node == after.node
    assert set(orders.ravel().tolist()) == {1, 2}

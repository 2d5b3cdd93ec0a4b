"""The likeliest next words are those of the whole row."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chekhov
from chekhov.ngram import model as module
from chekhov.ngram.model import NGram, NGramState, train_ngram
from chekhov.types import EOS


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(1, 5),
    st.integers(1, 40),
    st.sampled_from(["modified-kneser-ney", "katz", "mle"]),
)
def test_the_likeliest_words_are_those_of_the_row(seed: int, order: int, k: int, smoothing: str) -> None:
    rng = np.random.default_rng(seed)
    ids = (rng.zipf(1.4, size=int(rng.integers(2, 400))) % 28 + 2).astype(np.int64)
    ids[-1] = EOS
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MANY", int(rng.integers(1, 12)))
        model = train_ngram(ids, order=order, vocab_size=30, smoothing=smoothing)
        for node in [*rng.integers(0, len(model.table.nodes) - 1, 10).tolist(), model.initial_state(1).node[0]]:
            row = model.log_probs(NGramState(np.array([node])))[0]
            expected = np.lexsort((np.arange(30), -row))[:k]
            expected = expected[np.isfinite(row[expected])]
            words, log_probs = model.top(node, k)
            assert len(set(words.tolist())) == len(expected)
            np.testing.assert_allclose(row[words], row[expected], atol=1e-5)  # ties may differ in the last bit
            np.testing.assert_allclose(log_probs, row[words], atol=1e-5)


@pytest.mark.parametrize("kind", ["ngram", "chain"])
def test_next_tokens_of_any_model(kind: str, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("ружьё висит\nружьё висит\nружьё стреляет\n" * 20, "utf-8")
    model = chekhov.train(
        kind, tmp_path / "text.txt", order=2 if kind == "ngram" else 1, tokens="whitespace", split="none"
    )
    (first, log_p), (second, _), *_ = model.next_tokens("ружьё", 5)
    assert (first, second) == ("висит", "стреляет")
    assert np.exp(log_p) == pytest.approx(2 / 3, abs=0.05)


@pytest.mark.parametrize("begin", [-5, -(1 << 30), 1 << 30])
def test_a_node_that_begins_outside_the_table_is_kept_inside(begin: int) -> None:
    """A large table is taken without a look at its numbers."""
    model = train_ngram(np.tile([3, 4, 5, 6, 7, 8, 3, 5, EOS], 3), order=2, vocab_size=9)
    nodes = model.table.nodes.copy()
    nodes[4, 0] = begin  # of the words after 3
    damaged = NGram(dataclasses.replace(model.table, nodes=nodes))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MANY", 1)
        first = damaged._sorted_from(4)
        expected = min(max(begin, 0), nodes[5, 0])
        assert sorted(damaged._falling[max(first, 0) :].tolist()) == list(range(expected, nodes[5, 0]))
        words, _ = damaged.top(4, 5)
    assert ((words >= 0) & (words < 9)).all()

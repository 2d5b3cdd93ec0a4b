"""The likeliest next words are those of the whole row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chekhov
from chekhov.ngram import model as module
from chekhov.ngram.model import NGramState, train_ngram
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

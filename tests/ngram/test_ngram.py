"""Modified Kneser-Ney against a dictionary of strings, by hand, and by the contract."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chekhov.errors import ModelError, UsageError
from chekhov.ngram.model import NGram, train_ngram
from chekhov.ngram.smoothing import estimate_discounts
from chekhov.testing import check_language_model
from chekhov.types import BOS, EOS

Gram = tuple[int, ...]


class Reference:
    """The formulas over tuples, nothing shared with the tables: slow and obvious."""

    def __init__(self, sentences: list[list[int]], order: int, vocab_size: int):
        self.order, self.vocab_size = order, vocab_size
        raw: Counter[Gram] = Counter()
        for sentence in sentences:
            padded = (BOS, *sentence, EOS)
            for n in range(1, order + 1):
                raw.update(padded[i : i + n] for i in range(len(padded) - n + 1))
        self.adjusted: dict[int, dict[Gram, int]] = {}
        for n in range(1, order + 1):
            preceded: defaultdict[Gram, set[int]] = defaultdict(set)
            for gram in raw:
                if len(gram) == n + 1:
                    preceded[gram[1:]].add(gram[0])
            counts = {gram: count for gram, count in raw.items() if len(gram) == n and gram != (BOS,)}
            if n < order:
                counts = {g: c if g[0] == BOS else len(preceded[g]) for g, c in counts.items()}
            self.adjusted[n] = counts
        self.discounts = {n: self.estimate(list(counts.values())) for n, counts in self.adjusted.items()}

    @staticmethod
    def estimate(counts: list[int]) -> list[float]:
        t = [counts.count(k) for k in range(5)]
        if min(t[1:4]) == 0:  # lmplz needs t_1, t_2 and t_3
            return [0, 0.5, 1, 1.5]
        y = t[1] / (t[1] + 2 * t[2])
        d = [0.0] + [k - (k + 1) * y * t[k + 1] / t[k] for k in (1, 2, 3)]
        return d if all(0 < d[k] <= k for k in (1, 2, 3)) else [0, 0.5, 1, 1.5]

    def p(self, word: int, context: Gram) -> float:
        if len(context) + 1 > self.order:
            return self.p(word, context[1:])
        n = len(context) + 1
        lower = self.p(word, context[1:]) if context else 1 / (self.vocab_size - 1)
        seen = {gram[-1]: count for gram, count in self.adjusted[n].items() if gram[:-1] == context}
        if not seen:
            return lower
        total, d = sum(seen.values()), self.discounts[n]
        gamma = sum(d[min(count, 3)] for count in seen.values()) / total
        count = seen.get(word, 0)
        return (count - d[min(count, 3)]) / total + gamma * lower


def stream(sentences: list[list[int]]) -> Any:
    return np.array([word for sentence in sentences for word in [*sentence, EOS]])


corpora = st.lists(st.lists(st.integers(3, 7), max_size=8), min_size=1, max_size=25)


@settings(max_examples=120, deadline=None)
@given(corpora, st.integers(1, 4), st.lists(st.sampled_from([0, 2, 3, 4, 5, 6, 7, 8]), min_size=1, max_size=12))
def test_scores_equal_the_reference(sentences: list[list[int]], order: int, text: list[int]) -> None:
    model, reference = train_ngram(stream(sentences), order=order, vocab_size=9), Reference(sentences, order, 9)
    scores, _ = model.score(model.initial_state(1), np.array([text]))
    context: Gram = (BOS,)
    for word, score in zip(text, scores[0], strict=True):
        assert score == pytest.approx(math.log(reference.p(word, context)), abs=1e-5)
        context = (BOS,) if word == EOS else (*context, word)[-(order - 1) :] if order > 1 else ()


@settings(max_examples=40, deadline=None)
@given(corpora, st.integers(1, 5), st.integers(0, 1000))
def test_it_keeps_the_contract(sentences: list[list[int]], order: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    model = train_ngram(stream(sentences), order=order, vocab_size=9)
    ids = rng.choice([0, 2, 3, 4, 5, 6, 7, 8], size=(2, 7))
    check_language_model(model, rng, ids=ids)


def test_discounts_by_hand() -> None:
    counts = np.repeat([1, 2, 3, 4, 9], [10, 4, 2, 1, 3])
    y = 10 / 18
    expected = [0, 1 - 2 * y * 4 / 10, 2 - 3 * y * 2 / 4, 3 - 4 * y * 1 / 2]
    discounts, estimated = estimate_discounts(counts)
    assert estimated
    np.testing.assert_allclose(discounts, expected)


def test_a_corpus_too_small_for_discounts_says_so_once() -> None:
    model = train_ngram(np.array([3, 4, 5, EOS]), order=3, vocab_size=6)
    assert len(model.notes) == 1
    assert "order 1, 2, 3 (of 3)" in model.notes[0]


def test_only_the_last_words_count_and_a_sentence_starts_anew() -> None:
    rng = np.random.default_rng(1)
    model = train_ngram(rng.integers(2, 9, size=500), order=3, vocab_size=9)
    tail = np.array([4, 5])
    for before in ([], [7, 7, 7], [3, 2, 6]):
        state = model.score(model.initial_state(1), np.array([[*before, *tail]]))[1]
        np.testing.assert_array_equal(state.context, tail[None])
    after = model.score(model.initial_state(1), np.array([[5, 6, EOS]]))[1]
    np.testing.assert_array_equal(after.context, model.initial_state(1).context)


def test_the_text_longer_than_the_order_is_no_condition() -> None:
    model = train_ngram(np.array([3, EOS]), order=9, vocab_size=4)
    check_language_model(model, np.random.default_rng(0))


@pytest.mark.data
def test_characters_of_order_7_reach_the_known_figure(data_folder: Path) -> None:
    """tinyshakespeare, nanoGPT's split, state carried: 1.517 nats per character (measured by others before us)."""
    text = (data_folder / "tinyshakespeare.txt").read_text()
    cut = int(len(text) * 0.9)
    types = sorted(set(text[:cut]))
    ids = np.array([types.index(character) + 3 for character in text])
    model = train_ngram(np.append(ids[:cut], EOS), order=7, vocab_size=len(types) + 3)
    state = model.advance(model.initial_state(1), ids[cut : cut + 1])
    scores, _ = model.score(state, ids[None, cut + 1 :])
    assert scores.size == 111_539
    assert -scores.mean() == pytest.approx(1.517, abs=1e-3)


def test_bad_flags_are_named() -> None:
    with pytest.raises(UsageError, match="order is 0"):
        train_ngram(np.array([3, EOS]), order=0, vocab_size=4)
    with pytest.raises(UsageError, match="smoothing 'guess' is unknown"):
        train_ngram(np.array([3, EOS]), order=1, vocab_size=4, smoothing="guess")


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("keys.2", lambda a: a[::-1].copy()),
        ("keys.2", lambda a: a + 10**9),
        ("keys.2", lambda a: a[:-1]),
        ("keys.2", lambda a: a.astype(np.int32)),
        ("log_probs.2", lambda a: np.full_like(a, np.nan)),
        ("log_probs.2", lambda a: np.full_like(a, 0.5)),
        ("log_backoffs.1", lambda a: np.full_like(a, np.inf)),
        ("log_probs.1", lambda a: a[:-1]),
    ],
)
def test_damaged_tables_are_refused(name: str, spoil: Any) -> None:
    model = train_ngram(np.random.default_rng(0).integers(2, 9, size=200), order=3, vocab_size=9)
    arrays = dict(model.arrays())
    arrays[name] = spoil(arrays[name])
    with pytest.raises(ModelError, match="E-MODEL-020"):
        NGram.from_arrays(model.sizes(), arrays)

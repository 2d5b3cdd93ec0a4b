"""Chains against brute force, and against the chapter's program draw for draw."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chekhov.errors import ModelError, TextError, UsageError
from chekhov.ngram.chain import Chain, train_chain
from chekhov.ngram.chapter import chapter_walk
from chekhov.testing import check_language_model
from chekhov.tokens.tokenizer import train_tokenizer

TEXT = """Ружьё висело на стене. Ружьё молчало. В первом акте Ружьё висело, в последнем Ружьё выстрелило.
— Кто стрелял? — спросил доктор. — Никто не стрелял, — сказал Лопахин, — это Ружьё 1904 г. И доктор ушёл в сад."""


def chapter_program(text: str, seed: int, words: int = 100) -> list[str]:
    """The chapter's algorithm with its own library calls: the oracle."""
    np.random.seed(seed)
    corpus = text.split()
    followers: dict[str, list[str]] = {}
    for word, following in itertools.pairwise(corpus):
        followers.setdefault(word, []).append(following)
    word = np.random.choice(corpus)
    while word.islower():
        word = np.random.choice(corpus)
    chain = [word]
    for _ in range(words):
        chain.append(np.random.choice(followers[chain[-1]]))
    return [str(word) for word in chain]


def chain_of(text: str, order: int = 1) -> tuple[Chain, list[str]]:
    tokenizer = train_tokenizer("whitespace", [text], lines=False)
    tokens = list(tokenizer.vocabulary)
    can_start = np.array([i > 2 and not token.islower() for i, token in enumerate(tokens)])
    return train_chain(tokenizer.encode(text), order=order, vocab_size=len(tokens), can_start=can_start), tokens


def ours(text: str, seed: int, words: int = 100) -> list[str]:
    chain, tokens = chain_of(text)
    return chapter_walk(chain, tokens, seed=seed, words=words)


@pytest.mark.parametrize("seed", range(100))
def test_bit_for_bit_the_chapters_program(seed: int) -> None:
    text = TEXT + " " + TEXT  # so that the last word has a follower
    assert len(ours(text, seed)) == 101
    assert ours(text, seed) == chapter_program(text, seed)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=3)), st.integers(0, 2**32 - 1)
)
def test_bit_for_bit_on_any_text(words: list[str], seed: int) -> None:
    text = "\ufeff" + " ".join(words)
    corpus = text.split()
    assume(len(corpus) > 1 and not all(word.islower() for word in corpus))
    assume(not {"<s>", "</s>"} & set(corpus))
    try:
        expected = chapter_program(text, seed)
    except KeyError:  # the dead end, where the chapter's program has no answer
        assert len(ours(text, seed)) == 101
    else:
        assert ours(text, seed) == expected


@pytest.mark.data
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_bit_for_bit_on_the_chapters_corpus(data_folder: Path, seed: int) -> None:
    text = (data_folder / "chekhov8.txt").read_text("utf8")
    assert ours(text, seed) == chapter_program(text, seed)


def test_the_chapters_key_error_becomes_a_new_start() -> None:
    assert chain_of("Мама мыла раму")[0].order == 1
    assert set(ours("Мама мыла раму", 3)) == {"Мама", "мыла", "раму"}


def test_the_chapters_endless_loop_becomes_an_error() -> None:
    with pytest.raises(TextError, match="every word of the text is lower-case"):
        ours("мама мыла раму", 0)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_it_keeps_the_contract(order: int) -> None:
    chain, _ = chain_of(TEXT + " " + TEXT, order)
    check_language_model(chain, np.random.default_rng(order))


@pytest.mark.parametrize("order", [1, 2, 3])
def test_it_keeps_the_contract_on_texts_it_has_never_seen(order: int) -> None:
    """Dead ends, restarts and zeros everywhere."""
    chain, tokens = chain_of(TEXT, order)
    ids = np.random.default_rng(order).integers(3, len(tokens), size=(3, 15))
    ids[0, :9] = chain.corpus[-9:]  # through the end of the text
    check_language_model(chain, np.random.default_rng(0), ids=ids)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(3, 6), min_size=4, max_size=40), st.integers(1, 3))
def test_probabilities_are_relative_frequencies(corpus: list[int], order: int) -> None:
    assume(len(corpus) > order)
    chain = train_chain(np.array(corpus), order=order, vocab_size=7)
    followers: defaultdict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
    for length in range(1, order + 1):
        for i in range(length, len(corpus)):
            followers[tuple(corpus[i - length : i])][corpus[i]] += 1
    scores, _ = chain.score(chain.initial_state(1), np.array([corpus]))
    expected = [math.log(corpus.count(corpus[0]) / len(corpus))]
    for i in range(1, len(corpus)):
        counts = followers[tuple(corpus[max(0, i - order) : i])]
        expected.append(math.log(counts[corpus[i]] / counts.total()))
    np.testing.assert_allclose(scores[0], expected, atol=1e-5)


def test_only_the_last_k_tokens_count() -> None:
    chain, _tokens = chain_of(TEXT + " " + TEXT, 2)
    tail = chain.corpus[10:14]
    first = chain.score(chain.initial_state(1), np.concatenate([chain.corpus[5:10], tail])[None])[1]
    second = chain.score(chain.initial_state(1), tail[None])[1]
    np.testing.assert_array_equal(first.context, second.context)


def test_the_start_distribution_obeys_the_chapters_rule() -> None:
    chain, tokens = chain_of(TEXT)
    row = np.exp(chain.log_probs(chain.initial_state(1))[0])
    starts = [word for word in TEXT.split() if not word.islower()]
    for token, p in zip(tokens, row, strict=True):
        assert p == pytest.approx(starts.count(token) / len(starts), abs=1e-6)
    assert row[tokens.index("—")] > 0  # not all lower-case, though it has no capital


def test_bad_orders_and_texts_and_tables_are_refused() -> None:
    with pytest.raises(UsageError, match="order is 0"):
        train_chain(np.array([3, 4]), order=0, vocab_size=5)
    with pytest.raises(TextError, match="the text has 2 tokens; a chain of order 2 needs more"):
        train_chain(np.array([3, 4]), order=2, vocab_size=5)
    with pytest.raises(ModelError, match="does not fit its vocabulary"):
        Chain.from_arrays({"order": 1}, {"corpus": np.array([3, 9]), "can_start": np.ones(5, np.uint8)})

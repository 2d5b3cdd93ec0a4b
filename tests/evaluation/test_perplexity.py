"""Figures of evaluation against arithmetic that can be done by hand."""

from __future__ import annotations

import json
import math
from typing import Any, NamedTuple

import numpy as np
import pytest

from chekhov.evaluation.perplexity import evaluate, token_log_probs
from chekhov.tokens.tokenizer import train_tokenizer
from chekhov.types import BOS, EOS, UNK


class Place(NamedTuple):
    row: Any  # (B,)


class Fixed:
    """Every row of log_probs is the given one, whatever was read."""

    kind, parameter_count = "fixed", 1

    def __init__(self, probabilities: Any):
        with np.errstate(divide="ignore"):
            self.row = np.log(np.array(probabilities)).astype(np.float32)
        self.vocab_size = len(self.row)

    def initial_state(self, batch_size: int) -> Place:
        return Place(np.zeros(batch_size))

    def log_probs(self, state: Place) -> Any:
        return np.tile(self.row, (len(state.row), 1))

    def advance(self, state: Place, tokens: Any) -> Place:
        return state

    def score(self, state: Place, ids: Any) -> tuple[Any, Place]:
        return self.row[ids], state


def uniform(vocab_size: int) -> Fixed:
    row = np.full(vocab_size, 1 / (vocab_size - 1))
    row[BOS] = 0
    return Fixed(row)


def test_the_uniform_model_has_the_vocabularys_size_as_perplexity() -> None:
    tokenizer = train_tokenizer("characters", ["abcab"])
    V = tokenizer.vocabulary.size
    result = evaluate(uniform(V), tokenizer, ["abcabc", "cc"])
    assert result.tokens == 7 + 3
    assert result.characters == 8
    assert result.perplexity == pytest.approx(V - 1, rel=1e-6)
    assert result.cross_entropy == pytest.approx(math.log(V - 1), rel=1e-6)
    assert result.bits_per_character == pytest.approx(10 * math.log2(V - 1) / 8, rel=1e-6)
    assert result.bits_per_byte == pytest.approx(result.bits_per_character, rel=1e-6)  # ASCII


def test_a_sure_and_right_model_has_perplexity_one_and_a_sure_and_wrong_one_no_bound() -> None:
    tokenizer = train_tokenizer("characters", ["a"])
    row = np.full(tokenizer.vocabulary.size, 1e-9)
    row[BOS] = 0
    row[tokenizer.vocabulary.id("a")] = 1 - 2e-9
    model = Fixed(row)
    ids = tokenizer.encode_prompt("aaaa")
    assert math.exp(-token_log_probs(model, ids).mean()) == pytest.approx(1, abs=1e-6)
    wrong = evaluate(model, tokenizer, ["bbbb"])
    assert wrong.perplexity > 1000 * tokenizer.vocabulary.size


def test_unknown_words_are_paid_for_twice_their_place_and_their_spelling() -> None:
    tokenizer = train_tokenizer("whitespace", ["мама мыла раму мама\n"])
    V = tokenizer.vocabulary.size
    result = evaluate(uniform(V), tokenizer, ["мама ела раму\n"])
    assert result.tokens == 4
    assert result.oov == 1
    assert result.oov_bits == pytest.approx(tokenizer.spelling_bits("ела"))
    assert result.oov_bits > 10
    expected = (4 * math.log2(V - 1) + result.oov_bits) / len("мама ела раму\n")
    assert result.bits_per_character == pytest.approx(expected, rel=1e-6)
    assert result.perplexity == pytest.approx(V - 1, rel=1e-6)
    assert result.bits_per_byte < result.bits_per_character


def test_perplexity_without_oov_leaves_the_unknown_out() -> None:
    tokenizer = train_tokenizer("whitespace", ["a a b\n"])
    probabilities = np.zeros(tokenizer.vocabulary.size)
    probabilities[[UNK, EOS]] = 0.1, 0.4
    probabilities[[tokenizer.vocabulary.id("a"), tokenizer.vocabulary.id("b")]] = 0.25, 0.25
    result = evaluate(Fixed(probabilities), tokenizer, ["a x b\n"])
    assert result.perplexity == pytest.approx((0.25 * 0.1 * 0.25 * 0.4) ** -0.25, rel=1e-6)
    assert result.perplexity_without_oov == pytest.approx((0.25 * 0.25 * 0.4) ** (-1 / 3), rel=1e-6)


def test_zeros_are_infinite_in_tables_null_in_json_and_counted() -> None:
    tokenizer = train_tokenizer("characters", ["ab"])
    probabilities = np.zeros(tokenizer.vocabulary.size)
    probabilities[[EOS, tokenizer.vocabulary.id("a")]] = 0.5
    result = evaluate(Fixed(probabilities), tokenizer, ["aab"])
    assert result.perplexity == math.inf
    assert result.zero_probability_tokens == 1
    assert result.bits_per_character_without_zeros == pytest.approx(3 / 3)
    record = json.loads(json.dumps(result.as_json(), allow_nan=False))
    assert record["perplexity"] is None
    assert record["schema"] == 1


def test_the_star_is_for_texts_that_the_tokens_do_not_give_back() -> None:
    tokenizer = train_tokenizer("whitespace", ["a b\n"])
    model = uniform(tokenizer.vocabulary.size)
    assert evaluate(model, tokenizer, ["a b\nb a\n"]).star == ""
    assert evaluate(model, tokenizer, ["a  b\n"]).star == "*"

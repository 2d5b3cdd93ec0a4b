"""Bytes and byte-pair encoding: nothing is lost, nothing is unknown, and what is stored is what was learnt."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chekhov.errors import ModelError, UsageError
from chekhov.testing import check_tokenizer
from chekhov.tokens.subwords import SubwordTokenizer
from chekhov.tokens.tokenizer import Tokenizer, tokenizer_from_json, train_tokenizer

TEXT = "Ружьё висит на стене, ружьё стреляет. The rifle hangs <s> on the wall</s>.\n\n\tкот 1894 №5 😀\r\n" * 20
LETTERS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@pytest.fixture(scope="module", params=["bytes", "bpe"])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    return train_tokenizer(request.param, [TEXT], vocab_size=300 if request.param == "bpe" else None)


@given(LETTERS)
@settings(deadline=None)
def test_every_text_comes_back_to_the_letter(tokenizer: Tokenizer, text: str) -> None:
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert (ids[:-1] >= 3).all(), "no text is taken for <unk> or a mark"
    assert len(tokenizer.segment(text)) == len(ids)
    assert np.array_equal(tokenizer.encode_prompt(text), ids[:-1])


def test_it_keeps_the_contract(tokenizer: Tokenizer) -> None:
    check_tokenizer(tokenizer, TEXT)
    assert tokenizer.lossless
    assert tokenizer.spelling_bits("a") == 0


def test_a_character_that_was_cut_is_marked(tokenizer: Tokenizer) -> None:
    ids = train_tokenizer("bytes", [TEXT]).encode_prompt("Ж")
    assert train_tokenizer("bytes", [TEXT]).decode(ids[:1]) == "\N{REPLACEMENT CHARACTER}"


def test_lower_case_is_said_to_lose() -> None:
    for unit in ("bytes", "bpe"):
        tokenizer = train_tokenizer(unit, [TEXT], lowercase=True)
        assert not tokenizer.lossless
        assert tokenizer.decode(tokenizer.encode("РУЖЬЁ")) == "ружьё"


def test_merges_are_those_of_the_checklists_toy() -> None:
    """cat 4, mat 5, mats 2, mate 3, ate 3, eat 2: the first merges are at, mat, cat (lena-voita's example)."""
    words = {"cat": 4, "mat": 5, "mats": 2, "mate": 3, "ate": 3, "eat": 2}
    text = "\n".join(word for word, count in words.items() for _ in range(count))
    tokenizer = train_tokenizer("bpe", [text], vocab_size=259 + 3)
    assert isinstance(tokenizer, SubwordTokenizer)
    assert tokenizer.merges == ("a t", "m at", "c at")
    assert tokenizer.segment("mats eat") == ["mat", "s", " ", "e", "at", "</s>"]


def test_a_larger_vocabulary_makes_a_text_shorter() -> None:
    sizes = [len(train_tokenizer("bpe", [TEXT], vocab_size=size).encode(TEXT)) for size in (259, 280, 320)]
    assert sizes[0] == len(TEXT.encode()) + 1
    assert sizes == sorted(sizes, reverse=True)
    with pytest.raises(UsageError, match="vocab_size is 258"):
        train_tokenizer("bpe", [TEXT], vocab_size=258)


@pytest.mark.parametrize("damage", ["merges", "tokens", "foreign"])
def test_a_damaged_file_is_refused(damage: str) -> None:
    content = json.loads(train_tokenizer("bpe", [TEXT], vocab_size=300).to_json())
    if damage == "merges":
        content["merges"][0] = "q Q"
    elif damage == "tokens":
        content["tokens"][-1] = "zzz"
    else:
        content["name"] = "bytes"
    with pytest.raises(ModelError, match=r"E-TOKEN-00[23] here"):
        tokenizer_from_json(json.dumps(content).encode(), where="here")

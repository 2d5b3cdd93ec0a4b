import time
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekhov.errors import ModelError
from chekhov.tokens.characters import CharacterTokenizer
from chekhov.tokens.spelling import CODE_POINT_BITS
from chekhov.tokens.stream import StreamSettings
from chekhov.tokens.tokenizer import train_tokenizer
from chekhov.tokens.vocabulary import Vocabulary
from chekhov.types import EOS, UNK

any_text = st.text(st.characters(exclude_categories=["Cs"]))


@given(any_text, any_text)
def test_all_text_comes_back_nul_and_line_ends_and_planes_too(text, other):
    tokenizer = train_tokenizer("characters", [text, "\0", other])
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.lossless


@given(any_text.filter(len), any_text)
def test_the_table_agrees_with_looking_up_each_character(training, text):
    tokenizer = train_tokenizer("characters", [training])
    expected = [tokenizer.vocabulary.id(character) for character in text]
    assert tokenizer.encode_prompt(text).tolist() == expected
    assert tokenizer.encode(text).tolist() == [*expected, EOS]
    assert tokenizer.segment(text) == [*text, "</s>"]


def test_one_end_per_document_and_line_breaks_are_characters():
    tokenizer = train_tokenizer("characters", ["a\nb", "b"])
    assert tokenizer.vocabulary.tokens == ("b", "\n", "a")
    assert tokenizer.encode("a\nb").tolist() == [5, 4, 3, EOS]
    assert tokenizer.encode_all(["b", "", "a"]).tolist() == [3, EOS, EOS, 5, EOS]
    assert tokenizer.encode_all([]).dtype == np.int64


def test_unknown_characters_cost_a_code_point_each():
    tokenizer = train_tokenizer("characters", ["ab"])
    assert tokenizer.encode_prompt("aя😀\ud800b").tolist() == [3, UNK, UNK, UNK, 4]
    assert tokenizer.decode(tokenizer.encode("aяb")) == "a\ufffdb"
    assert tokenizer.spelling_bits("я") == CODE_POINT_BITS


def test_marks_in_the_text_are_characters():
    tokenizer = train_tokenizer("characters", ["<unk> <s> </s>"])
    assert tokenizer.decode(tokenizer.encode("</s><unk>")) == "</s><unk>"
    assert Counter(tokenizer.encode("</s><unk><s>").tolist())[EOS] == 1


def test_lowercase_loses_the_case_and_says_so():
    tokenizer = train_tokenizer("characters", ["Аб"], lowercase=True)
    assert tokenizer.decode(tokenizer.encode("АБ")) == "аб"
    assert not tokenizer.lossless and tokenizer.settings == {"lowercase": True}


def test_a_token_is_one_character():
    with pytest.raises(ModelError, match="E-TOKEN-002"):
        CharacterTokenizer(Vocabulary(["ab"]), StreamSettings(lowercase=False))


def test_an_id_outside_is_refused():
    with pytest.raises(ModelError, match="E-TOKEN-009"):
        train_tokenizer("characters", ["ab"]).decode(np.array([5]))


def test_a_million_characters_take_milliseconds():
    text = "Мама мыла раму. — The quick brown fox…\n" * 26_000
    tokenizer = train_tokenizer("characters", [text[:1000]])
    times = []
    for _ in range(3):
        start = time.process_time()
        tokenizer.encode(text)
        times.append(time.process_time() - start)
    assert len(text) > 1_000_000
    assert min(times) < 0.05

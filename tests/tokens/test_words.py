import os
import re
import time
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekhov.errors import TextError
from chekhov.tokens.tokenizer import train_tokenizer
from chekhov.tokens.words import TOKEN, join_words
from chekhov.types import EOS, UNK


def tokens_of(text, **settings):
    return train_tokenizer("words", [text], **settings).segment(text)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Мама мыла раму.", "Мама|мыла|раму|."),
        ("Кто-то сказал: «Ну-ка!»", "Кто-то|сказал|:|«|Ну-ка|!|»"),
        ("don't dogs' d’Artagnan", "don't|dogs|'|d’Artagnan"),
        ("в 1894 г., 3.14 и 12:30, 1-го", "в|1894|г|.|,|3.14|и|12:30|,|1|-|го"),
        ("— Да... — нет?!", "—|Да|.|.|.|—|нет|?|!"),
        ("e-mail: a_b@c.ru", "e-mail|:|a|_|b|@|c|.|ru"),
        ("the <unk> is <s>", "the|<unk>|is|<|s|>"),
        ("и\u0306ог cafe\u0301", "йог|café"),  # NFC
        ("x\u0323\u0307y", "ẋ̣y"),  # a mark that has no composed letter stays on its letter
    ],
)
def test_tokens(text, tokens):
    assert [t for t in tokens_of(text) if t != "</s>"] == [unicodedata.normalize("NFC", t) for t in tokens.split("|")]


def simple_findall(text):
    """The pattern of the design written as a scanner over character categories: L, M, N and the rest."""
    kinds = ["" if c.isspace() else unicodedata.category(c)[0] for c in text]
    tokens, i = [], 0
    while i < len(text):
        start = i
        if text.startswith("<unk>", i):
            i += 5
        elif kinds[i] == "L":
            i += 1
            while i < len(text) and (
                kinds[i] in ("L", "M") or (text[i] in "-'’" and i + 1 < len(text) and kinds[i + 1] == "L")
            ):
                i += 1
        elif kinds[i] == "N":
            i += 1
            while i < len(text) and (
                kinds[i] == "N" or (text[i] in ".,:" and i + 1 < len(text) and kinds[i + 1] == "N")
            ):
                i += 1
        else:
            i += 1
            if not kinds[start]:
                continue
        tokens.append(text[start:i])
    return tokens


@given(st.text(st.sampled_from("aя1½'’-.,: \n\u0301\u00a0«!<>unk😀\u200b\0")))
def test_the_pattern_agrees_with_a_plain_scanner(text):
    assert TOKEN.findall(text) == simple_findall(text)


@given(st.text())
def test_no_text_is_lost_but_blanks(text):
    normal = unicodedata.normalize("NFC", text)
    assert "".join(t for t in tokens_of(text + " x") if t != "</s>") == "".join(normal.split()) + "x"


def test_sentences_and_line_breaks_end_and_empty_lines_are_nothing():
    text = "Он пришёл. А. С. Пушкин ушёл\n\nДа! Нет"
    expected = "Он пришёл . </s> А . С . Пушкин ушёл </s> Да ! </s> Нет </s>"
    assert tokens_of(text) == expected.split()


def test_a_prompt_leaves_its_last_sentence_open():
    tokenizer = train_tokenizer("words", ["a b . B a"])
    ids = tokenizer.encode("A b. B a\nb")
    assert tokenizer.encode_prompt("A b. B a\nb").tolist() == ids[:-1].tolist()
    assert (ids == EOS).sum() == 3 and ids[-1] == EOS
    assert tokenizer.encode_prompt("").tolist() == []


def test_case_is_kept_unless_asked_and_sentences_are_found_before_it_is_folded():
    assert tokens_of("Да. Нет") == ["Да", ".", "</s>", "Нет", "</s>"]
    assert tokens_of("Да. Нет", lowercase=True) == ["да", ".", "</s>", "нет", "</s>"]


@pytest.mark.parametrize(
    "text",
    [
        "Он сказал: «Да, (может быть) нет...» — и ушёл!",
        'He said: "No, [sic] 3.14 don\'t" — and "left".',
        "„Ja“, sagte er, „nein“ (nie).",
        "“Yes,” she said; “no…”",
        "А. С. Пушкин, 1799 г.?!",
    ],
)
def test_blanks_by_rule_restore_ordinary_text(text):
    assert join_words(TOKEN.findall(text)) == text


def test_decoding_ends_lines_and_says_that_it_is_lossy():
    tokenizer = train_tokenizer("words", ["Да , нет . Кто ?"])
    assert tokenizer.decode(tokenizer.encode("Да,нет.\nКто  ?")) == "Да, нет.\nКто?\n"
    assert tokenizer.decode(tokenizer.encode_prompt("Да чужой")) == "Да <unk>"
    assert not tokenizer.lossless


def test_a_literal_unk_is_a_word_unknown_or_refused():
    text = "the <unk> <unk> is"
    word, unknown = (train_tokenizer("words", [text], literal_unk=choice) for choice in ("word", "unknown"))
    assert word.encode("<unk> other").tolist() == [3, UNK, EOS] and word.vocabulary.token(3) == "<unk>"
    assert unknown.encode("<unk> other").tolist() == [UNK, UNK, EOS] and "<unk>" not in unknown.vocabulary
    with pytest.raises(TextError, match="E-TOKEN-007 line 2"):
        train_tokenizer("words", ["a\nthe <unk>"], literal_unk="refuse")


@given(st.text(st.sampled_from("</sunk> \n.A")))
def test_no_text_makes_a_mark_but_the_ends_of_its_sentences(text):
    tokenizer = train_tokenizer("words", ["< / s > unk . A ss uu nn kk"])
    ids, tokens = tokenizer.encode(text), tokenizer.segment(text)
    assert len(ids) == len(tokens)
    assert [id == EOS for id in ids] == [token == "</s>" for token in tokens]
    assert 1 not in ids


@pytest.mark.parametrize("unit", ["a-", "a", "1.", "<un", "é'", "a\u0301"])
def test_time_is_linear_on_lines_without_an_end(unit):
    def seconds(n):
        text = unit * n
        times = []
        for _ in range(3):
            start = time.process_time()
            TOKEN.findall(text)
            times.append(time.process_time() - start)
        return min(times)

    assert seconds(160_000) < 4 * 4 * seconds(40_000) + 0.02  # a quadratic pattern needs minutes here


@pytest.mark.data
@pytest.mark.skipif("CHEKHOV_DATA" not in os.environ, reason="CHEKHOV_DATA is not set")
def test_chekhovs_stories():
    text = (Path(os.environ["CHEKHOV_DATA"]) / "chekhov-stories.txt").read_text(encoding="utf-8")
    start = time.process_time()
    tokenizer = train_tokenizer("words", [text], min_count=1)
    ids = tokenizer.encode(text)
    assert time.process_time() - start < 6  # twice through the text: to count, to encode
    assert (ids != UNK).all()
    words = [token for token in tokenizer.segment(text) if re.fullmatch(r"[а-яё]+", token)]
    assert set(words) <= set(re.findall(r"[а-яё]+", text))
    again = tokenizer.encode(tokenizer.decode(ids))
    assert np.mean(again == UNK) == 0

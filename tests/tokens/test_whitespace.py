from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chekhov.errors import ModelError, TextError
from chekhov.tokens import whitespace
from chekhov.tokens.blanks import Types, count_tokens
from chekhov.tokens.tokenizer import train_and_encode, train_tokenizer
from chekhov.tokens.whitespace import WhitespaceSettings, train_whitespace
from chekhov.tokens.word_table import WordTable, encode_document
from chekhov.types import EOS, UNK

texts = st.text(st.sampled_from("ab \n\r\t\u00a0\u2028\u200b"))


def ids_of(tokenizer, text):
    return tokenizer.encode(text).tolist()


def test_a_line_is_a_sentence_an_empty_one_too():
    tokenizer = train_tokenizer("whitespace", ["a b a\nb a"])
    a, b = 3, 4
    assert ids_of(tokenizer, "a b\n\nb\n") == [a, b, EOS, EOS, b, EOS]
    assert ids_of(tokenizer, "a b\n\nb") == [a, b, EOS, EOS, b, EOS]  # a last line break ends a line, it begins none
    assert ids_of(tokenizer, "") == []
    assert ids_of(tokenizer, "\n") == [EOS]
    assert ids_of(tokenizer, "\n\n") == [EOS, EOS]
    assert ids_of(tokenizer, "a\r\nb\r\n") == [a, EOS, b, EOS]


def test_without_lines_all_line_breaks_are_blanks_and_nothing_ends():
    tokenizer = train_tokenizer("whitespace", ["a b a\nb a"], lines=False)
    assert ids_of(tokenizer, "a b\n\nb\n") == [3, 4, 4]
    assert ids_of(tokenizer, "") == []
    assert tokenizer.encode_prompt("a b").tolist() == [3, 4]
    assert tokenizer.segment("a\nb") == ["a", "b"]
    assert tokenizer.decode(np.array([3, 4, 4])) == "a b b"


def test_blanks_are_those_of_unicode():
    tokenizer = train_tokenizer("whitespace", ["статьи, — 1894"])
    assert tokenizer.segment("статьи,\u00a0—\u2028a\u200bb\u0085c\x1cd") == [
        "статьи,",
        "—",
        "a\u200bb",
        "c",
        "d",
        "</s>",
    ]


@given(texts)
def test_against_the_definition(text):
    tokenizer = train_tokenizer("whitespace", ["a b ab aab\n"])
    lines = text.split("\n")
    if lines[-1] == "":  # nothing stands after the last line break
        lines.pop()
    expected = [token for line in lines for token in [*line.split(), "</s>"]]
    assert tokenizer.segment(text) == expected
    assert ids_of(tokenizer, text) == [EOS if token == "</s>" else tokenizer.vocabulary.id(token) for token in expected]
    prompt = tokenizer.encode_prompt(text).tolist()
    assert prompt == ids_of(tokenizer, text)[:-1]


@given(texts)
def test_decoding_keeps_the_ids(text):
    tokenizer = train_tokenizer("whitespace", [text, "a"])
    ids = tokenizer.encode(text)
    assert np.array_equal(tokenizer.encode(tokenizer.decode(ids)), ids)


def test_a_prompt_leaves_its_last_line_open():
    tokenizer = train_tokenizer("whitespace", ["a b\n"])
    assert tokenizer.encode_prompt("a\nb").tolist() == [3, EOS, 4]
    assert tokenizer.encode_prompt("").tolist() == []


@pytest.mark.parametrize("lines", [True, False])
@pytest.mark.parametrize("mark", ["<s>", "</s>"])
def test_a_literal_mark_is_refused_by_line_in_training_and_after(mark, lines):
    tokenizer = train_tokenizer("whitespace", ["a b x<s>y </s>z"], lines=lines)  # only a whole token is a mark
    with pytest.raises(TextError, match=f"E-TOKEN-006 line 3: the text holds a literal {mark}"):
        tokenizer.encode(f"a\nb\nb {mark} a\n")
    with pytest.raises(TextError, match=f"E-TOKEN-006 line 1: .*{mark}"):
        tokenizer.encode_prompt(mark)
    with pytest.raises(TextError, match="E-TOKEN-006 document 2 of 2, line 2"):
        train_tokenizer("whitespace", ["a", f"b\n{mark}"], lines=lines)
    with pytest.raises(TextError, match="E-TOKEN-006 document 1 of 2, line 1"):
        tokenizer.encode_all([mark, "a"])


def test_lowercase_cannot_forge_a_mark():
    tokenizer = train_tokenizer("whitespace", ["A a"], lowercase=True)
    assert tokenizer.segment("A") == ["a", "</s>"]
    with pytest.raises(TextError, match="E-TOKEN-006"):
        tokenizer.encode("a </S>")


def test_a_literal_unk_is_a_word_of_its_own_by_default():
    tokenizer = train_tokenizer("whitespace", ["a <unk> <unk>"])
    assert tokenizer.vocabulary.tokens == ("<unk>", "a")
    assert ids_of(tokenizer, "<unk> new a") == [3, UNK, 4, EOS]
    assert ids_of(train_tokenizer("whitespace", ["a"]), "<unk>") == [UNK, EOS]  # a word that was not seen


def test_a_literal_unk_can_be_the_unknown_word_or_refused():
    tokenizer = train_tokenizer("whitespace", ["a <unk> <unk>"], literal_unk="unknown")
    assert tokenizer.vocabulary.tokens == ("a",)
    assert ids_of(tokenizer, "<unk> a") == [UNK, 3, EOS]
    strict = train_tokenizer("whitespace", ["a b<unk>"], literal_unk="refuse")
    with pytest.raises(TextError, match=r"E-TOKEN-007 line 2: .*--literal-unk"):
        strict.encode("a\n<unk>")
    with pytest.raises(TextError, match="E-TOKEN-007"):
        train_tokenizer("whitespace", ["<unk>"], literal_unk="refuse")


def test_unknown_words_cost_their_spelling_learnt_from_the_words_of_count_one():
    once, often = train_tokenizer("whitespace", ["xyz b b"]), train_tokenizer("whitespace", ["xyz xyz b b"])
    assert once.spelling_bits("xyz") < often.spelling_bits("xyz")
    small = train_tokenizer("whitespace", ["xyz b b"], vocab_size=4)  # what the vocabulary leaves out is learnt too
    assert small.spelling_bits("xyw") == once.spelling_bits("xyw")


def test_an_id_outside_is_refused():
    with pytest.raises(ModelError, match="E-TOKEN-009"):
        train_tokenizer("whitespace", ["a"]).decode(np.array([4]))


BLANKS = " \t\n\r\x0b\x0c\x1c\x1f\x85\xa0\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000"
NOT_BLANK = "aя\x00\x1b\u200b\u180e\u2060\ufeff€\U0001f600\u00c2\u2080\u3001\u1681"


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from(BLANKS + NOT_BLANK), max_size=60), st.booleans(), st.booleans())
def test_the_kernel_reads_what_python_reads(document: str, lines: bool, again: bool) -> None:
    """Every white space of Unicode, and characters whose bytes look like one."""
    counts = count_tokens(document)
    assert counts == Counter(document.split())
    tokens = sorted(counts)[again:]
    ids = encode_document(WordTable.of(tokens), document, lines=lines)
    number = {token: i for i, token in enumerate(tokens, start=3)}
    if lines:
        sentences = document.removesuffix("\n").split("\n") if document else []
        expected = [i for line in sentences for i in [*(number.get(token, UNK) for token in line.split()), EOS]]
    else:
        expected = [number.get(token, UNK) for token in document.split()]
    assert ids.tolist() == expected


def test_more_types_than_there_was_room_for() -> None:
    words = [f"w{i % 200_000}" for i in range(300_000)]
    assert count_tokens(" ".join(words)) == Counter(words)


def test_a_long_text_is_the_same_tokenizer_as_its_short_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    document = "Мама мыла раму .\n\nрама <unk> мыла\u2028маму\xa0!\n" * 40
    options = WhitespaceSettings(lowercase=True, literal_unk="unknown", lines=True)
    made = []
    for long in (1, 10**9):
        monkeypatch.setattr(whitespace, "LONG", long)
        tokenizer = train_whitespace([document, document], options, vocab_size=None, min_count=1)
        made.append((tokenizer.to_json(), tokenizer.encode(document[:-1]).tolist(), tokenizer.encode("").tolist()))
    assert made[0] == made[1]


@pytest.mark.parametrize("lines", [True, False])
@pytest.mark.parametrize("literal_unk", ["word", "unknown"])
def test_one_reading_gives_what_two_give(monkeypatch: pytest.MonkeyPatch, lines: bool, literal_unk: str) -> None:
    documents = ["Мама мыла раму .\n\nрама <unk> мыла", "маму\xa0!\nмыла\n"]
    flags = {"vocab_size": 9, "min_count": 1, "lowercase": True, "literal_unk": literal_unk, "lines": lines}
    slow = train_tokenizer("whitespace", documents, **flags)
    monkeypatch.setattr(whitespace, "LONG", 1)
    tokenizer, ids = train_and_encode("whitespace", documents, **flags)
    assert tokenizer.to_json() == slow.to_json()
    assert ids.tolist() == slow.encode_all(documents).tolist()


words = st.text("abя\x00\x01", min_size=1, max_size=3) | st.text("a", min_size=6, max_size=26)


@settings(deadline=None)
@given(st.lists(words, max_size=60), st.integers(0, 3))
def test_types_stand_by_count_and_then_by_their_bytes(tokens: list[str], times: int) -> None:
    tokens += tokens[:5] * times
    types = Types(4)
    counts = types.count(types.read(np.frombuffer(" ".join(tokens).encode(), np.uint8), lines=False))
    ranked = [types.tokens()[number] for number in types.ranked(counts)]
    assert ranked == sorted(set(tokens), key=lambda token: (-tokens.count(token), token.encode()))

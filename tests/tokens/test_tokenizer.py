"""What holds for every tokenizer, and its file."""

import contextlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekhov.errors import ModelError, TextError, UsageError
from chekhov.tokens.tokenizer import UNITS, tokenizer_from_json, train_tokenizer
from chekhov.types import BOS, EOS

TEXT = "Мама мыла раму. Мама\0 пела!\n\nA <unk> word, «two»…\r\nlast"
TEXT_UNITS = ("characters", "words", "whitespace")  # whose vocabulary is that of the text
every_unit = pytest.mark.parametrize("unit", UNITS)


def changed(unit, **changes):
    content = json.loads(train_tokenizer(unit, [TEXT]).to_json())
    return json.dumps({**content, **changes}).encode()


@every_unit
@pytest.mark.parametrize("settings", [{}, {"lowercase": True}, {"vocab_size": 9}, {"min_count": 2}, {"lines": False}])
def test_the_file_gives_the_same_tokenizer_back(unit, settings):
    if unit not in TEXT_UNITS and "vocab_size" in settings:
        settings = {"vocab_size": 262}
    tokenizer = train_tokenizer(unit, [TEXT, "Мама"], **settings)
    again = tokenizer_from_json(tokenizer.to_json(), where="tokenizer.json")
    assert again == tokenizer and again.to_json() == tokenizer.to_json()
    assert (again.name, again.digest, again.settings) == (unit, tokenizer.digest, tokenizer.settings)
    assert np.array_equal(again.encode(TEXT), tokenizer.encode(TEXT))
    assert again.spelling_bits("Пушкин") == tokenizer.spelling_bits("Пушкин")


@every_unit
@given(text=st.text(st.sampled_from("aЯ.! \n\r\0«<>unk/s\u2028\u0301\ud800")))
def test_ids_and_segments_agree_and_documents_join(unit, text):
    tokenizer = train_tokenizer(unit, ["a Я . ! « < > unk"])
    try:
        ids = tokenizer.encode(text)
    except TextError as error:
        assert error.code == "E-TOKEN-006" and unit == "whitespace"
        return
    tokens = tokenizer.segment(text)
    assert ids.dtype == np.int64 and ids.shape == (len(tokens),)
    assert BOS not in ids
    assert [id == EOS for id in ids] == [token == "</s>" for token in tokens]
    prompt = tokenizer.encode_prompt(text)
    assert np.array_equal(prompt, ids[:-1] if len(ids) else ids)
    assert np.array_equal(tokenizer.encode_all([text, "a", text]), np.concatenate([ids, tokenizer.encode("a"), ids]))
    tokenizer.decode(ids).encode()  # what is decoded can be written


@pytest.mark.parametrize("unit", [*TEXT_UNITS, "bpe"])
def test_the_digest_names_text_and_settings(unit):
    digests = [
        train_tokenizer(unit, [TEXT]).digest,
        train_tokenizer(unit, [TEXT + " more"]).digest,
        train_tokenizer(unit, [TEXT], lowercase=True).digest,
    ]
    assert len(set(digests)) == 3 and all(len(digest) == 32 for digest in digests)
    assert train_tokenizer(unit, [TEXT]).digest == digests[0]


def test_the_literal_unk_stays_apart_in_the_file():
    content = json.loads(train_tokenizer("whitespace", ["<unk> <unk> a"]).to_json())
    assert content["tokens"] == ["<unk>", "<s>", "</s>", "<unk>", "a"]


@every_unit
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"version": 2}, "E-TOKEN-004"),
        ({"version": 2, "future": 1, "tokens": None}, "E-TOKEN-004"),  # newer is said, whatever else has changed
        ({"version": 0}, "E-TOKEN-003"),
        ({"version": "1"}, "E-TOKEN-003"),
        ({"version": True}, "E-TOKEN-003"),
        ({"name": "sentencepiece"}, "E-TOKEN-005"),
        ({"name": "__import__('os')"}, "E-TOKEN-005"),
        ({"name": None}, "E-TOKEN-003"),
        ({"extra": 1}, "E-TOKEN-003"),
        ({"settings": {}}, "E-TOKEN-003"),
        ({"settings": {"lowercase": 1}}, "E-TOKEN-003"),
        ({"settings": {"lowercase": "yes", "literal_unk": "word", "lines": True}}, "E-TOKEN-003"),
        ({"settings": {"lowercase": True, "literal_unk": "maybe", "lines": True}}, "E-TOKEN-003"),
        ({"tokens": []}, "E-TOKEN-003"),
        ({"tokens": ["<s>", "<unk>", "</s>", "a"]}, "E-TOKEN-003"),
        ({"tokens": ["<unk>", "<s>", "</s>", 7]}, "E-TOKEN-003"),
        ({"tokens": ["<unk>", "<s>", "</s>", "a", "a"]}, "E-TOKEN-001"),
        ({"tokens": ["<unk>", "<s>", "</s>", ""]}, "E-TOKEN-002"),
        ({"tokens": ["<unk>", "<s>", "</s>", "</s>"]}, "E-TOKEN-002"),
        ({"tokens": ["<unk>", "<s>", "</s>", "a b"]}, "E-TOKEN-002"),
        ({"tokens": ["<unk>", "<s>", "</s>", "\ud800"]}, "E-TOKEN-003"),  # not JSON that any text can stand for
        ({"spelling": {"abc": {"d": 1}}}, "E-TOKEN-003"),
        ({"spelling": {"a": {"b": -1}}}, "E-TOKEN-003"),
        ({"spelling": {"a": {"b": 1.5}}}, "E-TOKEN-003"),
        ({"spelling": [1]}, "E-TOKEN-003"),
    ],
)
def test_a_file_that_was_not_written_so_is_refused(unit, changes, code):
    with pytest.raises(ModelError) as caught:
        tokenizer_from_json(changed(unit, **changes), where="run/tokenizer.json")
    assert (caught.value.code, caught.value.where) == (code, "run/tokenizer.json")


@pytest.mark.parametrize("choice", ["unknown", "refuse"])
def test_unk_is_no_word_where_it_is_not_read_as_one(choice):
    settings = {"lowercase": False, "literal_unk": choice}
    data = changed("words", settings=settings, tokens=["<unk>", "<s>", "</s>", "<unk>"])
    with pytest.raises(ModelError, match="E-TOKEN-002"):
        tokenizer_from_json(data, where="x")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe{}",
        b'{"version": NaN}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"9" * 10_000,
        b'{"version": ' + b"9" * 10_000 + b"}",
        b"cos\nsystem\n(S'true'\ntR.",  # a pickle
    ],
)
def test_what_is_no_json_of_ours_is_refused(data):
    with pytest.raises(ModelError, match="E-TOKEN-003 x: "):
        tokenizer_from_json(data, where="x")


@every_unit
def test_a_key_that_stands_twice_is_refused(unit):
    data = train_tokenizer(unit, [TEXT]).to_json()
    twice = data.replace(b'"name":', b'"name":"words","name":', 1)
    inside = data.replace(b'"lowercase":', b'"lowercase":true,"lowercase":', 1)
    for changed_data in (twice, inside):
        with pytest.raises(ModelError, match=r"E-TOKEN-003 x: .* stands twice"):
            tokenizer_from_json(changed_data, where="x")


@every_unit
def test_every_cut_and_every_damaged_byte_gives_a_tokenizer_or_a_model_error(unit):
    data = train_tokenizer(unit, ["a b. ya ba\n"]).to_json()
    damaged = [data[:n] for n in range(len(data))]
    damaged += [data[:i] + bytes([data[i] ^ flip]) + data[i + 1 :] for i in range(len(data)) for flip in (1, 16, 128)]
    for one in damaged:
        with contextlib.suppress(ModelError):
            tokenizer_from_json(one, where="x").encode("a b\n")


@every_unit
def test_a_text_without_tokens_and_wrong_settings_are_refused(unit):
    with pytest.raises(TextError, match="E-TOKEN-008"):
        train_tokenizer(unit, [])
    if unit in TEXT_UNITS:
        with pytest.raises(TextError, match="E-TOKEN-008 no token stands 9 times"):
            train_tokenizer(unit, ["a b"], min_count=9)
    with pytest.raises(TextError, match="E-TOKEN-010 document 2, line 3: "):
        train_tokenizer(unit, ["a", "b\n\nc\ud800"])
    with pytest.raises(UsageError, match="E-RANGE-001"):
        train_tokenizer(unit, ["a"], vocab_size=0)
    with pytest.raises(UsageError, match="E-TOKEN-011"):
        train_tokenizer(unit, ["a"], literal_unk="maybe")  # type: ignore[arg-type]


def test_an_unknown_unit_is_refused():
    with pytest.raises(UsageError, match="E-TOKEN-005 --tokens glyphs is unknown"):
        train_tokenizer("glyphs", ["a"])

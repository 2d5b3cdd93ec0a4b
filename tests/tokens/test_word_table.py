"""A vocabulary as flat arrays: what the dictionary says, and no crash whatever the arrays hold."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chekhov.errors import ModelError
from chekhov.tokens.spelling import spelling_of_apart, train_spelling
from chekhov.tokens.text_kernels import hash_of as kernel_hash
from chekhov.tokens.vocabulary import LOOK_UPS, RESERVED, Vocabulary
from chekhov.tokens.word_table import WordTable, encode_document, fill_slots_fast, hash_of
from chekhov.types import UNK

tokens = st.text(st.characters(exclude_categories=["Cs", "Z", "C"]), min_size=1, max_size=30)
vocabularies = st.sets(tokens, max_size=40).map(lambda words: [word for word in words if word not in ("<s>", "</s>")])


@settings(deadline=None)
@given(st.binary(max_size=40))
def test_the_hash_in_python_is_that_of_the_kernel(word: bytes) -> None:
    text = np.frombuffer(b"x" + word + b"yz", np.uint8)
    assert hash_of(word) == kernel_hash(text, 1, 1 + len(word)) & (1 << 64) - 1


@settings(deadline=None)
@given(vocabularies)
def test_the_slots_filled_in_python_are_those_of_the_kernel(words: list[str]) -> None:
    table = WordTable.of(words)
    slots = np.full_like(table.slots, -1)
    fill_slots_fast(table.spellings, table.starts, slots)
    assert np.array_equal(slots, table.slots)


@settings(deadline=None)
@given(vocabularies, st.lists(tokens, max_size=10))
def test_a_mapped_vocabulary_is_the_vocabulary(words: list[str], others: list[str]) -> None:
    plain, mapped = Vocabulary(words), Vocabulary.of_table(WordTable.of(words))
    for many in (False, True):
        if many:  # from then on by the dictionary
            list(mapped.ids(["?"] * (mapped.size // LOOK_UPS + 1)))
        assert [mapped.table.find(word) for word in words] == list(range(len(words)))
        for word in [*words, *others, "<unk>", "<s>", "", "\ud800", "a\x00"]:
            assert mapped.id(word) == plain.id(word)
            assert (word in mapped) == (word in plain)
        assert list(mapped.ids([*others, *words])) == list(plain.ids([*others, *words]))
        assert [mapped.token(id) for id in range(plain.size)] == list(plain)
        assert (mapped.size, len(mapped)) == (plain.size, len(plain))
    assert mapped == plain and mapped.tokens == plain.tokens and list(mapped) == list(plain)
    with pytest.raises(ModelError, match="E-TOKEN-009"):
        mapped.token(plain.size)


spelt = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(lambda t: t.split() == [t])


@settings(deadline=None)
@given(st.lists(spelt | st.text('"\\\x00\x08\x1b\x7fя', min_size=1), unique=True, max_size=30))
def test_words_in_bytes_are_the_words(words: list[str]) -> None:
    apart = np.frombuffer("".join(f"{word} " for word in words).encode(), np.uint8)
    table, same = WordTable.of_apart(apart), WordTable.of(words)
    for name, array in table.arrays().items():
        assert np.array_equal(array, same.arrays()[name]) and array.dtype == same.arrays()[name].dtype
    assert table.words() == words and np.array_equal(table.apart(), apart)
    assert spelling_of_apart(apart) == train_spelling(words)
    by_bytes, by_strings = Vocabulary.of_table(table).to_json(), [*RESERVED, *words]
    assert msgspec.json.encode(by_bytes) == msgspec.json.encode(by_strings)


def test_a_word_may_hold_a_blank() -> None:
    words = ["a b", " ", "c"]
    assert Vocabulary.of_table(WordTable.of(words)).to_json() == [*RESERVED, *words]


def test_a_damaged_table_is_not_written() -> None:
    table = WordTable.of(["Мама", "мыла"])
    for starts in ([0, 8, 99], [0, 1, 0]):
        with pytest.raises(ModelError, match="E-TOKEN-014"):
            WordTable(table.spellings, np.array(starts), table.slots).apart()
    with pytest.raises(ModelError, match="E-TOKEN-014"):  # a word ends within a character
        WordTable(table.spellings, np.array([0, 7, 16]), table.slots).apart()


def test_words_of_one_hash_are_told_apart() -> None:
    """The slots are made so that every word comes first to the slot of another with the same upper half of the hash."""
    words = ["a", "b", "c"]
    table = WordTable.of(words)
    slots, by_kernel = table.slots.copy(), {}
    for word in words:
        slots[:, 1] = -1
        first = hash_of(word.encode()) % len(slots)
        for step, other in enumerate([*[w for w in words if w != word], word]):
            tag = np.int64(hash_of(word.encode()) >> 32).astype(np.int32)
            slots[(first + step) % len(slots)] = tag, words.index(other)
        forged = WordTable(table.spellings, table.starts, slots)
        assert forged.find(word) == words.index(word)
        by_kernel[word] = encode_document(forged, word, lines=False).tolist()
    assert by_kernel == {"a": [3], "b": [4], "c": [5]}


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.data())
def test_whatever_the_arrays_hold_nothing_is_read_outside(noise: bytes, data: st.DataObject) -> None:
    words = ["Мама", "мыла", "раму", "a" * 40]
    arrays = {name: array.copy() for name, array in WordTable.of(words).arrays().items()}
    for name in data.draw(st.sets(st.sampled_from(sorted(arrays)), min_size=1)):
        raw = arrays[name].view(np.uint8).reshape(-1)
        raw[: len(noise)] = np.frombuffer(noise[: len(raw)], np.uint8)
    table = WordTable.from_arrays(arrays)
    text = " ".join([*words, "other", ""])
    ids = encode_document(table, text, lines=True)
    assert len(ids) == 6 and ids.min() >= UNK and ids.max() < 7
    for word in words:
        assert -1 <= table.find(word) < 4
    assert len([table.spelt(number) for number in range(-1, 5)]) == 6
    try:
        table.words()
    except ModelError as error:
        assert error.code == "E-TOKEN-014"


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("slots", np.zeros((3, 2), np.int32)),
        ("slots", np.zeros((0, 2), np.int32)),
        ("slots", np.zeros((4, 2), np.int64)),
        ("starts", np.zeros(0, np.int64)),
        ("spellings", np.zeros((2, 2), np.uint8)),
        ("spellings", None),
    ],
)
def test_arrays_of_other_types_or_shapes_are_refused(name: str, array: np.ndarray | None) -> None:
    arrays = {**WordTable.of(["a"]).arrays(), name: array}
    with pytest.raises(ModelError, match="E-TOKEN-014"):
        WordTable.from_arrays({key: value for key, value in arrays.items() if value is not None})

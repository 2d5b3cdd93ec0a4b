import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekhov.errors import ModelError, UsageError
from chekhov.tokens.vocabulary import Vocabulary
from chekhov.types import BOS, EOS, UNK


def test_ids_go_by_falling_count_then_by_code_point():
    vocabulary = Vocabulary.from_counts({"я": 2, "a": 1, "Я": 2, "z": 5, "B": 1})
    assert list(vocabulary) == ["<unk>", "<s>", "</s>", "z", "Я", "я", "B", "a"]
    assert vocabulary.size == len(vocabulary) == 8
    assert [vocabulary.id(token) for token in ("z", "a", "?")] == [3, 7, UNK]
    assert list(vocabulary.ids(["a", "?", "z"])) == [7, UNK, 3]
    assert "z" in vocabulary and "?" not in vocabulary


def test_max_size_counts_the_reserved_ids_and_min_count_the_rare():
    counts = {"a": 3, "b": 2, "c": 2, "d": 1}
    assert Vocabulary.from_counts(counts, max_size=5).tokens == ("a", "b")
    assert Vocabulary.from_counts(counts, max_size=None, min_count=2).tokens == ("a", "b", "c")
    assert Vocabulary.from_counts(counts, max_size=99).tokens == ("a", "b", "c", "d")
    for settings in ({"max_size": 3}, {"max_size": -1}, {"min_count": 0}):
        with pytest.raises(UsageError, match="E-RANGE-001"):
            Vocabulary.from_counts(counts, **settings)


def test_no_spelling_is_looked_up_as_a_reserved_id():
    plain, with_word = Vocabulary(["a"]), Vocabulary(["a", "<unk>"])
    assert [plain.id(mark) for mark in ("<unk>", "<s>", "</s>")] == [UNK, UNK, UNK]
    assert (with_word.id("<unk>"), with_word.token(4), with_word.token(UNK)) == (4, "<unk>", "<unk>")
    assert "<unk>" not in plain and "<unk>" in with_word


@given(st.sets(st.text(st.characters(exclude_categories=["Cs"]), min_size=1)).map(list))
def test_id_and_token_are_inverse_even_for_trailing_nuls_and_look_alikes(tokens):
    vocabulary = Vocabulary([token for token in tokens if token not in ("<s>", "</s>")])
    for id, token in enumerate(vocabulary):
        assert vocabulary.token(id) == token
        assert id <= EOS or vocabulary.id(token) == id


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (["a", "b", "a"], "E-TOKEN-001 .*'a' stands twice, as id 3 and id 5"),
        (["a", ""], "E-TOKEN-002 .*id 4 is ''"),
        (["<s>"], "E-TOKEN-002"),
        (["</s>"], "E-TOKEN-002"),
        (["a\ud800"], "E-TOKEN-002 .*lone surrogate"),
    ],
)
def test_what_cannot_be_a_vocabulary(tokens, message):
    with pytest.raises(ModelError, match=message.replace(" .*", ".*")):
        Vocabulary(tokens)


@pytest.mark.parametrize("id", [-1, 4])
def test_an_id_outside_is_an_error_and_does_not_wrap(id):
    vocabulary = Vocabulary(["a"])
    with pytest.raises(ModelError, match=f"E-TOKEN-009 id {id} is outside the vocabulary of 4"):
        vocabulary.token(id)
    with pytest.raises(ModelError, match=f"E-TOKEN-009 id {id}"):
        vocabulary.check_ids([BOS, id])

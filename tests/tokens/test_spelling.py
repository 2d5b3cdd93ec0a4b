import math
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekhov.errors import ModelError
from chekhov.tokens.spelling import CODE_POINT_BITS, CODE_POINTS, END, SpellingModel, train_spelling


def test_every_code_point_but_the_surrogates():
    assert sum(not 0xD800 <= code_point <= 0xDFFF for code_point in range(0x110000)) == CODE_POINTS
    assert math.isclose(2**CODE_POINT_BITS, CODE_POINTS)


def test_by_hand():
    """Two words, "ab" and "ac", an alphabet of 3: p(a | start), p(b | a), p(end | ab), each level by level."""
    model = train_spelling(["ab", "ac"], alphabet_size=3)
    uniform = 1 / 4  # three letters and the end
    # without context: a 2, b 1, c 1, end 2 of 6; 4 types
    a0, b0, end0 = ((n + 4 * uniform) / 10 for n in (2, 1, 2))
    # at the start: a 2 of 2, 1 type; the contexts of one and of two characters are the same there
    a1 = (2 + a0) / 3
    a2 = (2 + a1) / 3
    # after a: b 1, c 1; 2 types
    b1 = (1 + 2 * b0) / 4
    b2 = (1 + 2 * b1) / 4
    # after b, after ab: end 1 of 1, 1 type
    end1 = (1 + end0) / 2
    end2 = (1 + end1) / 2
    assert model.bits("ab") == pytest.approx(-math.log2(a2 * b2 * end2), abs=1e-12)


words = st.lists(st.text("ab", min_size=1, max_size=6), max_size=8)


@given(words)
def test_the_mass_of_all_words_and_open_prefixes_is_one(types):
    """Enumeration over the alphabet {a, b, c}: words of fewer than 4 letters, and what begins with 4."""
    model = train_spelling(types, alphabet_size=3)

    def prefix(letters):
        return math.prod(model.probability(c, letters[max(0, i - 2) : i]) for i, c in enumerate(letters))

    closed = sum(2 ** -model.bits("".join(letters)) for n in range(4) for letters in product("abc", repeat=n))
    opened = sum(prefix("".join(letters)) for letters in product("abc", repeat=4))
    assert closed + opened == pytest.approx(1, abs=1e-12)


@given(words, st.text("abc", max_size=2))
def test_each_distribution_sums_to_one_over_all_of_unicode(types, context):
    model = train_spelling(types)
    seen = ["a", "b", END]
    unseen = (CODE_POINTS + 1 - len(seen)) * model.probability("я", context)
    assert sum(model.probability(symbol, context) for symbol in seen) + unseen == pytest.approx(1, abs=1e-9)


def test_likely_spellings_are_cheaper_and_none_is_free():
    model = train_spelling(["столик", "стол", "столовая", "пол", "полка"])
    assert 0 < model.bits("столы") < model.bits("wrong") < math.inf
    assert model.bits("wrong") > 5 * CODE_POINT_BITS / 2


def test_without_training_words_all_symbols_are_equal_and_the_end_is_paid():
    assert train_spelling([]).bits("ab") == pytest.approx(3 * math.log2(CODE_POINTS + 1))


def test_a_lone_surrogate_has_no_probability():
    assert train_spelling(["a"]).bits("\ud800") == math.inf


def test_every_type_counts_once_wherever_it_stands():
    model = train_spelling(["ба", "аб"])
    assert model.counts == {"": {"а": 1, "б": 1}, "а": {"б": 1}, "аб": {"": 1}, "б": {"а": 1}, "ба": {"": 1}}
    assert SpellingModel(model.counts).bits("аба") == model.bits("аба")


@pytest.mark.parametrize("counts", [{"abc": {"d": 1}}, {"a": {}}, {"a": {"bc": 1}}, {"a": {"b": 0}}, {"a": {"b": -1}}])
def test_counts_that_are_not_trigrams_are_refused(counts):
    with pytest.raises(ModelError, match="E-TOKEN-003"):
        SpellingModel(counts)

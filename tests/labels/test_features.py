"""The kernel of hashes is the plain function; batches hold every row once."""

from __future__ import annotations

import sys

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from chekhov.labels.features import affixes, class_of, known_words, number_words, reference_affixes, sorted_batches


@settings(deadline=None)  # the kernel is compiled at its first call
@given(st.lists(st.text(max_size=8), max_size=6))
def test_the_kernel_is_the_reference(words: list[str]) -> None:
    assert affixes(words).tolist() == [reference_affixes(word) for word in words]


def test_pictures_have_one_shape_and_every_character_a_class() -> None:
    shapes = {word: reference_affixes(word)[-1] for word in ("😀", "🏞", "🌹🎉", "❤️", "👍🏻", "🤦‍♀️", "«", "»", ")")}
    assert len({shapes[word] for word in ("😀", "🏞", "🌹🎉", "❤️", "👍🏻", "🤦‍♀️")}) == 1
    assert len({shapes[word] for word in ("😀", "«", "»", ")")}) == 4
    assert {class_of(chr(code)) for code in range(sys.maxunicode + 1)} <= set(range(256))


def test_words_are_numbered_by_type() -> None:
    known = known_words([["Дом", "дом", "сад"]])
    assert known == ["", "дом", "сад"]
    words = number_words([["Дом", "лес"], [], ["лес"]], {word: k for k, word in enumerate(known)})
    assert words.tokens.tolist() == [0, 1, 1]
    assert words.begins.tolist() == [0, 2, 2, 3]
    assert words.features[:, 0].tolist() == [1, 0]


@given(st.lists(st.integers(0, 50), max_size=40), st.integers(1, 8))
def test_batches_hold_every_row_once(lengths: list[int], size: int) -> None:
    batches = sorted_batches(np.array(lengths, np.int64), size, 60)
    assert sorted(np.concatenate([np.empty(0, int), *batches]).tolist()) == list(range(len(lengths)))
    for rows in batches:
        assert len(rows) == 1 or len(rows) * max(lengths[row] for row in rows) <= 60

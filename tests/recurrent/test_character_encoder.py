"""Convolution over the characters of a word, against plain loops; characters as numbers."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from chekhov.labels.characters import CHARACTERS, MAX_CHARACTERS, characters
from chekhov.recurrent.character_encoder import CharacterEncoder


@given(st.lists(st.text(max_size=30), max_size=5))
def test_characters_are_code_points_modulo_a_prime(words: list[str]) -> None:
    for word, row in zip(words, characters(words).tolist(), strict=True):
        kept = word if len(word) <= MAX_CHARACTERS else word[:10] + word[-10:]
        assert row[: len(kept)] == [1 + ord(c) % (CHARACTERS - 1) for c in kept]
        assert not any(row[len(kept) :])


def test_latin_and_cyrillic_do_not_meet() -> None:
    letters = [chr(code) for code in [*range(32, 592), *range(1024, 1328)]]
    assert len({row[0] for row in characters(letters).tolist()}) == len(letters)


@settings(deadline=None)
@given(st.lists(st.text("абв-", max_size=6), max_size=4))
def test_the_encoder_is_the_formula(words: list[str]) -> None:
    torch.manual_seed(0)
    encoder = CharacterEncoder(3, 5).double()
    ids = characters(words)
    W, b = (p.detach().numpy() for p in encoder.filters.parameters())  # (5, 9), (5,)
    E = encoder.embedding.weight.detach().numpy()
    wanted = np.zeros((len(words), 5))
    for n, word in enumerate(words):
        for t in range(len(word)):
            beside = [E[ids[n, u]] if 0 <= u < len(word) else np.zeros(3) for u in (t - 1, t, t + 1)]
            wanted[n] = np.maximum(wanted[n], b + W @ np.concatenate(beside))
    found = encoder(torch.from_numpy(ids)).detach().numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-12)

"""The encoder of words: what training has not seen says nothing."""

from __future__ import annotations

import torch

from chekhov.labels.features import Words, number_words
from chekhov.recurrent.word_encoder import WordEncoder
from chekhov.tasks.tagger import Tagger

NUMBERS = {"": 0, "дом": 1, "лес": 2}


def numbered(*words: str) -> Words:
    return number_words([list(words)], NUMBERS, character=True, vector_rows={"дом": 1})


def test_affixes_and_characters_that_training_has_not_seen_get_no_vector() -> None:
    sizes = {"word_size": 2, "affix_size": 3, "character_size": 2, "vector_size": 2, "projection_size": 2}
    encoder = WordEncoder(3, hidden_size=4, num_layers=1, dropout=0.0, word_dropout=0.0, **sizes).eval()
    encoder.give_vectors(torch.ones(2, 2))
    seen, others = (torch.from_numpy(numbered(*words).features) for words in (("дом", "лес"), ("☺", "Q7")))
    before = encoder.embed(seen)
    assert encoder.embed(others)[:, 4:31].all()  # after the word's own and that of its vector come nine affixes
    encoder.silence_unseen(seen)
    torch.testing.assert_close(encoder.embed(seen), before)
    _, hashed, characters = encoder.columns(others)
    assert not encoder.affixes.weight[hashed].any()
    assert not encoder.characters.embedding.weight[characters[characters > 0]].any()


def test_they_have_none_after_training_either() -> None:
    words, tags = [["дом", "дома"], ["лес", "леса"]] * 10, [["A", "B"]] * 20
    for features in ("affixes,chars", "affixes", "chars"):
        tagger = Tagger(features=features, nets=2, epochs=2, hidden_size=8, word_size=4).fit(words, tags)
        unseen = torch.from_numpy(tagger.inputs.number([["☺"]]).features)
        for encoder in tagger.net.encoders:
            _, hashed, characters = encoder.columns(unseen)
            assert "affixes" not in features or not encoder.affixes.weight[hashed].any()
            assert "chars" not in features or not encoder.characters.embedding.weight[characters[:, 0]].any()

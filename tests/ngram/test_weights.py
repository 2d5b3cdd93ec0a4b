"""Texts with weights give the very table of texts that are repeated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chekhov.errors import UsageError
from chekhov.files import NamelessFile
from chekhov.ngram import targets
from chekhov.ngram.model import train_ngram
from chekhov.ngram.smoothing import PRUNABLE, SMOOTHINGS
from chekhov.ngram.targets import IdFile, Weights
from chekhov.types import EOS

V = 12
texts = st.lists(st.lists(st.integers(2, V - 1), max_size=40).map(lambda text: [*text, EOS]), min_size=1, max_size=4)


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@settings(max_examples=40, deadline=None)
@given(texts, st.data())
def test_the_table_is_that_of_the_repeated_texts(
    tmp_path_factory: pytest.TempPathFactory, smoothing: str, own: list[list[int]], data: st.DataObject
) -> None:
    each = data.draw(st.lists(st.integers(1, 5), min_size=len(own), max_size=len(own)))
    flags: dict[str, Any] = {"order": data.draw(st.integers(1, 6)), "vocab_size": V, "smoothing": smoothing}
    flags |= {"valid_ids": np.array(own[0]), "interpolate_unigrams": data.draw(st.booleans())}
    if smoothing in PRUNABLE and flags["order"] > 1:
        flags["prune"] = [0, data.draw(st.integers(0, 6))]
    kenlm_compat = smoothing == "modified-kneser-ney" and data.draw(st.booleans())
    repeated = np.array([word for text, times in zip(own, each, strict=True) for word in text * times])
    expected = train_ngram(repeated, kenlm_compat=kenlm_compat, **flags)
    ids = np.array([word for text in own for word in text])
    weights = Weights(np.cumsum([len(text) for text in own]), np.array(each, np.int32))
    assert weights.total == len(repeated)
    folder = tmp_path_factory.mktemp("ids")
    nameless = NamelessFile(folder)
    nameless.file.write(ids.astype(np.int32).tobytes())
    nameless.file.flush()
    found = [train_ngram(ids, weights=weights, kenlm_compat=kenlm_compat, **flags)]
    if not kenlm_compat:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(targets, "BLOCK", 7)
            file = IdFile(nameless, len(ids))
            found.append(train_ngram(file, weights=weights, memory=64 << 20, folder=folder, **flags))
    for model in found:
        assert model.notes == expected.notes
        for name, array in expected.arrays().items():
            assert array.tobytes() == model.arrays()[name].tobytes()


def test_counts_that_would_pass_an_int32_are_refused() -> None:
    weights = Weights(np.array([2]), np.array([1 << 30], np.int32))
    with pytest.raises(UsageError, match=r"E-WEIGHT-003 .*2,147,483,648 tokens, counts go to 2,147,483,647"):
        train_ngram(np.array([3, EOS]), order=2, vocab_size=4, weights=weights)
    below = Weights(np.array([2]), np.array([(1 << 30) - 1], np.int32))
    model = train_ngram(np.array([3, EOS]), order=2, vocab_size=4, weights=below, smoothing="mle")
    np.testing.assert_allclose(np.exp(model.score(model.initial_state(1), np.array([[3, EOS]]))[0]), 1)

"""A log-linear model beside the net of a tagger."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chekhov.errors import ModelError, UsageError
from chekhov.labels.log_linear import LogLinear
from chekhov.tasks.linear_partner import MAX_TAGS, SHARE, SHARES, LinearPartner
from chekhov.tasks.tagger import Tagger

SMALL = {"nets": 1, "hidden_size": 8, "word_size": 8, "affix_size": 4, "features": "affixes", "epochs": 2}


def corpus() -> tuple[list[list[str]], list[list[str]]]:
    """The tag of b is that of the word before it."""
    words = [["x", "b", "."], ["y", "b", "."], ["y", "x", "b"]] * 20
    return words, [["X", "X", "P"], ["Y", "Y", "P"], ["Y", "X", "X"]] * 20


def test_scores_are_the_sum_of_both_and_come_back_from_the_folder(tmp_path: Path) -> None:
    words, tags = corpus()
    made = Tagger(**SMALL).fit(words, tags, valid=(words, tags), out=tmp_path / "t")
    assert made.partner is not None
    assert made.partner.share in SHARES[:-1]
    assert made.predict(words) == tags  # two passes are too few for the net alone
    again = Tagger.load(tmp_path / "t")
    numbered = made.inputs.number(words)
    expected = np.float32(made.partner.share) * made.partner.models[0].scores(numbered, 1)
    np.testing.assert_array_equal(again.partner.scores(numbered)[0], expected)
    both = {tuple(rows): scores[0] for rows, _, scores in made._scores(words)}
    made.partner.share = 0.0
    for rows, lengths, (alone, *_) in made._scores(words):
        for b, row in enumerate(rows):
            own = expected[numbered.begins[row] : numbered.begins[row + 1]]
            np.testing.assert_allclose(both[tuple(rows)][b, : lengths[b]], alone[b, : lengths[b]] + own, atol=1e-5)
    assert again.predict(words) == tags


def test_without_it_a_folder_has_nothing_of_it(tmp_path: Path) -> None:
    words, tags = corpus()
    alone = Tagger(**SMALL, model="net").fit(words, tags, out=tmp_path / "t")
    assert alone.partner is None
    again = Tagger.load(tmp_path / "t")
    assert again.partner is not None
    assert not again.partner.arrays()
    assert again.parameter_count == alone.parameter_count
    no_affixes = Tagger(**{**SMALL, "features": "chars"}).fit(words, tags)
    assert no_affixes.partner is None


def test_the_share_with_the_least_error_is_taken_and_of_equal_ones_the_first() -> None:
    partner = LinearPartner({0: LogLinear.of(np.array([3, 4], np.uint64), np.ones((2, 1), np.float32))}, 1)
    partner.choose(lambda: abs(partner.share - 0.8))
    assert partner.share == 0.8
    partner.choose(lambda: 0.5)
    assert partner.share == SHARES[0]
    partner.choose(lambda: partner.share)
    assert partner.share == 0
    assert partner.arrays() == {}


def test_columns_of_many_tags_have_none() -> None:
    words = Tagger(columns=("a", "b"), **SMALL)
    sentences = [[f"w{k}"] for k in range(MAX_TAGS + 1)]
    many, few = [[f"t{k}"] for k in range(MAX_TAGS + 1)], [[f"t{k % 2}"] for k in range(MAX_TAGS + 1)]
    words.fit(sentences, [many, few], valid=(sentences, [many, few]))
    assert list(words.partner.models) == [1]


@pytest.mark.parametrize(
    ("arrays", "code"),
    [
        ({"linear.weights.0": np.zeros((3, 2), np.float32)}, "E-MODEL-013"),
        ({"linear.weights.0": np.zeros((4, 3), np.float32)}, "E-MODEL-013"),
        ({"linear.weights.0": np.zeros(4, np.float32)}, "E-MODEL-013"),
        ({"linear.codes.0": np.zeros((2, 2), np.uint64)}, "E-MODEL-013"),
        ({"linear.codes.0": np.zeros(4, np.int32)}, "E-MODEL-013"),
        ({"linear.weights.0": np.full((4, 2), np.nan, np.float32)}, "E-MODEL-014"),
        ({SHARE: np.array([np.inf])}, "E-MODEL-014"),
        ({SHARE: np.zeros((0,))}, "E-MODEL-013"),
    ],
)
def test_what_does_not_fit_is_refused(arrays: dict[str, np.ndarray], code: str) -> None:
    fitting = {"linear.codes.0": np.array([1, 2, 3, 4], np.uint64), "linear.weights.0": np.zeros((4, 2), np.float32)}
    fitting[SHARE] = np.array([0.4], np.float32)
    assert LinearPartner.from_stored(dict(fitting), 1, [2])[0].models
    with pytest.raises(ModelError) as caught:
        LinearPartner.from_stored({**fitting, **arrays}, 1, [2])
    assert caught.value.code == code


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(UsageError, match="E-LABEL-001"):
        Tagger(model="forest").fit([["a"]], [["b"]])

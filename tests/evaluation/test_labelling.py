"""Figures of labels: by hand, and span F1 against seqeval."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chekhov.evaluation.labelling import macro_f1, span_counts, span_interval, wilson_interval

TAGS = ["O", *[f"{prefix}-{kind}" for prefix in "BIES" for kind in ("PER", "LOC")]]


def test_examples_by_hand() -> None:
    right, found = [["B-A", "I-A", "O", "B-B"]], [["B-A", "O", "O", "B-B"]]
    counts = span_counts(right, found)
    assert (counts.right, counts.found, counts.there) == (1, 2, 2)
    assert counts.f1 == 0.5
    assert span_counts(right, found, "B").f1 == 1.0
    assert macro_f1(["a", "a", "b"], ["a", "b", "b"]) == pytest.approx(2 / 3)
    low, high = span_interval(right * 20, found * 20)
    assert low == high == 0.5


def test_wilsons_interval() -> None:
    """8 of 10: 0.4902 to 0.9433 (Agresti & Coull 1998, formula 4, worked by hand)."""
    assert wilson_interval(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)


@pytest.mark.filterwarnings("ignore")  # seqeval warns of every malformed tag
@settings(deadline=None)  # seqeval takes its time at the first call
@given(st.lists(st.lists(st.tuples(st.sampled_from(TAGS), st.sampled_from(TAGS)), max_size=8), min_size=1, max_size=4))
def test_span_f1_is_seqevals(pairs: list[list[tuple[str, str]]]) -> None:
    """Well-formed tags or not, in every mixture of schemes (pip install seqeval)."""
    metrics = pytest.importorskip("seqeval.metrics")
    right, found = ([[pair[k] for pair in sentence] for sentence in pairs] for k in (0, 1))
    counts = span_counts(right, found)
    assert counts.f1 == pytest.approx(metrics.f1_score(right, found, zero_division=0))
    assert counts.precision == pytest.approx(metrics.precision_score(right, found, zero_division=0))
    assert counts.recall == pytest.approx(metrics.recall_score(right, found, zero_division=0))

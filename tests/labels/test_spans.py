"""Spans: one reading of every sequence of tags, and the same spans in every scheme."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekhov.errors import UsageError
from chekhov.labels.spans import SCHEMES, Span, convert, may_follow, spans_of, tags_of

TAGS = ["O", *[f"{prefix}-{kind}" for prefix in "BIES" for kind in ("PER", "LOC")]]


@st.composite
def sentences(draw: st.DrawFn) -> tuple[list[Span], int]:
    spans, at = [], 0
    for gap, length, label in draw(
        st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3), st.sampled_from(["PER", "LOC"])), max_size=5)
    ):
        spans.append(Span(at + gap, at + gap + length, label))
        at += gap + length
    return spans, at + draw(st.integers(0, 2))


@given(sentences())
def test_spans_come_back_from_every_scheme(case: tuple[list[Span], int]) -> None:
    spans, length = case
    for scheme in SCHEMES:
        tags = tags_of(spans, length, scheme)
        assert len(tags) == length
        assert spans_of(tags) == spans
        assert convert(tags, "bioes") == tags_of(spans, length, "bioes")


@given(sentences())
def test_bioes_is_what_may_follow_lets_through(case: tuple[list[Span], int]) -> None:
    tags = ["", *tags_of(*case, "bioes"), ""]
    assert all(may_follow(a, b) for a, b in itertools.pairwise(tags))


@given(st.lists(st.sampled_from(TAGS), max_size=8))
def test_malformed_tags_have_one_reading(tags: list[str]) -> None:
    """The rule is conlleval's, whose two questions stand here as it asks them."""
    expected, start = [], None
    padded = [*tags, "O"]
    for place, tag in enumerate(padded):
        before = padded[place - 1] if place else "O"
        p, q, same = before[0], tag[0], before[2:] == tag[2:]
        ends = p != "O" and (p in "ES" or q in "BSO" or not same)
        begins = q != "O" and (q in "BS" or p in "ESO" or not same)
        if ends and start is not None:
            expected.append(Span(start, place, before[2:]))
            start = None
        if begins:
            start = place
    assert spans_of(tags) == expected


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (["I-A", "I-A", "B-A"], [(0, 2, "A"), (2, 3, "A")]),
        (["B-A", "I-B"], [(0, 1, "A"), (1, 2, "B")]),
        (["O", "E-A", "I-A"], [(1, 2, "A"), (2, 3, "A")]),
    ],
)
def test_examples(tags: list[str], expected: list[tuple[int, int, str]]) -> None:
    assert spans_of(tags) == expected


def test_another_scheme_is_refused() -> None:
    with pytest.raises(UsageError, match="E-LABEL-001"):
        tags_of([], 1, "iobes")

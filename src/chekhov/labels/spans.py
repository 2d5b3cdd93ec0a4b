"""Spans and the tags that write them: IOB, IOB2, BIOES; one rule of what a span is.

The rule is conlleval's (CoNLL-2000, also seqeval's default). A span begins at B- or S-, at any tag of another type than
the one before, and at I- or E- after O, E- or S-; it ends before the next O, B-, S- or other type, and after E- or S-.
So every sequence of tags has one reading, malformed or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from chekhov.errors import UsageError

SCHEMES = ("iob", "iob2", "bioes")
PREFIXES = "BIESO"


class Span(NamedTuple):
    """Words ``start`` to ``end`` (without it) of a sentence are one ``label``."""

    start: int
    end: int
    label: str


@dataclass(frozen=True)
class TaggedSpan:
    """Words ``start`` to ``end`` (without it) of a sentence; ``confidence`` is p(this very span | sentence)."""

    start: int
    end: int
    label: str
    confidence: float


def is_span_tag(tag: str) -> bool:
    return tag == "O" or (len(tag) > 2 and tag[0] in "BIES" and tag[1] == "-")


def are_spans(column: Sequence[Sequence[str]]) -> bool:
    """Whether the tags of sentences are those of spans: all of them, and not every one is O."""
    tags = {tag for row in column for tag in row}
    return tags - {"O"} != set() and all(map(is_span_tag, tags))


def spans_of(tags: Sequence[str]) -> list[Span]:
    """The spans of tags in any of the schemes. A tag without a prefix is of its own type, as in I-tag."""
    spans: list[Span] = []
    start, before, kind_before = -1, "O", ""
    for place, tag in enumerate([*tags, "O"]):
        prefix, kind = ("O", "") if tag == "O" else (tag[0], tag[2:]) if is_span_tag(tag) else ("I", tag)
        inside = before != "O"
        if inside and (before in "ES" or prefix in "OBS" or kind != kind_before):
            spans.append(Span(start, place, kind_before))
        if prefix != "O" and (not inside or prefix in "BS" or before in "ES" or kind != kind_before):
            start = place
        before, kind_before = prefix, kind
    return spans


def tags_of(spans: Sequence[Span], length: int, scheme: str = "iob2") -> list[str]:
    """The tags of a sentence of ``length`` words; ``spans`` in order, none overlapping. UsageError: another scheme."""
    if scheme not in SCHEMES:
        raise UsageError("E-LABEL-001", f"the scheme {scheme!r} is unknown", mend=f"one of {', '.join(SCHEMES)}")
    tags = ["O"] * length
    last = Span(0, 0, "")
    for span in spans:
        start, end, label = span
        tags[start:end] = [f"I-{label}"] * (end - start)
        if scheme != "iob" or (last.end == start and last.label == label):
            tags[start] = f"B-{label}"
        if scheme == "bioes":
            tags[end - 1] = f"{'E' if end - start > 1 else 'S'}-{label}"
        last = span
    return tags


def convert(tags: Sequence[str], scheme: str) -> list[str]:
    """The same spans written in another scheme."""
    return tags_of(spans_of(tags), len(tags), scheme)


def may_follow(before: str, after: str) -> bool:
    """Whether ``after`` may follow ``before`` in well-formed BIOES ("" is either end of the sentence)."""
    open_before = before[:2] in ("B-", "I-")
    open_after = after[:2] in ("I-", "E-")
    if open_before != open_after:
        return False
    return not open_before or before[2:] == after[2:]

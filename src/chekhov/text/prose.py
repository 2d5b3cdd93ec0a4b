"""Sentences of running text, whether its lines are paragraphs or were broken to fit a page."""

from __future__ import annotations

import re
from collections.abc import Iterator

from chekhov.text.sentences import sentences

_BREAK = re.compile(r"(?<=[^\s])[^\S\n]*\n[^\S\n]*(?=\S)")  # inside a paragraph
_BREAK_BEFORE_SMALL = re.compile(r"[^\s.!?…:;]\n[a-zа-яё]")
WRAPPED = 0.15  # share of the line breaks after no mark and before a small letter: of paragraphs hardly any are
SAMPLE = 1 << 20
PART = 1 << 18  # characters that are looked at together


def prose_sentences(text: str) -> Iterator[str]:
    """The sentences of ``text`` one by one; a line break ends one, unless the text is wrapped (`is_wrapped`)."""
    wrapped = is_wrapped(text)
    gap, start = "\n\n" if wrapped else "\n", 0
    while start < len(text):
        cut = text.find(gap, start + PART)
        end = len(text) if cut < 0 else cut + len(gap)
        part = text[start:end]
        yield from sentences(_BREAK.sub(" ", part) if wrapped else part)
        start = end


def is_wrapped(text: str) -> bool:
    """Were the lines broken to fit a page, so that a break means nothing and an empty line ends a paragraph?"""
    sample = text[:SAMPLE]
    breaks = len(_BREAK.findall(sample))
    return breaks > 0 and len(_BREAK_BEFORE_SMALL.findall(sample)) > WRAPPED * breaks

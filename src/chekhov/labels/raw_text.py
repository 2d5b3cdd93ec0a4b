"""Raw text as sentences of words that know where they stand."""

from __future__ import annotations

from dataclasses import dataclass

from chekhov.text.sentences import sentences
from chekhov.tokens.words import TOKEN


@dataclass(frozen=True)
class RawSentence:
    words: list[str]
    starts: list[int]  # characters of the whole text
    ends: list[int]


def split_text(text: str) -> list[RawSentence]:
    """Sentences and words by the rules of `tokens.words`; ``text[start:end]`` is the word."""
    found = []
    at = 0
    for sentence in sentences(text):
        begin = text.index(sentence, at)
        at = begin + len(sentence)
        matches = list(TOKEN.finditer(sentence))
        if matches:
            starts, ends = [begin + m.start() for m in matches], [begin + m.end() for m in matches]
            found.append(RawSentence([m.group() for m in matches], starts, ends))
    return found

"""Where sentences end."""

from __future__ import annotations

from chekhov.text.prose import prose_sentences


def split_into_sentences(text: str) -> list[str]:
    """By chekhov's rules for Russian and English: initials, abbreviations, quotes and dashes of dialogues."""
    return list(prose_sentences(text))

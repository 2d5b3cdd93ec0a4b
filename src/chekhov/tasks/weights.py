"""Texts that count more than once: ``--weight``, one whole number a text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chekhov.errors import UsageError
from chekhov.ngram.targets import MOST_TOKENS, Weights
from chekhov.tokens import marks
from chekhov.tokens.tokenizer import Tokenizer
from chekhov.types import Ids

Given = int | str | Sequence[int | str]


def parse_weights(given: Given, texts: int) -> list[int]:
    """How often each of so many texts counts: [] if all count once.

    given: a number, "1,3", or several of these. Raises `UsageError` for what is no whole number from 1 on (a count of
    0.5 has no place in Kneser & Ney's counts of counts), and unless there is one for each text.
    """
    several = [given] if isinstance(given, (int, str)) else list(given)
    shown = [part for value in several for part in str(value).replace(",", " ").split()]
    for part in shown:
        if not (part.isascii() and part.isdigit() and 0 < int(part) <= MOST_TOKENS):
            what = f"--weight {part} is not a whole number from 1 on"
            why = "discounts are made of how many n-grams stand once, twice, three times; none stands half a time"
            mend = "whole numbers in the same ratio (1 and 2 for 0.5 and 1), or a model for each text and chekhov mix"
            raise UsageError("E-WEIGHT-001", what, why=why, mend=mend)
    if shown and len(shown) != texts:
        what = f"--weight: {len(shown)} numbers for {texts} texts"
        raise UsageError("E-WEIGHT-002", what, mend="one number for each TEXT, in their order: --weight 1 --weight 3")
    weights = [int(part) for part in shown]
    return weights if any(weight > 1 for weight in weights) else []


def encode_weighted(tokenizer: Tokenizer, documents: Sequence[str], weights: Sequence[int]) -> tuple[Ids, Weights]:
    """The ids of all documents, one after the other, and how often each counts."""
    lengths: list[int] = []

    def encode(document: str) -> Ids:
        ids = tokenizer.encode(document)
        lengths.append(len(ids))
        return ids

    ids = marks.encode_documents(encode, documents)
    return ids, Weights(np.cumsum(lengths, dtype=np.int64), np.array(weights, np.int32))

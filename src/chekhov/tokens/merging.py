"""The tokenizer of several texts, from those of each and how often their tokens stand there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from chekhov.errors import UsageError
from chekhov.tokens.bytes import ByteTokenizer
from chekhov.tokens.characters import CharacterTokenizer
from chekhov.tokens.tokenizer import Tokenizer, check_words
from chekhov.tokens.vocabulary import RESERVED, Vocabulary
from chekhov.tokens.whitespace import WhitespaceTokenizer, from_word_counts
from chekhov.tokens.words import WordTokenizer


def merge_tokenizers(
    tokenizers: Sequence[Tokenizer],
    counts: Sequence[NDArray[np.int64]],
    *,
    vocab_size: int | None = None,
    allowed: Collection[str] | None = None,
) -> Tokenizer:
    """What `train_tokenizer` would give for all texts at once.

    tokenizers: of the same unit and settings, each with all tokens of its text; counts: of their ids, each (V_k,).
    Raises `UsageError` for limits that such tokens cannot have.
    """
    first = tokenizers[0]
    if allowed is not None:
        check_words(first.name)
    if isinstance(first, ByteTokenizer):
        if vocab_size is not None and vocab_size < first.vocabulary.size:
            what = f"--vocab-size {vocab_size} is less than the {first.vocabulary.size} ids of bytes"
            raise UsageError("E-RANGE-001", what, mend="leave it out")
        return first
    total: Counter[str] = Counter()
    for tokenizer, own in zip(tokenizers, counts, strict=True):
        total.update(dict(zip(tokenizer.vocabulary.tokens, own[len(RESERVED) :].tolist(), strict=True)))
    if isinstance(first, CharacterTokenizer):
        return CharacterTokenizer(Vocabulary.from_counts(total, max_size=vocab_size), first.options)
    if not isinstance(first, (WordTokenizer, WhitespaceTokenizer)):
        raise TypeError(f"the vocabularies of {first.name} cannot be merged")
    vocabulary, spelling = from_word_counts(
        total, first.options.literal_unk, allowed=allowed, vocab_size=vocab_size, min_count=1
    )
    if isinstance(first, WordTokenizer):
        return WordTokenizer(vocabulary, spelling, first.options)
    return WhitespaceTokenizer(vocabulary, spelling, first.options)

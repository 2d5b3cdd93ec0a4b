"""The marks of a text: ``</s>`` after every sentence, and what is done where a text itself spells such a mark."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from itertools import repeat
from typing import Literal

import numpy as np

from chekhov.errors import TextError
from chekhov.tokens.vocabulary import RESERVED, Vocabulary
from chekhov.types import BOS, EOS, UNK, Ids

LiteralUnk = Literal["word", "unknown", "refuse"]  # a token of the text spelt <unk>: a word, id 0, or an error


def encode_sentences(vocabulary: Vocabulary, sentences: Iterable[Sequence[str]]) -> Ids:
    """The ids of all tokens, ``</s>`` after every sentence."""
    ids = array("q")
    for sentence in sentences:
        ids.extend(vocabulary.ids(sentence))
        ids.append(EOS)
    return np.array(ids, dtype=np.int64)


def open_last(ids: Ids) -> Ids:
    """``ids`` without a last ``</s>``: a prompt whose last sentence may go on."""
    return ids[:-1] if len(ids) and ids[-1] == EOS else ids


def decode_sentences(vocabulary: Vocabulary, ids: Ids, join: Callable[[list[str]], str]) -> str:
    """``join`` of the tokens of every sentence; ``</s>`` is a line break, ``<s>`` nothing."""
    pieces: list[str] = []
    tokens: list[str] = []
    for id in vocabulary.check_ids(ids).tolist():
        if id == EOS:
            pieces.append(join(tokens) + "\n")
            tokens = []
        elif id != BOS:
            tokens.append(vocabulary.token(id))
    return "".join(pieces) + join(tokens)


def check_lines(text: str, tokens_of: Callable[[str], Iterable[str]], refused: Iterable[str]) -> None:
    """Raise `TextError` if a token of ``text`` is spelt as one of the marks ``refused``; it names the line."""
    refused = [mark for mark in refused if mark in text]
    if not refused:
        return
    for number, line in enumerate(text.split("\n"), start=1):
        for token in tokens_of(line):
            if token in refused:
                raise _refused(token, number)


def _refused(token: str, line: int) -> TextError:
    if token == RESERVED[UNK]:
        return TextError(
            "E-TOKEN-007",
            "the text holds a literal <unk>",
            where=f"line {line}",
            mend="--literal-unk word reads it as a word, --literal-unk unknown as the unknown word",
        )
    return TextError(
        "E-TOKEN-006",
        f"the text holds a literal {token}",
        where=f"line {line}",
        why=f"{token} is the mark of a sentence's {'start' if token == RESERVED[BOS] else 'end'} in every model",
        mend="take it out, or write it otherwise",
    )


def encode_documents(encode: Callable[[str], Ids], documents: Sequence[str]) -> Ids:
    """The ids of all documents, one after the other; an error names the document, if there are several."""
    parts = [np.empty(0, np.int64)]
    for i, document in enumerate(documents, start=1):
        try:
            parts.append(encode(document))
        except TextError as error:
            raise in_document(error, i, len(documents)) from error
    return np.concatenate(parts)


def in_document(error: TextError, i: int, n: int) -> TextError:
    """``error`` with the document's number before its line."""
    where = f"document {i} of {n}, {error.where}" if n > 1 else error.where
    return TextError(error.code, error.what, where=where, why=error.why, mend=error.mend, kept=error.kept)


def count(
    counts_of: Callable[[str], Mapping[str, int]], documents: Iterable[str], weights: Sequence[int] = ()
) -> Counter[str]:
    """How often each token stands in ``documents``, given how often in one; each counts as often as its weight."""
    counts: Counter[str] = Counter()
    for i, (document, weight) in enumerate(zip(documents, weights or repeat(1)), start=1):
        try:
            own = counts_of(document)
            counts.update(own if weight == 1 else {token: weight * times for token, times in own.items()})
        except TextError as error:
            raise in_document(error, i, len(documents) if isinstance(documents, Sized) else 0) from error
    return counts

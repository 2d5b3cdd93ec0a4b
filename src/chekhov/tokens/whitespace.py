"""Tokens are what stands between blanks: what KenLM reads, and the chapter's program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

import msgspec
import numpy as np
from numpy.typing import NDArray

from chekhov.errors import COPY_AGAIN, ModelError, TextError
from chekhov.tokens import marks, storage
from chekhov.tokens.blanks import AT_FIRST, Types, count_tokens, encode_tokens, types_of
from chekhov.tokens.spelling import SpellingModel, train_spelling
from chekhov.tokens.vocabulary import RESERVED, Vocabulary
from chekhov.types import BOS, EOS, UNK, Ids

LONG = 1 << 16  # characters from which on kernels count and number the tokens


class WhitespaceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    lowercase: bool
    literal_unk: marks.LiteralUnk
    lines: bool


@dataclass(frozen=True)
class WhitespaceTokenizer:
    r"""`str.split`, so every Unicode white space is a blank, NBSP too.

    With ``lines`` a line is a sentence (an empty one too) and ends with ``</s>``; only ``\n`` ends a line, the ``\r``
    before it is a blank. Without, line breaks are blanks and there is no ``</s>``.
    """

    vocabulary: Vocabulary
    spelling: SpellingModel
    options: WhitespaceSettings
    name = "whitespace"
    lossless = False

    def __post_init__(self) -> None:
        check_tokens(self.vocabulary, self.options.literal_unk)

    @cached_property
    def _types(self) -> Types:
        return types_of(self.vocabulary.tokens)

    @property
    def settings(self) -> dict[str, bool | str]:
        return msgspec.to_builtins(self.options)

    def to_json(self) -> bytes:
        return storage.write(self.name, self.options, self.vocabulary, self.spelling)

    @property
    def digest(self) -> str:
        return storage.digest(self.to_json())

    def segment(self, text: str) -> list[str]:
        """The tokens of a document, one for each id of `encode`."""
        end = [RESERVED[EOS]] if self.options.lines else []
        return [token for sentence in split(text, self.options) for token in (*sentence, *end)]

    def encode(self, document: str) -> Ids:
        """(T,), ``</s>`` after every line; `TextError` for a literal ``<s>`` or ``</s>``."""
        if len(document) >= LONG:
            with suppress(UnicodeEncodeError):
                text = checked(document, self.options)
                return encode_tokens(self._types, len(RESERVED), text, lines=self.options.lines)
        if self.options.lines:
            return marks.encode_sentences(self.vocabulary, split(document, self.options))
        return marks.open_last(marks.encode_sentences(self.vocabulary, split(document, self.options)))

    def encode_prompt(self, text: str) -> Ids:
        """(T,): as `encode`, but the last line is left open."""
        return marks.open_last(self.encode(text))

    def encode_all(self, documents: Sequence[str]) -> Ids:
        """The ids of all documents, one after the other."""
        return marks.encode_documents(self.encode, documents)

    def decode(self, ids: Ids) -> str:
        """Tokens joined by one blank; ``</s>`` is a line break."""
        return marks.decode_sentences(self.vocabulary, ids, " ".join)

    def spelling_bits(self, token: str) -> float:
        """What an unknown ``token`` costs beyond ``<unk>``, in bits."""
        return self.spelling.bits(token)


def split(text: str, options: WhitespaceSettings) -> Iterator[list[str]]:
    """The tokens of each line, or of the whole text."""
    text = checked(text, options)
    if not options.lines:
        yield text.split()
    elif text:
        for line in text.removesuffix("\n").split("\n"):
            yield line.split()


def checked(text: str, options: WhitespaceSettings) -> str:
    """The text as its tokens are spelt; `TextError` for a mark among them."""
    if options.lowercase:
        text = text.lower()
    refused = (RESERVED[BOS], RESERVED[EOS], *([RESERVED[UNK]] if options.literal_unk == "refuse" else []))
    marks.check_lines(text, str.split, refused)
    return text


def count(document: str, options: WhitespaceSettings) -> dict[str, int]:
    """How often each token stands in ``document``."""
    text = checked(document, options)
    if len(text) >= LONG:
        with suppress(UnicodeEncodeError):
            return count_tokens(text)
    return Counter(text.split())


def check_tokens(vocabulary: Vocabulary, literal_unk: marks.LiteralUnk) -> None:
    """Raise `ModelError` if a token holds white space, or is spelt ``<unk>`` where that is no word."""
    tokens = vocabulary.tokens
    if len(" ".join(tokens).split()) != len(tokens):
        token = next(token for token in tokens if token.split() != [token])
        raise ModelError("E-TOKEN-002", f"token {token!r} holds white space", mend=COPY_AGAIN)
    if literal_unk != "word" and RESERVED[UNK] in vocabulary:
        raise ModelError(
            "E-TOKEN-002", f"<unk> is a word of the vocabulary in spite of literal_unk {literal_unk}", mend=COPY_AGAIN
        )


def train_whitespace(
    documents: Iterable[str], options: WhitespaceSettings, *, vocab_size: int | None, min_count: int
) -> WhitespaceTokenizer:
    counts = marks.count(lambda document: count(document, options), documents)
    vocabulary, spelling = from_word_counts(counts, options.literal_unk, vocab_size=vocab_size, min_count=min_count)
    return WhitespaceTokenizer(vocabulary, spelling, options)


def train_and_encode(
    documents: Sequence[str], options: WhitespaceSettings, *, vocab_size: int | None, min_count: int
) -> tuple[WhitespaceTokenizer, Ids]:
    """The tokenizer of long documents, and their ids: what `train_whitespace` and `encode_all` give, in one reading.

    UnicodeEncodeError for a lone surrogate.
    """
    types, parts = Types(AT_FIRST), []
    for number, document in enumerate(documents, start=1):
        try:
            text = checked(document, options)
        except TextError as error:
            raise marks.in_document(error, number, len(documents)) from error
        if options.lines and text and not text.endswith("\n"):
            text += "\n"
        parts.append(types.read(np.frombuffer(text.encode(), np.uint8), learn=True, lines=options.lines))
    numbers = np.concatenate([np.empty(0, np.int32), *parts])
    counts = np.bincount(numbers[numbers >= 0], minlength=types.known)
    tokenizer, id_of = from_types(types, counts, options, vocab_size=vocab_size, min_count=min_count)
    return tokenizer, id_of[numbers + 1].astype(np.int64)


def from_types(
    types: Types, counts: NDArray[np.int64], options: WhitespaceSettings, *, vocab_size: int | None, min_count: int
) -> tuple[WhitespaceTokenizer, NDArray[np.int32]]:
    """The tokenizer of counted types, and id_of: the id of type k is id_of[k + 1], that of a line's end id_of[0]."""
    spelt = types.tokens()
    by_token = dict(zip(spelt, counts.tolist(), strict=True))
    vocabulary, spelling = from_word_counts(by_token, options.literal_unk, vocab_size=vocab_size, min_count=min_count)
    id_of = np.array([EOS, *vocabulary.ids(spelt)], np.int32)  # a literal <unk> that is no word has no id either
    return WhitespaceTokenizer(vocabulary, spelling, options), id_of


def from_word_counts(
    counts: dict[str, int], literal_unk: marks.LiteralUnk, *, vocab_size: int | None, min_count: int
) -> tuple[Vocabulary, SpellingModel]:
    """The vocabulary of counted words, and the spelling of those of count 1."""
    if literal_unk == "unknown":
        counts = {token: count for token, count in counts.items() if token != RESERVED[UNK]}
    vocabulary = Vocabulary.from_counts(counts, max_size=vocab_size, min_count=min_count)
    return vocabulary, train_spelling(token for token, count in counts.items() if count == 1)

"""Words, numbers and punctuation marks, in sentences."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Unpack

import msgspec
import regex

from chekhov.text.sentences import sentences
from chekhov.tokens import marks, storage
from chekhov.tokens.spelling import Spelling
from chekhov.tokens.vocabulary import RESERVED, Limits, Vocabulary
from chekhov.tokens.whitespace import check_tokens, from_word_counts
from chekhov.types import EOS, UNK, Ids

# A literal <unk> | a word, hyphens and apostrophes inside it | a number | any other mark alone.
# Blanks are those of `str.isspace`: U+001C..1F are, which Unicode's White_Space leaves out.
# Possessive: what a part can match the next cannot begin with, so there is nothing to go back to, and time is linear.
TOKEN = regex.compile(
    r"<unk>|\p{L}[\p{L}\p{M}]*+(?:[-'’]\p{L}[\p{L}\p{M}]*+)*+|\p{N}++(?:[.,:]\p{N}++)*+|[^\s\x1c-\x1f]", flags=regex.V1
)
CLOSING = frozenset(",.!?;:…)»”]}%")  # no blank before
OPENING = frozenset("(«“[{„")  # no blank after


class WordSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    lowercase: bool
    literal_unk: marks.LiteralUnk


@dataclass(frozen=True)
class WordTokenizer:
    """`TOKEN` over the sentences of the text in NFC, ``</s>`` after each; empty lines are nothing.

    A literal ``<s>`` is three tokens here and cannot be mistaken for the mark.
    """

    vocabulary: Vocabulary
    spelling: Spelling
    options: WordSettings
    stored_digest: str = field(default="", repr=False, compare=False)
    name = "words"
    lossless = False

    def __post_init__(self) -> None:
        if not self.vocabulary.sound:
            check_tokens(self.vocabulary, self.options.literal_unk)

    @property
    def settings(self) -> dict[str, bool | str]:
        return msgspec.to_builtins(self.options)

    def to_json(self) -> bytes:
        return storage.write(self.name, self.options, self.vocabulary, self.spelling)

    @cached_property
    def digest(self) -> str:
        return self.stored_digest or storage.digest(self.to_json())

    def segment(self, text: str) -> list[str]:
        """The tokens of a document, one for each id of `encode`."""
        return [token for sentence in split(text, self.options) for token in (*sentence, RESERVED[EOS])]

    def encode(self, document: str) -> Ids:
        """(T,), ``</s>`` after every sentence; `TextError` for a literal ``<unk>`` if that is refused."""
        return marks.encode_sentences(self.vocabulary, split(document, self.options))

    def encode_prompt(self, text: str) -> Ids:
        """(T,): as `encode`, but the last sentence is left open."""
        return marks.open_last(self.encode(text))

    def encode_all(self, documents: Sequence[str]) -> Ids:
        """The ids of all documents, one after the other."""
        return marks.encode_documents(self.encode, documents)

    def decode(self, ids: Ids) -> str:
        """The text of ``ids`` with blanks by rule (`join_words`); ``</s>`` is a line break."""
        return marks.decode_sentences(self.vocabulary, ids, join_words)

    def spelling_bits(self, token: str) -> float:
        """What an unknown ``token`` costs beyond ``<unk>``, in bits."""
        return self.spelling.bits(token)


def split(text: str, options: WordSettings) -> Iterator[list[str]]:
    """The tokens of each sentence. Case is folded last, since the end of a sentence is told by a capital letter."""
    text = unicodedata.normalize("NFC", text)
    if options.literal_unk == "refuse":
        marks.check_lines(text, TOKEN.findall, [RESERVED[UNK]])
    for sentence in sentences(text):
        if tokens := TOKEN.findall(sentence):
            yield [token.lower() for token in tokens] if options.lowercase else tokens


def join_words(tokens: Sequence[str]) -> str:
    r"""Blanks by rule: none before ``,.!?;:…)»”]``, none after ``(«“[``, a dash between two.

    A straight quotation mark opens and closes by turns, and ``“`` closes what ``„`` has opened.
    """
    pieces: list[str] = []
    glue, straight, low = True, False, False
    for token in tokens:
        opens, closes = token in OPENING, token in CLOSING
        if token == '"':
            opens, closes, straight = not straight, straight, not straight
        elif token == "„":
            low = True
        elif token == "“" and low:
            opens, closes, low = False, True, False
        pieces.append(token if glue or closes else " " + token)
        glue = opens
    return "".join(pieces)


def train_words(
    documents: Iterable[str], options: WordSettings, weights: Sequence[int] = (), **limits: Unpack[Limits]
) -> WordTokenizer:
    counts = marks.count(lambda text: Counter(chain.from_iterable(split(text, options))), documents, weights)
    vocabulary, spelling = from_word_counts(counts, options.literal_unk, **limits)
    return WordTokenizer(vocabulary, spelling, options)

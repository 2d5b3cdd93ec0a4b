"""What every tokenizer can do, how one is made from text and how one is read back."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence, Sized
from contextlib import suppress
from typing import Any, Protocol

from chekhov.errors import COPY_AGAIN, ModelError, TextError, UsageError, check_range
from chekhov.tokens import storage, whitespace
from chekhov.tokens.bytes import BYTES, ByteTokenizer
from chekhov.tokens.characters import CharacterTokenizer, train_characters
from chekhov.tokens.marks import LiteralUnk
from chekhov.tokens.spelling import Spelling, SpellingModel, StoredSpelling
from chekhov.tokens.stream import StreamSettings
from chekhov.tokens.subwords import SubwordTokenizer, train_subwords
from chekhov.tokens.vocabulary import Vocabulary
from chekhov.tokens.whitespace import WhitespaceSettings, WhitespaceTokenizer, train_whitespace
from chekhov.tokens.word_table import WordTable
from chekhov.tokens.words import WordSettings, WordTokenizer, train_words
from chekhov.types import Ids

UNITS = ("characters", "words", "whitespace", "bytes", "bpe")


class Tokenizer(Protocol):
    """Text to ids and back. A document is a file; ``</s>`` is put by the unit's rule, ``<s>`` never."""

    @property
    def name(self) -> str:
        """The unit, one of `UNITS`."""
        ...

    @property
    def vocabulary(self) -> Vocabulary: ...

    @property
    def lossless(self) -> bool:
        """True if ``decode(encode(text)) == text`` for every text of known tokens."""
        ...

    @property
    def settings(self) -> dict[str, bool | str]: ...

    @property
    def digest(self) -> str:
        """32 hexadecimal digits: equal digests, equal ids for every text."""
        ...

    def to_json(self) -> bytes:
        """The content of tokenizer.json, always the same bytes."""
        ...

    def segment(self, text: str) -> list[str]:
        """The tokens of a document as strings, ``</s>`` among them: one for each id of ``encode(text)``."""
        ...

    def encode(self, document: str) -> Ids:
        """The ids (T,) of one whole document."""
        ...

    def encode_prompt(self, text: str) -> Ids:
        """The ids (T,) of the beginning of a document: `encode` without the last ``</s>``."""
        ...

    def encode_all(self, documents: Sequence[str]) -> Ids:
        """The ids (T,) of all documents, one after the other."""
        ...

    def decode(self, ids: Ids) -> str:
        """The text of ids; `ModelError` for an id outside the vocabulary."""
        ...

    def spelling_bits(self, token: str) -> float:
        """Bits to spell ``token`` once ``<unk>`` has been said."""
        ...


def train_tokenizer(
    unit: str,
    documents: Iterable[str],
    *,
    vocab_size: int | None = None,
    min_count: int = 1,
    lowercase: bool = False,
    literal_unk: LiteralUnk = "word",
    lines: bool = True,
    allowed: Collection[str] | None = None,
    weights: Sequence[int] = (),
) -> Tokenizer:
    """A tokenizer whose vocabulary is that of ``documents``, which are read once.

    vocab_size: the most ids, ``<unk>``, ``<s>`` and ``</s>`` among them; rarer tokens become ``<unk>``.
    min_count: tokens that stand fewer times in ``documents`` become ``<unk>``; bytes and subwords keep all.
    literal_unk: what a token ``<unk>`` of the text is: a "word", "unknown" (id 0), or "refuse" it (not for characters).
    lines: whitespace only: a line is a sentence.
    allowed: words and whitespace only: all other tokens become ``<unk>``.
    weights: the tokenizer of each document repeated so often; none: of each once.

    Raises `UsageError` for an unknown unit or setting, `TextError` for a text that cannot be read or has no tokens.
    """
    check_literal_unk(literal_unk)
    documents = Reading(documents)
    sizes: dict[str, Any] = {"vocab_size": vocab_size, "min_count": min_count}
    if allowed is not None:
        check_words(unit)
        sizes["allowed"] = allowed
    tokenizer: Tokenizer
    if unit == "characters":
        tokenizer = train_characters(documents, StreamSettings(lowercase), weights, **sizes)
    elif unit == "words":
        tokenizer = train_words(documents, WordSettings(lowercase, literal_unk), weights, **sizes)
    elif unit == "whitespace":
        tokenizer = train_whitespace(documents, WhitespaceSettings(lowercase, literal_unk, lines), weights, **sizes)
    elif unit == "bytes":
        check_range("vocab_size", BYTES.size if vocab_size is None else vocab_size, BYTES.size, 1 << 31)
        tokenizer = ByteTokenizer(StreamSettings(lowercase))
    elif unit == "bpe":
        if weights:
            what, why = "--weight with --tokens bpe", "the library that learns the merges takes no weights"
            mend = "learn them from the texts once, and give that model with --tokenizer"
            raise UsageError("E-WEIGHT-004", what, why=why, mend=mend)
        tokenizer = train_subwords(documents, StreamSettings(lowercase), vocab_size=vocab_size)
    else:
        raise UsageError("E-TOKEN-005", f"--tokens {unit} is unknown", mend=f"give one of {', '.join(UNITS)}")
    if not documents.characters:
        deque(documents, maxlen=0)  # bytes look at none
    if not tokenizer.vocabulary.tokens or not documents.characters:
        raise TextError(
            "E-TOKEN-008",
            "the text has no tokens" if min_count == 1 else f"no token stands {min_count} times in the text",
            mend="give more text",
        )
    return tokenizer


def check_words(unit: str) -> None:
    if unit not in ("words", "whitespace"):
        what = f"--limit-vocab-file lists words, and --tokens is {unit}"
        raise UsageError("E-TOKEN-013", what, mend="give --tokens words or whitespace")


def check_literal_unk(literal_unk: str) -> None:
    if literal_unk not in ("word", "unknown", "refuse"):
        raise UsageError("E-TOKEN-011", f"--literal-unk {literal_unk} is unknown", mend="give word, unknown or refuse")


def train_and_encode(unit: str, documents: Sequence[str], **settings: Any) -> tuple[Tokenizer, Ids]:
    """`train_tokenizer`, and the ids of the documents; long ones are read once for both where that can be."""
    if unit == "whitespace" and documents and all(len(document) >= whitespace.LONG for document in documents):
        check_literal_unk(settings["literal_unk"])
        options = WhitespaceSettings(settings["lowercase"], settings["literal_unk"], settings["lines"])
        sizes: Any = {name: settings.get(name) for name in ("vocab_size", "min_count", "allowed")}
        with suppress(UnicodeEncodeError):  # then `train_tokenizer` says where
            tokenizer, ids = whitespace.train_and_encode(documents, options, **sizes)
            if tokenizer.vocabulary.tokens:
                return tokenizer, ids
    found = train_tokenizer(unit, documents, **settings)
    return found, found.encode_all(documents)


def tokenizer_from_json(data: bytes, *, where: str) -> Tokenizer:
    """The tokenizer of a tokenizer.json. Reading it runs no code and trusts nothing.

    Raises `ModelError` that names ``where`` for whatever `Tokenizer.to_json` does not write.
    """
    content = storage.read(data, where=where)
    build = _BUILDERS.get(content.name)
    if build is None:
        raise ModelError(
            "E-TOKEN-005",
            f"the tokenizer's name {content.name!r} is unknown",
            where=where,
            why=f"this chekhov knows {', '.join(UNITS)}",
        )
    for field, has in (("spelling", ("words", "whitespace")), ("merges", ("bpe",))):
        if getattr(content, field) and content.name not in has:
            what = f"a tokenizer of {content.name} has no {field}"
            raise ModelError("E-TOKEN-003", what, where=where, mend=COPY_AGAIN)
    try:
        return build(content)
    except ModelError as error:
        raise ModelError(error.code, error.what, where=where, why=error.why, mend=error.mend) from error
    except ValueError as error:  # of msgspec: a setting that is unknown, missing or of another type
        what = "this is not a tokenizer of chekhov"
        raise ModelError("E-TOKEN-003", what, where=where, why=str(error), mend=COPY_AGAIN) from error


def mapped_tokenizer(
    head: storage.Header, words: WordTable, digest: str, whole: Callable[[], Tokenizer]
) -> WordTokenizer | WhitespaceTokenizer:
    """The tokenizer of this name and settings whose vocabulary is a stored table; ``whole`` reads its tokenizer.json.

    Raises `ModelError` for a name or settings that are none of a tokenizer with words.
    """

    def spelling() -> Spelling:
        tokenizer = whole()
        if not isinstance(tokenizer, (WordTokenizer, WhitespaceTokenizer)):
            raise ModelError("E-TOKEN-003", "tokenizer.json is of a unit without spelling", mend=COPY_AGAIN)
        return tokenizer.spelling

    vocabulary, later = Vocabulary.of_table(words), StoredSpelling(spelling)
    try:
        if head.name == "words":
            return WordTokenizer(vocabulary, later, storage.read_settings(head, WordSettings), digest)
        if head.name == "whitespace":
            return WhitespaceTokenizer(vocabulary, later, storage.read_settings(head, WhitespaceSettings), digest)
    except ValueError as error:
        what = "this is not a tokenizer of chekhov"
        raise ModelError("E-TOKEN-003", what, why=str(error), mend=COPY_AGAIN) from error
    raise ModelError("E-TOKEN-003", f"a tokenizer of {head.name} has no table of words", mend=COPY_AGAIN)


def _characters(content: storage.TokenizerFile) -> Tokenizer:
    return CharacterTokenizer(storage.read_vocabulary(content), storage.read_settings(content, StreamSettings))


def _words(content: storage.TokenizerFile) -> Tokenizer:
    settings = storage.read_settings(content, WordSettings)
    return WordTokenizer(storage.read_vocabulary(content), SpellingModel(content.spelling), settings)


def _whitespace(content: storage.TokenizerFile) -> Tokenizer:
    settings = storage.read_settings(content, WhitespaceSettings)
    return WhitespaceTokenizer(storage.read_vocabulary(content), SpellingModel(content.spelling), settings)


def _bytes(content: storage.TokenizerFile) -> Tokenizer:
    return ByteTokenizer(storage.read_settings(content, StreamSettings), storage.read_vocabulary(content))


def _subwords(content: storage.TokenizerFile) -> Tokenizer:
    settings = storage.read_settings(content, StreamSettings)
    tokenizer = SubwordTokenizer(storage.read_vocabulary(content), tuple(content.merges), settings)
    tokenizer.encode("")  # the library refuses merges that do not fit
    return tokenizer


_BUILDERS: dict[str, Callable[[storage.TokenizerFile], Tokenizer]] = {
    "characters": _characters,
    "words": _words,
    "whitespace": _whitespace,
    "bytes": _bytes,
    "bpe": _subwords,
}


class Reading:
    """Documents as they are read: each is checked for lone surrogates, and the characters are counted."""

    def __init__(self, documents: Iterable[str]):
        self.documents, self.characters = documents, 0

    def __len__(self) -> int:
        return len(self.documents) if isinstance(self.documents, Sized) else 0

    def __iter__(self) -> Iterator[str]:
        for number, document in enumerate(self.documents, start=1):
            _check_surrogates(document, number)
            self.characters += len(document)
            yield document


def _check_surrogates(document: str, number: int) -> None:
    try:
        document.encode()
    except UnicodeEncodeError as error:
        raise TextError(
            "E-TOKEN-010",
            f"character {error.start} is a lone surrogate",
            where=f"document {number}, line {document.count(chr(10), 0, error.start) + 1}",
            why="it is half of a character, and no UTF-8 file can hold it",
            mend="take it out",
        ) from error

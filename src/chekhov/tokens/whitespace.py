"""Tokens are what stands between blanks: what KenLM reads, and the chapter's program."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Unpack

import msgspec
import numpy as np
from numpy.typing import NDArray

from chekhov.errors import COPY_AGAIN, ModelError, TextError
from chekhov.kernels.threads import in_threads
from chekhov.tokens import marks, storage
from chekhov.tokens.blanks import AT_FIRST, Bytes, Types, count_tokens
from chekhov.tokens.spelling import Spelling, SpellingModel, spelling_of_apart, train_spelling
from chekhov.tokens.vocabulary import RESERVED, Limits, Vocabulary, check_limits
from chekhov.tokens.word_table import WordTable, encode_document
from chekhov.types import BOS, EOS, UNK, Ids

BLOCK = 1 << 18  # characters that are read at once
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
    spelling: Spelling
    options: WhitespaceSettings
    stored_digest: str = field(default="", repr=False, compare=False)
    name = "whitespace"
    lossless = False

    def __post_init__(self) -> None:
        if not self.vocabulary.sound:
            check_tokens(self.vocabulary, self.options.literal_unk)

    @property
    def settings(self) -> dict[str, bool | str]:
        return msgspec.to_builtins(self.options)

    def to_json(self) -> bytes:
        return self._json

    @cached_property
    def _json(self) -> bytes:
        return storage.write(self.name, self.options, self.vocabulary, self.spelling)

    @cached_property
    def digest(self) -> str:
        return self.stored_digest or storage.digest(self.to_json())

    def segment(self, text: str) -> list[str]:
        """The tokens of a document, one for each id of `encode`."""
        end = [RESERVED[EOS]] if self.options.lines else []
        return [token for sentence in split(text, self.options) for token in (*sentence, *end)]

    def encode(self, document: str) -> Ids:
        """(T,), ``</s>`` after every line; `TextError` for a literal ``<s>`` or ``</s>``."""
        if len(document) >= LONG:
            with suppress(UnicodeEncodeError):
                text = checked(document, self.options)
                return encode_document(self.vocabulary.table, text, lines=self.options.lines)
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
    documents: Iterable[str], options: WhitespaceSettings, weights: Sequence[int] = (), **limits: Unpack[Limits]
) -> WhitespaceTokenizer:
    counts = marks.count(lambda document: count(document, options), documents, weights)
    vocabulary, spelling = from_word_counts(counts, options.literal_unk, **limits)
    return WhitespaceTokenizer(vocabulary, spelling, options)


def train_and_encode(
    documents: Sequence[str], options: WhitespaceSettings, **limits: Unpack[Limits]
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
        for block in blocks_of_lines(text):
            parts.append(types.read(np.frombuffer(block.encode(), np.uint8), lines=options.lines))
    numbers = np.concatenate([np.empty(0, np.int32), *parts])
    counts = types.count(numbers)
    tokenizer, id_of = from_types(types, counts, options, **limits)
    return tokenizer, id_of.astype(np.int64)[numbers]


def blocks_of_lines(text: str) -> Iterator[str]:
    """The text in pieces that end with a line, and stay near the processor."""
    start = 0
    while start < len(text):
        end = text.find("\n", start + BLOCK) + 1 or len(text)
        yield text[start:end]
        start = end


def from_types(
    types: Types, counts: NDArray[np.int64], options: WhitespaceSettings, **limits: Unpack[Limits]
) -> tuple[WhitespaceTokenizer, NDArray[np.int32]]:
    """The tokenizer of counted types, and `ids_of` them."""
    ranked, counts = rank(types, counts, options, **limits)
    return of_ranked(types, ranked, counts, options), ids_of(ranked, types.known)


def rank(
    types: Types, counts: NDArray[np.int64], options: WhitespaceSettings, **limits: Unpack[Limits]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The numbers of the types that have an id, in the order of their ids, and the counts (0 of what is no word)."""
    check_limits(**limits)
    allowed, size = limits.get("allowed"), limits["vocab_size"]
    spelt = types.tokens() if options.literal_unk == "unknown" or allowed is not None else []
    if options.literal_unk == "unknown" and RESERVED[UNK] in spelt:
        counts = counts.copy()
        counts[spelt.index(RESERVED[UNK])] = 0  # it is no word, and has no id either
    kept = counts
    if allowed is not None:
        kept = np.where([token in allowed for token in spelt], counts, 0)
    ranked = types.ranked(kept)
    ranked = ranked[: np.count_nonzero(kept >= limits["min_count"])]
    return (ranked if size is None else ranked[: size - len(RESERVED)]), counts


def ids_of(ranked: NDArray[np.int64], known: int) -> NDArray[np.int32]:
    """(known + 1,): the id of each type, and last, at -1, that of the end of a line."""
    id_of = np.full(known + 1, UNK, np.int32)
    id_of[-1], id_of[ranked] = EOS, len(RESERVED) + np.arange(len(ranked))
    return id_of


def of_ranked(
    types: Types, ranked: NDArray[np.int64], counts: NDArray[np.int64], options: WhitespaceSettings
) -> WhitespaceTokenizer:
    vocabulary = Vocabulary.of_table(WordTable.of_apart(types.apart(ranked)))
    spelling = spelling_of_apart(types.apart(np.flatnonzero(counts == 1)))
    return WhitespaceTokenizer(vocabulary, spelling, options)


def number_bytes(
    documents: Sequence[Bytes], options: WhitespaceSettings, threads: int, **limits: Unpack[Limits]
) -> tuple[NDArray[np.int32], int, Callable[[], WhitespaceTokenizer]]:
    """The ids of documents in UTF-8, V, and what makes the tokenizer: `train_and_encode`, the strings made later.

    There are none of the marks that `checked` refuses, and lower-case is asked for nowhere.
    """
    from chekhov.tokens import text_kernels

    pieces = [piece for document in documents for piece in in_pieces(document, threads)]

    def read(first: int) -> tuple[Types, list[NDArray[np.int32]]]:
        own = Types(AT_FIRST)
        return own, [own.read(piece, lines=options.lines) for piece in pieces[first::threads]]

    parts = list(in_threads(read, range(threads), threads))
    types, counts = parts[0][0], np.zeros(0, np.int64)
    number_in_types = []  # of the types of each part; the one of -1, the end of a line, stands last
    for own, own_numbers in parts:
        same = np.arange(own.known) if own is types else types.read(own.apart(), lines=False)
        number_in_types.append(np.append(same, -1))
        counts = np.concatenate([counts, np.zeros(types.known - len(counts), np.int64)])
        for numbers in own_numbers:
            counts[same] += own.count(numbers)
    ranked, counts = rank(types, counts, options, **limits)
    id_of, all_numbers = ids_of(ranked, types.known), [parts[i % threads][1][i // threads] for i in range(len(pieces))]
    unended = np.array([options.lines and len(piece) > 0 and piece[-1] != ord("\n") for piece in pieces], bool)
    ends = np.cumsum(np.array([len(numbers) for numbers in all_numbers], np.int64) + unended)
    ids = np.empty(ends[-1] if len(ends) else 0, np.int32)
    ids[ends[unended] - 1] = EOS

    def put(i: int) -> None:
        begin, numbers = ends[i] - len(all_numbers[i]) - unended[i], all_numbers[i]
        new_numbers = id_of[number_in_types[i % threads]]
        text_kernels.renumber(numbers, new_numbers, ids[begin : begin + len(numbers)])

    deque(in_threads(put, range(len(pieces)), threads), maxlen=0)
    return ids, len(RESERVED) + len(ranked), lambda: of_ranked(types, ranked, counts, options)


def in_pieces(document: Bytes, number: int) -> list[Bytes]:
    """So many pieces of a document, fewer where its lines are long; each but the last ends with a line."""
    bounds = [0]
    for k in range(1, number):
        near = max(bounds[-1], k * len(document) // number)
        found = np.flatnonzero(document[near : near + BLOCK] == ord("\n"))
        bounds.append(near + int(found[0]) + 1 if len(found) else bounds[-1])
    return [document[begin:end] for begin, end in pairwise([*bounds, len(document)])]


def from_word_counts(
    counts: dict[str, int], literal_unk: marks.LiteralUnk, **limits: Unpack[Limits]
) -> tuple[Vocabulary, SpellingModel]:
    """The vocabulary of counted words, and the spelling of those of count 1."""
    if literal_unk == "unknown":
        counts = {token: count for token, count in counts.items() if token != RESERVED[UNK]}
    allowed = limits.get("allowed")
    kept = counts if allowed is None else {token: count for token, count in counts.items() if token in allowed}
    vocabulary = Vocabulary.from_counts(kept, max_size=limits["vocab_size"], min_count=limits["min_count"])
    return vocabulary, train_spelling(token for token, count in counts.items() if count == 1)

"""Text as a raw stream of characters (Unicode code points), line breaks included."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from chekhov.errors import COPY_AGAIN, ModelError
from chekhov.tokens import marks, storage
from chekhov.tokens.spelling import CODE_POINT_BITS
from chekhov.tokens.stream import StreamSettings, StreamTokenizer
from chekhov.tokens.vocabulary import RESERVED, Vocabulary
from chekhov.types import EOS, UNK, Ids

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"  # how <unk> is decoded: one character for one


@dataclass(frozen=True)
class CharacterTokenizer(StreamTokenizer):
    """One id per character and one ``</s>`` at the end of the document.

    Raises `ModelError` if a token of the vocabulary is longer than one character.
    """

    vocabulary: Vocabulary
    options: StreamSettings
    name = "characters"

    def __post_init__(self) -> None:
        for token in self.vocabulary.tokens:
            if len(token) != 1:
                raise ModelError("E-TOKEN-002", f"token {token!r} is not one character", mend=COPY_AGAIN)

    def to_json(self) -> bytes:
        return storage.write(self.name, self.options, self.vocabulary, None)

    @cached_property
    def _id_of_code_point(self) -> Ids:
        """Index = code point; the last entry stands for all beyond."""
        code_points = [ord(token) for token in self.vocabulary.tokens]
        table = np.full(max(code_points, default=0) + 2, UNK, np.int64)
        table[code_points] = np.arange(len(RESERVED), self.vocabulary.size)
        return table

    def segment(self, text: str) -> list[str]:
        """The tokens of a document, one for each id of `encode`."""
        return [*self.normalise(text), RESERVED[EOS]]

    def encode_prompt(self, text: str) -> Ids:
        """(T,): as `encode`, the document left open."""
        code_points = np.frombuffer(self.normalise(text).encode("utf-32-le", "surrogatepass"), np.uint32)
        table = self._id_of_code_point
        return table[np.minimum(code_points, len(table) - 1)]

    def decode(self, ids: Ids) -> str:
        """The text of ``ids``: ``<unk>`` is U+FFFD, ``<s>`` and ``</s>`` are nothing."""
        spellings = [REPLACEMENT, "", "", *self.vocabulary.tokens]
        return "".join(map(spellings.__getitem__, self.vocabulary.check_ids(ids).tolist()))

    def spelling_bits(self, token: str) -> float:
        """What an unknown ``token`` costs beyond ``<unk>``: each character one of all code points, none likelier."""
        return len(token) * CODE_POINT_BITS


def train_characters(
    documents: Iterable[str],
    options: StreamSettings,
    weights: Sequence[int] = (),
    *,
    vocab_size: int | None,
    min_count: int,
) -> CharacterTokenizer:
    counts = marks.count(lambda text: Counter(text.lower() if options.lowercase else text), documents, weights)
    return CharacterTokenizer(Vocabulary.from_counts(counts, max_size=vocab_size, min_count=min_count), options)

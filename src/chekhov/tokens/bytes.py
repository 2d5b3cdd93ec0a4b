"""Text as a raw stream of UTF-8 bytes: 256 tokens for every language, and nothing unknown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from chekhov.errors import COPY_AGAIN, ModelError
from chekhov.tokens import storage
from chekhov.tokens.vocabulary import RESERVED, Vocabulary
from chekhov.types import EOS, Ids

# How a byte is shown: ASCII as itself, the rest as an escape. The id of byte b is b + 3.
SPELLINGS = tuple(chr(b) if 0x20 <= b < 0x7F else f"\\x{b:02x}" for b in range(256))

BYTES = Vocabulary(SPELLINGS)


class ByteSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    lowercase: bool


@dataclass(frozen=True)
class ByteTokenizer:
    """One id per byte and one ``</s>`` at the end of the document. The vocabulary is the same for every text."""

    options: ByteSettings
    vocabulary: Vocabulary = BYTES
    name = "bytes"

    def __post_init__(self) -> None:
        if tuple(self.vocabulary.tokens) != SPELLINGS:
            raise ModelError("E-TOKEN-002", "the tokens are not the 256 bytes", mend=COPY_AGAIN)

    @property
    def lossless(self) -> bool:
        return not self.options.lowercase

    @property
    def settings(self) -> dict[str, bool | str]:
        return msgspec.to_builtins(self.options)

    def to_json(self) -> bytes:
        return storage.write(self.name, self.options, self.vocabulary, None)

    @property
    def digest(self) -> str:
        return storage.digest(self.to_json())

    def segment(self, text: str) -> list[str]:
        """The tokens of a document, one for each id of `encode`."""
        return [*(SPELLINGS[i - len(RESERVED)] for i in self.encode_prompt(text).tolist()), RESERVED[EOS]]

    def encode(self, document: str) -> Ids:
        """(T + 1,) for T bytes: the last id is ``</s>``."""
        return np.append(self.encode_prompt(document), EOS)

    def encode_prompt(self, text: str) -> Ids:
        """(T,): as `encode`, the document left open."""
        data = (text.lower() if self.options.lowercase else text).encode("utf-8", "replace")  # a lone surrogate: ?
        return np.frombuffer(data, np.uint8).astype(np.int64) + len(RESERVED)

    def encode_all(self, documents: Sequence[str]) -> Ids:
        """The ids of all documents, one after the other."""
        return np.concatenate([np.empty(0, np.int64), *map(self.encode, documents)])

    def decode(self, ids: Ids) -> str:
        """The text of ``ids``; bytes that are no UTF-8 (of a model that drew them so) become U+FFFD."""
        ids = self.vocabulary.check_ids(ids)
        return (ids[ids >= len(RESERVED)] - len(RESERVED)).astype(np.uint8).tobytes().decode("utf-8", "replace")

    def spelling_bits(self, token: str) -> float:
        """Nothing is unknown."""
        return 0.0

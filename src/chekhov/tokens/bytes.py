"""Text as a raw stream of UTF-8 bytes: 256 tokens for every language, and nothing unknown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chekhov.errors import COPY_AGAIN, ModelError
from chekhov.tokens import storage
from chekhov.tokens.stream import StreamSettings, StreamTokenizer
from chekhov.tokens.vocabulary import RESERVED, Vocabulary
from chekhov.types import EOS, Ids

# How a byte is shown: ASCII as itself, the rest as an escape. The id of byte b is b + 3.
SPELLINGS = tuple(chr(b) if 0x20 <= b < 0x7F else f"\\x{b:02x}" for b in range(256))

BYTES = Vocabulary(SPELLINGS)


@dataclass(frozen=True)
class ByteTokenizer(StreamTokenizer):
    """One id per byte and one ``</s>`` at the end of the document. The vocabulary is the same for every text."""

    options: StreamSettings
    vocabulary: Vocabulary = BYTES
    name = "bytes"

    def __post_init__(self) -> None:
        if tuple(self.vocabulary.tokens) != SPELLINGS:
            raise ModelError("E-TOKEN-002", "the tokens are not the 256 bytes", mend=COPY_AGAIN)

    def to_json(self) -> bytes:
        return storage.write(self.name, self.options, self.vocabulary, None)

    def segment(self, text: str) -> list[str]:
        """The tokens of a document, one for each id of `encode`."""
        return [*(SPELLINGS[i - len(RESERVED)] for i in self.encode_prompt(text).tolist()), RESERVED[EOS]]

    def encode_prompt(self, text: str) -> Ids:
        """(T,): as `encode`, the document left open."""
        data = self.normalise(text).encode("utf-8", "replace")  # a lone surrogate: ?
        return np.frombuffer(data, np.uint8).astype(np.int64) + len(RESERVED)

    def decode(self, ids: Ids) -> str:
        """The text of ``ids``; bytes that are no UTF-8 (of a model that drew them so) become U+FFFD."""
        ids = self.vocabulary.check_ids(ids)
        return (ids[ids >= len(RESERVED)] - len(RESERVED)).astype(np.uint8).tobytes().decode("utf-8", "replace")

    def spelling_bits(self, token: str) -> float:
        """Nothing is unknown."""
        return 0.0

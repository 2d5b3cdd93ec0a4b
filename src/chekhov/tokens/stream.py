"""What characters, bytes and subwords share: the text is a raw stream, and one ``</s>`` ends a document."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import msgspec
import numpy as np

from chekhov.tokens import storage
from chekhov.types import EOS, Ids


class StreamSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    lowercase: bool


class StreamTokenizer(ABC):
    """A tokenizer of a raw stream has to say how it cuts a text; the rest follows."""

    options: StreamSettings

    @abstractmethod
    def to_json(self) -> bytes:
        """The content of tokenizer.json, always the same bytes."""

    @abstractmethod
    def encode_prompt(self, text: str) -> Ids:
        """(T,): the ids of a text, the document left open."""

    @property
    def lossless(self) -> bool:
        return not self.options.lowercase

    @property
    def settings(self) -> dict[str, bool | str]:
        return msgspec.to_builtins(self.options)

    @property
    def digest(self) -> str:
        return storage.digest(self.to_json())

    def normalise(self, text: str) -> str:
        return text.lower() if self.options.lowercase else text

    def encode(self, document: str) -> Ids:
        """(T + 1,): `encode_prompt`, and ``</s>``."""
        return np.append(self.encode_prompt(document), EOS)

    def encode_all(self, documents: Sequence[str]) -> Ids:
        """The ids of all documents, one after the other."""
        return np.concatenate([np.empty(0, np.int64), *map(self.encode, documents)])

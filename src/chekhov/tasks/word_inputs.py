"""What the net of a tagger or a classifier is told of words: which features, and where they come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from chekhov.errors import COPY_AGAIN, ModelError, UsageError
from chekhov.labels.features import Words, known_words, number_words
from chekhov.labels.vectors import read_vectors
from chekhov.tasks.state_features import StateReader, StoredReader
from chekhov.types import Arrays

FEATURES = ("affixes", "chars", "lm:DIR", "lm-backward:DIR")
VECTORS = "vectors"  # the name of their array


class WordFile(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """tokenizer.json of a tagger or a classifier."""

    format: int
    unit: str
    words: list[str]
    features: tuple[str, ...] = ("affixes",)
    vector_words: list[str] = []
    language_models: list[StoredReader] = []


@dataclass
class WordInputs:
    """``words``: known ones, lower-cased; ``features``: affixes and chars, or one of them.

    ``vectors`` (1 + vector_words, width) of words that others have trained, row 0 of zeros, as a whole of variance 1.
    ``language_models``: their states at each word are features too.
    """

    words: list[str]
    features: tuple[str, ...] = ("affixes",)
    vector_words: list[str] = field(default_factory=list)
    vectors: NDArray[np.float32] | None = None
    language_models: list[StateReader] = field(default_factory=list)

    @classmethod
    def begin(cls, features: str, vectors: str | Path | None, vector_limit: int) -> WordInputs:
        """By the settings; `learn` then takes the words of a text.

        Raises UsageError E-LABEL-013 (a feature that there is not), and as `read_vectors` and `StateReader.open`.
        """
        kinds, readers = [], []
        for name in (part.strip() for part in features.split(",")):
            kind, _, folder = name.partition(":")
            if name in ("affixes", "chars"):
                kinds.append(name)
            elif kind in ("lm", "lm-backward") and folder:
                readers.append(StateReader.open(Path(folder), backward=kind == "lm-backward"))
            else:
                raise UsageError(
                    "E-LABEL-013", f"the feature {name!r} is unknown", mend=f"one of {', '.join(FEATURES)}"
                )
        inputs = cls([""], tuple(kinds), language_models=readers)
        if vectors is not None:
            inputs.vector_words, found = read_vectors(vectors, limit=vector_limit)
            table = np.concatenate([np.zeros((1, found.shape[1]), np.float32), found])
            inputs.vectors = (table / max(float(found.std()), 1e-8)).astype(np.float32)
        return inputs

    def learn(self, sentences: Sequence[Sequence[str]]) -> None:
        """Take the words of these sentences for the known ones."""
        self.words = known_words(sentences)
        self.__dict__.pop("numbers", None)

    def number(self, sentences: Sequence[Sequence[str]]) -> Words:
        found = number_words(
            sentences,
            self.numbers,
            affix="affixes" in self.features,
            character="chars" in self.features,
            vector_rows=None if self.vectors is None else self.vector_rows,
        )
        if not self.language_models:
            return found
        states = np.concatenate([reader.states(sentences) for reader in self.language_models], axis=1)
        return Words(found.tokens, found.begins, found.features, states)

    @cached_property
    def numbers(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.words)}

    @cached_property
    def vector_rows(self) -> dict[str, int]:
        return {word: row for row, word in enumerate(self.vector_words, start=1)}

    @property
    def affixes_at(self) -> int | None:
        """Where they begin among the features of words."""
        if "affixes" not in self.features:
            return None
        return 1 if self.vectors is None else 2

    def encoder_sizes(self, affix_size: int, character_size: int, projection_size: int) -> dict[str, int]:
        """What `WordEncoder` is to be made with: only what there is, so that folders of old have the same."""
        sizes = {"affix_size": affix_size if "affixes" in self.features else 0}
        if "chars" in self.features:
            sizes["character_size"] = character_size
        if self.vectors is not None:
            sizes |= {"vector_size": self.vectors.shape[1], "projection_size": projection_size}
        if self.language_models:
            width = sum(reader.width for reader in self.language_models)
            sizes |= {"state_size": width, "projection_size": projection_size}
        return sizes

    def attach(self, net: Any) -> None:
        """Give the net the vectors, which are not its own; ModelError E-MODEL-016 if it was made for other inputs."""
        encoder = net.encoder
        expected = self.encoder_sizes(encoder.affix_size or 1, encoder.character_size or 1, 1)
        sizes = ("affix_size", "character_size", "vector_size", "state_size")
        if net.word_count != len(self.words) or any(getattr(encoder, n) != expected.get(n, 0) for n in sizes):
            what = "the words and features in tokenizer.json are not those of the weights"
            raise ModelError("E-MODEL-016", what, mend=COPY_AGAIN)
        if self.vectors is not None:
            import torch

            for each in net.encoders:
                each.give_vectors(torch.from_numpy(self.vectors))

    # What is stored.

    def to_json(self) -> bytes:
        readers = [reader.stored() for reader in self.language_models]
        return msgspec.json.encode(WordFile(1, "labels", self.words, self.features, self.vector_words, readers))

    def arrays(self) -> Arrays:
        """What stands beside the net's own arrays."""
        found: Arrays = {} if self.vectors is None else {VECTORS: self.vectors}
        for place, reader in enumerate(self.language_models):
            found |= {f"language_models.{place}.{name}": array for name, array in reader.model.arrays().items()}
        return found

    @classmethod
    def from_stored(cls, data: bytes, arrays: Arrays) -> tuple[WordInputs, Arrays]:
        """And the arrays that are the net's. Raises msgspec's errors, and ModelError for parts that do not fit."""
        stored = msgspec.json.decode(data, type=WordFile)
        rest = dict(arrays)
        vectors = rest.pop(VECTORS, None)
        rows = 0 if vectors is None else len(vectors) - 1
        if rows != len(stored.vector_words) or (vectors is not None and not np.isfinite(vectors).all()):
            what = f"{rows} vectors are stored for {len(stored.vector_words)} words, or they are not finite"
            raise ModelError("E-MODEL-016", what, mend="train the model again")
        readers = []
        for place, own in enumerate(stored.language_models):
            prefix = f"language_models.{place}."
            names = [name for name in rest if name.startswith(prefix)]
            readers.append(StateReader.from_stored(own, {n.removeprefix(prefix): rest.pop(n) for n in names}))
        vectors = None if vectors is None else np.array(vectors, np.float32)
        return cls(stored.words, stored.features, stored.vector_words, vectors, readers), rest

"""Byte-pair encoding on bytes: frequent words are one token, rare ones several, and nothing is unknown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec
import numpy as np

from chekhov.errors import COPY_AGAIN, ModelError, UsageError, check_range
from chekhov.tokens import storage
from chekhov.tokens.stream import StreamSettings, StreamTokenizer
from chekhov.tokens.vocabulary import RESERVED, Vocabulary
from chekhov.types import EOS, Ids

DEFAULT_SIZE = 4_096
LEAST_SIZE = 256 + len(RESERVED)


@dataclass(frozen=True)
class SubwordTokenizer(StreamTokenizer):
    """Sennrich, Haddow & Birch 2016, on bytes as GPT-2; learnt and applied by the ``tokenizers`` library.

    A token is spelt by the library's alphabet of 256 visible characters ("Ġ" for a blank). ``merges``: the pairs that
    were joined, the first learnt first. One ``</s>`` ends the document. A text is never taken for a control token.
    """

    vocabulary: Vocabulary
    merges: tuple[str, ...]
    options: StreamSettings
    name = "bpe"

    @cached_property
    def _library(self) -> Any:
        tokenizers = load_library()
        ids = {token: i for i, token in enumerate(self.vocabulary.tokens)}
        try:
            model = tokenizers.models.BPE(vocab=ids, merges=[tuple(merge.split(" ")) for merge in self.merges])
        except Exception as error:  # the library's own: a pair whose parts or whole are no tokens
            raise ModelError("E-TOKEN-002", f"the merges do not fit: {error}", mend=COPY_AGAIN) from error
        found = tokenizers.Tokenizer(model)
        found.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
        found.decoder = tokenizers.decoders.ByteLevel()
        return found

    def to_json(self) -> bytes:
        return storage.write(self.name, self.options, self.vocabulary, None, merges=self.merges)

    def segment(self, text: str) -> list[str]:
        """The tokens of a document as they read, one for each id of `encode`; parts of a character as U+FFFD."""
        decode = self._library.decoder.decode
        return [*(decode([self.vocabulary.token(i)]) for i in self.encode_prompt(text).tolist()), RESERVED[EOS]]

    def encode_prompt(self, text: str) -> Ids:
        """(T,): as `encode`, the document left open."""
        text = self.normalise(text).encode("utf-8", "replace").decode()  # a lone surrogate: ?
        return np.array(self._library.encode(text).ids, np.int64) + len(RESERVED)

    def decode(self, ids: Ids) -> str:
        """The text of ``ids``; bytes that are no UTF-8 (of a model that drew them so) become U+FFFD."""
        known = [self.vocabulary.token(i) for i in self.vocabulary.check_ids(ids).tolist() if i >= len(RESERVED)]
        return str(self._library.decoder.decode(known)) if known else ""

    def spelling_bits(self, token: str) -> float:
        """Nothing is unknown."""
        return 0.0


def train_subwords(documents: Iterable[str], options: StreamSettings, *, vocab_size: int | None) -> SubwordTokenizer:
    """Learn merges until there are ``vocab_size`` ids, the three reserved ones among them, or no pair stands twice."""
    tokenizers = load_library()
    size = DEFAULT_SIZE if vocab_size is None else vocab_size
    check_range("vocab_size", size, LEAST_SIZE, 1 << 24)
    learner = tokenizers.Tokenizer(tokenizers.models.BPE())
    learner.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=size - len(RESERVED),
        min_frequency=2,
        special_tokens=[],
        initial_alphabet=sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    texts = (document.lower() for document in documents) if options.lowercase else documents
    learner.train_from_iterator(texts, trainer)
    model = msgspec.json.decode(learner.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].__getitem__)
    merges = tuple(merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"])
    return SubwordTokenizer(Vocabulary(tokens), merges, options)


def load_library() -> Any:
    try:
        import tokenizers
        import tokenizers.decoders
        import tokenizers.models
        import tokenizers.pre_tokenizers
        import tokenizers.trainers
    except ImportError as error:
        what, mend = "--tokens bpe needs tokenizers, which is not installed", "pip install 'chekhov[subwords]'"
        raise UsageError("E-SETUP-004", what, mend=mend) from error
    return tokenizers

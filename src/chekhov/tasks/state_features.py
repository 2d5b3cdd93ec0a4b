"""What a character language model has in mind at the end of each word: a feature of the word in its sentence.

The forward model has read the sentence up to the word's last character, a backward one its rest down to the first
(Akbik, Blythe & Vollgraf 2018, section 3.2). A backward model is one of a text whose lines are turned round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from chekhov.errors import COPY_AGAIN, ModelError, UsageError
from chekhov.labels.features import sorted_batches
from chekhov.tasks.text_model import RECURRENT, build_model, load
from chekhov.tokens.tokenizer import Tokenizer, tokenizer_from_json
from chekhov.types import Arrays

MAX_CHARACTERS = 32_768  # of a batch, its padding too


class StoredReader(msgspec.Struct, forbid_unknown_fields=True):
    backward: bool
    kind: str
    sizes: dict[str, Any]
    tokenizer: str  # the content of its tokenizer.json


@dataclass
class StateReader:
    model: Any  # RecurrentLM
    tokenizer: Tokenizer
    backward: bool

    @classmethod
    def open(cls, folder: Path, *, backward: bool) -> StateReader:
        """The model of a folder; UsageError E-LABEL-014 unless it is a net that reads characters."""
        found = load(folder)
        if found.kind not in RECURRENT or found.tokenizer.name != "characters":
            what = f"this is a model of kind {found.kind} on {found.tokenizer.name}"
            mend = "chekhov train lstm TEXT -o DIR"
            raise UsageError("E-LABEL-014", f"{what}, not a net on characters", where=str(folder), mend=mend)
        return cls(found.model, found.tokenizer, backward)

    @property
    def width(self) -> int:
        return int(self.model.stack.hidden_size)

    def states(self, sentences: Sequence[Sequence[str]]) -> NDArray[np.float16]:
        """(words of all sentences, width), each sentence read by itself, words with one blank between."""
        import torch

        read = [self._ids_and_ends(words) for words in sentences if len(words)]
        lengths = np.array([len(ids) for ids, _ in read], np.int64)
        found: list[Any] = [np.empty((0, self.width), np.float16)] * len(read)
        for rows in sorted_batches(lengths, 128, MAX_CHARACTERS):
            ids = np.zeros((len(rows), int(lengths[rows].max(initial=1))), np.int64)
            for place, row in enumerate(rows.tolist()):
                ids[place, : lengths[row]] = read[row][0]
            with torch.inference_mode():
                start = torch.from_numpy(self.model.initial_state(1).features)  # what <s> leaves is in the cells
                cells = self._start(len(rows))
                features, _ = self.model(torch.from_numpy(ids), cells)
            outputs = torch.cat([start[None].expand(len(rows), 1, -1), features], dim=1).numpy().astype(np.float16)
            for place, row in enumerate(rows.tolist()):
                found[row] = outputs[place, read[row][1]]
        return np.concatenate([np.empty((0, self.width), np.float16), *found])

    def _start(self, count: int) -> Any:
        """The cells' state after <s>, ``count`` times."""
        import torch

        from chekhov.state import map_state

        return map_state(torch.from_numpy, self.model.initial_state(count).cells)

    def _ids_and_ends(self, words: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Ids of the sentence's characters in the order of reading, and how many are read at the end of each word."""
        sizes = np.array([len(word) for word in words], np.int64)
        ends = np.cumsum(sizes + 1) - 1
        text = " ".join(words)
        if self.backward:
            return self.tokenizer.encode_prompt(text[::-1]), len(text) - (ends - sizes)
        return self.tokenizer.encode_prompt(text), ends

    def stored(self) -> StoredReader:
        text = self.tokenizer.to_json().decode()
        return StoredReader(self.backward, self.model.kind, self.model.sizes(), text)

    @classmethod
    def from_stored(cls, stored: StoredReader, arrays: Arrays) -> StateReader:
        """ModelError where the parts do not make a model."""
        tokenizer = tokenizer_from_json(stored.tokenizer.encode(), where="a language model in tokenizer.json")
        model = build_model(stored.kind, stored.sizes, arrays, where=Path("a language model"))
        if stored.kind not in RECURRENT or tokenizer.vocabulary.size != model.vocab_size:
            what = "the language model and its tokenizer do not go together"
            raise ModelError("E-MODEL-016", what, mend=COPY_AGAIN)
        return cls(model, tokenizer, stored.backward)

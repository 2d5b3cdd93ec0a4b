"""What the Python module ``kenlm`` offers, with the same numbers: change the import, and nothing else.

    from chekhov import kenlm
    model = kenlm.Model("model.arpa")            # or the folder of a `chekhov train ngram`
    model.score("this is a sentence .")          # log10 p(sentence </s> | <s>)

Logarithms are to base 10 here, as they are there. KenLM's own binary files cannot be read: give the ARPA file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import total_ordering
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chekhov import kenlm_kernels as kernels
from chekhov.errors import ChekhovError, UsageError
from chekhov.ngram.arpa import read_arpa
from chekhov.ngram.model import NGram
from chekhov.ngram.table import Table
from chekhov.tasks.text_model import load
from chekhov.tokens import text_kernels
from chekhov.types import BOS

HEADER = bytes.__basicsize__ - 1  # CPython: where the bytes of a bytes object begin


def read_model(path: Path) -> tuple[list[str], Table]:
    """The words by id and the table of an ARPA file or a model folder."""
    if not path.is_dir():
        return read_arpa(path)
    model = load(path)
    if not isinstance(model.model, NGram):
        what = f"a model of kind {model.kind} is no n-gram model"
        raise UsageError("E-EXPORT-001", what, where=str(path), mend="give one that `chekhov train ngram` wrote")
    return list(model.tokenizer.vocabulary), model.model.table


def as_bytes(text: str | bytes) -> bytes:
    if isinstance(text, str):
        return text.encode()
    if isinstance(text, bytes):
        return text
    raise TypeError(f"Cannot convert {type(text)} to string")


@total_ordering
class State:
    """The words that matter for what follows. States of one model are equal if they score all that follows alike."""

    __slots__ = ("node",)

    def __init__(self) -> None:
        self.node = 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, State) and self.node == other.node

    def __lt__(self, other: State) -> bool:
        return self.node < other.node

    def __hash__(self) -> int:
        return hash(self.node)

    def __copy__(self) -> State:
        copy = State()
        copy.node = self.node
        return copy

    def __deepcopy__(self, memo: Any = None) -> State:
        return self.__copy__()


class FullScoreReturn:
    """``log_prob`` to base 10, the order of the n-gram that it is of, and whether the word is unknown."""

    __slots__ = ("log_prob", "ngram_length", "oov")

    def __init__(self, log_prob: float, ngram_length: int, oov: bool):
        self.log_prob, self.ngram_length, self.oov = log_prob, ngram_length, oov

    def __repr__(self) -> str:
        return f"FullScoreReturn({self.log_prob!r}, {self.ngram_length!r}, {self.oov!r})"


class LoadMethod:
    """Accepted for the sake of code that names one: tables are always mapped."""

    LAZY, POPULATE_OR_LAZY, POPULATE_OR_READ, READ, PARALLEL_READ = range(5)


class ARPALoadComplain:
    ALL, EXPENSIVE, NONE = range(3)


class Config:
    def __init__(self) -> None:
        self.load_method = LoadMethod.POPULATE_OR_READ
        self.show_progress = True
        self.arpa_complain = ARPALoadComplain.ALL


class Model:
    """An n-gram model: an ARPA file (plain or .gz), or a folder that `chekhov train ngram` wrote.

    Raises OSError, as kenlm does, for whatever cannot be read; it says what and where.
    """

    def __init__(self, path: str | bytes, config: Config | None = None):
        self.path = os.path.abspath(as_bytes(path))  # noqa: PTH100 - bytes, as kenlm's
        try:
            words, self._table = read_model(Path(os.fsdecode(path)))
        except ChekhovError as error:
            raise OSError(f"Cannot read model '{os.fsdecode(path)}' ({error})") from error
        self.order = self._table.order
        self._start = 1 + BOS if self.order > 1 else 0
        self._id_of = {word: id for id, word in reversed(list(enumerate(words)))}.get
        self._base_score = kernels.base_score  # bound here: a look-up less for every word
        self._hold([word.encode() for word in words])

    def _hold(self, words: list[bytes]) -> None:
        """Lay out what the kernels read, and where it is."""
        types = np.empty((len(words), 3), np.int64)
        types[:, 2] = np.cumsum([len(word) for word in words])
        types[:, 1] = np.concatenate([[0], types[:-1, 2]])
        spellings = np.frombuffer(b"".join(words), np.uint8)
        text_kernels.hash_types(spellings, types)
        numbers = np.full(1 << (2 * len(words)).bit_length(), -1, np.int32)
        text_kernels.fill_slots(numbers, types, len(words))
        slots = np.stack([types[numbers, 0], numbers], axis=1)  # hash and number side by side: one look into memory
        table = self._table
        looks = np.empty((kernels.MAX_ORDER, 4), np.int64)
        self._kept: list[NDArray[Any]] = [types, spellings, slots, np.ascontiguousarray(table.starts), looks]
        places = [table.nodes.ctypes.data, len(table.nodes), table.entries.ctypes.data, len(table.entries)]
        places += [
            table.hints.ctypes.data,
            slots.ctypes.data,
            len(slots),
            types.ctypes.data,
            len(types),
            spellings.ctypes.data,
        ]
        places += [self._kept[3].ctypes.data, self.order, table.vocab_size.bit_length(), looks.ctypes.data]
        self._places = np.array(places, np.int64)
        self._address = self._places.ctypes.data

    def score(self, sentence: str | bytes, bos: bool = True, eos: bool = True) -> float:
        """log10 p of the words between blanks, after <s> if ``bos``, and of </s> after them if ``eos``."""
        text = as_bytes(sentence)
        return kernels.score_sentence(self._address, id(text) + HEADER, len(text), bos, eos)

    def perplexity(self, sentence: str | bytes) -> float:
        words = len(as_bytes(sentence).split()) + 1  # </s>
        return 10.0 ** (-self.score(sentence) / words)

    def full_scores(
        self, sentence: str | bytes, bos: bool = True, eos: bool = True
    ) -> Iterator[tuple[float, int, bool]]:
        """(log10 p, order of the n-gram that it is of, unknown?) of each word, and of </s>."""
        text = as_bytes(sentence)
        most = len(text) // 2 + 2
        log10_probs, orders, unknown = np.empty(most, np.float32), np.empty(most, np.int64), np.empty(most, np.bool_)
        n = kernels.full_scores(self._address, id(text) + HEADER, len(text), bos, eos, log10_probs, orders, unknown)
        return zip(log10_probs[:n].tolist(), orders[:n].tolist(), unknown[:n].tolist(), strict=True)

    def BeginSentenceWrite(self, state: State) -> None:  # noqa: N802 - kenlm's names
        """Make ``state`` that of the start of a sentence."""
        state.node = self._start

    def NullContextWrite(self, state: State) -> None:  # noqa: N802
        """Make ``state`` that of no context."""
        state.node = 0

    def BaseScore(self, in_state: State, word: str, out_state: State) -> float:  # noqa: N802
        """log10 p(word | in_state); ``out_state`` becomes the state after it."""
        id = self._id_of(word, 0) or self._id(word)
        log10_p, out_state.node = self._base_score(self._address, in_state.node, id)
        return log10_p

    def BaseFullScore(self, in_state: State, word: str, out_state: State) -> FullScoreReturn:  # noqa: N802
        id = self._id(word)
        log10_p, out_state.node, order = kernels.base_full_score(self._address, in_state.node, id)
        return FullScoreReturn(log10_p, order, id == 0)

    def _id(self, word: str | bytes) -> int:
        """0 for what is unknown."""
        return self._id_of(word if isinstance(word, str) else as_bytes(word).decode(), 0)

    def __contains__(self, word: str | bytes) -> bool:
        return self._id(word) != 0

    def __repr__(self) -> str:
        return f"<Model from {os.fsdecode(os.path.basename(self.path))}>"  # noqa: PTH119

    def __reduce__(self) -> tuple[Any, ...]:
        return Model, (self.path,)


LanguageModel = Model

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
from struct import Struct
from threading import local
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chekhov import kenlm_kernels as kernels
from chekhov.errors import ChekhovError, UsageError
from chekhov.kenlm_kernels import WITH_BOS, WITH_EOS
from chekhov.kernels.jit import of_integers
from chekhov.ngram.arpa import read_arpa
from chekhov.ngram.model import NGram
from chekhov.ngram.table import Table
from chekhov.tasks.text_model import load
from chekhov.tokens.vocabulary import RESERVED
from chekhov.tokens.word_table import WordTable
from chekhov.types import BOS

FEW_WORDS, KEPT_WORDS = 1 << 9, 1 << 16  # for how many a thread's room is at first, and at most when it is kept
WORDS = Struct("<fB?2x")  # records of `kernels.full_scores`
HEADER = bytes.__basicsize__ - 1  # CPython: where the bytes of a bytes object begin


def read_model(path: Path) -> tuple[WordTable, Table]:
    """The words and the n-grams of an ARPA file or a model folder."""
    if not path.is_dir():
        words, table = read_arpa(path)
        return WordTable.of(words[len(RESERVED) :]), table
    model = load(path)
    if not isinstance(model.model, NGram):
        what = f"a model of kind {model.kind} is no n-gram model"
        raise UsageError("E-EXPORT-001", what, where=str(path), mend="give one that `chekhov train ngram` wrote")
    return model.tokenizer.vocabulary.table, model.model.table


def as_bytes(text: str | bytes) -> bytes:
    if isinstance(text, str):
        return text.encode()
    if isinstance(text, bytes):
        return text
    raise TypeError(f"Cannot convert {type(text)} to string")


def address_of(text: bytes) -> int:
    return id(text) + HEADER


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


class Scratch:
    """What a thread works in when it scores sentences of up to so many words, so that none asks for memory."""

    bytes = -1  # of a text that there is room for

    def __init__(self, words: int, model: Model):
        k, self.bytes = kernels, 2 * (words - 2) + 1
        records, rows = np.empty((words, k.RECORD), np.uint8), k.BATCH + k.BLOCK
        self._arrays: list[NDArray[Any]] = [
            np.empty(words, np.int32), np.empty(words, np.float32), np.empty(words, np.int8), records,
            np.empty((rows, 3), np.int64), np.empty(rows, np.int64), np.zeros(2, np.int64), np.zeros(k.BLOCK, np.int64),
            np.empty(k.BLOCK, np.uint8), np.zeros(model.order + 1, np.int64),
            np.empty((k.WORK_ROWS, k.SIDE_BY_SIDE + 2), np.int64),
        ]  # fmt: skip
        addresses = (array.ctypes.data for array in self._arrays)
        self._places = np.array([model._address, *addresses, words, model.order], np.int64)
        self.address, self.records = self._places.ctypes.data, records.data.cast("B")


class Thread(local):
    """Each thread sees a Scratch of its own."""

    scratch = object.__new__(Scratch)  # until a sentence needs one


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
        self._known: dict[str | bytes, int] = {}  # the ids of words that were asked for one by one
        self._id_of = self._known.get
        self._word_id = of_integers(kernels.word_id, 3)  # bound here: a look-up less for every word
        self._base_score = of_integers(kernels.base_score, 3)
        self._base_full_score = of_integers(kernels.base_full_score, 3)
        self._score_sentence = of_integers(kernels.score_sentence, 4)
        self._full_scores = of_integers(kernels.full_scores, 4)
        self._thread = Thread()
        self._hold(words)

    def _hold(self, words: WordTable) -> None:
        """Where what the kernels read is."""
        table, looks = self._table, np.empty((kernels.MAX_ORDER, 4), np.int64)
        starts = np.ascontiguousarray(table.starts)
        self._kept: list[Any] = [words, starts, looks]
        places: list[int] = []
        for array in (table.nodes, table.entries, table.hints, words.slots, words.starts, words.spellings):
            places += [array.ctypes.data, len(array)]
        places += [starts.ctypes.data, self.order, table.vocab_size.bit_length(), looks.ctypes.data]
        self._places = np.array(places, np.int64)
        self._address = self._places.ctypes.data

    def score(self, sentence: str | bytes, bos: bool = True, eos: bool = True) -> float:
        """log10 p of the words between blanks, after <s> if ``bos``, and of </s> after them if ``eos``."""
        text = sentence.encode() if type(sentence) is str else as_bytes(sentence)
        length, scratch = len(text), self._thread.scratch
        if length > scratch.bytes:
            scratch = self._larger(length)
        flags = (WITH_BOS if bos else 0) + (WITH_EOS if eos else 0)
        return self._score_sentence(scratch.address, id(text) + HEADER, length, flags)

    def perplexity(self, sentence: str | bytes) -> float:
        words = len(as_bytes(sentence).split()) + 1  # </s>
        return 10.0 ** (-self.score(sentence) / words)

    def full_scores(
        self, sentence: str | bytes, bos: bool = True, eos: bool = True
    ) -> Iterator[tuple[float, int, bool]]:
        """(log10 p, order of the n-gram that it is of, unknown?) of each word, and of </s>."""
        text = sentence.encode() if type(sentence) is str else as_bytes(sentence)
        length, scratch = len(text), self._thread.scratch
        if length > scratch.bytes:
            scratch = self._larger(length)
        flags = (WITH_BOS if bos else 0) + (WITH_EOS if eos else 0)
        n = self._full_scores(scratch.address, id(text) + HEADER, length, flags)
        return WORDS.iter_unpack(scratch.records[: n * WORDS.size].tobytes())

    def _larger(self, length: int) -> Scratch:
        """For a text of so many bytes; kept for this thread, unless it is very large."""
        words = max(length // 2 + 2, FEW_WORDS)
        scratch = Scratch(words, self)
        if words <= KEPT_WORDS:
            self._thread.scratch = scratch
        return scratch

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
        log10_p, out_state.node, order = self._base_full_score(self._address, in_state.node, id)
        return FullScoreReturn(log10_p, order, id == 0)

    def _id(self, word: str | bytes) -> int:
        """0 for what is unknown."""
        spelt = word.encode("utf-8", "surrogatepass") if isinstance(word, str) else as_bytes(word)
        id = self._word_id(self._address, address_of(spelt), len(spelt))
        if id:
            self._known[word] = id
        return id

    def __contains__(self, word: str | bytes) -> bool:
        return self._id(word) != 0

    def __repr__(self) -> str:
        return f"<Model from {os.fsdecode(os.path.basename(self.path))}>"  # noqa: PTH119

    def __reduce__(self) -> tuple[Any, ...]:
        return Model, (self.path,)


LanguageModel = Model

"""The words of a vocabulary as flat arrays that are stored, mapped into memory and searched as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from chekhov.errors import COPY_AGAIN, ModelError
from chekhov.types import Arrays, Ids

NOTHING = -1
FEW = 20_000  # words for which the kernels need not be loaded
SEED, MIX, ALL = 0x9E3779B97F4A7C15, 0xD1B54A32D192ED03, (1 << 64) - 1  # of `text_kernels.hash_of`


@dataclass(frozen=True)
class WordTable:
    """Word k is spelt spellings[starts[k]:starts[k + 1]], in UTF-8, and has the id k + 3.

    slots (a power of two, 2): a hash table with open addressing. The slot of a word is its hash modulo their number, or
    the next that was free; it holds the upper half of the hash and k, `NOTHING` where it is free. What the hash has
    found is compared byte by byte. What is mapped is searched without being checked: every index is bounded.
    """

    spellings: NDArray[np.uint8]
    starts: NDArray[np.int64]  # (words + 1,)
    slots: NDArray[np.int32]

    @classmethod
    def of(cls, words: Sequence[str]) -> WordTable:
        spelt = [word.encode() for word in words]
        starts = np.concatenate([[0], np.cumsum([len(word) for word in spelt], dtype=np.int64)])
        return cls._with_slots(np.frombuffer(b"".join(spelt), np.uint8), starts)

    @classmethod
    def of_apart(cls, text: NDArray[np.uint8]) -> WordTable:
        """Of words in UTF-8 that hold no blank, each with one after it."""
        blanks = text == ord(" ")
        starts = np.concatenate([[0], np.flatnonzero(blanks) - np.arange(np.count_nonzero(blanks))])
        return cls._with_slots(text[~blanks], starts)

    @classmethod
    def _with_slots(cls, spellings: NDArray[np.uint8], starts: NDArray[np.int64]) -> WordTable:
        slots = np.full((1 << (2 * max(1, len(starts) - 1) - 1).bit_length(), 2), NOTHING, np.int32)
        fill = fill_slots if len(starts) - 1 <= FEW else fill_slots_fast
        fill(spellings, starts, slots)
        for array in (spellings, starts, slots):
            array.flags.writeable = False  # as mapped ones are: kernels are compiled for one sort of array
        return cls(spellings, starts, slots)

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> WordTable:
        """`ModelError` for arrays of other types or shapes."""
        found = [arrays.get(name, np.empty(0)) for name in ("spellings", "starts", "slots")]
        types = [(array.dtype.name, array.ndim) for array in found]
        slots = found[2]
        fit = types == [("uint8", 1), ("int64", 1), ("int32", 2)] and len(found[1]) > 0
        if not fit or slots.shape[1] != 2 or len(slots).bit_count() != 1:
            raise damaged()
        return cls(*found)

    def arrays(self) -> Arrays:
        return {"spellings": self.spellings, "starts": self.starts, "slots": self.slots}

    def __len__(self) -> int:
        return len(self.starts) - 1

    def find(self, word: str) -> int:
        """k, or `NOTHING`. The plain twin of `word_table_kernels.find`."""
        spelt = word.encode("utf-8", "surrogatepass")  # which no spelling holds
        key = hash_of(spelt)
        slot, mask = key & (len(self.slots) - 1), len(self.slots) - 1
        for _ in range(len(self.slots)):
            tag, number = self.slots[slot].tolist()
            if number < 0:
                break
            if tag & 0xFFFFFFFF == key >> 32 and self.spelt(number) == spelt:
                return int(number)
            slot = (slot + 1) & mask
        return NOTHING

    def spelt(self, number: int) -> bytes:
        """The bytes of word k; nothing if there is none."""
        begin, end = self.starts[number : number + 2].tolist() if 0 <= number < len(self) else (0, 0)
        return self.spellings[max(0, begin) : max(0, end)].tobytes()

    def apart(self) -> NDArray[np.uint8]:
        """The spellings, each with a blank after it; `ModelError` where the table is damaged, or holds no text."""
        text = np.full(len(self.spellings) + len(self), ord(" "), np.uint8)
        inside = np.ones(len(text), bool)
        try:
            inside[self.starts[1:] + np.arange(len(self))] = False
            text[inside] = self.spellings
            text.tobytes().decode()
        except (IndexError, ValueError) as error:  # a UnicodeDecodeError is one
            raise damaged() from error
        return text

    def words(self) -> list[str]:
        """All of them; `ModelError` where they are no text."""
        data = self.spellings.tobytes()
        first_bytes = (self.spellings & 0xC0) != 0x80  # one a character
        characters = np.concatenate([[0], np.cumsum(first_bytes, dtype=np.int64)])
        try:
            text, places = data.decode(), characters[self.starts].tolist()
        except (UnicodeDecodeError, IndexError) as error:
            raise damaged() from error
        return [text[begin:end] for begin, end in pairwise(places)]

    def encode(self, text: NDArray[np.uint8], *, lines: bool) -> NDArray[np.int32]:
        """The ids of the tokens between blanks, ``</s>`` after each line if there are ``lines``, ``<unk>`` for others.

        A last line counts as one only if its end is there.
        """
        from chekhov.tokens import word_table_kernels

        ids = np.empty(len(text) + 1, np.int32)
        written = word_table_kernels.read_words(text, self.spellings, self.starts, self.slots, lines, ids)
        ids.resize(written, refcheck=False)
        return ids


def encode_document(table: WordTable, document: str, *, lines: bool) -> Ids:
    """The ids of the tokens of ``document``, with ``</s>`` after a last line that has no end, too."""
    text = document if document[-1:] in ("", "\n") or not lines else document + "\n"
    return table.encode(np.frombuffer(text.encode(), np.uint8), lines=lines).astype(np.int64)


def fill_slots(spellings: NDArray[np.uint8], starts: NDArray[np.int64], slots: NDArray[np.int32]) -> None:
    """Put all words into empty slots. The plain twin of `word_table_kernels.fill_slots`, which gives the same."""
    data, rows = spellings.tobytes(), slots.tolist()
    mask = len(rows) - 1
    for number, (begin, end) in enumerate(pairwise(starts.tolist())):
        key = hash_of(data[begin:end])
        slot = key & mask
        while rows[slot][1] != NOTHING:
            slot = (slot + 1) & mask
        rows[slot] = [(key >> 32) - (key >> 63 << 32), number]
    slots[:] = rows


def fill_slots_fast(spellings: NDArray[np.uint8], starts: NDArray[np.int64], slots: NDArray[np.int32]) -> None:
    from chekhov.tokens import word_table_kernels

    word_table_kernels.fill_slots(spellings, starts, slots)


def hash_of(word: bytes) -> int:
    """64 bits, as `text_kernels.hash_of` reckons them."""
    eights = [int.from_bytes(word[i : i + 8], "little") for i in range(0, len(word), 8)] + [0, 0]
    key = (eights[0] * MIX + eights[1] * SEED + len(word)) & ALL
    for bits in eights[2:-2]:
        key = ((key ^ bits) * MIX) & ALL
        key ^= key >> 32
    key = ((key ^ (key >> 32)) * MIX) & ALL
    return key ^ (key >> 29)


def damaged() -> ModelError:
    return ModelError("E-TOKEN-014", "the table of the vocabulary is damaged", mend=COPY_AGAIN)

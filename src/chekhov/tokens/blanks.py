"""Tokens between blanks, at the speed of memory: what `str.split` gives, without making the strings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
AT_FIRST = 1 << 16  # types that there is room for
START, END = 1, 2  # columns of a table


class Types:
    """The different tokens, numbered as they come: table[k] is hash, start and end of k in ``spellings``."""

    def __init__(self, room: int):
        self.spellings = np.empty(16 * room, np.uint8)
        self.known, self.spelt = 0, 0
        self.table = np.empty((room, 3), np.int64)
        self.slots = np.full(1 << (2 * room - 1).bit_length(), -1, np.int32)

    def grow(self, more: int) -> None:
        """Room for as many types again, and for ``more`` bytes of spellings."""
        from chekhov.tokens import text_kernels

        table = np.empty((2 * len(self.table), 3), np.int64)
        spellings = np.empty(2 * len(self.spellings) + more, np.uint8)
        table[: self.known], spellings[: self.spelt] = self.table[: self.known], self.spellings[: self.spelt]
        self.table, self.spellings = table, spellings
        self.slots = np.full(2 * len(self.slots), -1, np.int32)
        text_kernels.fill_slots(self.slots, self.table, self.known)

    def read(self, text: Bytes, *, lines: bool) -> NDArray[np.int32]:
        """The numbers of the tokens of ``text``, new ones among them, LINE_END after lines."""
        from chekhov.tokens import text_kernels

        ids, at, filled = np.empty(len(text), np.int32), 0, 0
        while True:
            at, written, self.known, self.spelt = text_kernels.read_tokens(
                text, at, self.spellings, self.spelt, self.table, self.known, self.slots, lines, ids[filled:]
            )
            filled += written
            if at >= len(text):
                ids.resize(filled, refcheck=False)  # in its place: a copy would take fresh memory
                return ids
            self.grow(len(text) - at)

    def count(self, numbers: NDArray[np.int32]) -> NDArray[np.int64]:
        """How often each type stands among ``numbers``."""
        from chekhov.tokens import text_kernels

        counts = np.zeros(self.known, np.int64)
        text_kernels.count_numbers(numbers, counts)
        return counts

    def apart(self, numbers: NDArray[np.int64] | None = None) -> Bytes:
        """The spellings of these types, or of all, each with a blank after it."""
        from chekhov.tokens import text_kernels

        types = self.table[: self.known] if numbers is None else self.table[numbers]
        text = np.empty(int((types[:, END] - types[:, START]).sum()) + len(types), np.uint8)
        text_kernels.set_apart(self.spellings, types, text)
        return text

    def tokens(self) -> list[str]:
        if self.known == 0:
            return []
        data = self.spellings[: self.spelt]  # one token behind the other
        first_bytes = (data & 0xC0) != 0x80  # one a character
        lengths = np.add.reduceat(first_bytes, self.table[: self.known, START], dtype=np.int64)
        ends, text = np.cumsum(lengths), data.tobytes().decode()
        return [text[start:end] for start, end in zip((ends - lengths).tolist(), ends.tolist(), strict=True)]

    def ranked(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """The numbers of the types by falling count, those of equal counts by code point: as their bytes are sorted."""
        from chekhov.kernels.sorting_kernels import STACK
        from chekhov.tokens import text_kernels

        order, keys = np.arange(self.known), np.empty(self.known, np.uint64)
        begins, stack = np.zeros(self.known + 1, np.int8), np.empty(STACK, np.int64)
        text_kernels.rank_types(self.spellings, self.table, counts, order, keys, begins, stack)
        return order


def count_tokens(document: str) -> dict[str, int]:
    """How often each token stands in a text. UnicodeEncodeError for a lone surrogate."""
    text = np.frombuffer(document.encode(), np.uint8)
    types = Types(AT_FIRST)
    numbers = types.read(text, lines=False)
    return dict(zip(types.tokens(), types.count(numbers).tolist(), strict=True))

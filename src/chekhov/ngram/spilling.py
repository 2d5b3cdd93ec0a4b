"""Counts that wait on disk: for texts whose n-grams do not fit in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Lock

import numpy as np

from chekhov.files import NamelessFile, save_error
from chekhov.ngram.counting import Counts
from chekhov.ngram.targets import Ints, Sizes

FILE_BYTES, FILES = 32 << 20, 64  # a file gets no more parts when it is so large, and the FILESth of what is full
ARRAYS = ("words", "counts", "raws", "suffixes", "firsts", "parents", "lost")


class Spilled:
    """A part of the counts: its sizes are here, its arrays in a file without a name, which no exit leaves behind."""

    def __init__(self, part: Counts, file: NamelessFile):
        self.first_word, self.last_word, self.vocab_size = part.first_word, part.last_word, part.vocab_size
        self.filled: Sizes = part.filled.copy()
        self.nodes: Sizes = part.nodes.copy()
        self.offsets, self.depth = part.offsets, part.depth
        self._file, self._places = file, dict[tuple[str, int], tuple[int, int]]()
        names = [(name, d) for name in ARRAYS for d in range(1, self.depth + 1)]
        arrays = [part.row(*name) for name in names]
        for name, place, array in zip(names, file.append(arrays), arrays, strict=True):
            self._places[name] = place, len(array)

    def load(self) -> Counts:
        room = int(max(self.filled.max(), self.nodes.max() + 1))
        part = Counts.empty(self.depth + 1, room, self.vocab_size, keep_raw=self._places["raws", 1][1] > 0)
        part.first_word, part.last_word, part.offsets = self.first_word, self.last_word, self.offsets
        part.filled[:], part.nodes[:] = self.filled, self.nodes
        if any(self._places["lost", d][1] for d in range(1, self.depth + 1)):
            part.lost = np.empty(len(part.firsts), np.int32)
        for (name, d), (_, length) in self._places.items():
            if length:
                self._file.read(self._places[name, d][0], getattr(part, name)[d * room : d * room + length])
        return part

    def row(self, name: str, d: int) -> Ints:
        """What the array ``name`` holds of depth d."""
        place, length = self._places[name, d]
        found = np.empty(length, np.int32)
        self._file.read(place, found)
        return found


def spiller(folder: Path) -> Callable[[Counts], Spilled]:
    """What puts parts away in files of ``folder``, some to a file; it may do so from several threads.

    Parts are read in the order in which they were put away, and a file goes with the last of its parts: its pages and
    its place on the disk serve for what the parts become. Each is larger where there are many, for a process may have
    only so many files.
    """
    file, full, lock = NamelessFile(folder), 0, Lock()

    def spill(part: Counts) -> Spilled:
        nonlocal file, full
        try:
            with lock:
                if (size := file.size) > max(FILE_BYTES, full // FILES):
                    file, full = NamelessFile(folder), full + size
                current = file
            return Spilled(part, current)
        except OSError as error:
            raise save_error(folder, error) from error

    return spill

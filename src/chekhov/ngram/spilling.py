"""Counts that wait on disk: for texts whose n-grams do not fit in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Lock

import numpy as np

from chekhov.files import NamelessFile, save_error
from chekhov.ngram.counting import Counts
from chekhov.ngram.targets import Ints, Sizes

FILE_BYTES = 32 << 20  # of a file that gets no more parts
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
    its place on the disk serve for what the parts become.
    """
    files, lock = [NamelessFile(folder)], Lock()

    def spill(part: Counts) -> Spilled:
        try:
            with lock:
                if files[0].size > FILE_BYTES:
                    files[0] = NamelessFile(folder)
                file = files[0]
            return Spilled(part, file)
        except OSError as error:
            raise save_error(folder, error) from error

    return spill

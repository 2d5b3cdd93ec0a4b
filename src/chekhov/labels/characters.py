"""The characters of words as numbers, without a list of them: code points modulo a prime."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

CHARACTERS = 4093  # numbers: Latin, Cyrillic and most other alphabets do not meet in them
MAX_CHARACTERS = 20  # of a longer word the first ten and the last ten


def characters(words: Sequence[str]) -> NDArray[np.int64]:
    """(len(words), MAX_CHARACTERS): 1 + code point modulo (CHARACTERS - 1); 0 after the end of a word."""
    half = MAX_CHARACTERS // 2
    cut = [word if len(word) <= MAX_CHARACTERS else word[:half] + word[-half:] for word in words]
    out = np.zeros((len(words), MAX_CHARACTERS), np.int64)
    codes = np.frombuffer("".join(cut).encode("utf-32-le", "surrogatepass"), np.uint32)
    lengths = np.fromiter(map(len, cut), np.int64, len(cut))
    out[np.arange(MAX_CHARACTERS) < lengths[:, None]] = 1 + codes.astype(np.int64) % (CHARACTERS - 1)
    return out

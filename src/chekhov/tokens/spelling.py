"""What it costs to spell a word that the vocabulary does not hold.

A model that says ``<unk>`` has not yet said which word. Bits per character are comparable between models only if every
one of them pays for that too, so an unknown word costs -log2 p(<unk>) plus the bits of its spelling given here.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from chekhov.errors import COPY_AGAIN, ModelError

CODE_POINTS = 0x110000 - 0x800  # all of Unicode but the surrogates: no text that UTF-8 can hold is impossible
CODE_POINT_BITS = math.log2(CODE_POINTS)
NO_SYMBOL = 0x110000  # above all code points
PACK = 1 << 21
BLOCK = 1 << 16  # symbols that are packed at once
REMEMBERED = 1 << 17  # trigrams, some 35 MB
END = ""  # the symbol after the last character of a word

Followers = Mapping[str, Mapping[str, int]]


class Spelling(Protocol):
    @property
    def counts(self) -> Followers: ...

    def bits(self, word: str) -> float: ...


@dataclass(frozen=True)
class SpellingModel:
    """A character 3-gram with Witten-Bell smoothing (Witten & Bell 1991; Chen & Goodman 1999, section 2.6).

        p(c | h) = (N(h c) + T(h) p(c | h')) / (N(h) + T(h))      T(h) = number of different symbols seen after h

    h are the two characters before c (fewer at the start of the word), h' is h without its first; below the 1-gram
    stands the uniform distribution over all code points and the end of the word. ``counts[h][c]`` holds N(h c) for the
    longest h; a shorter h has the sums. ``alphabet_size`` is the number of possible characters.

    Raises `ModelError` if the counts are not counts of single characters in contexts of at most two.
    """

    counts: Followers
    alphabet_size: int = CODE_POINTS

    def __post_init__(self) -> None:
        _check(self.counts)

    @cached_property
    def _levels(self) -> list[dict[str, tuple[Counter[str], int]]]:
        """For contexts of 0, 1 and 2 characters: context -> (N(h c) by c, N(h))."""
        levels = [defaultdict[str, Counter[str]](Counter) for _ in range(3)]
        for context, followers in self.counts.items():
            for order, level in enumerate(levels):
                level[_suffix(context, order)].update(followers)
        return [{context: (counts, counts.total()) for context, counts in level.items()} for level in levels]

    def probability(self, symbol: str, context: str) -> float:
        """p(symbol | the word so far); `END` is the end of the word."""
        p = 0.0 if _is_surrogate(symbol) else 1 / (self.alphabet_size + 1)
        for order, level in enumerate(self._levels):
            if (seen := level.get(_suffix(context, order))) is not None:
                followers, total = seen
                p = (followers[symbol] + len(followers) * p) / (total + len(followers))
        return p

    def bits(self, word: str) -> float:
        """-log2 p(spelling of ``word``), its end paid. `inf` for a lone surrogate, which no text can hold."""
        total, costs = 0.0, self._costs
        for i, symbol in enumerate([*word, END]):
            context = word[max(0, i - 2) : i]
            cost = costs.get((context, symbol))
            if cost is None:
                p = self.probability(symbol, context)
                cost = -math.log2(p) if p > 0 else math.inf
                if len(costs) < REMEMBERED:
                    costs[context, symbol] = cost
            total += cost
        return total

    @cached_property
    def _costs(self) -> dict[tuple[str, str], float]:
        """What `bits` has reckoned: most trigrams of a text come again."""
        return {}


@dataclass(frozen=True)
class StoredSpelling:
    """A `SpellingModel` that is read when it is first asked."""

    read: Callable[[], Spelling]

    @cached_property
    def _model(self) -> Spelling:
        return self.read()

    @property
    def counts(self) -> Followers:
        return self._model.counts

    def bits(self, word: str) -> float:
        return self._model.bits(word)

    def __reduce__(self) -> tuple[type[SpellingModel], tuple[Followers]]:
        """A copy for another process is the model itself."""
        return SpellingModel, (self.counts,)


def train_spelling(types: Iterable[str], *, alphabet_size: int = CODE_POINTS) -> SpellingModel:
    """The model of the spellings of ``types``: each counts once. Without any, all is uniform."""
    words = list(types)
    ends = np.cumsum([len(word) + 1 for word in words], dtype=np.int64) - 1
    symbols = np.full(len(words) + sum(map(len, words)), NO_SYMBOL, np.uint32)  # NO_SYMBOL after each word: its end
    inside = np.ones(len(symbols), bool)
    inside[ends] = False
    symbols[inside] = np.frombuffer("".join(words).encode("utf-32-le", "surrogatepass"), np.uint32)
    return of_symbols(symbols, alphabet_size)


def spelling_of_apart(text: NDArray[np.uint8]) -> SpellingModel:
    """`train_spelling` of types in UTF-8 that hold no blank, each with one after it."""
    symbols = np.frombuffer(text.tobytes().decode().encode("utf-32-le"), np.uint32).copy()
    symbols[symbols == ord(" ")] = NO_SYMBOL
    return of_symbols(symbols, CODE_POINTS)


def of_symbols(symbols: NDArray[np.uint32], alphabet_size: int) -> SpellingModel:
    """The model of words whose code points stand one behind the other, NO_SYMBOL after each word."""
    after = np.concatenate([np.full(2, NO_SYMBOL, np.uint32), symbols])
    packed = np.empty(len(symbols), np.int64)
    for start in range(0, len(symbols), BLOCK):  # little memory beside the result
        rows = packed[start : start + BLOCK]
        first, second, symbol = (after[start + d : start + d + len(rows)].astype(np.int64) for d in range(3))
        first[second == NO_SYMBOL] = NO_SYMBOL
        rows[:] = (first * PACK + second) * PACK + symbol
    packed.sort()
    begins = np.flatnonzero(np.concatenate([packed[:1] >= 0, packed[1:] != packed[:-1]]))
    keys, numbers = packed[begins], np.diff(begins, append=len(packed))
    columns = [column.tolist() for column in (keys // PACK // PACK, keys // PACK % PACK, keys % PACK, numbers)]
    spelt = {code: spell(code) for code in {*columns[0], *columns[1], *columns[2]}}
    counts: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for first, second, symbol, count in zip(*columns, strict=True):
        counts[spelt[first] + spelt[second]][spelt[symbol]] = count
    in_order = {context: dict(sorted(counts[context].items())) for context in sorted(counts)}
    return SpellingModel(in_order, alphabet_size)


def spell(code: int) -> str:
    return "" if code == NO_SYMBOL else chr(code)


def _suffix(context: str, order: int) -> str:
    return context[-order:] if order else ""


def _is_surrogate(symbol: str) -> bool:
    return "\ud800" <= symbol <= "\udfff"


def _check(counts: Followers) -> None:
    for context, followers in counts.items():
        if len(context) > 2 or not followers:
            raise ModelError("E-TOKEN-003", f"the spelling model has no such context as {context!r}", mend=COPY_AGAIN)
        for symbol, count in followers.items():
            if len(symbol) > 1 or not 1 <= count <= 2**53:
                raise ModelError("E-TOKEN-003", f"the spelling model counts {symbol!r} {count} times", mend=COPY_AGAIN)

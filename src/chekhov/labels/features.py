"""What a tagger or a classifier sees of a word: its number, hashed prefixes, suffixes and shape, or its characters.

A word that training never saw still has affixes and a shape that it has seen; hashed into buckets (Weinberger et al.
2009, feature hashing) they need no list. Each type of word is looked at once.
"""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, count, groupby, repeat

import numpy as np
from numpy.typing import NDArray

from chekhov.labels.characters import characters

BUCKETS = 8192
PREFIXES, SUFFIXES = 3, 5
AFFIX_FEATURES = PREFIXES + SUFFIXES + 1
UNKNOWN = 0
SYMBOL = 4 + 128  # of characters, what is left of it: see `class_of`
PICTURES = ("So", "Sk", "Mn", "Me", "Cf", "Cn")  # Cn: pictures that this Python does not know yet
CATEGORIES = (
    "Sm", "Sc", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Zs", "Zl", "Zp", "Nd", "Nl", "No", "Mc", "Cc", "Cs", "Co",
)  # fmt: skip


def class_of(character: str) -> int:
    """0 lower-case letter, 1 upper-case, 2 digit, 3 other letter; else the ASCII character itself, from 4 on, and of
    others what they are in Unicode: all pictures and what modifies them are one class, SYMBOL."""
    if character.isalpha():
        return 0 if character.islower() else 1 if character.isupper() else 3
    if character.isdigit():
        return 2
    if character.isascii():
        return 4 + ord(character)
    category = unicodedata.category(character)
    return SYMBOL if category in PICTURES else SYMBOL + 1 + CATEGORIES.index(category)


def affixes(words: Sequence[str]) -> NDArray[np.int32]:
    """(len(words), AFFIX_FEATURES): buckets of prefixes of 1 to 3, suffixes of 1 to 5 characters, and the shape."""
    from chekhov.labels.feature_kernels import hash_features

    out = np.empty((len(words), AFFIX_FEATURES), np.int32)
    lower, lower_begins = _codes(list(map(str.lower, words)))
    raw, raw_begins = _codes(words)
    classes = np.zeros(int(raw.max(initial=0)) + 1, np.uint8)
    classes[raw] = 1
    for code in np.flatnonzero(classes).tolist():
        classes[code] = class_of(chr(code))
    hash_features(lower, lower_begins, classes[raw], raw_begins, BUCKETS, PREFIXES, SUFFIXES, out)
    return out


def reference_affixes(word: str) -> list[int]:
    """`affixes` of one word, plainly: its oracle."""

    def bucket(codes: Iterable[int]) -> int:
        value = 14695981039346656037
        for code in codes:
            value = (value ^ code) * 1099511628211 % 2**64
        return (value ^ (value >> 32)) % BUCKETS

    lower = [ord(character) for character in word.lower()]
    kinds = [class_of(character) for character in word]
    runs = [(kind, len(list(run))) for kind, run in groupby(kinds)]
    shape = [kind for kind, length in runs for _ in range(1 if kind == SYMBOL else min(length, 2))]
    heads = [bucket(lower[: k + 1]) for k in range(PREFIXES)]
    return [*heads, *(bucket(lower[::-1][: k + 1]) for k in range(SUFFIXES)), bucket(shape)]


def _codes(words: Sequence[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    begins = np.zeros(len(words) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, words), np.int64, len(words)), out=begins[1:])
    return np.frombuffer("".join(words).encode("utf-32-le", "surrogatepass"), np.uint32), begins


def known_words(sentences: Iterable[Sequence[str]], *, min_count: int = 1, limit: int = 200_000) -> list[str]:
    """Lower-cased words by frequency, then by spelling; the first one, "", is unknown."""
    counts = Counter(word.lower() for sentence in sentences for word in sentence)
    counts.pop("", None)
    kept = sorted((word for word, count in counts.items() if count >= min_count), key=lambda w: (-counts[w], w))
    return ["", *kept[:limit]]


@dataclass(frozen=True)
class Words:
    """Sentences as numbers: each word is a row of ``types``."""

    tokens: NDArray[np.int64]  # (tokens of all sentences): which type
    begins: NDArray[np.int64]  # (sentences + 1)
    features: NDArray[np.int64]  # (types, F): number of the word, row of its vector, buckets, characters
    states: NDArray[np.float16] | None = None  # (tokens, S): of language models, which see the word in its sentence

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        return np.diff(self.begins)


def number_words(
    sentences: Sequence[Sequence[str]],
    numbers: dict[str, int],
    *,
    affix: bool = True,
    character: bool = False,
    vector_rows: dict[str, int] | None = None,
) -> Words:
    """``numbers``: of the lower-cased words that are known. ``affix``, ``character``: which features there are besides.

    ``vector_rows``: of the words that have a vector, as they are written or else in lower case; 0 has none.
    """
    begins = np.zeros(len(sentences) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, sentences), np.int64, len(sentences)), out=begins[1:])
    types: defaultdict[str, int] = defaultdict(count().__next__)  # numbers each word when it is first asked for
    tokens = np.fromiter(map(types.__getitem__, chain.from_iterable(sentences)), np.int64, int(begins[-1]))
    words = list(types)
    known = map(numbers.get, map(str.lower, words), repeat(UNKNOWN))
    columns = [np.fromiter(known, np.int64, len(words))[:, None]]
    if vector_rows is not None:
        rows = (vector_rows.get(word) or vector_rows.get(word.lower(), UNKNOWN) for word in words)
        columns.append(np.fromiter(rows, np.int64, len(words))[:, None])
    if affix:
        columns.append(affixes(words).astype(np.int64))
    if character:
        columns.append(characters(words))
    return Words(tokens, begins, np.concatenate(columns, axis=1))


def sorted_batches(lengths: NDArray[np.int64], batch_size: int, max_tokens: int) -> list[NDArray[np.int64]]:
    """Rows of similar length together, at most ``batch_size`` of them and ``max_tokens`` with the padding."""
    order = np.argsort(lengths, kind="stable")
    batches: list[NDArray[np.int64]] = []
    start = 0
    while start < len(order):
        end = min(start + batch_size, len(order))
        while end > start + 1 and (end - start) * int(lengths[order[end - 1]]) > max_tokens:
            end = start + max(1, (end - start) // 2)
        batches.append(order[start:end])
        start = end
    return batches

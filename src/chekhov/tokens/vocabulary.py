"""The set of tokens of a model, and the number of each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NotRequired, TypedDict, Unpack

import msgspec
import numpy as np

from chekhov.errors import COPY_AGAIN, ModelError, check_range
from chekhov.tokens.word_table import WordTable
from chekhov.types import BOS, EOS, UNK, Ids

RESERVED = ("<unk>", "<s>", "</s>")  # the spellings of ids 0, 1, 2
LOOK_UPS = 16  # a look-up without the dictionary takes as long as making the dictionary of so many words


class Limits(TypedDict):
    """What bounds a vocabulary of words: at most so many ids, counts of so many, only words that are allowed."""

    vocab_size: int | None
    min_count: int
    allowed: NotRequired[Collection[str] | None]


class Vocabulary:
    """Ids 0, 1, 2 are ``<unk>``, ``<s>``, ``</s>``; ``tokens[i]`` has the id i + 3. It does not change.

    The three are positions, not spellings: no string is ever looked up as one of them, so that text cannot forge a
    control token. A word of the text that is spelt ``<unk>`` is a token like any other, with an id of its own.

    Raises `ModelError` for an empty or doubled token, a lone surrogate, or ``<s>`` and ``</s>`` among the tokens.
    """

    def __init__(self, tokens: Sequence[str]):
        own = tuple(tokens)
        ids = {token: i for i, token in enumerate(own, start=len(RESERVED))}
        _check(own, ids)
        self._tokens: tuple[str, ...] | None = own
        self._ids: dict[str, int] | None = ids
        self._table: WordTable | None = None
        self._asked = 0
        self.sound = False  # are its words known to be tokens of a tokenizer of words?

    @classmethod
    def of_table(cls, table: WordTable) -> Vocabulary:
        """That of a table which was stored, or made of what stands between blanks: no string is made before it is
        needed, and nothing is checked."""
        vocabulary = cls.__new__(cls)
        vocabulary._tokens = vocabulary._ids = None
        vocabulary._table, vocabulary._asked, vocabulary.sound = table, 0, True
        return vocabulary

    @classmethod
    def from_counts(cls, counts: Mapping[str, int], *, max_size: int | None = None, min_count: int = 1) -> Vocabulary:
        """The most frequent tokens by falling count, ties by code point; ``max_size`` counts the three reserved ids."""
        check_limits(vocab_size=max_size, min_count=min_count)
        ranked = sorted(token for token, count in counts.items() if count >= min_count)
        ranked.sort(key=counts.__getitem__, reverse=True)  # stable: equal counts stay in the order of their spelling
        if max_size is not None:
            ranked = ranked[: max_size - len(RESERVED)]
        return cls(ranked)

    @property
    def tokens(self) -> tuple[str, ...]:
        if self._tokens is None:
            self._tokens = tuple(self.table.words())
        return self._tokens

    @property
    def table(self) -> WordTable:
        """What kernels look words up in."""
        if self._table is None:
            self._table = WordTable.of(self.tokens)
        return self._table

    def to_json(self) -> list[str] | msgspec.Raw:
        """All V spellings, to be written as JSON; `ModelError` where a stored table is damaged."""
        if self._tokens is not None or (self.table.spellings == ord(" ")).any():
            return [*RESERVED, *self.tokens]
        apart = self.table.apart()
        data = " ".join(RESERVED).encode() + b" " + apart.tobytes()
        for code in (ord("\\"), ord('"'), *np.unique(apart[apart < ord(" ")]).tolist()):  # all others stand as they are
            data = data.replace(bytes([code]), msgspec.json.encode(chr(code))[1:-1])
        return msgspec.Raw(b'["' + data[:-1].replace(b" ", b'","') + b'"]')

    @property
    def size(self) -> int:
        """V, the three reserved ids among them."""
        return len(RESERVED) + (len(self.table) if self._tokens is None else len(self._tokens))

    def __len__(self) -> int:
        return self.size

    def __contains__(self, token: object) -> bool:
        return isinstance(token, str) and self.id(token) != UNK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.tokens == other.tokens

    def __hash__(self) -> int:
        return hash(self.tokens)

    def __repr__(self) -> str:
        return f"Vocabulary of {self.size} ids"

    def __iter__(self) -> Iterator[str]:
        """All V spellings in the order of their ids."""
        yield from RESERVED
        yield from self.tokens

    def id(self, token: str) -> int:
        """The id of ``token``, `UNK` if it has none."""
        if (ids := self._dictionary(1)) is None:
            number = self.table.find(token)
            return number + len(RESERVED) if number >= 0 else UNK
        return ids.get(token, UNK)

    def ids(self, tokens: Iterable[str]) -> Iterator[int]:
        """The ids of many tokens."""
        many = tokens if isinstance(tokens, (list, tuple)) else list(tokens)
        if (ids := self._dictionary(len(many))) is None:
            return map(self.id, many)
        get = ids.get
        return (get(token, UNK) for token in many)

    def _dictionary(self, wanted: int) -> dict[str, int] | None:
        """The ids by token, made where so many look-ups in the table have been asked for that it is worth its time."""
        if self._ids is None:
            self._asked += wanted
            if self._asked > self.size // LOOK_UPS:
                self._ids = {token: i for i, token in enumerate(self.tokens, start=len(RESERVED))}
        return self._ids

    def token(self, id: int) -> str:
        """The spelling of an id; `ModelError` outside 0 to V - 1."""
        if not 0 <= id < self.size:
            raise _outside(id, self.size)
        if id < len(RESERVED):
            return RESERVED[id]
        if self._tokens is None:
            self._asked += 1
            if self._asked <= self.size // LOOK_UPS:
                return self.table.spelt(id - len(RESERVED)).decode("utf-8", "replace")
        return self.tokens[id - len(RESERVED)]

    def check_ids(self, ids: Ids) -> Ids:
        """``ids`` as an int64 array (T,); `ModelError` if one is outside 0 to V - 1."""
        ids = np.asarray(ids, dtype=np.int64)
        if ids.size and not (ids.min() >= 0 and ids.max() < self.size):
            raise _outside(int(ids[(ids < 0) | (ids >= self.size)][0]), self.size)
        return ids


def check_limits(**limits: Unpack[Limits]) -> None:
    """`UsageError` for what cannot limit a vocabulary."""
    check_range("min_count", limits["min_count"], 1, 2**62)
    if (size := limits["vocab_size"]) is not None:
        check_range("vocab_size", size, len(RESERVED) + 1, 2**31)


def _outside(id: int, size: int) -> ModelError:
    return ModelError(
        "E-TOKEN-009",
        f"id {id} is outside the vocabulary of {size}",
        mend="use the tokenizer that the model was trained with",
    )


def _check(tokens: tuple[str, ...], ids: dict[str, int]) -> None:
    if len(ids) != len(tokens):
        seen: dict[str, int] = {}
        for i, token in enumerate(tokens, start=len(RESERVED)):
            if token in seen:
                raise ModelError(
                    "E-TOKEN-001", f"token {token!r} stands twice, as id {seen[token]} and id {i}", mend=COPY_AGAIN
                )
            seen[token] = i
    for token in ("", RESERVED[BOS], RESERVED[EOS]):
        if token in ids:
            raise ModelError("E-TOKEN-002", f"id {ids[token]} is {token!r}, which cannot be a token", mend=COPY_AGAIN)
    try:
        "".join(tokens).encode()
    except UnicodeEncodeError as error:  # a lone surrogate would fail later, when the vocabulary is written
        raise ModelError(
            "E-TOKEN-002", "a token holds a lone surrogate, which no UTF-8 file can", mend=COPY_AGAIN
        ) from error

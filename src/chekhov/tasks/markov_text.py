"""Markov text: sentences in the manner of a text, within bounds, and not copied from it."""

from __future__ import annotations

import difflib
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice, pairwise
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from chekhov.errors import GenerationError, ModelError, TextError, UsageError, check_range
from chekhov.ngram.chain import Chain
from chekhov.ngram.sentence_chain import BEFORE, END, SentenceChain, SpanIndex, count_sentences
from chekhov.tasks.text_model import TextModel
from chekhov.text.prose import prose_sentences
from chekhov.tokens.blanks import AT_FIRST, Types

MAX_ORDER = 16
LONGEST = 1 << 12  # words of a sentence
MANY = 1 << 40
AT_ONCE = 1 << 12  # sentences that are numbered together
Ids = NDArray[np.int32]


@dataclass(frozen=True)
class MarkovSentence:
    """``order``: words of context it was written with; ``copied``: its longest span that stands in the text, of three
    words or more; ``notes``: what had to give way."""

    text: str
    words: list[str]
    order: int
    copied: str
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {"schema": 1, **self.__dict__}


@dataclass(frozen=True)
class Sentences:
    """The sentences of a text by number: words (V,) by id, ids (N,) of all, ends (M,): where each ends."""

    words: list[str]
    ids: Ids
    ends: NDArray[np.int64]
    weights: NDArray[np.float64] | None = None  # (M,): what each counts

    def listed(self) -> list[list[str]]:
        """As lists of words."""
        all_words = list(map(self.words.__getitem__, self.ids.tolist()))
        bounds = [0, *self.ends.tolist()]
        return [all_words[start:end] for start, end in pairwise(bounds)]


class Saved(msgspec.Struct, forbid_unknown_fields=True):
    """What `MarkovText.to_json` writes: the chain is counted again in less time than it would take to read."""

    schema: int
    order: int
    sentences: list[list[str]]
    weights: list[float] | None = None


class MarkovText:
    """Sentences whose every word followed the ``order`` words before it somewhere in the texts.

    ``weights``: what a sentence of each text counts, else 1. ``split``: text -> sentences.
    Raises `UsageError` for an order outside 1 to 16 or weights that do not fit, `TextError` for texts without sentence.
    """

    def __init__(
        self,
        texts: str | Sequence[str],
        *,
        order: int = 2,
        weights: Sequence[float] | None = None,
        split: Callable[[str], Iterable[str]] = prose_sentences,
    ):
        documents = [texts] if isinstance(texts, str) else list(texts)
        if weights is not None and not (len(weights) == len(documents) and all(0 < w < 1e9 for w in weights)):
            what = f"there are {len(documents)} texts and {len(weights)} weights: {list(weights)}"
            raise UsageError("E-MARKOV-002", what, mend="give each text a weight above 0")
        counts: list[int] = []

        def streamed() -> Iterator[str]:
            for document in documents:
                counts.append(0)
                for sentence in split(document):
                    if sentence.strip():
                        counts[-1] += 1
                        yield sentence

        sentences = number_sentences(streamed())
        if weights is not None:
            sentences = replace(sentences, weights=np.repeat(np.array(weights, np.float64), counts))
        self._hold(sentences, order)

    @classmethod
    def from_sentences(cls, sentences: Sentences, order: int) -> MarkovText:
        made = cls.__new__(cls)
        made._hold(sentences, order)
        return made

    def to_json(self) -> bytes:
        """Its sentences, order and weights as UTF-8; markovify's own JSON is `chekhov.markovify`'s."""
        s = self.sentences
        weights = None if s.weights is None else s.weights.tolist()
        return msgspec.json.encode(Saved(1, self.order, s.listed(), weights))

    @classmethod
    def from_json(cls, data: bytes | str) -> MarkovText:
        """What `to_json` wrote. Raises `ModelError` for anything else, saying where it is wrong."""
        mend = "write it again with to_json; markovify's JSON is read by chekhov.markovify"
        try:
            saved = msgspec.json.decode(data, type=Saved)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ModelError("E-MARKOV-009", "this is no JSON of a MarkovText", why=str(error), mend=mend) from error
        weights = saved.weights
        fits = weights is None or (len(weights) == len(saved.sentences) and all(0 < w < 1e9 for w in weights))
        if saved.schema != 1 or not 1 <= saved.order <= MAX_ORDER or not fits:
            what = f"schema 1, an order of 1 to {MAX_ORDER} and a weight above 0 for each sentence are expected"
            raise ModelError("E-MARKOV-009", what, mend=mend)
        sentences = number_runs(filter(None, saved.sentences))
        if weights is not None:
            kept = [weight for weight, words in zip(weights, saved.sentences, strict=True) if words]
            sentences = replace(sentences, weights=np.array(kept, np.float64))
        return cls.from_sentences(sentences, saved.order)

    def followers(self, words: str = "") -> dict[str, float]:
        """What came after these words and how often (or with what weight), the commonest first; "" : the end.

        The last `order` words count, or all where there are fewer; without any, how sentences begin.
        Raises `UsageError` for a word that the texts do not know.
        """
        prefix = self._start_ids(words)
        last = prefix[-self.order :]
        chain = self.chain(max(1, len(last)))
        state = self._state(chain.order, last)
        if state < 0:
            return {}
        entries = slice(chain.offsets[state], chain.offsets[state + 1])
        counts = zip(chain.follows[entries].tolist(), chain.weights()[entries].tolist(), strict=True)
        named = {"" if word == END else self.sentences.words[word]: count for word, count in counts}
        return dict(sorted(named.items(), key=lambda item: (-item[1], item[0])))

    def _hold(self, sentences: Sentences, order: int) -> None:
        check_range("order", order, 1, MAX_ORDER)
        if len(sentences.ends) == 0:
            raise TextError("E-MARKOV-001", "there is no sentence", mend="give a text with sentences in it")
        self.sentences, self.order = sentences, order
        self._chains: dict[int, SentenceChain] = {}
        self._widths = np.array([len(word) for word in sentences.words], np.int32)

    def chain(self, order: int | None = None) -> SentenceChain:
        """The chain of this order or, on the way to relaxing, of a lower one."""
        order = order or self.order
        if order not in self._chains:
            s = self.sentences
            self._chains[order] = count_sentences(s.ids, s.ends, order, s.weights)
        return self._chains[order]

    @cached_property
    def _index(self) -> SpanIndex:
        return SpanIndex.of(self.sentences.ids)

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {word: id for id, word in enumerate(self.sentences.words)}

    def make(
        self,
        num: int = 1,
        *,
        start: str = "",
        min_words: int = 1,
        max_words: int | None = None,
        min_characters: int = 0,
        max_characters: int | None = None,
        max_overlap: float = 0.7,
        max_overlap_words: int = 15,
        check_overlap: bool = True,
        tries: int = 100,
        seed: int = 0,
        relax: bool = True,
    ) -> list[MarkovSentence]:
        """``num`` sentences. No span of more than ``max_overlap`` of a sentence, nor of more than
        ``max_overlap_words`` words, stands in the texts.

        Where ``tries`` walks give none, the order is lowered by one, down to 1, and the sentence says so (``relax``).
        Raises `GenerationError` with the reasons where that does not help, `UsageError` for a bound out of range or
        ``start`` words that the texts do not know (the nearest ones are named).
        """
        check_range("num", num, 1, 1_000_000)
        check_range("min_words", min_words, 1, LONGEST)
        check_range("max_words", LONGEST if max_words is None else max_words, min_words, LONGEST)
        check_range("min_characters", min_characters, 0, MANY)
        check_range("max_characters", MANY if max_characters is None else max_characters, max(1, min_characters), MANY)
        check_range("max_overlap", max_overlap, 0.0, 1.0)
        check_range("max_overlap_words", max_overlap_words, 0, LONGEST)
        check_range("tries", tries, 1, 1_000_000)
        check_range("seed", seed, 0, (1 << 63) - 1)
        limits = min_words, max_words or LONGEST, min_characters, max_characters or MANY
        overlap = float(check_overlap), max_overlap, float(max_overlap_words)
        prefix = self._start_ids(start)
        notes = [] if self._begins(prefix) else ["no sentence begins with these words: it goes on from inside one"]
        return [self._make_one(prefix, limits, overlap, tries, stream(seed, i), relax, notes) for i in range(num)]

    def _make_one(
        self,
        prefix: Ids,
        limits: tuple[int, ...],
        overlap: tuple[float, ...],
        tries: int,
        seed: int,
        relax: bool,
        notes: list[str],
    ) -> MarkovSentence:
        thrown_away = np.zeros(4, np.int64)
        for order in range(self.order, 0 if relax else self.order - 1, -1):
            state = self._state(order, prefix)
            if state >= 0:
                words = self.walk(order, state, prefix, limits, overlap, tries, seed, thrown_away)
                if len(words):
                    why = [f"of order {order}: {reasons(thrown_away) or 'no sentence begins so'}"]
                    return self._finish(words, order, notes + why * (order < self.order))
        what = f"no sentence keeps these bounds: {reasons(thrown_away) or 'none begins with these words'}"
        raise GenerationError("E-MARKOV-003", what, mend="wider bounds, more tries, or more text")

    def walk(
        self,
        order: int,
        state: int,
        prefix: Ids,
        limits: tuple[int, ...],
        overlap: tuple[float, ...],
        tries: int,
        seed: int,
        thrown_away: NDArray[np.int64],
    ) -> Ids:
        """The words of one sentence, none if ``tries`` walks from ``state`` gave none: `sentence_kernels.walk`."""
        from chekhov.ngram import sentence_kernels as kernels

        text = self._index.arrays if overlap[0] else NO_TEXT
        room = np.empty(LONGEST, np.int32)
        n = kernels.walk(
            self.chain(order).arrays, self._widths, state, prefix, np.uint64(seed), tries, limits,
            (*overlap, float(order + 1)), text, room, thrown_away,
        )  # fmt: skip
        return room[:n]

    def _finish(self, words: Ids, order: int, notes: list[str]) -> MarkovSentence:
        from chekhov.ngram import sentence_kernels as kernels

        start, length = kernels.longest_copied(words, len(words), self._index.arrays)
        written = [self.sentences.words[id] for id in words.tolist()]
        return MarkovSentence(" ".join(written), written, order, " ".join(written[start : start + length]), notes)

    def _start_ids(self, start: str) -> Ids:
        words = start.split()
        for word in words:
            if word not in self._ids:
                near = difflib.get_close_matches(word, self._ids, n=3, cutoff=0.5) if len(self._ids) < 300_000 else []
                mend = f"perhaps {', '.join(map(repr, near))}" if near else "begin with a word of the text"
                raise UsageError("E-MARKOV-004", f"the text has no word {word!r} to start with", mend=mend)
        return np.array([self._ids[word] for word in words], np.int32)

    def _state(self, order: int, prefix: Ids) -> int:
        """The state after the prefix, -1 if there is none."""
        last = prefix[-order:].tolist()
        chain = self.chain(order)
        return chain.places.get((*[BEFORE] * (order - len(last)), *last), -1) if last else chain.begin

    def _begins(self, prefix: Ids) -> bool:
        """Does a sentence begin with these words? All begin with none."""
        s = self.sentences
        begins = np.concatenate([[0], s.ends[:-1]])
        long_enough = begins[s.ends - begins >= len(prefix)]
        return bool(np.logical_and.reduce([s.ids[long_enough + i] == word for i, word in enumerate(prefix)]).any())


def markov_text_of(model: TextModel) -> MarkovText:
    """Sentences in the manner of the text that a chain was made of; `UsageError` for another kind of model."""
    if not isinstance(model.model, Chain):
        what = f"sentences are made by a chain, and this is a model of kind {model.kind}"
        raise UsageError("E-MARKOV-007", what, mend="leave --sentences out, or train a chain")
    return MarkovText(model.tokenizer.decode(model.model.corpus), order=model.model.order)


NO_TEXT = np.empty(0, np.int32), np.zeros(2, np.int32), np.empty(0, np.int32), 1


def stream(seed: int, number: int) -> int:
    """The seed of sentence ``number``: its draws are the same alone or among others."""
    return (seed * 0x9E3779B97F4A7C15 + number * 0xD1B54A32D192ED03 + 1) & ((1 << 64) - 1)


def reasons(thrown_away: NDArray[np.int64]) -> str:
    """``3 too long, 97 stand in the text``."""
    names = ("did not end", "were too long", "were too short", "stand in the text for too long a stretch")
    found = [f"{count:,} {name}" for count, name in zip(thrown_away.tolist(), names, strict=True) if count]
    return f"of {thrown_away.sum():,} tries {', '.join(found)}" if found else ""


def number_sentences(sentences: Iterable[str]) -> Sentences:
    """Words between blanks; sentences without any are left out. A stream of sentences is read but once."""
    types, left = Types(AT_FIRST), iter(sentences)
    ids, ends = array("i"), array("q")  # which grow where they stand
    while batch := list(islice(left, AT_ONCE)):
        text = "\n".join([sentence.replace("\n", " ") for sentence in batch]) + "\n"
        numbers = types.read(np.frombuffer(text.encode("utf-8", "replace"), np.uint8), lines=True)
        is_end = numbers < 0
        stops = np.flatnonzero(is_end) - np.arange(np.count_nonzero(is_end))
        ends.frombytes((len(ids) + stops[np.diff(stops, prepend=0) > 0]).tobytes())
        ids.frombytes(numbers[~is_end].tobytes())
    return Sentences(types.tokens(), np.frombuffer(ids, np.int32), np.frombuffer(ends, np.int64))


def number_runs(runs: Iterable[Sequence[Any]], words: Sequence[Any] = ()) -> Sentences:
    """Sentences that are lists of words, or of whatever can be a key of a dictionary; ``words`` have the first ids."""
    ids: dict[Any, int] = {word: id for id, word in enumerate(words)}
    numbers: list[int] = []
    ends: list[int] = []
    for run in runs:
        numbers += [ids.setdefault(word, len(ids)) for word in run]
        ends.append(len(numbers))
    return Sentences(list(ids), np.array(numbers, np.int32), np.array(ends, np.int64))

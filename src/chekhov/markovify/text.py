"""Texts: from a string to sentences, to a chain, and to new sentences that are not copied."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import msgspec
import numpy as np

from chekhov.errors import GenerationError, TextError
from chekhov.markovify.chain import BEGIN, END, Chain, FormatError, State, knows, new_seed, no_json, words_of
from chekhov.markovify.reading import bytes_of, read_text
from chekhov.markovify.splitters import split_into_sentences
from chekhov.markovify.writing import write_chain, write_sentences
from chekhov.ngram import sentence_kernels as kernels
from chekhov.ngram.sentence_chain import BEFORE, SpanIndex, count_sentences
from chekhov.tasks.markov_text import LONGEST, MANY, NO_TEXT, Sentences, number_runs, number_sentences, reasons
from chekhov.text.prose import prose_sentences

DEFAULT_MAX_OVERLAP_RATIO, DEFAULT_MAX_OVERLAP_TOTAL, DEFAULT_TRIES = 0.7, 15, 10
NO_WORDS = np.empty(0, np.int32)
QUOTES = str.maketrans(dict.fromkeys("“”„‟″＂", '"') | dict.fromkeys("‘’‚‛′＇", "'") | {"（": "(", "）": ")"})
LINE_END = re.compile(r"\s*\n\s*")
MARKS = re.compile(f"['\"()\\[\\]{''.join(map(chr, QUOTES))}]")


class ParamError(Exception):
    """A parameter that the text cannot serve."""


class NoSentenceError(GenerationError, ParamError):
    """No sentence keeps the limits."""


class Text:
    """Sentences in the manner of a text. Its small methods can be overridden, as markovify's."""

    reject_pat = re.compile(r"""["()\[\]]|(?:^|\s)'|'(?:\s|$)""")  # a bracket, or a quotation mark, not an apostrophe
    word_split_pattern = re.compile(r"\s+")

    def __init__(
        self,
        input_text: str | Iterable[str] | None,
        state_size: int = 2,
        chain: Chain | None = None,
        parsed_sentences: Iterable[Sequence[Any]] | Sentences | None = None,
        retain_original: bool = True,
        well_formed: bool = True,
        reject_reg: str | re.Pattern[str] = "",
        strict: bool = False,
    ):
        self.well_formed, self.strict, self.notes = well_formed, strict, []  # type: bool, bool, list[str]
        if well_formed and reject_reg != "":
            self.reject_pat = re.compile(reject_reg)
        self.state_size = state_size
        known = parsed_sentences is not None or input_text is not None
        self.retain_original = retain_original and known
        sentences = None
        if isinstance(parsed_sentences, Sentences):
            sentences = parsed_sentences
        elif parsed_sentences is not None:
            sentences = number_runs(parsed_sentences, chain.words if chain else ())
        elif input_text is not None and (chain is None or self.retain_original):
            sentences = self._numbered(input_text, chain)
        if chain is None:
            if sentences is None:
                raise ParamError("a text, its sentences or a chain is needed")
            chain = Chain._of(sentences.words, count_sentences(sentences.ids, sentences.ends, state_size))
        self.chain = chain
        if self.retain_original:
            self._sentences = sentences
        self._widths = widths_of(chain.words)

    def _numbered(self, text: str | Iterable[str], chain: Chain | None) -> Sentences:
        """The sentences that pass, by number; without a list of lists where no method asks for one."""
        own = type(self)
        if chain is None and own.generate_corpus is Text.generate_corpus and own.word_split is Text.word_split:
            parts = [text] if isinstance(text, str) else text
            seen = [0]
            numbered = number_sentences(self._passing(parts, seen))
            if seen[0] and not len(numbered.ends):
                what = f"all {seen[0]:,} sentences were rejected"
                why = "They hold quotation marks or brackets" if self.well_formed else ""
                raise TextError("E-MARKOV-006", what, why=why, mend="well_formed=False, or another reject_reg")
            return numbered
        return number_runs(self.generate_corpus(text), chain.words if chain else ())

    def _passing(self, parts: Iterable[str], seen: list[int]) -> Iterator[str]:
        """The sentences that pass, one by one; ``seen`` gets how many there were before."""
        streams = {Text.sentence_split: prose_sentences, NewlineText.sentence_split: lines_of}
        split = streams.get(type(self).sentence_split, self.sentence_split)
        for part in parts:
            for sentence in split(part):
                seen[0] += 1
                if self.test_sentence_input(sentence):
                    yield sentence

    @property
    def parsed_sentences(self) -> list[list[Any]]:
        """The sentences of the text as lists of words."""
        if not self.retain_original:
            raise AttributeError("parsed_sentences: the text was not retained")
        return self._sentences.listed()  # type: ignore[union-attr]

    @cached_property
    def rejoined_text(self) -> str:
        return self.sentence_join(map(self.word_join, self.parsed_sentences))

    @cached_property
    def _index(self) -> SpanIndex:
        return SpanIndex.of(self._sentences.ids)  # type: ignore[union-attr]

    # What subclasses override.

    def sentence_split(self, text: str) -> list[str]:
        return split_into_sentences(text)

    def sentence_join(self, sentences: Iterable[str]) -> str:
        return " ".join(sentences)

    def word_split(self, sentence: str) -> list[Any]:
        return self.word_split_pattern.split(sentence)

    def word_join(self, words: Sequence[Any]) -> str:
        return " ".join(words)

    def test_sentence_input(self, sentence: str) -> bool:
        """Are there words, and none of the marks that look strange alone: quotation marks and brackets?"""
        if not sentence.strip():
            return False
        if self.reject_pat is Text.reject_pat and MARKS.search(sentence) is None:
            return True  # the usual case, told quickly: there is nothing that the pattern could find
        return not (self.well_formed and self.reject_pat.search(sentence.translate(QUOTES)))

    def generate_corpus(self, text: str | Iterable[str]) -> Iterable[list[Any]]:
        sentences = [s for part in ([text] if isinstance(text, str) else text) for s in self.sentence_split(part)]
        return map(self.word_split, filter(self.test_sentence_input, sentences))

    def test_sentence_output(self, words: Sequence[Any], max_overlap_ratio: float, max_overlap_total: int) -> bool:
        """Is there no stretch of more words than these bounds allow that stands in the text as it is?"""
        allowed = min(max_overlap_total, round(max_overlap_ratio * len(words)))
        for i in range(max(len(words) - allowed, 1)):
            if self.word_join(words[i : i + allowed + 1]) in self.rejoined_text:
                return False
        return True

    # Sentences.

    def make_sentence(self, init_state: State | None = None, **kwargs: Any) -> str | None:
        """A sentence, or None if ``strict`` and ``tries`` (10) walks gave none.

        max_overlap_ratio (0.7), max_overlap_total (15), test_output: the check for what was copied; min_words,
        max_words. init_state: the ``state_size`` words to go on from.
        """
        thrown_away = np.zeros(4, np.int64)
        self.notes = []
        sentence = self._make(init_state, kwargs, thrown_away)
        if sentence is not None or self.strict:
            return sentence
        for order in range(self.state_size - 1, 0, -1) if self.retain_original else ():
            lower, state = self._lower(order), init_state and tuple(init_state)[-order:]
            if knows(lower.chain, state):
                sentence = lower._make(state, kwargs, thrown_away, prefix=words_of(init_state))
                if sentence is not None:
                    self.notes = [f"of {order} words of context: {reasons(thrown_away)}"]
                    return sentence
        what = f"no sentence keeps these bounds: {reasons(thrown_away)}"
        raise NoSentenceError("E-MARKOV-003", what, mend="wider bounds, more tries, more text, or strict=True for None")

    def _make(
        self,
        init_state: State | None,
        kwargs: Mapping[str, Any],
        thrown_away: Any,
        prefix: list[Any] | None = None,
    ) -> str | None:
        tries = kwargs.get("tries", DEFAULT_TRIES)
        ratio = kwargs.get("max_overlap_ratio", DEFAULT_MAX_OVERLAP_RATIO)
        total = kwargs.get("max_overlap_total", DEFAULT_MAX_OVERLAP_TOTAL)
        most, least = kwargs.get("max_words"), kwargs.get("min_words")
        testing = kwargs.get("test_output", True) and self.retain_original
        own = type(self)
        by_kernel = own.test_sentence_output is Text.test_sentence_output and own.word_join is Text.word_join
        chain = self.chain
        before = words_of(init_state) if prefix is None else prefix
        ids = np.array([chain.ids[word] for word in before], np.int32) if before else NO_WORDS
        text = self._index.arrays if testing and by_kernel else NO_TEXT
        limits = least or 0, LONGEST if most is None else most, 0, MANY
        overlap = float(testing and by_kernel), float(ratio), float(total), float(chain.state_size + 1)
        place, room = chain.place(init_state), np.empty(LONGEST, np.int32)
        for _ in range(1 if by_kernel else tries):
            n = kernels.walk(
                chain.core.arrays, self._widths, place, ids, new_seed(), tries if by_kernel else 1, limits, overlap,
                text, room, thrown_away,
            )  # fmt: skip
            if n == 0:
                continue
            words = [chain.words[id] for id in room[:n].tolist()]
            if by_kernel or not testing or self.test_sentence_output(words, ratio, total):
                return self.word_join(words)
            thrown_away[kernels.COPIED] += 1
        return None

    def _lower(self, order: int) -> Text:
        """The same text with fewer words of context."""
        if "_lowered" not in self.__dict__:
            self._lowered: dict[int, Text] = {}
        if order not in self._lowered:
            sentences: Any = self._sentences
            lower = object.__new__(type(self))
            lower.__dict__.update(
                {name: own for name, own in self.__dict__.items() if name not in ("chain", "_lowered")}
            )
            lower.chain = Chain._of(sentences.words, count_sentences(sentences.ids, sentences.ends, order))
            lower.state_size, lower._widths = order, widths_of(sentences.words)
            self._lowered[order] = lower
        return self._lowered[order]

    def make_short_sentence(self, max_chars: int, min_chars: int = 0, **kwargs: Any) -> str | None:
        """A sentence of ``min_chars`` to ``max_chars`` characters."""
        for _ in range(kwargs.get("tries", DEFAULT_TRIES)):
            sentence = self.make_sentence(**kwargs)
            if sentence and min_chars <= len(sentence) <= max_chars:
                return sentence
        if self.strict:
            return None
        for _ in range(100 * kwargs.get("tries", DEFAULT_TRIES)):  # most texts have short sentences, but rare ones
            sentence = self.make_sentence(**kwargs)
            if sentence and min_chars <= len(sentence) <= max_chars:
                return sentence
        what = f"no sentence of {min_chars} to {max_chars} characters"
        raise NoSentenceError("E-MARKOV-003", what, mend="wider bounds, or more tries")

    def make_sentence_with_start(self, beginning: str, strict: bool = True, **kwargs: Any) -> str | None:
        """A sentence that begins with one to ``state_size`` words; ``strict``: of sentences that begin so."""
        split = tuple(self.word_split(beginning))
        if not 0 < len(split) <= self.state_size:
            raise ParamError(
                f"make_sentence_with_start of this model takes 1 to {self.state_size} words, not {len(split)}: {split}"
            )
        states = [(BEGIN,) * (self.state_size - len(split)) + split]
        self.notes = []
        if not self.strict and strict and not knows(self.chain, states[0]):
            strict, self.notes = False, ["no sentence begins with these words: it goes on from inside one"]
        if not strict and len(split) < self.state_size:
            states = self.find_init_states_from_chain(split)
            random.shuffle(states)
        for state in states if self.strict else [state for state in states if knows(self.chain, state)]:
            output = self._make(state, kwargs, np.zeros(4, np.int64))
            if output is not None:
                return output
        if self.strict:
            raise ParamError(f"make_sentence_with_start can't find a sentence beginning with {beginning}")
        near = [word for word in self._near(split[0]) if word not in split]
        mend = (
            f"perhaps {', '.join(map(repr, near))}"
            if near and split[0] not in self.chain.ids
            else "wider bounds or more tries"
        )
        raise NoSentenceError("E-MARKOV-003", f"no sentence begins with {beginning!r}", mend=mend)

    def _near(self, word: Any) -> list[str]:
        import difflib

        words = [known for known in self.chain.words if isinstance(known, str)]
        return difflib.get_close_matches(str(word), words[:300_000], n=3, cutoff=0.5)

    def find_init_states_from_chain(self, split: State) -> list[State]:
        """The states whose words, the beginning of the sentence left out, begin with ``split``."""
        chain, found = self.chain, []
        names = dict(enumerate(chain.words))
        wanted = [chain.ids.get(word, -2) for word in split]
        states = chain.core.states
        for begun in range(self.state_size - len(split) + 1):  # so many words before the beginning
            columns = states[:, begun : begun + len(split)]
            rows = (columns == wanted).all(axis=1) & (states[:, :begun] == BEFORE).all(axis=1)
            if begun:
                rows &= states[:, begun] != BEFORE
            found += [tuple(names.get(id, BEGIN) for id in row) for row in states[rows].tolist()]
        return found

    # JSON and copies.

    def compile(self, inplace: bool = False) -> Text:
        if inplace:
            self.chain.compile(inplace=True)
            return self
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__)
        copy.chain = self.chain.compile()
        return copy

    def to_dict(self) -> dict[str, Any]:
        sentences = self.parsed_sentences if self.retain_original else None
        return {"state_size": self.state_size, "chain": self.chain.to_json(), "parsed_sentences": sentences}

    def to_json(self) -> str:
        chain, plain = None, type(self).to_dict is Text.to_dict and not self.chain.changed()
        known: Any = self._sentences if self.retain_original else None
        sentences = write_sentences(known) if plain and known else "null"
        if plain and sentences is not None:
            chain = write_chain(self.chain.words, self.chain.core, BEGIN, END, level=1)
        if chain is None:
            return json.dumps(self.to_dict())
        return f'{{"state_size": {self.state_size}, "chain": {chain}, "parsed_sentences": {sentences}}}'

    @classmethod
    def from_dict(cls, obj: Mapping[str, Any], **kwargs: Any) -> Text:
        """What `to_dict` gave. `FormatError` for what is no such dictionary."""
        if not isinstance(obj, Mapping) or type(obj.get("state_size")) is not int or "chain" not in obj:
            raise FormatError("E-MARKOV-005", "state_size and chain are expected", mend="save the model again")
        sentences = obj.get("parsed_sentences")
        if sentences is not None and not (
            isinstance(sentences, list) and all(isinstance(s, list) and all(map(is_word, s)) for s in sentences)
        ):
            raise FormatError("E-MARKOV-005", "parsed_sentences is no list of lists of words", mend="save it again")
        chain = Chain.from_json(obj["chain"])
        if chain.state_size != obj["state_size"]:
            what = f"state_size is {obj['state_size']}, the chain's {chain.state_size}"
            raise FormatError("E-MARKOV-005", what, mend="save the model again")
        return cls(None, state_size=chain.state_size, chain=chain, parsed_sentences=sentences, **kwargs)

    @classmethod
    def from_json(cls, json_str: str) -> Text:
        found = read_text(bytes_of(json_str), BEGIN, END)
        if found is not None and found[0] == found[2].order:
            state_size, words, core, sentences = found
            return cls(None, state_size, Chain._of(words, core), parsed_sentences=sentences)
        try:
            return cls.from_dict(msgspec.json.decode(json_str))
        except (msgspec.DecodeError, RecursionError) as error:
            raise no_json(error) from None

    @classmethod
    def from_chain(
        cls,
        chain_json: str | list[Any] | Mapping[State, Any],
        corpus: str | None = None,
        parsed_sentences: Iterable[Sequence[Any]] | None = None,
    ) -> Text:
        chain = Chain.from_json(chain_json)
        return cls(corpus or None, parsed_sentences=parsed_sentences, state_size=chain.state_size, chain=chain)


class NewlineText(Text):
    """Every line is a sentence."""

    def sentence_split(self, text: str) -> list[str]:
        return list(lines_of(text))


def lines_of(text: str) -> Iterator[str]:
    """The lines, without the space around their ends."""
    begin = 0
    for gap in LINE_END.finditer(text):
        yield text[begin : gap.start()]
        begin = gap.end()
    yield text[begin:]


def widths_of(words: Sequence[Any]) -> Any:
    """(V,): the characters of each word."""
    return np.array([len(word) if isinstance(word, str) else 1 for word in words], np.int32)


def is_word(word: Any) -> bool:
    return isinstance(word, str)

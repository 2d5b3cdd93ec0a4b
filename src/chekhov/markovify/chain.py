"""The chain: states of words, and how often each word followed."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import Any

import msgspec
import numpy as np

from chekhov.errors import ModelError
from chekhov.markovify.reading import bytes_of, read_chain
from chekhov.markovify.writing import write_chain
from chekhov.ngram import sentence_kernels as kernels
from chekhov.ngram.sentence_chain import BEFORE, SentenceChain, chain_of_rows, count_sentences
from chekhov.ngram.sentence_chain import END as ENDED
from chekhov.tasks.markov_text import number_runs

BEGIN, END = "___BEGIN__", "___END__"
MOST_STATE = 64
MOST_WORDS = 1 << 16
State = tuple[Any, ...]


class FormatError(ModelError, ValueError):
    """JSON that is no model."""


def no_json(error: Exception) -> FormatError:
    return FormatError("E-MARKOV-005", "this is no JSON", why=str(error), mend="save the model again")


class Chain:
    """A chain over sentences of any hashable words, ``state_size`` of them to a state."""

    def __init__(
        self, corpus: Iterable[Sequence[Any]] | None, state_size: int, model: Mapping[State, Any] | None = None
    ):
        self.compiled, self._given = False, model
        if model:
            state = (BEGIN,) * state_size
            if state not in model:
                raise FormatError("E-MARKOV-005", "the model has no beginning of sentences", mend="build it again")
            self.compiled = isinstance(model[state], list)
            self._take(model)
        else:
            sentences = number_runs(corpus or ())
            self._hold(sentences.words, count_sentences(sentences.ids, sentences.ends, state_size))

    @classmethod
    def _of(cls, words: Sequence[Any], core: SentenceChain) -> Chain:
        chain = cls.__new__(cls)
        chain.compiled, chain._given = False, None
        chain._hold(words, core)
        return chain

    def _hold(self, words: Sequence[Any], core: SentenceChain) -> None:
        self.words, self.core, self.state_size = list(words), core, core.order
        self.begin = core.begin

    def _take(self, model: Mapping[State, Any]) -> None:
        """A dictionary of states, or of compiled states: their words and weights."""
        ids: dict[Any, int] = {}
        size = len(next(iter(model)))
        listed: list[int] = []
        lengths, follows, weights = [], [], []
        for state, followers in model.items():
            if len(state) != size:
                what = f"a state has {len(state)} words, another {size}"
                raise FormatError("E-MARKOV-005", what, mend="build the model again")
            listed += [BEFORE if word == BEGIN else ids.setdefault(word, len(ids)) for word in state]
            options, amounts = followers if self.compiled else (followers.keys(), followers.values())
            lengths.append(len(options))
            follows += [ENDED if word == END else ids.setdefault(word, len(ids)) for word in options]
            weights.append(np.diff(amounts, prepend=0) if self.compiled else np.fromiter(amounts, np.float64))
        numbers = np.concatenate(weights) if weights else np.empty(0)
        if not (np.isfinite(numbers).all() and (numbers > 0).all()) or 0 in lengths:
            raise FormatError("E-MARKOV-005", "a count is not above 0", mend="build the model again")
        states = np.array(listed, np.int32).reshape(-1, size)
        core = chain_of_rows(np.repeat(states, lengths, axis=0), np.array(follows, np.int32), numbers)
        self._hold(list(ids), core)

    @cached_property
    def ids(self) -> dict[Any, int]:
        return {word: id for id, word in enumerate(self.words)}

    @property
    def model(self) -> dict[State, Any]:
        """markovify's dictionary: state -> {word: count}, or of a compiled chain [words, counts added up]."""
        if self._given is None:
            names = dict(enumerate(self.words))
            core, model = self.core, {}
            weights, follows, offsets = core.weights().tolist(), core.follows.tolist(), core.offsets.tolist()
            for i, state in enumerate(core.states.tolist()):
                options = {names.get(follows[e], END): whole(weights[e]) for e in range(offsets[i], offsets[i + 1])}
                added_up = [list(options), np.cumsum(list(options.values())).tolist()]
                model[tuple(names.get(id, BEGIN) for id in state)] = added_up if self.compiled else options
            self._given = model
        return dict(self._given) if not isinstance(self._given, dict) else self._given

    def compile(self, inplace: bool = False) -> Chain:
        """Chains are always compiled here; the copy's ``model`` has markovify's compiled form."""
        chain = self if inplace else Chain._of(self.words, self.core)
        if not chain.compiled:
            chain.compiled, chain._given = True, None
        return chain

    def place(self, state: State | None) -> int:
        """The number of a state; `KeyError` for one that the chain does not know, as markovify."""
        if state is None:
            return self.begin
        ids = tuple(BEFORE if word == BEGIN else self.ids.get(word, -2) for word in state)
        if ids not in self.core.places:
            raise KeyError(tuple(state))
        return self.core.places[ids]

    def move(self, state: State) -> Any:
        """A word that followed the state, drawn by frequency."""
        drawn = np.empty(1, np.int32)
        core = self.core
        kernels.draw_followers(core.offsets, core.follows, core.cumulative, self.place(state), new_seed(), drawn)
        return END if drawn[0] == ENDED else self.words[drawn[0]]

    def gen(self, init_state: State | None = None) -> Iterator[Any]:
        """The words of one walk, one after the other."""
        state = tuple(init_state) if init_state else (BEGIN,) * self.state_size
        while (word := self.move(state)) != END:
            yield word
            state = (*state[1:], word)
            if not knows(self, state):
                return  # a model that was cut short

    def walk(self, init_state: State | None = None) -> list[Any]:
        """One walk; a chain without an end is left after 65,536 words."""
        return list(islice(self.gen(init_state), MOST_WORDS))

    def to_json(self) -> str:
        written = None if self.changed() else write_chain(self.words, self.core, BEGIN, END)
        return json.dumps(list(self.model.items())) if written is None else written

    def changed(self) -> bool:
        """Is there more to it than its counts: a dictionary that was given or asked for, or methods of its own?"""
        return self.compiled or self._given is not None or type(self) is not Chain

    @classmethod
    def from_json(cls, json_thing: str | list[Any] | Mapping[State, Any]) -> Chain:
        """What `to_json` gave, as a string or parsed, or a dictionary. `FormatError` for anything else."""
        listed: Any = json_thing
        if isinstance(json_thing, str):
            text = bytes_of(json_thing)
            found = read_chain(text, BEGIN, END)
            if found is not None and not text[found[2] :].tobytes().strip():
                return cls._of(*found[:2])
            try:
                listed = msgspec.json.decode(json_thing)
            except (msgspec.DecodeError, RecursionError) as error:
                raise no_json(error) from None
        if isinstance(listed, list):
            listed = checked(listed)
        if not isinstance(listed, Mapping) or not listed:
            raise FormatError("E-MARKOV-005", "a list or a dictionary of states is expected", mend="save it again")
        return cls(None, len(next(iter(listed))), listed)


def checked(listed: list[Any]) -> dict[State, Any]:
    """[[state, followers], ...] as a dictionary; `FormatError` for what is no such list."""
    model: dict[State, Any] = {}
    for item in listed:
        sound = isinstance(item, (list, tuple)) and len(item) == 2 and isinstance(item[0], (list, tuple))
        if not sound or not 0 < len(item[0]) <= MOST_STATE or not all(isinstance(word, str) for word in item[0]):
            raise FormatError("E-MARKOV-005", "a state is not a list of words", mend="save the model again")
        followers = item[1]
        amounts = followers.values() if isinstance(followers, dict) else None
        if amounts is None and isinstance(followers, list) and len(followers) == 2:
            options, amounts = followers
            if not (isinstance(options, list) and isinstance(amounts, list) and len(options) == len(amounts)):
                amounts = None
        if amounts is None or not all(type(x) in (int, float) and math.isfinite(x) and x < 1e15 for x in amounts):
            raise FormatError("E-MARKOV-005", "the followers of a state are no counts of words", mend="save it again")
        model[tuple(item[0])] = followers
    return model


def whole(weight: float) -> float:
    return int(weight) if weight == int(weight) else weight


def new_seed() -> Any:
    """From the random module, so that `random.seed` says what is drawn."""
    return np.uint64(random.getrandbits(64))


def words_of(state: State | None) -> list[Any]:
    """The words of a state, the beginning of the sentence left out."""
    return [word for word in state or () if word != BEGIN]


def knows(chain: Chain, state: State | None) -> bool:
    try:
        chain.place(state)
    except KeyError:
        return False
    return True

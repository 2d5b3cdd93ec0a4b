"""A probabilistic context-free grammar: it writes text, and knows exactly how predictable that text is.

The floor is the entropy rate: no model of any kind can predict the grammar's text, in the long run, with fewer nats a
token. Every rule of ours is decided by the words it writes, so a sentence has one derivation and the entropy of
sentences is that of derivations (proved by test: the inside probability equals the derivation's). The expectations are
linear: x(A) = own(A) + sum over rules of p * sum over symbols of x(symbol) (Booth & Thompson 1973; Grenander 1976).
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

Symbol = str  # a name with rules is a non-terminal, any other is a word
Rule = tuple[float, tuple[Symbol, ...]]


@dataclass(frozen=True)
class Grammar:
    """``rules[A]``: the (probability, right-hand side) pairs of A. ValueError unless each A's sum to 1."""

    start: Symbol
    rules: Mapping[Symbol, Sequence[Rule]]

    def __post_init__(self) -> None:
        for name, rules in self.rules.items():
            if abs(math.fsum(p for p, _ in rules) - 1) > 1e-9:
                raise ValueError(f"the rules of {name} do not sum to 1")

    def sentence(self, rng: random.Random) -> list[str]:
        """One sentence, drawn top-down and left to right."""
        words: list[str] = []
        waiting = [self.start]
        while waiting:
            symbol = waiting.pop()
            if symbol not in self.rules:
                words.append(symbol)
                continue
            u = rng.random()
            right: tuple[Symbol, ...] = ()
            for p, right in self.rules[symbol]:  # noqa: B007 - the rule where the sum passes u
                u -= p
                if u < 0:
                    break
            waiting.extend(reversed(right))
        return words

    @cached_property
    def entropy(self) -> float:
        """Nats per sentence: the expected sum of -log p of the rules that a derivation uses."""
        own = {name: -math.fsum(p * math.log(p) for p, _ in rules) for name, rules in self.rules.items()}
        return self._expected(own, dict.fromkeys(self.words, 0.0))

    @cached_property
    def length(self) -> float:
        """Expected tokens per sentence, the end of the sentence counted."""
        return 1 + self._expected({}, dict.fromkeys(self.words, 1.0))

    @cached_property
    def characters(self) -> float:
        """Expected characters per sentence: words, the blanks between them and the line break."""
        return self._expected({}, {word: len(word) + 1.0 for word in self.words})

    @property
    def floor(self) -> float:
        """Nats per token, </s> counted."""
        return self.entropy / self.length

    @cached_property
    def words(self) -> frozenset[str]:
        right = (symbol for rules in self.rules.values() for _, symbols in rules for symbol in symbols)
        return frozenset(symbol for symbol in right if symbol not in self.rules)

    def _expected(self, own: Mapping[Symbol, float], of_word: Mapping[str, float]) -> float:
        """The expectation at the start symbol; a fixed point, reached by iteration to the last bit."""
        values = dict.fromkeys(self.rules, 0.0) | dict(of_word)
        while True:
            change = 0.0
            for name, rules in self.rules.items():
                value = own.get(name, 0.0) + math.fsum(p * math.fsum(values[s] for s in right) for p, right in rules)
                change = max(change, abs(value - values[name]))
                values[name] = value
            if change <= 1e-13 * max(1.0, values[self.start]):
                return values[self.start]

    def log_prob(self, words: Sequence[str]) -> float:
        """log of the inside probability of a sentence: the sum over all its derivations; -inf if it has none.

        (Baker 1979; Lari & Young 1990.) Symbol by symbol over spans, each found once: cubic in the length at worst.
        """
        inside: dict[tuple[Symbol, int], dict[int, float]] = {}

        def spans(symbol: Symbol, start: int) -> dict[int, float]:
            """end -> probability that ``symbol`` derives words[start:end]."""
            if symbol not in self.rules:
                return {start + 1: 1.0} if start < len(words) and words[start] == symbol else {}
            if (symbol, start) not in inside:
                found: dict[int, float] = {}
                for p, right in self.rules[symbol]:
                    reached = {start: p}
                    for part in right:
                        following: dict[int, float] = {}
                        for place, weight in reached.items():
                            for end, inner in spans(part, place).items():
                                following[end] = following.get(end, 0.0) + weight * inner
                        reached = following
                        if not reached:
                            break
                    for end, weight in reached.items():
                        found[end] = found.get(end, 0.0) + weight
                inside[symbol, start] = found
            return inside[symbol, start]

        p = spans(self.start, 0).get(len(words), 0.0)
        return math.log(p) if p > 0 else -math.inf


def one_of(words: str) -> list[Rule]:
    """Each of the blank-separated words with the same probability; ``_`` joins the words of a phrase."""
    parts = words.split()
    return [(1 / len(parts), tuple(part.split("_"))) for part in parts]


def maybe(p: float, *symbols: Symbol) -> list[Rule]:
    """The symbols with probability ``p``, else nothing."""
    return [(p, symbols), (1 - p, ())]

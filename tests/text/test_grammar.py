"""The floor: closed form = by hand = mean over samples, and one derivation per sentence."""

from __future__ import annotations

import math
import random

import pytest

from chekhov.text.grammar import Grammar, Rule
from chekhov.text.rifle import rifle_grammar

CLASSIC = Grammar("S", {"S": [(0.75, ("a", "S", "b")), (0.25, ("c",))]})  # a^n c b^n


class Recording(random.Random):
    """Keeps the draws, so that a test can follow a derivation."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.draws: list[float] = []

    def random(self) -> float:
        self.draws.append(super().random())
        return self.draws[-1]


def derivation_log_prob(grammar: Grammar, draws: list[float]) -> float:
    """log of the product of the probabilities of the rules that the draws chose, top-down and left to right."""
    total, waiting, rest = 0.0, [grammar.start], iter(draws)
    while waiting:
        rules = grammar.rules.get(waiting.pop())
        if rules is None:
            continue
        u = next(rest)
        chosen: Rule = rules[-1]
        for rule in rules:
            u -= rule[0]
            if u < 0:
                chosen = rule
                break
        total += math.log(chosen[0])
        waiting.extend(reversed(chosen[1]))
    return total


def test_expectations_by_hand() -> None:
    """n is geometric with mean 3: 7 words and an end; each of 4 choices has the entropy of a coin of 3 to 1."""
    coin = -0.75 * math.log(0.75) - 0.25 * math.log(0.25)
    assert CLASSIC.length == pytest.approx(8, abs=1e-9)
    assert CLASSIC.characters == pytest.approx(14, abs=1e-9)
    assert CLASSIC.entropy == pytest.approx(4 * coin, abs=1e-9)
    assert CLASSIC.floor == pytest.approx(coin / 2, abs=1e-9)


def test_inside_probability_sums_over_derivations() -> None:
    assert CLASSIC.log_prob(["a", "a", "c", "b", "b"]) == pytest.approx(math.log(0.75**2 * 0.25))
    assert CLASSIC.log_prob(["a", "c", "b", "b"]) == -math.inf
    rules = {"S": [(0.3, ("A", "B")), (0.7, ("B", "A"))], "A": [(1.0, ("a",))], "B": [(1.0, ("a",))]}
    assert Grammar("S", rules).log_prob(["a", "a"]) == pytest.approx(0.0)  # two derivations, 0.3 + 0.7


@pytest.mark.parametrize("language", ["ru", "en"])
def test_every_sentence_has_one_derivation(language: str) -> None:
    """So the entropy of derivations, which the floor is made of, is the entropy of sentences."""
    grammar, rng = rifle_grammar(language), Recording(7)
    for _ in range(2000):
        rng.draws.clear()
        words = grammar.sentence(rng)
        assert grammar.log_prob(words) == pytest.approx(derivation_log_prob(grammar, rng.draws), abs=1e-9)


@pytest.mark.parametrize("language", ["ru", "en"])
def test_the_floor_agrees_with_samples(language: str) -> None:
    grammar, rng = rifle_grammar(language), random.Random(11)
    samples = [grammar.sentence(rng) for _ in range(6000)]
    for expected, values in (
        (grammar.length, [len(words) + 1.0 for words in samples]),
        (grammar.characters, [len(" ".join(words)) + 1.0 for words in samples]),
        (grammar.entropy, [-grammar.log_prob(words) for words in samples]),
    ):
        mean = math.fsum(values) / len(values)
        error = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / len(values) ** 2)
        assert abs(mean - expected) < 4 * error


def test_rules_that_do_not_sum_to_one_are_refused() -> None:
    with pytest.raises(ValueError, match="rules of S do not sum to 1"):
        Grammar("S", {"S": [(0.5, ("a",))]})

"""The corpora that ship as generators: real enough to learn from, and with a floor that is known exactly.

``demo:rifle-ru`` and ``demo:rifle-en``, with parameters as of a link: ``demo:rifle-ru?tokens=200000&seed=0``.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from urllib.parse import parse_qsl

from chekhov.errors import UsageError, check_range
from chekhov.text.grammar import Grammar
from chekhov.text.rifle import EN_SHOTS, RU_SHOTS, rifle_grammar

NAMES = ("rifle-ru", "rifle-en")
PARTS = ("train", "valid", "test")
MIN_HELD_OUT = 2_000  # tokens
SHORTEST = {"rifle-ru": 8, "rifle-en": 11}  # planted distances: the last act's words and one shortest filler
LONGEST = 1_000


@dataclass(frozen=True)
class DemoCorpus:
    """One sentence a line, tokens between blanks. Floors: entropy in nats per token, </s> counted; bits/character."""

    name: str
    train: str
    valid: str
    test: str
    floor: float
    floor_bits_per_character: float


@dataclass(frozen=True)
class PlantedItem:
    """``distance`` words after the thing on the wall, one of ``alternatives`` must come: ``answer``."""

    prefix: str
    answer: str
    alternatives: tuple[str, ...]


@cache
def grammar_of(name: str) -> Grammar:
    return rifle_grammar(name.removeprefix("rifle-"))


def demo_corpus(spec: str) -> DemoCorpus:
    """The corpus of a ``demo:`` name; the same bytes for the same name, size and seed.

    Training has about ``tokens`` tokens, validation and test a twentieth each, from random streams of their own.
    Raises `UsageError` for an unknown name or parameter.
    """
    name, _, query = spec.removeprefix("demo:").partition("?")
    if name not in NAMES:
        mend = "one of " + ", ".join(f"demo:{known}" for known in (*NAMES, "pydocs"))
        raise UsageError("E-DEMO-001", f"there is no demo corpus {name!r}", mend=mend)
    tokens, seed = parameters(query)
    grammar = grammar_of(name)
    sizes = {"train": tokens, "valid": max(MIN_HELD_OUT, tokens // 20), "test": max(MIN_HELD_OUT, tokens // 20)}
    texts = {part: write(grammar, sizes[part], random.Random(f"{name} {part} {seed}")) for part in PARTS}
    bits = grammar.entropy / grammar.characters / math.log(2)
    return DemoCorpus(f"demo:{name}", **texts, floor=grammar.floor, floor_bits_per_character=bits)


def parameters(query: str) -> tuple[int, int]:
    """(tokens, seed) of ``tokens=200000&seed=0``."""
    values = {"tokens": 200_000, "seed": 0}
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key not in values or not (value.isascii() and value.isdigit() and len(value) < 19):
            what = f"{key}={value} is no parameter of a demo corpus"
            raise UsageError("E-DEMO-003", what, mend="for example demo:rifle-ru?tokens=200000&seed=0")
        values[key] = int(value)
    check_range("tokens", values["tokens"], 1_000, 1_000_000_000)
    return values["tokens"], values["seed"]


def write(grammar: Grammar, tokens: int, rng: random.Random) -> str:
    """Sentences, a line each, until there are ``tokens`` tokens, the ends of sentences counted."""
    lines, count = [], 0
    while count < tokens:
        words = grammar.sentence(rng)
        count += len(words) + 1
        lines.append(" ".join(words))
    return "\n".join(lines) + "\n"


def text_floor(name: str, text: str) -> float:
    """Nats per token, </s> counted, of this very text under the grammar that wrote it (inside probabilities)."""
    sentences = [line.split() for line in text.splitlines()]
    grammar = grammar_of(name)
    return -math.fsum(map(grammar.log_prob, sentences)) / sum(len(words) + 1 for words in sentences)


def planted_items(name: str, distance: int, count: int, seed: int = 0) -> list[PlantedItem]:
    """Rifles planted exactly ``distance`` words before their shot, the words between independent of the thing.

    Raises `UsageError` for a distance that no filler has.
    """
    check_range("distance", distance, SHORTEST[name], LONGEST)
    grammar, rng = grammar_of(name), random.Random(f"{name} planted {distance} {seed}")
    shots = RU_SHOTS if name == "rifle-ru" else EN_SHOTS
    first_act, last_act = (grammar.rules[act][0][1] for act in ("FIRST-ACT", "LAST-ACT"))
    filler = Grammar("FILLER", grammar.rules)
    items = []
    for _ in range(count):
        between = fill(filler, distance - len(last_act) - 2, rng)
        thing = rng.choice(sorted(shots))
        words = [*first_act, *thing.split("_"), ",", *between, *last_act]
        items.append(PlantedItem(" ".join(words), shots[thing], tuple(sorted(shots.values()))))
    return items


def fill(filler: Grammar, length: int, rng: random.Random) -> Sequence[str]:
    """Clauses with commas between, ``length`` words in all; drawn again until they fit."""
    while True:
        words: list[str] = []
        while len(words) < length:
            words += ([","] if words else []) + filler.sentence(rng)
        if len(words) == length:
            return words

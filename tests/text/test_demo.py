"""The demo corpora: the same bytes for ever, agreement and rifles in place, and a filler that gives nothing away."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest

from chekhov.errors import UsageError
from chekhov.ngram.model import train_ngram
from chekhov.text.demo import NAMES, demo_corpus, grammar_of, planted_items, text_floor
from chekhov.tokens.tokenizer import train_tokenizer

DIGESTS = {"rifle-ru": "7d49c4384c4a0571", "rifle-en": "4d44b38df4f67cf1"}


@pytest.mark.parametrize("name", NAMES)
def test_the_same_name_gives_the_same_bytes(name: str) -> None:
    corpus = demo_corpus(f"demo:{name}?tokens=1000&seed=3")
    data = (corpus.train + corpus.valid + corpus.test).encode()
    assert hashlib.blake2b(data, digest_size=8).hexdigest() == DIGESTS[name]


def test_sizes_seeds_and_parts() -> None:
    corpus = demo_corpus("demo:rifle-ru?tokens=50000")
    count = len(corpus.train.split()) + corpus.train.count("\n")
    assert 50_000 <= count < 50_100
    assert len({corpus.train[:2000], corpus.valid[:2000], corpus.test[:2000]}) == 3
    assert demo_corpus("demo:rifle-ru?tokens=50000&seed=1").train != corpus.train
    assert set(corpus.valid.split()) <= set(corpus.train.split())


@pytest.mark.parametrize("name", NAMES)
def test_the_floor_of_a_text_is_near_the_floor_of_the_grammar(name: str) -> None:
    corpus = demo_corpus(f"{name}?tokens=40000")
    assert text_floor(name, corpus.train) == pytest.approx(corpus.floor, rel=0.02)


@pytest.mark.parametrize("name", NAMES)
def test_kneser_ney_stays_well_above_the_floor(name: str) -> None:
    """The demo's point needs a wall: at every order the n-gram is at least a tenth above what is possible."""
    corpus = demo_corpus(f"{name}?tokens=60000")
    tokenizer = train_tokenizer("whitespace", [corpus.train])
    train, test = tokenizer.encode(corpus.train), tokenizer.encode(corpus.test)
    floor = text_floor(name, corpus.test)
    for order in (3, 5, 7):
        model = train_ngram(train, order=order, vocab_size=tokenizer.vocabulary.size)
        scores, _ = model.score(model.initial_state(1), test[None])
        assert -scores.mean() > 1.10 * floor


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("distance", [11, 12, 20, 100])
def test_planted_rifles_stand_where_they_should(name: str, distance: int) -> None:
    things = {rule[1][-1]: rule[1][1:-4] for rule in grammar_of(name).rules["RIFLE"]}
    for item in planted_items(name, distance, 20, seed=1):
        words = item.prefix.split()
        thing = things[item.answer][-1]
        assert words.count(thing) == 1
        assert len(words) - words.index(thing) == distance
        assert item.answer in item.alternatives
        assert len(item.alternatives) == 8


def test_the_filler_tells_nothing_of_the_rifle() -> None:
    """The words between are distributed alike for every thing (chi-square, far below rejection)."""
    items = planted_items("rifle-ru", 12, 4000, seed=5)
    table = {answer: Counter[str]() for answer in items[0].alternatives}
    for item in items:
        table[item.answer].update(item.prefix.split(",", 1)[1].split())
    words = sorted(set().union(*table.values()))
    totals = {word: sum(row[word] for row in table.values()) for word in words}
    grand = sum(totals.values())
    statistic = sum(
        (row[word] - row.total() * totals[word] / grand) ** 2 / (row.total() * totals[word] / grand)
        for row in table.values()
        for word in words
    )
    freedom = (len(words) - 1) * (len(table) - 1)
    assert statistic < freedom + 6 * (2 * freedom) ** 0.5


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("demo:nothing", "no demo corpus 'nothing'.*demo:rifle-ru, demo:rifle-en"),
        ("demo:rifle-ru?colour=red", "colour=red is no parameter"),
        ("demo:rifle-ru?tokens=1e9", "tokens=1e9 is no parameter"),
        ("demo:rifle-ru?tokens=5", "tokens is 5"),
        ("demo:rifle-ru?tokens=-5", "tokens=-5 is no parameter"),
    ],
)
def test_unknown_names_and_parameters_are_named(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        demo_corpus(spec)


@pytest.mark.parametrize(("name", "shortest"), [("rifle-ru", 8), ("rifle-en", 11)])
def test_distances_without_a_filler_are_refused(name: str, shortest: int) -> None:
    assert len(planted_items(name, shortest, 3)) == 3
    with pytest.raises(UsageError, match=f"distance is {shortest - 1}"):
        planted_items(name, shortest - 1, 3)

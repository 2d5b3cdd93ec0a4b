"""`chekhov.markovify` beside the package whose place it takes."""

from __future__ import annotations

import contextlib
import json
import random
import re
from collections import Counter
from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chekhov import markovify
from chekhov.errors import ChekhovError
from chekhov.markovify import NoSentenceError, ParamError, reading

TEXT = """Ружьё висело на стене. Ружьё выстрелило в последнем акте! Никто не стрелял на стене? Доктор говорил тихо.
Доктор висело выстрелило в последнем письме. Никто не говорил в последнем акте. В первом акте висело ружьё. «Да», сказал
он. Он не стрелял в первом акте и говорил тихо. Он висело на стене и молчал. The doctor said "no" and left. It's a gun.
"""
Model = dict[tuple[str, ...], dict[str, float]]


def walks_of(model: Model, words: list[str], size: int) -> bool:
    """Could the model have written these words?"""
    items = ["___BEGIN__"] * size + words + ["___END__"]
    return all(items[i + size] in model.get(tuple(items[i : i + size]), {}) for i in range(len(words) + 1))


def opened(compiled: dict[tuple[str, ...], list[Any]]) -> Model:
    """[words, counts added up] as {word: count}: the order of the words is no part of the promise."""
    return {
        state: {word: b - a for word, a, b in zip(words, [0, *sums], sums, strict=False)}
        for state, (words, sums) in compiled.items()
    }


def is_new(text: Any, words: list[str], ratio: float, total: int) -> bool:
    """markovify's rule over words: its own looks for letters, so that a span may end inside a word."""
    allowed = min(total, round(ratio * len(words)))
    size = min(allowed + 1, len(words))
    source = [word for sentence in text.parsed_sentences for word in sentence]
    known = {tuple(source[i : i + size]) for i in range(len(source) - size + 1)}
    return not any(tuple(words[i : i + size]) in known for i in range(len(words) - size + 1))


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_model_is_markovify_s(size: int) -> None:
    oracle = pytest.importorskip("markovify", reason="markovify is not installed")
    ours = markovify.Text(TEXT, state_size=size)
    theirs = oracle.Text(None, state_size=size, parsed_sentences=ours.parsed_sentences)
    assert ours.chain.model == theirs.chain.model
    assert ours.rejoined_text == theirs.rejoined_text
    assert opened(ours.compile().chain.model) == opened(theirs.compile().chain.model) == ours.chain.model
    assert json.loads(ours.to_json())["parsed_sentences"] == theirs.parsed_sentences
    back, forth = markovify.Text.from_json(theirs.to_json()), oracle.Text.from_json(ours.to_json())
    assert back.chain.model == forth.chain.model == theirs.chain.model
    assert back.parsed_sentences == forth.parsed_sentences == theirs.parsed_sentences
    assert markovify.Chain.from_json(theirs.chain.to_json()).model == theirs.chain.model
    compiled = markovify.Chain.from_json(theirs.compile().chain.to_json())
    assert compiled.compiled
    assert opened(compiled.model) == theirs.chain.model
    own = ours.find_init_states_from_chain(("на",))
    assert sorted(own) == sorted(theirs.find_init_states_from_chain(("на",)))


def test_the_same_sentences_are_rejected() -> None:
    oracle = pytest.importorskip("markovify", reason="markovify is not installed")
    sentences = [
        "",
        " ",
        "Просто так.",
        'Сказал: "да".',
        "Сказал: «да».",
        "(в скобках)",
        "it's",
        "the dogs' day",
        "’tis",
        "a “b” c",
    ]
    for flags in ({}, {"well_formed": False}, {"reject_reg": "[0-9]"}):
        ours, theirs = (module.Text("Он пришёл. Она ушла.", **flags) for module in (markovify, oracle))
        assert [ours.test_sentence_input(s) for s in sentences] == [theirs.test_sentence_input(s) for s in sentences]


@pytest.mark.parametrize(
    "flags", [{}, {"max_overlap_ratio": 0.5}, {"max_overlap_total": 3}, {"min_words": 4, "max_words": 6}]
)
def test_sentences_keep_their_limits(flags: dict[str, Any]) -> None:
    text = markovify.Text(TEXT * 2, state_size=1, strict=True)
    random.seed(3)
    made = [text.make_sentence(tries=30, **flags) for _ in range(200)]
    assert sum(sentence is not None for sentence in made) > 20
    for sentence in filter(None, made):
        words = sentence.split()
        assert walks_of(text.chain.model, words, 1)
        assert is_new(text, words, flags.get("max_overlap_ratio", 0.7), flags.get("max_overlap_total", 15))
        assert flags.get("min_words", 0) <= len(words) <= flags.get("max_words", 99)
    random.seed(3)
    assert [text.make_sentence(tries=30, **flags) for _ in range(200)] == made
    short = text.make_short_sentence(40, min_chars=10, tries=100)
    assert short is not None
    assert 10 <= len(short) <= 40
    assert text.make_sentence(max_words=1) is None


def test_what_markovify_cannot_make_is_made_with_fewer_words_of_context() -> None:
    few = "Ружьё висело на стене. Доктор молчал на веранде дома. Никто не стрелял на улице."
    text = markovify.Text(few, state_size=3)
    assert markovify.Text(few, state_size=3, strict=True).make_sentence() is None
    sentence = text.make_sentence()
    assert sentence is not None
    assert text.notes
    assert re.match("of [12] words of context: of .* tries", text.notes[0])
    assert is_new(text, sentence.split(), 0.7, 15)
    with pytest.raises(NoSentenceError, match=r"E-MARKOV-003 .*too long"):
        text.make_sentence(max_words=1)


def test_beginnings() -> None:
    text = markovify.Text(TEXT, state_size=2)
    for beginning in ("Ружьё", "Ружьё висело", "Доктор"):
        assert str(text.make_sentence_with_start(beginning, test_output=False)).startswith(beginning)
        assert text.notes == []
    inside = text.make_sentence_with_start("стене", strict=False, test_output=False)
    assert str(inside).startswith("стене") or "стене" in str(inside)
    assert str(text.make_sentence_with_start("последнем", test_output=False)).startswith("последнем")
    assert "goes on from inside" in text.notes[0]
    with pytest.raises(ParamError, match="1 to 2 words"):
        text.make_sentence_with_start("один два три")
    with pytest.raises(NoSentenceError, match=r"perhaps .*Ружьё"):
        text.make_sentence_with_start("Ружье")
    strict = markovify.Text(TEXT, state_size=2, strict=True)
    with pytest.raises(KeyError):
        strict.make_sentence_with_start("последнем")
    with pytest.raises(ParamError):
        strict.make_sentence_with_start("слон", strict=False)
    assert str(text.make_sentence(("Ружьё", "висело"), test_output=False)).startswith("Ружьё висело")
    assert str(text.make_sentence(("___BEGIN__", "Доктор"), test_output=False)).startswith("Доктор")


def test_combined() -> None:
    oracle = pytest.importorskip("markovify", reason="markovify is not installed")
    parts = [TEXT.split("\n")[i] for i in (0, 1, 2)]
    ours = [markovify.Text(part, state_size=1) for part in parts]
    theirs = [oracle.Text(None, state_size=1, parsed_sentences=text.parsed_sentences) for text in ours]
    for weights in (None, [1, 2.5, 0.5]):
        own, other = markovify.combine(ours, weights), oracle.combine(theirs, weights)
        assert own.chain.model == other.chain.model
        assert own.parsed_sentences == other.parsed_sentences
    chains = [text.chain for text in ours]
    assert (
        markovify.combine(chains).model
        == markovify.combine([c.model for c in chains])
        == oracle.combine([c.model for c in chains])
    )
    for wrong in (
        [ours[0], chains[0]],
        [ours[0], markovify.Text(TEXT, state_size=2)],
        [ours[0].compile(), ours[1].compile()],
        [3],
    ):
        with pytest.raises(ValueError, match=r"different|compiled|is no Text"):
            markovify.combine(wrong)
    with pytest.raises(ValueError, match="weights"):
        markovify.combine(ours, [1])


class Tagged(markovify.Text):
    """As markovify's README has it: words with their part of speech."""

    def word_split(self, sentence: str) -> list[str]:
        return [f"{word}::{len(word)}" for word in sentence.split()]

    def word_join(self, words: Any) -> str:
        return " ".join(word.split("::")[0] for word in words)


def test_methods_can_be_overridden() -> None:
    text = Tagged(TEXT, state_size=1, strict=True)
    assert text.parsed_sentences[0][0] == "Ружьё::5"
    made = [sentence for _ in range(50) if (sentence := text.make_sentence(tries=20))]
    assert made
    assert all("::" not in sentence and sentence not in text.rejoined_text for sentence in made)

    class Shouted(markovify.NewlineText):
        def test_sentence_output(self, words: Any, max_overlap_ratio: float, max_overlap_total: int) -> bool:
            return len(words) % 2 == 0

        def test_sentence_input(self, sentence: str) -> bool:
            return "Доктор" in sentence

    lines = Shouted(TEXT, state_size=1)
    assert len(lines.parsed_sentences) == 2
    assert len(str(lines.make_sentence(tries=200)).split()) % 2 == 0
    assert not hasattr(markovify.Text(TEXT, retain_original=False), "parsed_sentences")
    assert markovify.Text(TEXT, retain_original=False).make_sentence()


def test_chains_of_anything() -> None:
    runs = [[1, 2, 3], [1, 2, 4], [2, 2], []]
    chain = markovify.Chain(runs, 1)
    assert chain.model[(1,)] == {2: 2}
    assert chain.model["___BEGIN__",] == {1: 2, 2: 1, "___END__": 1}
    random.seed(0)
    drawn = Counter(chain.move((2,)) for _ in range(4000))
    weights = chain.model[(2,)]
    assert set(drawn) == set(weights)
    total = sum(weights.values())
    assert sum((drawn[w] - 4000 * n / total) ** 2 / (4000 * n / total) for w, n in weights.items()) < 16  # 3 d. f.
    for walk in (chain.walk() for _ in range(50)):
        assert walks_of(chain.model, walk, 1)  # type: ignore[arg-type]
    assert chain.walk((3,)) == []
    with pytest.raises(KeyError):
        chain.walk((5,))


@pytest.mark.parametrize(
    "data",
    [
        "", "{", "[]", "{}", "3", "[[]]", "[" * 100_000, '[[["a"], {"b": -1}]]', '[[["a"], {"b": 0}]]', '[[["a"], {}]]',
        '[[["a"], {"b": "c"}]]', '[[["a"], {"b": 1}], [["a", "b"], {"c": 1}]]', '[[[1], {"b": 1}]]',
        '[[["a"], {"b": 1}]]',
        '[[["a"], {"b": 1e300}]]', '[[["___BEGIN__"], [["a"], [1, 2]]]]', '[[["___BEGIN__"], [["a", "b"], [2, 1]]]]',
        '[[["___BEGIN__"], {"a": true}]]', '[[[], {"a": 1}]]',
    ],
)  # fmt: skip
def test_hostile_json(data: str) -> None:
    with pytest.raises(ValueError, match="E-MARKOV-005"):
        markovify.Chain.from_json(data)
    with pytest.raises(ValueError, match="E-MARKOV-005"):
        markovify.Text.from_json(json.dumps({"state_size": 1, "chain": data, "parsed_sentences": None}))
    with pytest.raises(ValueError, match="E-MARKOV-005"):
        markovify.Text.from_json(data)


@given(
    st.lists(st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=5), min_size=1, max_size=8),
    st.integers(1, 3),
)
@settings(deadline=None)  # the first example compiles
def test_json_is_written_by_kernels_as_by_json_dumps(sentences: list[list[str]], size: int) -> None:
    text = markovify.Text(None, state_size=size, parsed_sentences=sentences)
    written, chain = text.to_json(), text.chain.to_json()
    assert chain == json.dumps(list(text.chain.model.items()))
    assert written == json.dumps(text.to_dict())


def test_what_is_no_plain_count_is_written_too() -> None:
    numbers = markovify.Text(None, state_size=1, parsed_sentences=[[1, 2], [1, 3]])
    assert json.loads(numbers.to_json())["parsed_sentences"] == [[1, 2], [1, 3]]
    halves = markovify.Chain(None, 1, {("___BEGIN__",): {"да": 0.5}, ("да",): {"___END__": 1}})
    assert json.loads(halves.to_json())[0] == [["___BEGIN__"], {"да": 0.5}]
    forgetful = markovify.Text("Да. Нет.", retain_original=False)
    assert forgetful.to_json() == json.dumps(forgetful.to_dict())


def test_json_is_read_by_kernels_as_by_the_general_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    text = markovify.Text(TEXT + 'Кавычка \\ и "слова" \u2028 тут.', state_size=2, well_formed=False)
    data, chain = text.to_json(), text.chain.to_json()
    general = markovify.Text.from_json(data)
    monkeypatch.setattr(reading, "LARGE", 0)
    monkeypatch.setattr(reading, "ROOM", 16)
    assert reading.read_chain(reading.bytes_of(chain), "___BEGIN__", "___END__") is not None
    inside = reading.bytes_of(json.dumps(chain)[1:-1])
    assert reading.read_chain(inside, "___BEGIN__", "___END__", level=1) is not None
    assert reading.read_sentences(reading.bytes_of(json.dumps(text.parsed_sentences)), 0, text.chain.words) is not None
    assert reading.read_text(reading.bytes_of(data), "___BEGIN__", "___END__") is not None
    assert reading.read_text(
        reading.bytes_of(markovify.Text(TEXT, retain_original=False).to_json()), "___BEGIN__", "___END__"
    )
    spaced = json.dumps(json.loads(chain), indent=1, ensure_ascii=False)
    for own in (
        markovify.Text.from_json(data).chain,
        markovify.Chain.from_json(chain),
        markovify.Chain.from_json(spaced),
    ):
        assert own.model == general.chain.model == text.chain.model
        random.seed(2)
        walks = [own.walk() for _ in range(20)]
        assert all(walks_of(text.chain.model, walk, 2) for walk in walks)
    assert markovify.Text.from_json(data).parsed_sentences == text.parsed_sentences
    assert markovify.Text.from_json(data).make_sentence(test_output=False)
    rng, pieces = random.Random(1), [b"", *(bytes([byte]) for byte in b'"[]{},:9\\\xff')]
    for i in range(600):  # cut, changed and doubled bytes: an error with a code, or a model
        broken = bytearray((chain if i % 2 else data).encode())
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(len(broken))
            broken[at : at + rng.randrange(3)] = rng.choice(pieces)
        read = markovify.Chain.from_json if i % 2 else markovify.Text.from_json
        with contextlib.suppress(markovify.chain.FormatError):
            found = read(broken.decode("utf-8", "replace"))
            list(islice(getattr(found, "chain", found).gen(), 50))


def test_texts_without_sentences() -> None:
    for text in ("", " \n", "“Да”", "(нет)"):
        with pytest.raises(ChekhovError, match=r"E-MARKOV-00[16]"):
            markovify.Text(text)
    with pytest.raises(ParamError):
        markovify.Text(None)
    assert markovify.Text("Одно предложение").make_sentence(test_output=False) == "Одно предложение"
    with pytest.raises(NoSentenceError):
        markovify.Text("Одно предложение").make_sentence()

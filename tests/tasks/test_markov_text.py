"""Sentences within bounds, drawn by frequency, not copied; and what is said where that cannot be."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chekhov
from chekhov.errors import GenerationError, ModelError, TextError, UsageError
from chekhov.ngram import sentence_kernels as kernels
from chekhov.ngram.sentence_chain import BEFORE, END, SpanIndex, chain_of_rows, count_sentences
from chekhov.tasks.markov_text import MarkovText, markov_text_of, number_runs, number_sentences
from chekhov.text.prose import is_wrapped, prose_sentences

TEXT = """Ружьё висело на стене. Ружьё выстрелило в последнем акте! Никто не стрелял на стене? Доктор говорил тихо.
Доктор висело выстрелило в последнем письме. Никто не говорил в последнем акте. В первом акте висело ружьё.
Он не стрелял в первом акте и говорил тихо. Он висело на стене и молчал. А. П. Чехов жил на даче и молчал.
"""
RUNS = st.lists(st.lists(st.integers(0, 4), max_size=7), min_size=1, max_size=12)


@settings(deadline=None)
@given(RUNS, st.integers(1, 5))
def test_the_chain_is_the_dictionary_of_counts(runs: list[list[int]], order: int) -> None:
    sentences = number_runs(runs)
    chain = count_sentences(sentences.ids, sentences.ends, order)
    expected: dict[tuple[int, ...], Counter[int]] = {}
    ids = {word: id for id, word in enumerate(sentences.words)}
    for run in runs:
        items = [BEFORE] * order + [ids[word] for word in run] + [END]
        for i in range(len(run) + 1):
            expected.setdefault(tuple(items[i : i + order]), Counter())[items[i + order]] += 1
    weights = chain.weights().tolist()
    found: dict[tuple[int, ...], Counter[int]] = {}
    for i, state in enumerate(chain.states.tolist()):
        entries = range(chain.offsets[i], chain.offsets[i + 1])
        found[tuple(state)] = Counter({int(chain.follows[e]): int(weights[e]) for e in entries})
        for e in entries:
            follow, after = int(chain.follows[e]), int(chain.nexts[e])
            assert (after == END) if follow == END else chain.states[after].tolist() == [*state[1:], follow]
    assert found == expected
    assert chain.states[chain.begin].tolist() == [BEFORE] * order
    rows = np.repeat(chain.states, np.diff(chain.offsets), axis=0)
    again = chain_of_rows(rows[::-1], chain.follows[::-1], chain.weights()[::-1].astype(np.float64))
    for name in ("states", "offsets", "follows", "nexts", "cumulative"):
        np.testing.assert_array_equal(getattr(again, name), getattr(chain, name))
    assert again.begin == chain.begin


def test_followers_are_drawn_by_frequency() -> None:
    text = MarkovText(["и а б", "и а в", "и а в", "и г"], order=1, weights=[1, 2, 3, 4])
    chain = text.chain()
    state = chain.places[text._ids["а"],]
    drawn = np.empty(30_000, np.int32)
    kernels.draw_followers(chain.offsets, chain.follows, chain.cumulative, state, np.uint64(5), drawn)
    counts = Counter(text.sentences.words[id] for id in drawn.tolist())
    expected = {"б": 5_000, "в": 25_000}
    assert set(counts) == set(expected)
    assert sum((counts[word] - n) ** 2 / n for word, n in expected.items()) < 10.8  # 1 degree of freedom, p = 0.001
    first = Counter(sentence.words[1] for sentence in text.make(4_000, seed=1, check_overlap=False))
    assert sum((first[word] - n) ** 2 / n for word, n in {"а": 2_400, "г": 1_600}.items()) < 10.8


@settings(deadline=None)
@given(st.lists(st.integers(0, 2), min_size=3, max_size=60), st.lists(st.integers(0, 2), min_size=1, max_size=12))
def test_what_is_copied_is_found(source: list[int], words: list[int]) -> None:
    index = SpanIndex.of(np.array(source, np.int32))
    row = np.array(words, np.int32)
    spans = {tuple(source[i:j]) for i in range(len(source)) for j in range(i + 1, len(source) + 1)}
    for length in range(3, len(words) + 1):
        held = any(tuple(words[i : i + length]) in spans for i in range(len(words) - length + 1))
        assert kernels.is_copied(row, len(row), length, 1, index.arrays) == held
    longest = max(
        (j - i for i in range(len(words)) for j in range(i, len(words) + 1) if tuple(words[i:j]) in spans), default=0
    )
    start, length = kernels.longest_copied(row, len(row), index.arrays)
    assert length == (longest if longest >= 3 else 0)
    assert not length or tuple(words[start : start + length]) in spans


def test_bounds_are_kept_and_sentences_are_the_same_alone() -> None:
    text = MarkovText(TEXT, order=1)
    made = text.make(60, seed=4, min_words=3, max_words=6, min_characters=12, max_characters=40)
    for sentence in made:
        assert 3 <= len(sentence.words) <= 6
        assert 12 <= len(sentence.text) <= 40
        assert len(sentence.copied.split()) <= max(1, round(0.7 * len(sentence.words)))
    assert text.make(5, seed=4, min_words=3, max_words=6, min_characters=12, max_characters=40) == made[:5]
    assert len({sentence.text for sentence in made}) > 5
    assert all(s.text.startswith("Никто не") for s in text.make(5, start="Никто не", seed=2, check_overlap=False))


def test_the_order_gives_way_and_says_so() -> None:
    text = MarkovText(TEXT, order=6)
    [sentence] = text.make(seed=1)
    assert sentence.order < 6
    assert "stand in the text" in sentence.notes[0]
    with pytest.raises(GenerationError, match=r"E-MARKOV-003 .*of 100 tries 100 stand in the text"):
        text.make(seed=1, relax=False)
    with pytest.raises(GenerationError, match=r"too long"):
        text.make(seed=1, max_characters=3)
    [inside] = MarkovText(TEXT, order=3).make(start="последнем", seed=1, check_overlap=False)
    assert inside.text.startswith("последнем")
    assert "goes on from inside one" in inside.notes[0]


def test_bad_input() -> None:
    text = MarkovText(TEXT)
    with pytest.raises(UsageError, match=r"E-MARKOV-004 .*'Ружье'.*perhaps .*Ружьё"):
        text.make(start="Ружье")
    for flags in ({"num": 0}, {"max_overlap": 2.0}, {"min_words": 5, "max_words": 4}, {"seed": -1}, {"tries": 0}):
        with pytest.raises(UsageError, match="E-RANGE-001"):
            text.make(**flags)  # type: ignore[arg-type]
    for wrong in ("", " \n\n", []):
        with pytest.raises(TextError, match="E-MARKOV-001"):
            MarkovText(wrong)
    with pytest.raises(UsageError, match="E-MARKOV-002"):
        MarkovText([TEXT, TEXT], weights=[1])
    with pytest.raises(UsageError, match="E-RANGE-001"):
        MarkovText(TEXT, order=0)
    assert MarkovText("Одно предложение").make(check_overlap=False)[0].text == "Одно предложение"


def test_words_of_number_sentences() -> None:
    found = number_sentences(["а  б\u00a0в", "", "б\nа", "  "])
    assert found.listed() == [["а", "б", "в"], ["б", "а"]]
    assert found.words == ["а", "б", "в"]


def test_wrapped_lines_are_one_paragraph() -> None:
    wrapped = (
        "Это было давно, и никто уже\nне помнит, как именно всё\nслучилось. Потом пришёл\nдоктор.\n\nОн молчал.\n" * 3
    )
    assert is_wrapped(wrapped)
    assert list(prose_sentences(wrapped))[:3] == [
        "Это было давно, и никто уже не помнит, как именно всё случилось.", "Потом пришёл доктор.", "Он молчал."
    ]  # fmt: skip
    lines = "— Кто там? — спросил он.\n— Никто.\nОн ушёл\nГлава вторая\n"
    assert not is_wrapped(lines)
    assert list(prose_sentences(lines)) == ["— Кто там? — спросил он.", "— Никто.", "Он ушёл", "Глава вторая"]
    assert list(prose_sentences("Приехал А. П. Чехов. «Где ты?» Он молчал.")) == [
        "Приехал А. П. Чехов.", "«Где ты?»", "Он молчал."
    ]  # fmt: skip


@pytest.mark.parametrize("size", [1, 7, 50])
def test_sentences_are_the_same_in_parts(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    wrapped = "Это было давно, и никто\nне помнит. Потом\nпришёл\nдоктор.\n\n\nОн молчал,\nкак все.\n" * 3
    whole = list(prose_sentences(wrapped)), list(prose_sentences(TEXT))
    monkeypatch.setattr("chekhov.text.prose.PART", size)
    assert (list(prose_sentences(wrapped)), list(prose_sentences(TEXT))) == whole


def test_of_a_chain_folder(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text(TEXT * 2)
    model = chekhov.train("chain", tmp_path / "t.txt", out=tmp_path / "m", order=1)
    assert markov_text_of(model).make(seed=1)[0].text.split()[0] in TEXT
    ngram = chekhov.train("ngram", tmp_path / "t.txt")
    with pytest.raises(UsageError, match="E-MARKOV-007"):
        markov_text_of(ngram)


def test_followers_are_listed_by_frequency() -> None:
    text = MarkovText(["и а б", "и а в", "и а в", "и г"], order=2, weights=[1, 2, 3, 4])
    assert text.followers("и а") == {"в": 5.0, "б": 1.0}
    assert text.followers("а") == {"в": 5.0, "б": 1.0}
    assert text.followers() == {"и": 10.0}
    assert text.followers("а в") == {"": 5.0}
    assert text.followers("б г") == {}
    with pytest.raises(UsageError, match="E-MARKOV-004"):
        text.followers("ы")


@settings(deadline=None)
@given(
    st.lists(st.lists(st.text('аб "\\\u2028', min_size=1, max_size=3), min_size=1, max_size=5), min_size=1, max_size=6),
    st.integers(1, 3),
    st.booleans(),
)
def test_json_brings_the_same_text_back(runs: list[list[str]], order: int, weighted: bool) -> None:
    sentences = number_runs(runs)
    if weighted:
        sentences = replace(sentences, weights=np.arange(1.0, len(runs) + 1))
    text = MarkovText.from_sentences(sentences, order)
    again = MarkovText.from_json(text.to_json())
    assert again.make(3, check_overlap=False) == text.make(3, check_overlap=False)
    assert again.followers() == text.followers()
    assert again.to_json() == text.to_json()


@pytest.mark.parametrize(
    "data",
    [
        "", "[]", "{}", "[" * 100_000, b"\xff", '{"schema": 1, "order": 1}',
        '{"schema": 2, "order": 1, "sentences": [["a"]]}',
        '{"schema": 1, "order": 0, "sentences": [["a"]]}',
        '{"schema": 1, "order": 1, "sentences": [["a", 1]]}',
        '{"schema": 1, "order": 1, "sentences": [["a"]], "weights": []}',
        '{"schema": 1, "order": 1, "sentences": [["a"]], "weights": [NaN]}',
        '{"schema": 1, "order": 1, "sentences": [["a"]], "weights": [-1]}',
        '{"state_size": 1, "chain": "[]", "parsed_sentences": []}',
    ],
)  # fmt: skip
def test_json_of_something_else(data: str | bytes) -> None:
    with pytest.raises(ModelError, match="E-MARKOV-009"):
        MarkovText.from_json(data)

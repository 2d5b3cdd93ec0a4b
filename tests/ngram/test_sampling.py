"""Sentences drawn from the table: by the very distribution of its rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import chekhov
from chekhov.errors import UsageError
from chekhov.ngram import sampling
from chekhov.ngram.model import NGram, NGramState, train_ngram
from chekhov.ngram.smoothing import SMOOTHINGS
from chekhov.tasks.sentences import draw_sentences
from chekhov.types import BOS, EOS, UNK, Ids

DRAWN = 20_000


@pytest.fixture
def ids() -> Ids:
    """Sentences of a Markov chain, so that contexts differ."""
    random = np.random.default_rng(3)
    rows = random.dirichlet(np.full(12, 0.4), 13)
    words, last = [], 0
    while len(words) < 6_000:
        last = int(random.choice(12, p=rows[last]))
        words.append(EOS if last == 0 else last + 2)
    return np.array([*words, EOS], np.int64)


def chi_square(drawn: Ids, p: np.ndarray) -> tuple[float, int]:
    """The statistic and the cells; what is expected less than five times is one."""
    seen, expected = np.bincount(drawn, minlength=len(p)), p * len(drawn)
    assert not seen[p == 0].any()
    few = expected < 5
    seen, expected = np.append(seen[~few], seen[few].sum()), np.append(expected[~few], expected[few].sum() + 1e-9)
    return float(((seen - expected) ** 2 / expected).sum()), len(seen)


def check(model: NGram, ids: Ids, allow_unk: bool = False) -> None:
    state = model.initial_state(1)
    for place in range(20):
        p = np.exp(model.log_probs(state)[0].astype(np.float64))
        p[BOS] = 0
        p[UNK] *= allow_unk
        drawn, ends = model.sentences.draw(DRAWN, seed=place, node=int(state.node[0]), max_words=1, allow_unk=allow_unk)
        assert len(drawn) == len(ends) == DRAWN
        statistic, cells = chi_square(drawn, p / p.sum())
        assert statistic < cells + 5 * np.sqrt(2 * cells) + 5
        state = model.advance(state, ids[place : place + 1])


@pytest.mark.parametrize("smoothing", [name for name in SMOOTHINGS if name != "stupid-backoff"])
@pytest.mark.parametrize("many", [2, 24])
def test_each_word_has_its_share(ids: Ids, smoothing: str, many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "MANY", many)
    valid = ids[:500] if smoothing == "jelinek-mercer" else None
    check(train_ngram(ids, order=4, vocab_size=16, smoothing=smoothing, valid_ids=valid), ids)


@pytest.mark.parametrize(("order", "prune"), [(1, "0"), (2, "0,2"), (6, "0,1,3")])
def test_orders_pruning_and_unknown_words(ids: Ids, order: int, prune: str) -> None:
    check(train_ngram(ids, order=order, vocab_size=16, prune=prune), ids, allow_unk=True)


def test_a_sentence_is_the_same_alone_or_among_others(ids: Ids, monkeypatch: pytest.MonkeyPatch) -> None:
    model = train_ngram(ids, order=4, vocab_size=16)
    words, ends = model.sentences.draw(400, seed=5)
    assert (words[ends - 1] == EOS).all()
    assert np.count_nonzero(words == EOS) == 400
    monkeypatch.setattr(sampling, "ROOM", 1)
    monkeypatch.setattr(sampling, "LANES", 3)
    again, _ = model.sentences.draw(400, seed=5, threads=3)
    np.testing.assert_array_equal(words, again)
    [alone, _] = model.sentences.draw(1, seed=5, first=7)
    np.testing.assert_array_equal(alone, words[ends[6] : ends[7]])
    _, ends = model.sentences.draw(300, seed=5, max_words=2)
    assert np.diff(ends, prepend=0).max() == 2
    other, _ = model.sentences.draw(400, seed=6)
    assert len(other) != len(words) or (other != words).any()


def test_the_score_of_drawn_text_is_the_entropy_of_its_rows(ids: Ids) -> None:
    """On what a model draws itself, -log p is the entropy of its rows on average: all of a sentence is by the model."""
    model = train_ngram(ids, order=3, vocab_size=16)
    words, _ = model.sentences.draw(3_000, seed=1, allow_unk=True)
    log_probs = model.score(model.initial_state(1), words[None].astype(np.int64))[0][0].astype(np.float64)
    state, entropies = model.initial_state(1), []
    nodes = np.empty(len(words), np.int64)
    for t, word in enumerate(words.tolist()):
        nodes[t] = state.node[0]
        state = model.advance(state, np.array([word]))
    rows = {int(node): model.log_probs(NGramState(np.array([node])))[0].astype(np.float64) for node in np.unique(nodes)}
    entropies = [-np.sum(np.exp(rows[n][np.isfinite(rows[n])]) * rows[n][np.isfinite(rows[n])]) for n in nodes.tolist()]
    difference = -log_probs - np.array(entropies)
    assert abs(difference.mean()) < 4 * difference.std() / np.sqrt(len(words))


def test_of_a_model_folder(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("ружьё висело на стене .\nружьё молчало .\nникто не пел на стене .\n" * 9)
    model = chekhov.train("ngram", tmp_path / "t.txt", tokens="whitespace", order=3, split="none")
    drawn = list(draw_sentences(model, 25, seed=2))
    assert {sentence.text.split()[0] for sentence in drawn} <= {"ружьё", "никто", "висело", "молчало", "на", "не"} | {
        "пел", "стене", "."
    }  # fmt: skip
    assert all(sentence.finish_reason == "end" and sentence.tokens == sentence.text.split() for sentence in drawn)
    assert all(s.text.startswith("никто не") for s in draw_sentences(model, 5, start="никто не"))
    assert [s.finish_reason for s in draw_sentences(model, 2, max_words=1)] == ["length"] * 2
    backoff = chekhov.train("ngram", tmp_path / "t.txt", smoothing="stupid-backoff", split="none")
    with pytest.raises(UsageError, match="E-SAMPLE-001"):
        list(draw_sentences(backoff, 1))
    with pytest.raises(UsageError, match="E-MARKOV-007"):
        list(draw_sentences(chekhov.train("chain", tmp_path / "t.txt"), 1))
    for wrong in ({"num": 0}, {"max_words": 0}, {"seed": -1}, {"threads": 0}):
        with pytest.raises(UsageError, match="E-RANGE-001"):
            model.model.sentences.draw(**{"num": 1, **wrong})

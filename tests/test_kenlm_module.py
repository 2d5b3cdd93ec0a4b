"""`chekhov.kenlm` says what the Python module ``kenlm`` says, number by number."""

from __future__ import annotations

import copy
import math
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import chekhov
from chekhov import kenlm
from chekhov.tasks.arpa import import_arpa

GOLDEN = Path(__file__).parent / "golden"


def sentences(count: int) -> list[str]:
    rng = random.Random(0)
    lines = (GOLDEN / "rifle.txt").read_text("utf-8").splitlines()
    words = [*sorted({word for line in lines for word in line.split()}), "чудо", "<unk>", "</s>"]
    mixed = [" ".join(rng.choice(words) for _ in range(rng.randrange(12))) for _ in range(count // 2)]
    return mixed + rng.choices(lines, k=count // 2) + ["", "  a\t b\n"]


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["rifle", "short"])
def test_every_number_is_kenlm_s(name: str) -> None:
    oracle = pytest.importorskip("kenlm", reason="kenlm is not installed")
    ours, theirs = kenlm.Model(str(GOLDEN / f"{name}.arpa")), oracle.Model(str(GOLDEN / f"{name}.arpa"))
    assert ours.order == theirs.order
    for sentence in sentences(300):
        for bos in (True, False):
            for eos in (True, False):
                assert ours.score(sentence, bos, eos) == pytest.approx(theirs.score(sentence, bos, eos), abs=1e-5)
                both = zip(ours.full_scores(sentence, bos, eos), theirs.full_scores(sentence, bos, eos), strict=True)
                for own, other in both:
                    assert own[0] == pytest.approx(other[0], abs=1e-5)
                    assert own[1:] == other[1:]
        assert ours.perplexity(sentence) == pytest.approx(theirs.perplexity(sentence), rel=1e-5)
        for word in sentence.split():
            assert (word in ours) == (word in theirs)


@pytest.mark.oracle
def test_states_go_as_kenlm_s_go() -> None:
    oracle = pytest.importorskip("kenlm", reason="kenlm is not installed")
    ours, theirs = kenlm.Model(str(GOLDEN / "rifle.arpa")), oracle.Model(str(GOLDEN / "rifle.arpa"))
    seen: dict[kenlm.State, object] = {}
    for sentence in sentences(200):
        state, other = kenlm.State(), oracle.State()
        ours.BeginSentenceWrite(state)
        theirs.BeginSentenceWrite(other)
        for word in sentence.split():
            after, other_after = kenlm.State(), oracle.State()
            found, expected = ours.BaseFullScore(state, word, after), theirs.BaseFullScore(other, word, other_after)
            assert found.log_prob == pytest.approx(expected.log_prob, abs=1e-5)
            assert (found.ngram_length, found.oov) == (expected.ngram_length, expected.oov)
            assert ours.BaseScore(state, word, kenlm.State()) == found.log_prob
            state, other = after, other_after
            assert seen.setdefault(copy.copy(state), other) == other  # equal states are equal there


def one_by_one(model: kenlm.Model, sentence: str) -> list[tuple[float, int, bool]]:
    """`full_scores`, by states."""
    state, after, found = kenlm.State(), kenlm.State(), []
    model.BeginSentenceWrite(state)
    for word in [*sentence.split(), "</s>"]:
        own = model.BaseFullScore(state, word, after)
        found.append((own.log_prob, own.ngram_length, own.oov))
        state, after = after, state
    return found


def test_sentences_of_any_length_are_scored_as_word_by_word() -> None:
    model = kenlm.Model(str(GOLDEN / "rifle.arpa"))
    for sentence in [" ".join(sentences(40)[-30:]), *sentences(100)]:  # some of them longer than there is room at first
        text = " ".join([sentence] * 20)
        found = list(model.full_scores(text))
        assert found == [pytest.approx(own, abs=1e-6) for own in one_by_one(model, text)]
        assert model.score(text) == pytest.approx(sum(log10_p for log10_p, _, _ in found), rel=1e-4)


def test_a_text_that_is_too_long_for_the_room_that_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kenlm, "FEW_WORDS", 4)
    monkeypatch.setattr(kenlm, "KEPT_WORDS", 8)
    model = kenlm.Model(str(GOLDEN / "rifle.arpa"))
    for sentence in sentences(100):
        assert list(model.full_scores(sentence)) == [
            pytest.approx(own, abs=1e-6) for own in one_by_one(model, sentence)
        ]
    assert model._thread.scratch.bytes <= 2 * 8


def test_what_was_found_stays_when_more_is_asked_for() -> None:
    model = kenlm.Model(str(GOLDEN / "rifle.arpa"))
    one, other = sentences(40)[-4:-2]
    expected = list(model.full_scores(one))
    found = model.full_scores(one)
    assert next(found) == expected[0]
    assert list(model.full_scores(other)) != expected
    assert list(found) == expected[1:]


def test_threads_do_not_write_over_each_other() -> None:
    model, texts = kenlm.Model(str(GOLDEN / "rifle.arpa")), sentences(400)
    expected = [(model.score(text), list(model.full_scores(text))) for text in texts]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda text: (model.score(text), list(model.full_scores(text))), texts)) == expected


def test_a_model_folder_is_a_model_too(tmp_path: Path) -> None:
    import_arpa(GOLDEN / "rifle.arpa").save(tmp_path / "m")
    model, loaded = kenlm.Model(str(tmp_path / "m")), chekhov.load(tmp_path / "m")
    for sentence in sentences(50):
        if "</s>" not in sentence and sentence.strip():
            total = loaded.score(" ".join(sentence.split())).total_log_prob / math.log(10)
            assert model.score(sentence) == pytest.approx(total, abs=1e-4)


def test_states_can_be_compared_copied_and_kept_in_sets() -> None:
    model = kenlm.Model(str(GOLDEN / "rifle.arpa"))
    start, empty = kenlm.State(), kenlm.State()
    model.BeginSentenceWrite(start)
    model.NullContextWrite(empty)
    assert start != empty
    assert copy.deepcopy(start) == copy.copy(start) == start
    assert len({start, empty, copy.copy(start)}) == 2
    assert max(start, empty) >= min(start, empty)


def test_what_cannot_be_read_is_an_oserror_as_there(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"Cannot read model.*no such file"):
        kenlm.Model(str(tmp_path / "missing.arpa"))
    (tmp_path / "bad.arpa").write_text("\\data\\\n")
    with pytest.raises(OSError, match="E-ARPA-009"):
        kenlm.Model(str(tmp_path / "bad.arpa"))
    with pytest.raises(TypeError):
        kenlm.Model(str(GOLDEN / "short.arpa")).score(5)  # type: ignore[arg-type]

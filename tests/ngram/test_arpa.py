"""ARPA files: an exact round trip, what other tools write, and whatever else calls itself ARPA."""

from __future__ import annotations

import gzip
import math
import re
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chekhov
from chekhov.errors import ChekhovError, ModelError
from chekhov.ngram.arpa import read_arpa, write_arpa
from chekhov.ngram.model import NGram, train_ngram
from chekhov.tasks.arpa import import_arpa
from chekhov.types import EOS

GOLDEN = Path(__file__).parent.parent / "golden"
SMALL = """\\data\\
ngram 1=4
ngram 2=3

\\1-grams:
-1.5\t<unk>
0\t<s>\t-0.25
-0.5\t</s>
-0.75\tмир\t-0.125

\\2-grams:
-0.3\t<s> мир
-0.2\tмир </s>
-0.9\tмир мир

\\end\\
"""


def arpa(tmp_path: Path, text: str | bytes, name: str = "m.arpa") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_a_small_file_scores_as_it_says(tmp_path: Path) -> None:
    model = import_arpa(arpa(tmp_path, SMALL))
    found = model.score("мир мир чудо мир")
    expected = [-0.3, -0.9, -0.125 - 1.5, -0.75, -0.2]
    np.testing.assert_allclose(np.array(found.log_probs) / math.log(10), expected, atol=1e-6)
    assert [token["order"] for token in found.as_json()["tokens"]] == [2, 2, 1, 1, 2]


@pytest.mark.parametrize("name", ["rifle", "short"])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_what_was_read_is_written_and_read_again(tmp_path: Path, name: str, suffix: str) -> None:
    words, table = read_arpa(GOLDEN / f"{name}.arpa")
    write_arpa(table, words, tmp_path / f"a.arpa{suffix}")
    again_words, again = read_arpa(tmp_path / f"a.arpa{suffix}")
    assert again_words == words
    for one, two in ((table.nodes, again.nodes), (table.entries, again.entries), (table.starts, again.starts)):
        np.testing.assert_array_equal(one, two)
    write_arpa(again, words, tmp_path / f"b.arpa{suffix}")
    assert (tmp_path / f"a.arpa{suffix}").read_bytes() == (tmp_path / f"b.arpa{suffix}").read_bytes()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 5))
def test_a_trained_model_is_the_same_after_a_round_trip(
    tmp_path_factory: pytest.TempPathFactory, seed: int, order: int
) -> None:
    rng = np.random.default_rng(seed)
    ids = rng.zipf(1.4, size=int(rng.integers(5, 400))) % 20 + 3
    ids[rng.random(len(ids)) < 0.2] = EOS
    ids[-1] = EOS
    model = train_ngram(ids, order=order, vocab_size=23)
    path = tmp_path_factory.mktemp("arpa") / "m.arpa"
    words = ["<unk>", "<s>", "</s>", *(f"{'ж' * i}{i}" for i in range(20))]  # up to 40 bytes
    write_arpa(model.table, words, path)
    read_words, table = read_arpa(path)
    assert read_words == words
    text = rng.choice([0, 2, *range(3, 23)], size=(1, 60))
    scores = [m.score(m.initial_state(1), text)[0] for m in (model, NGram(table))]
    np.testing.assert_array_equal(*scores)


@pytest.mark.parametrize("bad", ["a b", "", " ", "a\n"])
def test_words_that_hold_white_space_are_not_written(tmp_path: Path, bad: str) -> None:
    words, table = read_arpa(GOLDEN / "short.arpa")
    words[4:6] = [bad, "c d"]
    with pytest.raises(ModelError, match=f"E-ARPA-001.*{re.escape(repr(bad))}"):
        write_arpa(table, words, tmp_path / "a.arpa")
    assert not list(tmp_path.iterdir())


def test_every_float_is_read_as_it_was_written(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = -(10 ** rng.uniform(-12, 1.9, size=3000)).astype(np.float32)
    lines = "\n".join(f"{float(value)!r}\tw{i}" for i, value in enumerate(values))
    text = f"\\data\\\nngram 1={len(values) + 2}\n\\1-grams:\n0\t<s>\n-1\t</s>\n{lines}\n\\end\\\n"
    words, table = read_arpa(arpa(tmp_path, text))
    np.testing.assert_array_equal(table.log10_probs[3:], values)
    write_arpa(table, words, tmp_path / "again.arpa")
    np.testing.assert_array_equal(read_arpa(tmp_path / "again.arpa")[1].log10_probs[3:], values)


def test_numbers_have_the_decimals_that_their_size_needs(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    values = (10 ** rng.uniform(-12, 1.9, size=3000)).astype(np.float32)
    values[:9] = 0.5, 0.125, 2.0**-5, 1e-20, 1e-30, 1e-45, 98.99999, 0.1, 0.0625
    backoffs = -rng.permutation(np.tile(values[100:500], 8))[: len(values)]  # few, and often the same
    lines = [f"{-float(v)!r}\tw{i}\t{float(b)!r}" for i, (v, b) in enumerate(zip(values, backoffs, strict=True))]
    unigrams = "\n".join(["0\t<s>\t-0.5", "-1\t</s>", *lines])
    head = f"\\data\\\nngram 1={len(values) + 2}\nngram 2=1\n"
    text = f"{head}\\1-grams:\n{unigrams}\n\\2-grams:\n-1\t<s> w0\n\\end\\\n"
    words, table = read_arpa(arpa(tmp_path, text))
    write_arpa(table, words, tmp_path / "again.arpa")
    written = [line.split("\t") for line in (tmp_path / "again.arpa").read_text().splitlines() if "\tw" in line]
    assert [fields[0] for fields in written] == [spelt(value) for value in values]
    assert [fields[2] for fields in written] == [spelt(-backoff) for backoff in backoffs]


def spelt(size: np.float32) -> str:
    """-size with the fewest decimals whose unit is no larger than what float32s of this size lie apart (at most 25)."""
    apart = Decimal(2) ** (max(math.frexp(float(size))[1] - 1, -160) - 23)
    decimals = next((d for d in range(7, 25) if Decimal(10) ** -d <= apart), 25)
    rounded = Decimal(float(size)).quantize(Decimal(10) ** -decimals, rounding=ROUND_HALF_UP)
    return f"-{rounded:f}".rstrip("0").rstrip(".")


def test_what_srilm_and_irstlm_write(tmp_path: Path) -> None:
    """Blank lines and talk before the data, blanks for tabs, \\r\\n, -99 for <s>, no <unk>, back-offs where used."""
    text = "a comment\n\n" + SMALL.replace("-1.5\t<unk>\n", "").replace("1=4", "1=3").replace("0\t<s>", "-99 <s>")
    model = import_arpa(arpa(tmp_path, text.replace("\n", "\r\n")))
    np.testing.assert_allclose(np.array(model.score("мир").log_probs) / math.log(10), [-0.3, -0.2], atol=1e-6)
    assert model.score("чудо").log_probs[0] == pytest.approx((-0.25 - 100) * math.log(10))


def test_a_suffix_that_is_not_listed(tmp_path: Path) -> None:
    """Entropy pruning leaves such files: the back-off of what is not there is 1."""
    text = SMALL.replace("ngram 2=3", "ngram 2=2\nngram 3=1").replace("-0.9\tмир мир\n", "")
    text = text.replace("\\end", "\\3-grams:\n-0.1\t<s> мир мир\n\n\\end")
    found = import_arpa(arpa(tmp_path, text)).score("мир мир мир")
    expected = [-0.3, -0.1, -0.125 - 0.75, -0.2]
    np.testing.assert_allclose(np.array(found.log_probs) / math.log(10), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("old", "new", "code", "place"),
    [
        ("ngram 1=4", "ngram 1=5", "E-ARPA-006", "line 10"),
        ("ngram 1=4", "ngram 1=3", "E-ARPA-006", "line 8"),
        ("ngram 2=3", "ngram 2=2", "E-ARPA-006", "line 13"),
        ("ngram 2=3", "ngram 2=99999999", "E-ARPA-010", "line 3"),
        ("ngram 2=3", "ngram 2=999999999999999", "E-ARPA-009", "line 3"),
        ("ngram 2=3", "ngram 3=3", "E-ARPA-009", "line 3"),
        ("ngram 1=4", "ngram 1=0", "E-ARPA-009", "line 3"),
        ("\\data\\", "data", "E-ARPA-008", "line 16"),
        ("\\2-grams:", "\\3-grams:", "E-ARPA-005", "line 11"),
        ("\\end\\\n", "", "E-ARPA-007", "line 15"),
        ("-0.2\t", "nan\t", "E-ARPA-011", "line 13 column 1"),
        ("-0.2\t", "-1_0\t", "E-ARPA-011", "line 13 column 1"),
        ("-0.2\t", "-１\t", "E-ARPA-011", "line 13 column 1"),
        ("-0.2\t", "-inf\t", "E-ARPA-011", "line 13 column 1"),
        ("-0.125", "-1e", "E-ARPA-011", "line 9 column 14"),
        ("-0.125", "1e99", "E-ARPA-011", "line 9 column 14"),
        ("-0.125", "0.5 0.5", "E-ARPA-014", "line 9 column 18"),
        ("-0.2\t", "0.2\t", "E-ARPA-012", "line 13"),
        ("мир </s>", "мор </s>", "E-ARPA-013", "'мор' is no 1-gram"),
        ("-0.5\t</s>", "-0.5\tмир", "E-ARPA-013", "'мир' stands twice"),
        ("мир </s>", "мир", "E-ARPA-014", "line 13"),
        ("мир </s>", "мир </s>\t-1", "E-ARPA-014", "line 13"),
        ("мир </s>", "мир мир", "E-ARPA-016", "line 14"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, old: str, new: str, code: str, place: str) -> None:
    with pytest.raises(ModelError, match=code) as caught:
        read_arpa(arpa(tmp_path, SMALL.replace(old, new, 1)))
    assert place in str(caught.value)


def test_a_file_without_sentence_ends(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"E-ARPA-003.* no </s>"):
        read_arpa(arpa(tmp_path, SMALL.replace("</s>", "</t>")))


def test_a_missing_context_and_other_formats(tmp_path: Path) -> None:
    text = SMALL.replace("ngram 2=3", "ngram 2=3\nngram 3=1")
    with pytest.raises(ModelError, match=r"E-ARPA-015.* line 18"):
        read_arpa(arpa(tmp_path, text.replace("\\end", "\\3-grams:\n-0.1\t<s> </s> мир\n\n\\end")))
    with pytest.raises(ModelError, match=r"E-ARPA-002.* line 9"):
        read_arpa(arpa(tmp_path, SMALL.encode().replace("мир".encode(), b"\xff\xfe")))
    for head in (b"mmap lm http://kheafield.com/code format version 5\n\0", b"iARPA\n", gzip.compress(SMALL.encode())):
        with pytest.raises(ModelError, match=r"E-ARPA-004"):
            read_arpa(arpa(tmp_path, head))


def test_every_truncation_is_noticed(tmp_path: Path) -> None:
    whole = SMALL.encode()
    for size in range(len(whole) - 2):
        with pytest.raises(ChekhovError):
            read_arpa(arpa(tmp_path, whole[:size]))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_is_in_the_file_there_is_a_table_or_a_message(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Pieces of the grammar in any order: no other exception, no crash."""
    pieces = re.findall(r"\\\S+|ngram \d=\d|[-\d.]+|\t|\n|\S+| ", SMALL)
    extra = ["-inf", "nan", "1e5", "-1e-400", "99", "\0", "\r", "\x85", "ngram 1=40000000", "\\", "<s>"]
    text = list(pieces)
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(text) - 1))
        change = data.draw(st.sampled_from(["put", "drop", "swap"]))
        if change == "put":
            text.insert(place, data.draw(st.sampled_from(pieces + extra)))
        elif change == "drop" and len(text) > 1:
            del text[place]
        else:
            text[place] = data.draw(st.sampled_from(pieces + extra))
    path = arpa(tmp_path_factory.mktemp("fuzz"), "".join(text))
    try:
        words, table = read_arpa(path)
    except ChekhovError as error:
        assert str(path) in str(error)
        return
    NGram.from_arrays(NGram(table).sizes(), NGram(table).arrays())  # every number is in its range
    assert len(words) == table.vocab_size


def test_tokens_with_blanks_cannot_be_written(tmp_path: Path) -> None:
    model = chekhov.train("ngram", arpa(tmp_path, "а б в\n" * 30, "t.txt"), tokens="characters", order=2)
    with pytest.raises(ModelError, match=r"E-ARPA-001.*white space"):
        chekhov.tasks.arpa.export_arpa(model, tmp_path / "c.arpa")
    assert not (tmp_path / "c.arpa").exists()

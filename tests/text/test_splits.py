"""Splits: disjoint parts that are together the whole text, by a rule that every machine follows alike."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekhov.errors import UsageError
from chekhov.text.reading import Document, read_documents
from chekhov.text.splits import Split, split_documents

LINES = "".join(f"Строка номер {i:4}, и в ней что-то сказано.\n" for i in range(9_300))  # 43 characters each


def spans(split: Split, documents: list[Document]) -> list[list[tuple[str, int, int]]]:
    """Each part as (document, start, end), read from the names and checked against the texts."""
    texts = {document.name: document.text for document in documents}
    parts = []
    for part in (split.train, split.valid, split.test):
        found = []
        for piece in part:
            match = re.fullmatch(r"(.*)\[(\d+):(\d+)\]", piece.name, re.S)
            name, start, end = (match[1], int(match[2]), int(match[3])) if match else (piece.name, 0, len(piece.text))
            assert piece.text == texts[name][start:end]
            found.append((name, start, end))
        parts.append(found)
    return parts


def check_partition(split: Split, documents: list[Document]) -> None:
    """Every character of every document is in exactly one part, and the pieces of a part are in the text's order."""
    parts = spans(split, documents)
    order = {document.name: index for index, document in enumerate(documents)}
    for part in parts:
        assert part == sorted(part, key=lambda span: (order[span[0]], span[1]))
    for document in documents:
        position = 0
        for _, start, end in sorted(span for part in parts for span in part if span[0] == document.name):
            assert start == position and (end > start or not document.text)
            position = end
        assert position == len(document.text)


def sizes(split: Split) -> list[int]:
    return [sum(len(document.text) for document in part) for part in (split.train, split.valid, split.test)]


# One document: blocks


def test_blocks_of_4000_characters_cut_at_line_ends():
    document = Document("a.txt", LINES)
    split = split_documents([document])
    check_partition(split, [document])
    assert split.description == "blocks of 4,000 characters, 90/5/5"
    for piece in split.train + split.valid + split.test:
        assert piece.text.endswith("\n")
    assert all(len(piece.text) == 4_042 for piece in split.valid + split.test)
    valid, test = spans(split, [document])[1:]
    assert [end for _, _, end in valid] == [start for _, start, _ in test]  # a test block follows its validation block


def test_adjacent_training_blocks_stay_one_document():
    document = Document("a.txt", LINES)
    train = spans(split_documents([document]), [document])[0]
    assert [end - start for _, start, end in train] == [9 * 4_042] + 4 * [18 * 4_042] + [399_900 - 91 * 4_042]


def test_the_seed_does_not_move_blocks():
    document = Document("a.txt", LINES)
    assert split_documents([document], seed=0) == split_documents([document], seed=7)


@pytest.mark.parametrize("length", [60, 500, 3_000, 20_000, 59_000])
def test_a_short_text_is_cut_into_twentieths(length):
    document = Document("a.txt", LINES[:length])
    split = split_documents([document])
    check_partition(split, [document])
    assert split.valid and split.test
    if length >= 3_000:
        assert all(share / length < 0.12 for share in sizes(split)[1:])


@pytest.mark.parametrize(
    "text",
    [
        "первая строка\nвторая строка\nтретья строка",
        "\n\nпервая строка\n\n\n\n\nвторая строка\n \nтретья строка\n\n",
        "x" * 30_000 + "\nкоротко\nкоротко\n",
        "коротко\nкоротко\n" + "x" * 30_000,
        "коротко\n" + "слово " * 10_000 + "\nкоротко",
        "слово " * 10_000,
        "одна строка из многих слов, и больше ничего",
        "две строки\n" + "слово " * 500,
        "слово\u00a0" * 500,
    ],
)
def test_three_lines_or_many_words_are_enough_for_three_parts(text):
    document = Document("a.txt", text)
    split = split_documents([document])
    check_partition(split, [document])
    assert all(any(piece.text.strip() for piece in part) for part in (split.train, split.valid, split.test))


def test_a_long_text_without_line_ends_is_cut_after_blanks():
    document = Document("a.txt", "слово " * 50_000)
    split = split_documents([document])
    check_partition(split, [document])
    assert all(piece.text.endswith(" ") and piece.text.startswith("слово") for piece in split.valid + split.train)
    assert all(4_000 <= len(piece.text) <= 4_006 for piece in split.valid + split.test)


@pytest.mark.parametrize(
    "text", ["мама", "мама мыла раму", "а\nб\nв", "x" * 100_000, "x" * 100_000 + " y", " " * 10_000, ""]
)
def test_a_text_too_short_to_split_trains_whole_and_says_so(text):
    document = Document("a.txt", text)
    split = split_documents([document])
    assert (split.train, split.valid, split.test) == ([document], [], [])
    assert "too short" in split.description


@given(
    st.lists(st.text(alphabet="аб \n\t.\u00a0", max_size=120), min_size=1, max_size=5),
    st.sampled_from(["auto", "none", "contiguous:0.9", "contiguous:0.5", "contiguous:0.7,0.1", ".8,.2"]),
    st.integers(),
)
def test_parts_are_disjoint_and_together_everything(texts, spec, seed):
    documents = [Document(f"{index}.txt", text) for index, text in enumerate(texts)]
    spec = f"contiguous:{spec}" if spec.startswith(".") else spec
    split = split_documents(documents, spec, seed=seed)
    check_partition(split, documents)
    assert split == split_documents(documents, spec, seed=seed)
    assert split.train


@given(st.lists(st.integers(0, 300), min_size=1, max_size=400), st.integers(1, 2_000))
def test_blocks_of_any_shape_of_lines(lengths, width):
    document = Document("a.txt", "\n".join(("слово " * width)[:length] for length in lengths))
    split = split_documents([document])
    check_partition(split, [document])
    if sum(length > 0 for length in lengths) >= 3 and len(document.text) >= 20:
        assert split.valid and split.test


# Several documents: by hash


def many(count: int) -> list[Document]:
    return [Document(f"{i}.txt", f"Рассказ номер {i}.\n") for i in range(count)]


def test_documents_by_hash_are_90_5_5_and_never_cut():
    documents = many(4_000)
    split = split_documents(documents)
    check_partition(split, documents)
    counts = [len(split.train), len(split.valid), len(split.test)]
    # Binomial: standard deviations are 19 and 14 documents; five of them are allowed.
    assert abs(counts[0] - 3_600) < 95 and abs(counts[1] - 200) < 70 and abs(counts[2] - 200) < 70
    assert split.description == f"4000 documents by hash (seed 0), {counts[0]}/{counts[1]}/{counts[2]}"
    assert all("[" not in document.name for document in split.train + split.valid + split.test)


def test_the_hash_is_the_same_on_every_machine():
    """Golden, from coreutils: first 16 digits of ``printf 'SEED\\nTEXT' | b2sum -l 128``, from 0.9 and 0.95 of 2^64 on.

    A change of this rule would leak test text of old models into the training of new ones.
    """
    split = split_documents(many(200), seed=3)
    valid, test = ([int(document.name[:-4]) for document in part] for part in (split.valid, split.test))
    assert valid == [2, 59, 62, 74, 93, 124, 142, 189]
    assert test == [33, 43, 60, 67, 114, 132, 150, 163, 171, 195]


def test_the_part_depends_on_seed_and_content_alone():
    documents = many(300)
    split, other = split_documents(documents), split_documents(documents, seed=1)
    assert split.test != other.test
    renamed = [Document(f"new-{document.name}", document.text) for document in reversed(documents)]
    again = split_documents(renamed)
    assert {document.text for document in again.test} == {document.text for document in split.test}
    more = split_documents([*documents, Document("new.txt", "Новый рассказ.")])  # growing a corpus moves nothing
    assert {document.text for document in split.test} <= {document.text for document in more.test}


def test_copies_never_stand_on_both_sides():
    documents = [Document(f"{copy}/{document.name}", document.text) for copy in range(3) for document in many(100)]
    split = split_documents(documents)
    parts = [{document.text for document in part} for part in (split.train, split.valid, split.test)]
    assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
    assert len(split.valid) == 3 * len(parts[1])


@pytest.mark.parametrize("count", [3, 4, 10])
@pytest.mark.parametrize("seed", range(20))
def test_three_documents_leave_no_part_empty(count, seed):
    documents = many(count)
    split = split_documents(documents, seed=seed)
    check_partition(split, documents)
    assert split.train and split.valid and split.test
    assert len(split.train) >= len(split.valid) and len(split.train) >= len(split.test)


def test_moving_is_said():
    assert any(
        "moved so that no part is empty and training is the largest" in split_documents(many(3), seed=seed).description
        for seed in range(9)
    )
    assert "moved" not in split_documents(many(1000)).description


def test_two_documents_are_cut_into_blocks_each():
    documents = [Document("a.txt", LINES), Document("b.txt", LINES[:30_000])]
    split = split_documents(documents)
    check_partition(split, documents)
    assert {name for name, _, _ in spans(split, documents)[2]} == {"a.txt", "b.txt"}
    assert split.description.startswith("blocks of 4,000 characters in each of 2 documents, ")


# contiguous and none


def test_contiguous_is_nanogpts_split():
    """``n = len(data); train_data = data[:int(n * 0.9)]; val_data = data[int(n * 0.9):]``."""
    for length in (10, 1_115, 99_999):
        text = LINES[:length]
        split = split_documents([Document("a.txt", text)], "contiguous:0.9")
        assert split.train[0].text == text[: int(length * 0.9)]
        assert split.valid[0].text == text[int(length * 0.9) :]
        assert split.test == []
    assert split.description == "contiguous, the first 0.9 of the characters for training, 90/10/0"


def test_contiguous_in_three():
    text = "0123456789"
    split = split_documents([Document("a", text)], "contiguous:0.7,0.1")  # 0.7 + 0.1 is 0.7999999999999999
    assert [part[0].text for part in (split.train, split.valid, split.test)] == ["0123456", "7", "89"]
    assert split_documents([Document("a", text)], "contiguous:0.8,0.2").test == []


def test_contiguous_joins_documents_in_order():
    documents = [Document("a", "01234"), Document("b", "56"), Document("c", "789")]
    split = split_documents(documents, "contiguous:0.6,0.2")
    assert split.train == [Document("a", "01234"), Document("b[0:1]", "5")]
    assert split.valid == [Document("b[1:2]", "6"), Document("c[0:1]", "7")]
    assert split.test == [Document("c[1:3]", "89")]


def test_none_trains_on_everything():
    documents = many(5)
    split = split_documents(documents, "none")
    assert (split.train, split.valid, split.test) == (documents, [], [])


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "Auto",
        "random",
        "contiguous",
        "contiguous:",
        "contiguous:1",
        "contiguous:0",
        "contiguous:0.0",
        "contiguous:1.5",
        "contiguous:-0.9",
        "contiguous:nan",
        "contiguous:0.9,0.2",
        "contiguous:0.9,0",
        "contiguous:0.9,.0",
        "contiguous:0.8,0.1,0.1",
        "contiguous:9e-1",
        "contiguous:0.९",
        "contiguous:0.9\n",
        "none ",
    ],
)
def test_unknown_specs_are_usage_errors(spec):
    with pytest.raises(UsageError) as error:
        split_documents(many(3), spec)
    assert error.value.code == "E-SPLIT-002" and "contiguous:0.9" in error.value.mend


def test_no_documents_is_a_usage_error():
    with pytest.raises(UsageError, match="E-SPLIT-001"):
        split_documents([])


@pytest.mark.data
def test_chekhovs_volume_is_split_90_5_5():
    folder = os.environ.get("CHEKHOV_DATA")
    if not folder:
        pytest.skip("CHEKHOV_DATA is not set")
    documents = read_documents([Path(folder) / "chekhov8.txt"])
    split = split_documents(documents)
    check_partition(split, documents)
    assert split.description == "blocks of 4,000 characters, 90/5/5"

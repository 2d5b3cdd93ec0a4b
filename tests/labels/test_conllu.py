"""CoNLL-U: every line kept, every fault told with its line and column."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekhov.errors import TextError
from chekhov.labels.columns import read_columns, write_columns
from chekhov.labels.conllu import read_conllu, write_conllu

GOOD = """# sent_id = 1
# text = Вы это видели
1-2\tВыэто\t_\t_\t_\t_\t_\t_\t_\t_
1\tВы\tвы\tPRON\t_\tCase=Nom\t3\tnsubj\t_\t_
2\tэто\tэто\tPRON\t_\t_\t3\tobj\t_\t_
2.1\tже\t_\t_\t_\t_\t_\t_\t_\t_
3\tвидели\tвидеть\tVERB\t_\t_\t0\troot\t_\tSpaceAfter=No

1\tДа\tда\tPART\t_\t_\t0\troot\t_\t_

"""


def row(id_: str, columns: int = 10) -> str:
    return "\t".join([id_, *["_"] * (columns - 1)])


def test_a_file_comes_back_as_it_was() -> None:
    found = read_conllu(GOOD)
    assert write_conllu(found) == GOOD
    assert [sentence.words for sentence in found] == [["Вы", "это", "видели"], ["Да"]]
    assert found[0].column("UPOS") == ["PRON", "PRON", "VERB"]


def test_another_column_leaves_ranges_and_empty_nodes_alone() -> None:
    found = read_conllu(GOOD)[0].with_column("UPOS", ["A", "B", "C"])
    assert found.column("UPOS") == ["A", "B", "C"]
    assert [r[3] for r in found.rows] == ["_", "A", "B", "_", "C"]


def test_the_last_blank_line_may_be_missing() -> None:
    assert write_conllu(read_conllu(GOOD.rstrip("\n"))) == GOOD


@pytest.mark.parametrize(
    ("lines", "code", "place"),
    [
        ([row("1", 9)], "E-CONLLU-001", "f:1:18"),
        ([row("1"), row("2", 11)], "E-CONLLU-001", "f:2:20"),
        ([row("1").replace("\t_", "\t", 1)], "E-CONLLU-002", "f:1:3"),
        (["# only a comment"], "E-CONLLU-002", "f:1:1"),
        ([row("x")], "E-CONLLU-003", "f:1:1"),
        ([row("0")], "E-CONLLU-003", "f:1:1"),
        ([row("01")], "E-CONLLU-003", "f:1:1"),
        ([row("١")], "E-CONLLU-003", "f:1:1"),
        ([row("1"), row("2"), row("3-2"), row("3")], "E-CONLLU-004", "f:3:1"),
        ([row("2")], "E-CONLLU-005", "f:1:1"),
        ([row("1"), row("1")], "E-CONLLU-005", "f:2:1"),
        ([row("1-2"), row("1"), row("2-3"), row("2"), row("3")], "E-CONLLU-005", "f:3:1"),
        ([row("1-3"), row("1"), row("2")], "E-CONLLU-005", "f:3:1"),
        ([row("1"), row("5.1")], "E-CONLLU-005", "f:2:1"),
        ([row("1"), row("1.2")], "E-CONLLU-005", "f:2:1"),
        ([row("1"), "# late", row("2")], "E-CONLLU-006", "f:2:1"),
    ],
)
def test_a_fault_is_told_with_its_place(lines: list[str], code: str, place: str) -> None:
    text = "\n".join(lines) + "\n\n" + GOOD
    with pytest.raises(TextError) as caught:
        read_conllu(text, name="f")
    assert (caught.value.code, caught.value.where) == (code, place)
    skipped: list[TextError] = []
    assert write_conllu(read_conllu(text, name="f", skipped=skipped.append)) == GOOD
    assert [error.code for error in skipped] == [code]


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (read_conllu, read_columns):
        try:
            read(text)
        except TextError as error:
            assert error.where and error.mend


cell = st.text(st.characters(exclude_categories=("Cc", "Cs", "Z")), min_size=1, max_size=5)


@given(st.lists(st.lists(st.tuples(cell, cell), min_size=1, max_size=5), max_size=4))
def test_columns_come_back(sentences: list[list[tuple[str, str]]]) -> None:
    pairs = [([w for w, _ in s], [t for _, t in s]) for s in sentences]
    assert read_columns(write_columns(pairs)) == pairs


def test_every_cut_of_a_file_is_read_or_refused() -> None:
    for end in range(len(GOOD)):
        try:
            read_conllu(GOOD[:end])
        except TextError as error:
            assert error.code.startswith("E-CONLLU")


@pytest.mark.parametrize(("line", "code"), [("a", "001"), ("a\tb\tc", "001"), ("\tb", "002"), ("a\t", "002")])
def test_faults_of_columns(line: str, code: str) -> None:
    with pytest.raises(TextError) as caught:
        read_columns("дом\tO\n" + line + "\n", name="f")
    assert caught.value.code == f"E-COLUMNS-{code}"
    assert caught.value.where.startswith("f:2:")


@pytest.mark.data
def test_real_treebanks_come_back(data_folder: Path) -> None:
    for path in sorted(data_folder.glob("pos/*/dev.conllu")):
        text = path.read_text("utf-8")
        assert write_conllu(read_conllu(text)) == text
    assert os.environ["CHEKHOV_DATA"]

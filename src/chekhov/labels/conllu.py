"""CoNLL-U (universaldependencies.org/format.html) to sentences and back, every line kept.

A file is read in whole sentences. What a line must be: ten columns between tabs, none empty; an id that is a word (1,
2, ... in order), a range (3-4, before its first word) or an empty node (5.1, after word 5). Heads are not looked at:
a tagger has no use for them, and they are written back as they stood.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from chekhov.errors import TextError

COLUMNS = ("ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC")
_ID = re.compile(r"([1-9][0-9]{0,8})(?:-([1-9][0-9]{0,8}))?|([0-9]{1,9})\.([1-9][0-9]{0,8})", re.ASCII)
SENTENCE_MEND = "mend the line, or leave out such sentences with --skip-bad"


@dataclass
class Sentence:
    """One sentence: its comment lines, and its rows of columns, ranges and empty nodes among them."""

    rows: list[list[str]]
    comments: list[str] = field(default_factory=list)

    @property
    def words(self) -> list[str]:
        return [row[1] for row in self.rows if row[0].isdecimal()]

    def column(self, name: str) -> list[str]:
        """The column of this name (UPOS, ...), of the words only."""
        place = COLUMNS.index(name)
        return [row[place] for row in self.rows if row[0].isdecimal()]

    def with_column(self, name: str, values: Sequence[str]) -> Sentence:
        """The sentence with another column of its words; ranges and empty nodes stay as they are."""
        place, given = COLUMNS.index(name), iter(values)
        rows = [[*r[:place], next(given), *r[place + 1 :]] if r[0].isdecimal() else r for r in self.rows]
        return Sentence(rows, self.comments)


def read_conllu(text: str, *, name: str = "", skipped: Callable[[TextError], None] | None = None) -> list[Sentence]:
    """The sentences of a text, whose line ends are LF.

    ``skipped`` gets the error of each malformed sentence, which then is left out. Without it the first one is raised:
    TextError E-CONLLU-001 to 006, whose place is ``name:line:column`` (both from 1, the column in characters).
    """
    sentences = []
    for start, lines in blocks(text):
        try:
            sentence = _sentence(lines, start, name)
        except TextError as error:
            if skipped is None:
                raise
            skipped(error)
        else:
            sentences.append(sentence)
    return sentences


def write_conllu(sentences: Iterable[Sentence]) -> str:
    """The text of sentences: what `read_conllu` reads back as the same."""
    parts = []
    for sentence in sentences:
        parts += [*sentence.comments, *("\t".join(row) for row in sentence.rows), ""]
    return "".join(part + "\n" for part in parts)


def blocks(text: str) -> Iterator[tuple[int, list[str]]]:
    """Runs of lines between blank ones, with the number of each one's first line (from 1)."""
    block: list[str] = []
    number = 0
    for number, line in enumerate(text.split("\n"), start=1):
        if line and not line.isspace():
            block.append(line)
        elif block:
            yield number - len(block), block
            block = []
    if block:
        yield number - len(block) + 1, block


def _sentence(lines: list[str], start: int, name: str) -> Sentence:
    comments: list[str] = []
    rows: list[list[str]] = []
    last, node, range_end = 0, 0, 0
    for number, line in enumerate(lines, start=start):
        if line.startswith("#"):
            if rows:
                raise TextError(
                    "E-CONLLU-006", "a comment stands between the words of a sentence", **_at(name, number, 1)
                )
            comments.append(line)
            continue
        row = line.split("\t")
        _check_columns(row, line, name, number)
        found = _ID.fullmatch(row[0])
        if found is None:
            what = f"the id {row[0]!r} is neither a word (3), a range (3-4) nor an empty node (3.1)"
            raise TextError("E-CONLLU-003", what, **_at(name, number, 1))
        word, end, before, part = (int(group) if group else 0 for group in found.groups())
        if end:
            if end <= word:
                raise TextError("E-CONLLU-004", f"the range {row[0]} ends before it begins", **_at(name, number, 1))
            if word != last + 1 or word <= range_end:
                raise TextError(
                    "E-CONLLU-005", f"the range {row[0]} does not stand before its first word", **_at(name, number, 1)
                )
            range_end = end
        elif part:
            if before != last or part != node + 1:
                raise TextError(
                    "E-CONLLU-005", f"the empty node {row[0]} stands after word {last}", **_at(name, number, 1)
                )
            node = part
        else:
            if word != last + 1:
                raise TextError(
                    "E-CONLLU-005", f"the id is {word} where {last + 1} was to come", **_at(name, number, 1)
                )
            last, node = word, 0
        rows.append(row)
    if not last:
        raise TextError("E-CONLLU-002", "the sentence has no words", **_at(name, start, 1))
    if range_end > last:
        raise TextError(
            "E-CONLLU-005",
            f"a range ends at {range_end}, the sentence at {last}",
            **_at(name, start + len(lines) - 1, 1),
        )
    return Sentence(rows, comments)


def _check_columns(row: list[str], line: str, name: str, number: int) -> None:
    if len(row) != len(COLUMNS):
        place = len(line) + 1 if len(row) < len(COLUMNS) else len("\t".join(row[: len(COLUMNS)])) + 1
        what = f"{len(row)} columns where CoNLL-U has {len(COLUMNS)}"
        raise TextError("E-CONLLU-001", what, **_at(name, number, place))
    if "" in row:
        place = row.index("")
        what = f"the column {COLUMNS[place]} is empty"
        raise TextError("E-CONLLU-002", what, **_at(name, number, sum(map(len, row[:place])) + place + 1))


def _at(name: str, line: int, column: int) -> dict[str, str]:
    return {"where": f"{name or 'text'}:{line}:{column}", "mend": SENTENCE_MEND}

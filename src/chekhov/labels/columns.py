"""``token<TAB>tag``, one token a line and a blank line after each sentence: what CoNLL shared tasks have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from chekhov.errors import TextError
from chekhov.labels.conllu import SENTENCE_MEND, blocks

Tagged = tuple[list[str], list[str]]  # words and tags of a sentence, equally many


def read_columns(text: str, *, name: str = "", skipped: Callable[[TextError], None] | None = None) -> list[Tagged]:
    """Words and tags: the first column and the last of as many as most lines have.

    ``skipped`` gets the error of each malformed sentence, which is left out; else TextError E-COLUMNS-001 or 002 with
    ``name:line:column``.
    """
    sentences: list[Tagged] = []
    counts = Counter(line.count("\t") + 1 for _, lines in blocks(text) for line in lines)
    width = max((n for n in counts if n > 1), key=counts.__getitem__, default=2)
    for start, lines in blocks(text):
        try:
            rows = [line.split("\t") for line in lines]
            for number, (line, row) in enumerate(zip(lines, rows), start=start):
                if len(row) != width:
                    what = f"{len(row)} columns where {width} were to come, between tabs"
                    where = f"{name or 'text'}:{number}:{len(line) + 1}"
                    raise TextError("E-COLUMNS-001", what, where=where, mend=SENTENCE_MEND)
                if not row[0].strip() or not row[-1].strip():
                    where = f"{name or 'text'}:{number}:{1 if not row[0].strip() else len(line) + 1}"
                    raise TextError("E-COLUMNS-002", "a token or its tag is empty", where=where, mend=SENTENCE_MEND)
        except TextError as error:
            if skipped is None:
                raise
            skipped(error)
        else:
            sentences.append(([row[0] for row in rows], [row[-1].strip() for row in rows]))
    return sentences


def write_columns(sentences: Iterable[tuple[Sequence[str], Sequence[str]]]) -> str:
    return "".join("".join(f"{word}\t{tag}\n" for word, tag in zip(words, tags)) + "\n" for words, tags in sentences)

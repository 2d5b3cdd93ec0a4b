"""Texts with labels: ``label<TAB>text``, JSON lines, or a folder for each label."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from chekhov.errors import TextError
from chekhov.labels.conllu import SENTENCE_MEND

Labelled = tuple[list[str], list[str]]  # texts, labels


class _Row(msgspec.Struct):
    text: str
    label: str | int | float | list[str]


def read_tsv(text: str, *, name: str = "", skipped: Callable[[TextError], None] | None = None) -> Labelled:
    """``label<TAB>text`` a line; a text may hold tabs. TextError E-ROWS-001 (no tab), 002 (no label)."""

    def parse(line: str, where: str) -> tuple[str, str]:
        label, tab, own = line.partition("\t")
        if not tab:
            raise TextError("E-ROWS-001", "there is no tab between label and text", where=where, mend=SENTENCE_MEND)
        if not label.strip():
            raise TextError("E-ROWS-002", "the label is empty", where=where, mend=SENTENCE_MEND)
        return own, label.strip()

    return _lines(text, parse, name, skipped)


def read_jsonl(text: str, *, name: str = "", skipped: Callable[[TextError], None] | None = None) -> Labelled:
    """``{"text": ..., "label": ...}`` a line, the label a string, a number or a list of strings. E-ROWS-003."""

    def parse(line: str, where: str) -> tuple[str, str]:
        try:
            row = msgspec.json.decode(line, type=_Row)
        except msgspec.MsgspecError as error:
            what, why = "the line is not an object with text and label", str(error)
            raise TextError("E-ROWS-003", what, where=where, why=why, mend=SENTENCE_MEND) from error
        return row.text, ",".join(row.label) if isinstance(row.label, list) else str(row.label)

    return _lines(text, parse, name, skipped)


def _lines(
    text: str,
    parse: Callable[[str, str], tuple[str, str]],
    name: str,
    skipped: Callable[[TextError], None] | None,
) -> Labelled:
    texts, labels = [], []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            own, label = parse(line, f"{name or 'text'}:{number}:1")
        except TextError as error:
            if skipped is None:
                raise
            skipped(error)
        else:
            texts.append(own)
            labels.append(label)
    return texts, labels


def label_folders(folder: Path) -> list[tuple[str, Path]]:
    """Label and path of each .txt file in the sub-folders, in the order of names: ``folder/LABEL/FILE.txt``."""
    return [(path.parent.name, path) for path in sorted(folder.glob("*/*.txt"))]

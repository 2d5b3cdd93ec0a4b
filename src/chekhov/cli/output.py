"""Data on stdout, talk on stderr."""

from __future__ import annotations

import json
import shlex
import sys
from typing import Any

from chekhov.errors import UsageError, printable


def note(message: str) -> None:
    """One remark for the reader, on stderr."""
    print(f"note: {printable(message)}", file=sys.stderr)


def say(message: str = "") -> None:
    print(message, file=sys.stderr)


def print_json(record: dict[str, Any]) -> None:
    """One object on one line; not-a-number and infinity are null."""
    print(json.dumps(record, ensure_ascii=False, allow_nan=False), flush=True)


def program() -> str:
    """How this command can be called again: by its name where that is on the PATH, else by its path from here."""
    import os
    import shutil

    if shutil.which("chekhov"):
        return "chekhov"
    own = os.path.join(os.path.dirname(sys.executable), "chekhov")  # noqa: PTH118, PTH120 - no pathlib in --help
    shown = min(own, os.path.relpath(own), key=len)
    return shlex.quote(shown) if os.path.exists(own) else "python -m chekhov"  # noqa: PTH110


def command_line() -> str:
    """The command as it was given, for the model card."""
    return shlex.join(["chekhov", *sys.argv[1:]])


def check_out(out: str) -> None:
    """``-o ""`` would be the working folder, which nobody means."""
    if not out.strip():
        raise UsageError("E-TRAIN-009", "the folder -o is empty", mend="name one, e.g. -o my-model")


def read_lines(source: str, encoding: str | None = None) -> list[str]:
    """The lines of a file, of all files of a pattern or a folder, or of stdin (-), decoded as every text is."""
    from chekhov.text.reading import read_documents

    documents = read_documents([source], encoding=encoding, note=note)
    return [line for document in documents for line in document.text.removesuffix("\n").split("\n")]


def number(value: float | None, digits: int = 2) -> str:
    """For tables: thousands separated, infinity as inf."""
    if value is None or value == float("inf"):
        return "inf"
    return f"{value:,.{digits}f}"


def described(figures: dict[str, Any]) -> str:
    """The figures of a tagger or a classifier on one line; of further columns under their names."""
    names = {
        "accuracy": "accuracy",
        "accuracy_unknown": "of unknown words",
        "macro_f1": "macro F1",
        "span_f1": "span F1",
    }
    columns = ["", *(name.removesuffix("accuracy") for name in figures if name.endswith(" accuracy"))]
    parts = []
    for column in columns:
        own = {name: figures[column + name] for name in names if column + name in figures}
        if figures.get(f"{column}unknown_words") == 0:  # of which nothing can be said
            own.pop("accuracy_unknown", None)
        parts.append(column + ", ".join(f"{names[name]} {100 * value:.2f} %" for name, value in own.items()))
    return "; ".join(parts)

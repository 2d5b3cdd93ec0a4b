"""The exception tree. Every error that a user can meet says what, where, why, how to mend it and what was kept.

    ChekhovError            exit code 1
      UsageError            exit code 2   a flag or an argument out of range
      TextError                           a text that cannot be read
      ModelError                          a model folder that cannot be loaded or saved
      TrainingError                       a run that cannot go on
      GenerationError                     text that was asked for and cannot be written

The class of an error is its code (``E-TEXT-003``), stable across versions and listed in docs/errors.md.
"""

from __future__ import annotations

import unicodedata
from typing import Self

COPY_AGAIN = "copy the folder again from its source, or train again"


def printable(text: str) -> str:
    """``text`` with control and bidirectional characters escaped, so that no message can forge another line."""
    return "".join(repr(c)[1:-1] if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} else c for c in text)


class ChekhovError(Exception):
    """One message for people: ``CODE where: what. Why. Mend: ... Kept: ...``; the parts stay apart for ``--json``."""

    exit_code = 1

    def __init__(self, code: str, what: str, *, where: str = "", why: str = "", mend: str = "", kept: str = ""):
        self.code, self.what, self.where = code, printable(what), printable(where)
        self.why, self.mend, self.kept = printable(why), printable(mend), printable(kept)
        message = f"{code} {self.where}: {self.what}." if where else f"{code} {self.what}."
        if why:
            message += f" {self.why}."
        if mend:
            message += f" Mend: {self.mend}."
        if kept:
            message += f" Kept: {self.kept}."
        super().__init__(message)

    def at(self, where: str) -> Self:
        """The same error, of a place that only the caller knows; what it names already stands."""
        place = self.where or where
        return type(self)(self.code, self.what, where=place, why=self.why, mend=self.mend, kept=self.kept)


class UsageError(ChekhovError):
    exit_code = 2


class TextError(ChekhovError):
    pass


class ModelError(ChekhovError):
    pass


class TrainingError(ChekhovError):
    pass


class GenerationError(ChekhovError):
    pass


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Raise `UsageError` unless low <= value <= high (NaN is never in range)."""
    if not low <= value <= high:
        raise UsageError(
            "E-RANGE-001",
            f"{name} is {value}, which is outside {low} to {high}",
            mend=f"choose {name} from {low} to {high}",
        )

"""Rescore n-best lists of a recogniser or translator with a language model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from chekhov.errors import TextError, check_range
from chekhov.tasks.text_model import TextModel, finite

FIELDS = "id, score, text"


@dataclass(frozen=True)
class Candidate:
    """``score`` is the recogniser's, ``log_prob`` the model's (nats), ``total`` = score + weight * log_prob + bonus."""

    id: str
    score: float
    log_prob: float
    total: float
    text: str

    def as_json(self) -> dict[str, Any]:
        return {"schema": 1, **{name: finite(v) if isinstance(v, float) else v for name, v in self.__dict__.items()}}


def rescore(
    model: TextModel, lines: Sequence[str], *, weight: float = 0.5, length_bonus: float = 0.0, where: str = ""
) -> Iterator[list[Candidate]]:
    """The candidates of each id, the best total first; ties keep their order. Lines of one id stand together.

    ``length_bonus`` is added for every token of a text: it takes back the model's preference for short ones.
    Raises `TextError` with the line for fields that are not ``id<TAB>score<TAB>text``.
    """
    check_range("weight", weight, -1e6, 1e6)
    check_range("length_bonus", length_bonus, -1e6, 1e6)
    rows = (parse(line, i, where) for i, line in enumerate(lines, start=1) if line.strip())
    for _, group in groupby(rows, key=lambda row: row[0]):
        candidates = []
        for id, score, text in group:
            found = model.score(text)
            total = score + weight * found.total_log_prob + length_bonus * len(found.tokens)
            candidates.append(Candidate(id, score, found.total_log_prob, total, text))
        yield sorted(candidates, key=lambda candidate: -candidate.total)


def parse(line: str, number: int, where: str) -> tuple[str, float, str]:
    fields = line.split("\t")
    place, mend = f"{where}, line {number}", f"give three fields, {FIELDS}, with a tab between them"
    if len(fields) != 3:
        raise TextError("E-RESCORE-001", f"the line has {len(fields)} fields, not 3", where=place, mend=mend)
    try:
        score = float(fields[1])
    except ValueError as error:
        what = f"the score {fields[1]!r} is no number"
        raise TextError("E-RESCORE-002", what, where=f"{place}, field 2", mend=mend) from error
    if not math.isfinite(score):
        what = f"the score {fields[1]!r} is not finite"
        raise TextError("E-RESCORE-002", what, where=f"{place}, field 2", mend="leave such candidates out")
    return fields[0], score, fields[2]

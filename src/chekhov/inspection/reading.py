"""A text as a model reads it: token by token, each with its number and its place in the text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chekhov.errors import TextError, UsageError
from chekhov.tasks.text_model import TextModel
from chekhov.tokens.vocabulary import RESERVED
from chekhov.types import BOS, EOS, UNK, Ids

NOWHERE = -1


@dataclass(frozen=True)
class ReadText:
    """Row 0 is ``<s>``, which stands before every text; the tokens of the text are numbered from 1.

    offsets (T, 2): the characters ``text[start:end]`` of a token; -1 for ``<s>``, ``</s>`` and what the text does not
    hold as it is spelt.
    """

    text: str
    tokens: list[str]
    ids: Ids  # (T,)
    offsets: NDArray[np.int64]

    @property
    def unknown(self) -> list[str]:
        """The tokens that the model does not know."""
        return [token for token, id in zip(self.tokens, self.ids.tolist(), strict=True) if id == UNK]

    def position(self, wanted: str) -> int:
        """The number of a token: ``7``, from the end ``-1``, or its spelling (then its last place).

        Raises `UsageError` for a place outside the text, or a token that is not there.
        """
        last = len(self.tokens) - 1
        try:
            number = int(wanted)
        except ValueError:
            places = [i for i, token in enumerate(self.tokens) if token == wanted and i > 0]
            if not places:
                what = f"no token of the text is {wanted!r}"
                mend = f"one of its tokens, or a number from 1 to {last:,} (from the end: -1)"
                raise UsageError("E-TRACE-003", what, mend=mend) from None
            return places[-1]
        place = number if number > 0 else last + 1 + number
        if number == 0 or not 1 <= place <= last:
            what = f"the text has {last:,} {'token' if last == 1 else 'tokens'}, and none has the number {number}"
            raise UsageError("E-TRACE-003", what, mend=f"a number from 1 to {last:,} (from the end: -1)")
        return place


def read_text(model: TextModel, text: str, *, ends: bool = True) -> ReadText:
    """``ends``: a whole document, with its last ``</s>``; else the beginning of one.

    Raises `TextError` for a text without tokens.
    """
    ids = model.tokenizer.encode(text) if ends else model.tokenizer.encode_prompt(text)
    tokens = model.tokenizer.segment(text)[: len(ids)]
    if not (ids != EOS).any():
        raise TextError("E-TRACE-002", "the text has no tokens to trace", mend="give a text with words in it")
    places = [(NOWHERE, NOWHERE), *offsets(text, tokens)]
    return ReadText(text, [RESERVED[BOS], *tokens], np.concatenate([[BOS], ids]), np.array(places, np.int64))


def offsets(text: str, tokens: list[str]) -> list[tuple[int, int]]:
    """Where each token stands in the text, by characters, left to right."""
    found, place = [], 0
    lowered = text.lower() if len(text.lower()) == len(text) else text
    for token in tokens:
        start = NOWHERE if token in RESERVED[1:] else text.find(token, place)
        if start < 0 and token not in RESERVED[1:]:
            start = lowered.find(token, place)
        if start < 0 or start - place > 1000:  # what is far away is another one
            found.append((NOWHERE, NOWHERE))
            continue
        place = start + len(token)
        found.append((start, place))
    return found


def token_record(read: ReadText, t: int) -> dict[str, Any]:
    """What every ``--json`` object of a token begins with."""
    start, end = read.offsets[t].tolist()
    oov = bool(read.ids[t] == UNK)
    return {"position": t, "token": read.tokens[t], "id": int(read.ids[t]), "start": start, "end": end, "oov": oov}

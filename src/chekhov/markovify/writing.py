"""markovify's JSON, written by kernels: the same text as `json.dumps` gives."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chekhov.ngram.sentence_chain import SentenceChain
from chekhov.tasks.markov_text import Sentences

Bytes = NDArray[np.uint8]
MARKS = ["[[", ", ", "], {", ": ", "}]", "], ["]
MOST_DIGITS = 20


def write_chain(words: Sequence[Any], core: SentenceChain, begin: str, end: str, level: int = 0) -> str | None:
    """The list of states and followers; None where not all words are strings and all counts whole numbers.

    begin, end: the words that stand for the beginning and the end of a sentence. level: 1 for a string of JSON that
    holds it.
    """
    from chekhov.markovify import writing_kernels as kernels

    weights = core.weights()
    amounts = weights.astype(np.int64)
    if not all(type(word) is str for word in words) or (amounts != weights).any():
        return None
    pieces, starts = spelt([*words, begin, end], level)
    widths = np.diff(starts)
    V, (S, order), E = len(words), core.states.shape, len(core.follows)
    room = int(widths[core.states].sum()) + int(widths[core.follows].sum())  # -1, a mark, for begin and end: too few
    room += S * (order * (widths[V] + 2) + 16) + E * (widths[V + 1] + 4 + MOST_DIGITS)
    out = np.empty(room, np.uint8)
    size = kernels.write_chain(core.states, core.offsets, core.follows, amounts, pieces, starts, out)
    return ('"[{}]"' if level else "[{}]").format(str(out[:size].data, "ascii"))


def write_sentences(sentences: Sentences) -> str | None:
    """The list of lists of words; None where not all words are strings."""
    from chekhov.markovify import writing_kernels as kernels

    words, ids, ends = sentences.words, sentences.ids, sentences.ends
    if not all(type(word) is str for word in words):
        return None
    pieces, starts = spelt([*words, "", ""], 0)
    out = np.empty(int(np.diff(starts)[ids].sum()) + 2 * len(ids) + 4 * len(ends), np.uint8)
    size = kernels.write_sentences(ids, ends, pieces, starts, out)
    return f"[[{str(out[:size].data, 'ascii')}]]" if len(ends) else "[]"


def spelt(words: list[str], level: int) -> tuple[Bytes, NDArray[np.int64]]:
    """The pieces of `writing_kernels`: the words in quotation marks, then the marks."""
    quoted = list(map(json.encoder.encode_basestring_ascii, words))
    if level:
        quoted = [word.replace("\\", "\\\\").replace('"', '\\"') for word in quoted]
    pieces = [*quoted, *MARKS]
    starts = np.concatenate([[0], np.cumsum(np.fromiter(map(len, pieces), np.int64, len(pieces)))])
    return np.frombuffer("".join(pieces).encode("ascii"), np.uint8), starts

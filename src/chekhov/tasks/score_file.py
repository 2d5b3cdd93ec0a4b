"""Every token of a file, however long, under an n-gram model of words between blanks, as arrays."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chekhov.errors import UsageError, check_range
from chekhov.kernels.threads import available, in_threads
from chekhov.ngram.model import NGram
from chekhov.tasks.out_of_core import check_marks
from chekhov.tasks.text_model import TextModel
from chekhov.text.blocks import read_blocks
from chekhov.tokens.whitespace import WhitespaceTokenizer
from chekhov.types import EOS, UNK

PIECE = 1 << 19  # bytes that a thread reads at once


@dataclass(frozen=True)
class FileScores:
    """Of each of N tokens, ``</s>`` at the end of each line among them: its id, log p in nats, the n-gram's order."""

    ids: NDArray[np.int32]
    log_probs: NDArray[np.float32]
    orders: NDArray[np.int8]

    @property
    def line_ends(self) -> NDArray[np.int64]:
        """(lines,): the place behind each line's ``</s>``, as ``np.add.reduceat`` and ``np.split`` want it."""
        return np.flatnonzero(self.ids == EOS) + 1

    @property
    def oov(self) -> int:
        """How many tokens the model does not know."""
        return int(np.count_nonzero(self.ids == UNK))

    @property
    def total_log_prob(self) -> float:
        return float(self.log_probs.sum(dtype=np.float64))

    @property
    def perplexity(self) -> float:
        """Unknown tokens at the probability of <unk>."""
        return _perplexity(self.log_probs)

    @property
    def perplexity_without_oov(self) -> float:
        return _perplexity(self.log_probs[self.ids != UNK])


def score_file(
    model: TextModel, source: str | Path | Sequence[str | Path], *, threads: int | None = None
) -> FileScores:
    """Score the lines of ``source``: files, folders, patterns, .gz, or - for standard input; UTF-8.

    The numbers are those of ``model.score(line)``. threads: by default as many as there are processors.
    Raises `UsageError` for another kind of model, `TextError` for a text that cannot be read or holds a mark.
    """
    scored = list(score_blocks(model, source, threads=threads))
    none = FileScores(np.empty(0, np.int32), np.empty(0, np.float32), np.empty(0, np.int8))
    columns = zip(*((each.ids, each.log_probs, each.orders) for each in [none, *scored]), strict=True)
    return FileScores(*(np.concatenate(column) for column in columns))


def score_blocks(
    model: TextModel, source: str | Path | Sequence[str | Path], *, threads: int | None = None
) -> Iterator[FileScores]:
    """`score_file` piece by piece, whole lines each: for texts larger than memory."""
    ngram, tokenizer = model.model, model.tokenizer
    if (
        not isinstance(ngram, NGram)
        or not isinstance(tokenizer, WhitespaceTokenizer)
        or not tokenizer.options.lines
        or tokenizer.options.lowercase
    ):
        what = f"score_file reads lines of words between blanks; this is a {model.kind} of {tokenizer.name}"
        raise UsageError("E-SCORE-004", what, mend="train ngram --tokens whitespace, or score the lines one by one")
    threads = available() if threads is None else threads
    check_range("threads", threads, 1, 1024)
    words, begin = tokenizer.vocabulary.table, ngram.initial_state(1).node[0]

    def score(piece: bytes) -> FileScores:
        ids = words.encode(np.frombuffer(piece, np.uint8), lines=True)
        log_probs, orders = np.empty(len(ids), np.float32), np.empty(len(ids), np.int8)
        ngram.score_sentences(begin, ids, log_probs, orders)
        log_probs *= np.float32(math.log(10))
        return FileScores(ids, log_probs, orders)

    yield from in_threads(score, pieces(source, tokenizer), threads)


def pieces(source: str | Path | Sequence[str | Path], tokenizer: WhitespaceTokenizer) -> Iterator[bytes]:
    line = 0
    for block in read_blocks([source] if isinstance(source, (str, Path)) else source):
        line = check_marks(block, tokenizer.options, line)
        start = 0
        while start < len(block):
            end = block.find(b"\n", start + PIECE) + 1 or len(block)
            yield block[start:end]
            start = end


def _perplexity(log_probs: NDArray[np.float32]) -> float:
    nats = -float(log_probs.sum(dtype=np.float64)) / max(1, len(log_probs))
    return math.inf if nats > 700 else math.exp(nats)

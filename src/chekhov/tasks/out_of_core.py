"""An n-gram model of a text that is larger than memory: the text, its ids and its counts pass through files."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np

import chekhov
from chekhov.errors import TextError, UsageError
from chekhov.files import NamelessFile
from chekhov.kernels.threads import Progress, ahead
from chekhov.ngram.model import train_ngram
from chekhov.ngram.targets import IdFile, Weights
from chekhov.tasks.collector import without_collector
from chekhov.tasks.memory import parse_memory
from chekhov.tasks.text_model import TextModel
from chekhov.text.blocks import read_blocks
from chekhov.text.large import text_bytes
from chekhov.tokens.blanks import Types
from chekhov.tokens.marks import LiteralUnk, check_lines
from chekhov.tokens.tokenizer import check_literal_unk
from chekhov.tokens.vocabulary import RESERVED
from chekhov.tokens.whitespace import WhitespaceSettings, WhitespaceTokenizer, ids_of, of_ranked, rank
from chekhov.types import BOS, EOS, UNK


def check_settings(kind: str, settings: dict[str, Any]) -> None:
    """Raise `UsageError` for what cannot be done without the whole text at hand."""
    if kind != "ngram":
        raise UsageError("E-TRAIN-008", f"{kind} has no setting memory", mend=f"see chekhov train {kind} -h")
    wrong = [f"--{name.replace('_', '-')} {value}" for name, value in settings.items() if value]
    if wrong:
        what = f"--memory reads the text once, block by block; not with {', '.join(wrong)}"
        raise UsageError("E-MEMORY-003", what, mend="give --memory with --tokens whitespace --split none")


def train_out_of_core(
    sources: Sequence[str | Path],
    folder: Path,
    *,
    memory: str | int,
    vocab_size: int | None,
    literal_unk: LiteralUnk,
    allowed: Collection[str] | None = None,
    weights: Sequence[int] = (),
    record: dict[str, Any],
    note: Callable[[str], None],
    order: int | None = None,
    progress: Progress = lambda stage, done, total: None,
    **settings: Any,
) -> TextModel:
    """What `tasks.train.train` gives for an n-gram on whitespace without a split, within ``memory``.

    The bound is on what the counts take; beside it stand the program (some 170 MB) and the vocabulary.
    """
    started, cpu_started = time.monotonic(), time.process_time()
    bound = parse_memory(memory)
    check_literal_unk(literal_unk)
    options = WhitespaceSettings(False, literal_unk, True)
    limits: dict[str, Any] = {"vocab_size": vocab_size, "allowed": allowed}
    with ThreadPoolExecutor(1) as pool, without_collector():
        ids, spans, size, make = number_text(sources, options, folder, weights=weights, progress=progress, **limits)
        promised = pool.submit(make)
        note(f"{ids.length:,} tokens and line ends, {size:,} types")
        model = train_ngram(
            ids,
            order=5 if order is None else order,
            vocab_size=size,
            folder=folder,
            memory=bound,
            weights=spans,
            progress=progress,
            **settings,
        )
        tokenizer = promised.result()
    names = [str(source) for source in sources]
    training = {
        **record,
        "chekhov": chekhov.__version__,
        "text": Path(names[0]).name if len(names) == 1 else f"{len(names)} texts",
        "split": "none",
        "split_by": "none",
        **({"weights": list(weights)} if weights else {}),
        "notes": list(model.notes),
        "seconds": round(time.monotonic() - started, 3),
        "cpu_seconds": round(time.process_time() - cpu_started, 3),
    }
    for message in model.notes:
        note(message)
    return TextModel(model, tokenizer, training, name=record["name"])


def number_text(
    sources: Sequence[str | Path],
    options: WhitespaceSettings,
    folder: Path,
    *,
    vocab_size: int | None,
    allowed: Collection[str] | None = None,
    weights: Sequence[int] = (),
    progress: Progress = lambda stage, done, total: None,
) -> tuple[IdFile, Weights | None, int, Callable[[], WhitespaceTokenizer]]:
    """The ids of a text in lines, tokens between blanks, in a file of ``folder`` without a name, V, and what makes the
    tokenizer.

    ``weights``: how often each source counts; then also which ids are of which.
    """
    types, counts = Types(1 << 17), np.zeros(0, np.int64)
    nameless = NamelessFile(folder)
    file = nameless.file
    length, line, read, size = 0, 0, 0, text_bytes(sources)
    ends: list[int] = []
    for source, weight in zip(sources, weights or repeat(1)):
        blocks = read_blocks([source])
        for block in blocks if str(source) == "-" else ahead(blocks):  # a thread that waits for input has no end
            line = check_marks(block, options, line)
            numbers = types.read(np.frombuffer(block, np.uint8), lines=True)
            counts = np.concatenate([counts, np.zeros(types.known - len(counts), np.int64)])
            counts += weight * types.count(numbers)
            file.write(numbers.data)
            length += len(numbers)
            read += len(block)
            progress("reading", read, max(read, size))
        ends.append(length)
    if types.known == 0:
        raise TextError("E-TOKEN-008", "the text has no tokens", mend="give more text")
    ranked, counts = rank(types, counts, options, vocab_size=vocab_size, min_count=1, allowed=allowed)
    file.flush()
    ids = IdFile(nameless, length)
    ids.renumber(ids_of(ranked, types.known))
    spans = Weights(np.array(ends, np.int64), np.array(weights, np.int32)) if weights else None
    return ids, spans, len(RESERVED) + len(ranked), lambda: of_ranked(types, ranked, counts, options)


def check_marks(block: bytes, options: WhitespaceSettings, line: int) -> int:
    """Raise `TextError` for a mark among the tokens, in lines that come after ``line``; returns the last line."""
    from chekhov.text.utf8_kernels import survey

    data = np.frombuffer(block, np.uint8)
    if survey(data)[-1]:
        refused = [RESERVED[BOS], RESERVED[EOS], *([RESERVED[UNK]] if options.literal_unk == "refuse" else [])]
        try:
            check_lines(block.decode(), str.split, refused)
        except TextError as error:
            where = f"line {line + int(error.where.removeprefix('line ')):,}"
            raise TextError(error.code, error.what, where=where, why=error.why, mend=error.mend) from None
    return line + int(np.count_nonzero(data == ord("\n")))

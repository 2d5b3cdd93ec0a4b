"""An n-gram model of a text in UTF-8, tokens between blanks: counted as bytes, the vocabulary made beside it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import chekhov
from chekhov.errors import TextError
from chekhov.kernels.threads import available
from chekhov.ngram.model import train_ngram
from chekhov.tasks.collector import without_collector
from chekhov.tasks.text_model import TextModel
from chekhov.text.plain import PlainText
from chekhov.tokens.marks import LiteralUnk
from chekhov.tokens.tokenizer import check_literal_unk
from chekhov.tokens.vocabulary import RESERVED
from chekhov.tokens.whitespace import WhitespaceSettings, WhitespaceTokenizer, number_bytes


def train_on_bytes(
    text: PlainText,
    sources: Sequence[str | Path],
    folder: Path,
    *,
    vocab_size: int | None,
    allowed: Collection[str] | None,
    literal_unk: LiteralUnk,
    record: dict[str, Any],
    to_save: bool,
    note: Callable[[str], None],
    order: int | None = None,
    threads: int | None = None,
    **settings: Any,
) -> TextModel:
    """What `tasks.train.train` gives for an n-gram on whitespace without a split.

    to_save: what saving will ask of the tokenizer is reckoned beside the counting, too.
    """
    started, cpu_started = time.monotonic(), time.process_time()
    check_literal_unk(literal_unk)
    options = WhitespaceSettings(False, literal_unk, True)
    side_by_side = max(1, min(threads or available(), available()))
    limits: Any = {"vocab_size": vocab_size, "min_count": 1, "allowed": allowed}
    ids, size, make = number_bytes(text.documents, options, side_by_side, **limits)
    if size == len(RESERVED):
        raise TextError("E-TOKEN-008", "the text has no tokens", mend="give more text")
    documents = len(text.documents)
    text.let_go()

    def tokenizer() -> WhitespaceTokenizer:
        made = make()
        if to_save:
            _ = made.digest, made.vocabulary.table
        return made

    with ThreadPoolExecutor(1) as pool, without_collector():
        promised = pool.submit(tokenizer)
        order = 5 if order is None else order
        place = folder if to_save else None  # a table that is only written as ARPA need not be a file first
        model = train_ngram(ids, order=order, vocab_size=size, folder=place, threads=threads, **settings)
        found = promised.result()
    names = [str(source) for source in sources]
    training = {
        "name": record["name"],
        "chekhov": chekhov.__version__,
        "text": Path(names[0]).name if len(names) == 1 else f"{documents} documents",
        "text_digest": text.digest,
        "split": "none, everything is for training",
        "split_by": "none",
        **record,
        "notes": list(model.notes),
        "seconds": round(time.monotonic() - started, 3),
        "cpu_seconds": round(time.process_time() - cpu_started, 3),
    }
    for message in model.notes:
        note(message)
    return TextModel(model, found, training, name=record["name"])

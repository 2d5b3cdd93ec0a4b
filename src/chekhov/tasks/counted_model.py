"""``chekhov train ngram --counts``: the model of all texts that were counted, without the texts."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import chekhov
from chekhov.errors import UsageError
from chekhov.ngram.model import train_ngram
from chekhov.ngram.runs import Merged
from chekhov.saving import locked
from chekhov.tasks.counts import StoredCounts, read_counts
from chekhov.tasks.memory import parse_memory
from chekhov.tasks.text_model import TextModel
from chekhov.tasks.train import Paths, check_free, listed, read_words
from chekhov.tasks.weights import Given, parse_weights
from chekhov.text.reading import read_documents
from chekhov.tokens.merging import merge_tokenizers
from chekhov.tokens.tokenizer import Tokenizer
from chekhov.types import BOS, EOS, UNK

Note = Callable[[str], None]


def train_on_counts(
    counts: Sequence[str | Path],
    *,
    out: str | Path | None = None,
    valid: Paths = (),
    test: Paths = (),
    encoding: str | None = None,
    vocab_size: int | None = None,
    limit_vocab_file: str | Path | None = None,
    order: int | None = None,
    weight: Given | None = None,
    memory: str | int | None = None,
    overwrite: bool = False,
    command: str = "",
    note: Note = lambda message: None,
    **settings: Any,
) -> TextModel:
    """The n-gram model of all texts that were counted, as `train` without a split gives it; its flags, too."""
    started, cpu_started = time.monotonic(), time.process_time()
    weights = parse_weights(weight or (), len(counts))
    stored = [read_counts(folder) for folder in counts]
    order = common_order(stored, order)
    allowed = None if limit_vocab_file is None else read_words(limit_vocab_file, note)
    tokenizer, merged = merge(stored, weights or [1] * len(stored), vocab_size=vocab_size, allowed=allowed)
    held_out = {
        part: [document.text for document in read_documents(listed(paths), encoding=encoding, note=note)]
        for part, paths in (("valid", valid), ("test", test)) if listed(paths)
    }  # fmt: skip
    valid_ids = tokenizer.encode_all(held_out["valid"]) if "valid" in held_out else None
    with ExitStack() as stack:
        folder = Path(out or stack.enter_context(tempfile.TemporaryDirectory(prefix="chekhov-")))
        check_free(folder, "ngram", anew=not overwrite)
        stack.enter_context(locked(folder))
        model = train_ngram(
            merged, order=order, vocab_size=tokenizer.vocabulary.size, valid_ids=valid_ids, folder=folder,
            memory=None if memory is None else parse_memory(memory), **settings,
        )  # fmt: skip
        for message in model.notes:
            note(message)
        training: dict[str, Any] = {
            "name": Path(out).name if out else "ngram",
            "chekhov": chekhov.__version__,
            "text": ", ".join(str(own.training.get("text", own.folder.name)) for own in stored),
            "split": "none, these are counts",
            "split_by": "none",
            "command": command,
            **({"weights": weights} if weights else {}),
            "notes": list(model.notes),
            "seconds": round(time.monotonic() - started, 3),
            "cpu_seconds": round(time.process_time() - cpu_started, 3),
        }
        found = TextModel(model, tokenizer, training, name=training["name"])
        for part, texts in held_out.items():
            training[part] = found.evaluate(texts).as_json()
        found.save(folder)
        return found


def merge(
    stored: Sequence[StoredCounts], weights: Sequence[int], *, vocab_size: int | None, allowed: Collection[str] | None
) -> tuple[Tokenizer, Merged]:
    """The tokenizer of all texts, and their n-grams in its ids. `UsageError` for counts that do not fit together."""
    check_tokens(stored)
    if stored[0].fixed:
        if vocab_size is not None or allowed is not None:
            what = "the vocabulary of the counts was given by --tokenizer; not with --vocab-size or --limit-vocab-file"
            raise UsageError("E-COUNT-006", what, mend="leave them out")
        tokenizer = stored[0].tokenizer
    else:
        counts = [times * own.runs.word_counts() for times, own in zip(weights, stored, strict=True)]
        tokenizers = [own.tokenizer for own in stored]
        tokenizer = merge_tokenizers(tokenizers, counts, vocab_size=vocab_size, allowed=allowed)
    id_of = [new_ids(own.tokenizer, tokenizer) for own in stored]
    return tokenizer, Merged([own.runs for own in stored], id_of, tokenizer.vocabulary.size, weights)


def common_order(stored: Sequence[StoredCounts], order: int | None) -> int:
    """Of the model; `UsageError` where counts of different orders leave it open, or do not reach it."""
    orders = [own.runs.order for own in stored]
    if order is None and len(set(orders)) > 1:
        what = f"the counts are of orders {', '.join(map(str, orders))}"
        raise UsageError("E-COUNT-005", what, mend=f"give --order {min(orders)} or less")
    if order is not None and order > min(orders):
        where = str(stored[orders.index(min(orders))].folder)
        what = f"--order {order}, and the counts are of order {min(orders)}"
        raise UsageError("E-COUNT-005", what, where=where, mend=f"give --order {min(orders)} or less, or count again")
    return orders[0] if order is None else order


def check_tokens(stored: Sequence[StoredCounts]) -> None:
    """`UsageError` for counts of different tokens: their sum would be of none."""
    first = stored[0]
    for own in stored[1:]:
        same = (own.fixed, own.tokenizer.name, own.tokenizer.settings) == (
            first.fixed, first.tokenizer.name, first.tokenizer.settings
        )  # fmt: skip
        if not same or (own.fixed and own.tokenizer.digest != first.tokenizer.digest):
            what = f"these counts are of other tokens than {first.folder}"
            why = f"{described(own)} here, {described(first)} there"
            mend = "count both texts with the same --tokens, --lowercase, --literal-unk and --tokenizer"
            raise UsageError("E-COUNT-004", what, where=str(own.folder), why=why, mend=mend)


def described(stored: StoredCounts) -> str:
    settings = ", ".join(f"{name} {value}" for name, value in stored.tokenizer.settings.items())
    own = f", the vocabulary of {stored.tokenizer.digest[:8]}" if stored.fixed else ""
    return f"{stored.tokenizer.name} ({settings}{own})"


def new_ids(old: Tokenizer, new: Tokenizer) -> NDArray[np.int32]:
    """(V_old,): the id of each old token in the new vocabulary."""
    if old.digest == new.digest:
        return np.arange(old.vocabulary.size, dtype=np.int32)
    return np.array([UNK, BOS, EOS, *new.vocabulary.ids(old.vocabulary.tokens)], np.int32)

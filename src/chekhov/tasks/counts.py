"""Counts as folders: ``chekhov count`` writes them; `tasks.counted_model` makes a model of one or more."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import chekhov
from chekhov.errors import ModelError, UsageError
from chekhov.files import read_arrays
from chekhov.kernels.threads import Progress
from chekhov.ngram.model import MAX_ORDER
from chekhov.ngram.runs import LEAST_ORDER, Runs, count_runs
from chekhov.ngram.targets import IdFile, TextTargets, Weights
from chekhov.saving import Config, check_folder, locked, save_folder
from chekhov.tasks.corpus import read_corpus
from chekhov.tasks.memory import parse_memory
from chekhov.tasks.out_of_core import number_text
from chekhov.tasks.stored_tokenizer import read_tokenizer, words_to_store
from chekhov.tasks.train import UNITS, Paths, check_free, listed, new_tokenizer, numbered, standard_order
from chekhov.tasks.train import read_tokenizer as read_tokenizer_of
from chekhov.tasks.weights import Given, parse_weights
from chekhov.tokens.marks import LiteralUnk
from chekhov.tokens.tokenizer import Tokenizer, check_literal_unk
from chekhov.tokens.whitespace import WhitespaceSettings
from chekhov.types import Ids

KIND = "counts"
Note = Callable[[str], None]


@dataclass(frozen=True)
class StoredCounts:
    """``fixed``: the vocabulary was given, so that unknown words were lost already; else it holds all of the text."""

    folder: Path
    runs: Runs
    tokenizer: Tokenizer
    fixed: bool
    training: dict[str, Any]


def count(
    text: Paths,
    *,
    out: str | Path,
    order: int | None = None,
    tokens: str | None = None,
    tokenizer: str | Path | None = None,
    lowercase: bool = False,
    literal_unk: LiteralUnk = "word",
    encoding: str | None = None,
    weight: Given | None = None,
    memory: str | int | None = None,
    threads: int | None = None,
    overwrite: bool = False,
    command: str = "",
    note: Note = lambda message: None,
    progress: Progress = lambda stage, done, total: None,
) -> Config:
    """Count the n-grams of a text and store them in the folder ``out``: what `train` takes as ``counts``.

    All of the text is counted: there is no split. The keyword arguments are the flags of ``chekhov count``.
    """
    started, cpu_started = time.monotonic(), time.process_time()
    sources, folder = listed(text), Path(out)
    weights = parse_weights(weight or (), len(sources))
    check_free(folder, KIND, anew=not overwrite)
    check_literal_unk(literal_unk)
    if tokens == "bpe":
        what, why = "--tokens bpe learns its merges from one text", "those of another would be others"
        raise UsageError("E-COUNT-007", what, why=why, mend="--tokenizer DIR, the same for all counts")
    with locked(folder):
        found, ids, spans = numbered_text(
            sources, folder, weights=weights, tokens=tokens, tokenizer=tokenizer, lowercase=lowercase,
            literal_unk=literal_unk, encoding=encoding, memory=memory, note=note, progress=progress,
        )  # fmt: skip
        order = standard_order(found) if order is None else order
        size = found.vocabulary.size
        runs, file = count_runs(
            TextTargets(ids, max(order, 1), size, spans), order=order, vocab_size=size, folder=folder,
            memory=None if memory is None else parse_memory(memory), threads=threads, progress=progress,
        )  # fmt: skip
        names = [str(source) for source in sources]
        training: dict[str, Any] = {
            "name": folder.name,
            "chekhov": chekhov.__version__,
            "text": Path(names[0]).name if len(names) == 1 else f"{len(names)} texts",
            "command": command,
            **({"weights": weights} if weights else {}),
            "seconds": round(time.monotonic() - started, 3),
            "cpu_seconds": round(time.process_time() - cpu_started, 3),
        }
        sizes = {"order": order, "vocab_size": size, "ngrams": len(runs.counts), "fixed": tokenizer is not None}
        return save_folder(
            folder, kind=KIND, sizes=sizes, arrays={"keys": runs.keys, "counts": runs.counts, "sizes": runs.sizes},
            tokenizer=found.to_json(), tokenizer_digest=found.digest, kernels="numba", training=training, file=file,
            words=words_to_store(found),
        )  # fmt: skip


def numbered_text(
    sources: Sequence[str | Path],
    folder: Path,
    *,
    weights: Sequence[int],
    tokens: str | None,
    tokenizer: str | Path | None,
    lowercase: bool,
    literal_unk: LiteralUnk,
    encoding: str | None,
    memory: str | int | None,
    note: Note,
    progress: Progress,
) -> tuple[Tokenizer, Ids | IdFile, Weights | None]:
    """The tokenizer of a text, with all of its tokens unless one is given, its ids, and how often each part counts."""
    if memory is not None:
        wrong = {"--lowercase": lowercase, "--tokenizer": tokenizer, "--encoding": encoding}
        named = ", ".join(["--tokens words"] * (tokens is None) + [flag for flag, value in wrong.items() if value])
        if named or tokens != "whitespace":
            what = f"--memory reads the text once, block by block; not with {named or f'--tokens {tokens}'}"
            raise UsageError("E-MEMORY-003", what, mend="give --memory with --tokens whitespace")
        options = WhitespaceSettings(False, literal_unk, True)
        ids, spans, _, make = number_text(sources, options, folder, vocab_size=None, weights=weights, progress=progress)
        return make(), ids, spans
    corpus = read_corpus(sources, split="none", encoding=encoding, weights=weights, note=note)
    if tokenizer is None:
        return new_tokenizer(
            corpus, "ngram", tokens or UNITS["ngram"], vocab_size=None, allowed=None, lowercase=lowercase,
            literal_unk=literal_unk, note=note,
        )  # fmt: skip
    if tokens or lowercase:
        what = "--tokenizer brings its own tokens; --tokens and --lowercase are of a new one"
        raise UsageError("E-TOKEN-012", what, mend="give one or the other")
    found = read_tokenizer_of(Path(tokenizer))
    return found, *numbered(corpus, found, note)


def read_counts(folder: str | Path) -> StoredCounts:
    """The counts of a folder: sizes, digests and every number checked. Raises `ModelError` naming what is wrong."""
    folder = Path(folder)
    config = check_folder(folder)
    if config.kind != KIND:
        what = f"this is a model of kind {config.kind}, not counts"
        raise ModelError("E-COUNT-002", what, where=str(folder), mend="give a folder that `chekhov count` wrote")
    tokenizer = read_tokenizer(folder, config)
    order, size, fixed = (config.sizes.get(name) for name in ("order", "vocab_size", "fixed"))
    if type(order) is not int or not LEAST_ORDER <= order <= MAX_ORDER or type(fixed) is not bool:
        raise ModelError("E-COUNT-003", "the sizes of the counts are damaged", where=str(folder / "config.json"))
    if size != tokenizer.vocabulary.size:
        what = f"the counts are of {size} tokens, their tokenizer has {tokenizer.vocabulary.size}"
        raise ModelError("E-COUNT-003", what, where=str(folder), mend="count the text again")
    try:
        runs = Runs.from_arrays(order, tokenizer.vocabulary.size, read_arrays(folder / config.model))
    except ModelError as error:
        raise error.at(str(folder / config.model)) from error
    return StoredCounts(folder, runs, tokenizer, fixed, config.training)

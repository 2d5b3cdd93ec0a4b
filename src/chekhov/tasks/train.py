"""Train any model on any text in one call; the keyword arguments are the flags of ``chekhov train``."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

import chekhov
from chekhov.errors import ModelError, TextError, UsageError, check_range
from chekhov.ngram.targets import Weights
from chekhov.saving import locked, read_config
from chekhov.tasks import stored_tokenizer
from chekhov.tasks.corpus import Corpus, read_corpus
from chekhov.tasks.memory import memory_for_text
from chekhov.tasks.out_of_core import check_settings, train_out_of_core
from chekhov.tasks.plain_text import train_on_bytes
from chekhov.tasks.text_model import RECURRENT, TextModel, load
from chekhov.tasks.weights import encode_weighted, parse_weights
from chekhov.text.large import LargeText
from chekhov.text.plain import read_plain
from chekhov.text.reading import read_documents
from chekhov.tokens.cache import cached_ids
from chekhov.tokens.marks import LiteralUnk
from chekhov.tokens.tokenizer import Tokenizer, train_and_encode, train_tokenizer
from chekhov.types import Ids, LanguageModel

KINDS = ("chain", "ngram", *RECURRENT)
NGRAM_SETTINGS = ("smoothing", "prune", "interpolate_unigrams", "k", "threads", "kenlm_compat", "progress")
COUNTED = ("counts", "order", "weight", "memory")
UNITS = {"chain": "whitespace", "ngram": "words"}  # the nets read characters
Note = Callable[[str], None]
Paths = str | Path | Sequence[str | Path]


def train(
    kind: str,
    text: Paths = (),
    *,
    out: str | Path | None = None,
    valid: Paths = (),
    test: Paths = (),
    split: str | None = None,
    tokens: str | None = None,
    vocab_size: int | None = None,
    limit_vocab_file: str | Path | None = None,
    lowercase: bool = False,
    literal_unk: LiteralUnk = "word",
    tokenizer: str | Path | None = None,
    start_from: str | Path | None = None,
    encoding: str | None = None,
    chapter_compatible: bool = False,
    seed: int = 0,
    overwrite: bool = False,
    command: str = "",
    note: Note = lambda message: None,
    **settings: Any,
) -> TextModel:
    """Train a ``chain``, an ``ngram`` or a net on ``text`` and, if ``out`` is given, save it there.

    ``limit_vocab_file``: words between blanks; all others become ``<unk>``.
    ``start_from`` (on the command line ``--from``): begin with the weights and the tokenizer of this model.
    ``settings`` are those of the kind: ``order`` and ``smoothing``, or those of `tasks.recurrent.train_recurrent`.
    Raises `UsageError` for a flag out of range, `TextError` for a text that cannot be used, `ModelError` where the
    folder cannot be written or is in use.
    """
    if kind not in KINDS:
        raise UsageError("E-TRAIN-006", f"the model kind {kind!r} is unknown", mend=f"one of {', '.join(KINDS)}")
    check_range("seed", seed, 0, (1 << 63) - 1)
    # The chapter's program reads the whole file, BOM and all; a chain does too unless a part is asked to be kept aside.
    demo = any(str(source).startswith("demo:") for source in listed(text))
    whole = (kind == "chain" and not (split or listed(valid) or listed(test) or demo)) or chapter_compatible
    if kind == "ngram" and settings.get("counts"):
        given: dict[str, Any] = {"TEXT": listed(text), "split": split if split != "none" else "", "tokens": tokens}
        given |= {"lowercase": lowercase, "literal-unk": literal_unk if literal_unk != "word" else ""}
        given |= {"tokenizer": tokenizer, "from": start_from}
        return on_counts(
            settings, given, out=out, valid=valid, test=test, encoding=encoding, vocab_size=vocab_size,
            limit_vocab_file=limit_vocab_file, overwrite=overwrite, command=command, note=note,
        )  # fmt: skip
    if kind == "ngram":
        settings.pop("counts", None)
    with ExitStack() as stack:
        folder = Path(out or stack.enter_context(tempfile.TemporaryDirectory(prefix="chekhov-")))
        check_free(folder, kind, anew=not (overwrite or settings.get("resume")))
        memory = settings.pop("memory", None)
        weights = parse_weights(settings.pop("weight", None) or (), len(listed(text))) if kind == "ngram" else []
        allowed = None if limit_vocab_file is None else read_words(limit_vocab_file, note)
        if memory is not None and kind not in RECURRENT:
            asked = {"valid": listed(valid), "test": listed(test), "lowercase": lowercase, "tokenizer": tokenizer}
            asked |= {"encoding": encoding, "tokens": tokens if tokens != "whitespace" else "", "from": start_from}
            asked |= {"split": split if split != "none" else ""}
            check_settings(kind, asked)
            check_known(kind, [name for name in settings if name not in ("order", *NGRAM_SETTINGS)])
            with locked(folder):
                model = train_out_of_core(
                    listed(text), folder, vocab_size=vocab_size, allowed=allowed, literal_unk=literal_unk, note=note,
                    record={"name": Path(out).name if out else kind, "command": command}, memory=memory,
                    weights=weights, **settings,
                )  # fmt: skip
                model.save(folder)
            return model
        unit = tokens or UNITS.get(kind, "characters")
        apart = lowercase or tokenizer or start_from or encoding or whole or weights or listed(valid) or listed(test)
        if kind == "ngram" and unit == "whitespace" and split == "none" and not (apart or demo):
            plain = read_plain(listed(text))
            if plain is not None:
                check_known(kind, [name for name in settings if name not in ("order", *NGRAM_SETTINGS)])
                with locked(folder):
                    model = train_on_bytes(
                        plain, listed(text), folder, vocab_size=vocab_size, allowed=allowed, literal_unk=literal_unk,
                        record={"name": Path(out).name if out else kind, "seed": seed}
                        | ({"command": command} if command else {}),
                        to_save=out is not None, note=note, **settings,
                    )  # fmt: skip
                    if out is not None:
                        model.save(folder)
                return model
        corpus = read_corpus(
            listed(text),
            valid=listed(valid),
            test=listed(test),
            split="none" if whole else split,
            seed=seed,
            encoding=encoding,
            keep_bom=whole,
            memory=memory_for_text(memory) if kind in RECURRENT else None,
            weights=weights,
            note=note,
        )
        stack.enter_context(locked(folder))
        started, cpu_started = time.monotonic(), time.process_time()
        if start_from is not None:
            start = starting_model(kind, start_from, tokenizer)
            settings["start"] = start
            tokenizer = start_from
        if tokenizer is not None:
            if tokens or vocab_size or lowercase or limit_vocab_file:
                what = "--tokenizer brings its own tokens; --tokens, --vocab-size, --limit-vocab-file and --lowercase"
                what += " are of a new one"
                raise UsageError("E-TOKEN-012", what, mend="give one or the other")
            found = read_tokenizer(Path(tokenizer))
            ids, spans = numbered(corpus, found, note)
        else:
            found, ids, spans = new_tokenizer(
                corpus, kind, unit, vocab_size=vocab_size, allowed=allowed, lowercase=lowercase,
                literal_unk=literal_unk, note=note,
            )  # fmt: skip
        training: dict[str, Any] = {
            "name": Path(out).name if out else kind,
            "chekhov": chekhov.__version__,
            "text": corpus.name,
            "text_digest": corpus.digest,
            "split": corpus.split,
            "split_by": "none" if whole else split or "",
            "seed": seed,
            "command": command,
            "notes": [],
            "floor": corpus.floor,
            "floor_bits_per_character": corpus.floor_bits_per_character,
            "weights": weights or None,
        }
        training = {key: value for key, value in training.items() if value is not None and value != ""}

        def noted(message: str) -> None:
            training["notes"].append(message)
            note(message)

        if len(ids) == 0:
            raise UsageError("E-TRAIN-007", "the training part of the text has no tokens", mend="give more text")
        if kind in RECURRENT:
            from chekhov.tasks.recurrent import train_recurrent

            model = train_recurrent(
                kind, corpus, found, ids, folder, seed=seed, training=training, note=noted, **settings
            )
        else:
            model = TextModel(
                count(kind, found, ids, spans, folder, valid=corpus.valid, note=noted, **settings), found, training
            )
            training["seconds"] = round(time.monotonic() - started, 3)
            training["cpu_seconds"] = round(time.process_time() - cpu_started, 3)
        for part, texts in (("valid", corpus.valid), ("test", corpus.test)):
            if texts:
                training[part] = model.evaluate(texts).as_json()
        model.save(folder)
        model.name = training["name"]
        return model


def on_counts(settings: dict[str, Any], given: dict[str, Any], **flags: Any) -> TextModel:
    """The model of ``counts`` in place of a text; `UsageError` for flags that only a text can have, if ``given``."""
    from chekhov.tasks.counted_model import train_on_counts

    wrong = ", ".join(name if name == "TEXT" else f"--{name}" for name, value in given.items() if value)
    if wrong:
        what, mend = (
            f"--counts bring their text and its tokens; not with {wrong}",
            "chekhov count TEXT, with these flags",
        )
        raise UsageError("E-COUNT-006", what, mend=mend)
    check_known("ngram", [name for name in settings if name not in (*COUNTED, *NGRAM_SETTINGS)])
    counts = listed(settings.pop("counts"))
    return train_on_counts(counts, **flags, **settings)


def starting_model(kind: str, folder: str | Path, tokenizer: str | Path | None) -> TextModel:
    """The model of ``--from``; a ``--tokenizer`` besides must be its own."""
    if kind not in RECURRENT:
        raise UsageError("E-TRAIN-016", f"{kind} counts a text at once", mend="give both texts, without --from")
    start = load(folder)
    if tokenizer is not None and read_tokenizer(Path(tokenizer)).digest != start.tokenizer.digest:
        what = f"{folder} reads other tokens than {tokenizer}"
        raise UsageError("E-TRAIN-017", what, mend="leave --tokenizer out: --from brings its own")
    return start


def check_free(folder: Path, kind: str, *, anew: bool) -> None:
    """A model that took a night is not written over because a name was used twice."""
    if anew and (folder / "config.json").exists():
        mend = "choose another folder, or --overwrite it" + (", or --resume its run" if kind in RECURRENT else "")
        raise ModelError("E-SAVE-002", "the folder already holds a model", where=str(folder), mend=mend)


def count(
    kind: str,
    tokenizer: Tokenizer,
    ids: Ids,
    weights: Weights | None,
    folder: Path,
    /,
    *,
    order: int | None = None,
    valid: Sequence[str] = (),
    note: Note = lambda message: None,
    **settings: Any,
) -> LanguageModel[Any]:
    """A chain (default order 1) or an n-gram (5, on characters 7, on bytes 9) from the ids of its training text."""
    unknown = [name for name in settings if kind == "chain" or name not in NGRAM_SETTINGS]
    check_known(kind, unknown)
    size = tokenizer.vocabulary.size
    if kind == "chain":
        from chekhov.ngram.chain import train_chain

        can_start = np.array([i > 2 and not token.islower() for i, token in enumerate(tokenizer.vocabulary)])
        return train_chain(ids, order=1 if order is None else order, vocab_size=size, can_start=can_start)
    from chekhov.ngram.model import train_ngram

    order = standard_order(tokenizer) if order is None else order
    held_out = tokenizer.encode_all(valid) if settings.get("smoothing") == "jelinek-mercer" else None
    settings |= {"valid_ids": held_out, "folder": folder, "weights": weights}
    model = train_ngram(ids, order=order, vocab_size=size, **settings)
    for message in model.notes:
        note(message)
    return model


def standard_order(tokenizer: Tokenizer) -> int:
    """Of an n-gram model, where none is asked for."""
    return {"characters": 7, "bytes": 9}.get(tokenizer.name, 5)


def check_known(kind: str, unknown: list[str]) -> None:
    if unknown:
        what, mend = f"{kind} has no setting {', '.join(unknown)}", f"see chekhov train {kind} -h"
        raise UsageError("E-TRAIN-008", what, mend=mend)


def read_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of another model, so that the two can be compared and mixed."""
    return stored_tokenizer.read_tokenizer(folder, read_config(folder))


def read_words(file: str | Path, note: Note) -> frozenset[str]:
    """The words between blanks of a file."""
    return frozenset(word for document in read_documents([file], note=note) for word in document.text.split())


def new_tokenizer(
    corpus: Corpus,
    kind: str,
    unit: str,
    *,
    vocab_size: int | None,
    allowed: Collection[str] | None,
    lowercase: bool,
    literal_unk: LiteralUnk,
    note: Note = lambda message: None,
) -> tuple[Tokenizer, Ids, Weights | None]:
    """A tokenizer of the training part alone, and what `numbered` gives.

    Nets on words keep 20,000 types of count 2 and more.
    """
    net_on_words = kind in RECURRENT and unit in ("words", "whitespace")
    settings: dict[str, Any] = {
        "vocab_size": 20_000 if vocab_size is None and net_on_words else vocab_size,
        "min_count": 2 if net_on_words else 1,
        "allowed": allowed,
        "lowercase": lowercase,
        "literal_unk": literal_unk,
        "lines": kind != "chain",
    }
    if not isinstance(corpus.train, LargeText):
        if not corpus.weights:
            return *train_and_encode(unit, corpus.train, **settings), None
        found = train_tokenizer(unit, corpus.train, weights=corpus.weights, **settings)
        return found, *numbered(corpus, found, note)
    try:
        found = train_tokenizer(unit, corpus.train, **settings)
    except TextError as error:
        raise corpus.train.located(error) from error
    return found, *numbered(corpus, found, note)


def numbered(corpus: Corpus, tokenizer: Tokenizer, note: Note) -> tuple[Ids, Weights | None]:
    """The ids of the training part, of a `LargeText` in a file of the cache, and how often each text of it counts."""
    if isinstance(corpus.train, LargeText):
        try:
            return cached_ids(tokenizer, corpus.train, corpus.digest, note=note), None
        except TextError as error:
            raise corpus.train.located(error) from error
    if corpus.weights:
        return encode_weighted(tokenizer, corpus.train, corpus.weights)
    return tokenizer.encode_all(corpus.train), None


def listed(value: Paths) -> list[str | Path]:
    return [value] if isinstance(value, (str, Path)) else list(value)

"""From what the user names to what a model is trained on: documents, their split, and where they came from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chekhov.errors import UsageError
from chekhov.tasks.memory import memory_for_text
from chekhov.text.large import LargeText, text_bytes
from chekhov.text.pydocs import pydocs
from chekhov.text.reading import Document, read_documents
from chekhov.text.splits import split_documents

PYDOCS = "demo:pydocs"
BLOCK = 1 << 18  # characters that are encoded at once, near the processor
MEMORY_OF_A_BYTE = 16  # bytes that text, documents and int64 ids take for each byte of a file, at their peak
Note = Callable[[str], None]


@dataclass(frozen=True)
class Corpus:
    """``train`` can be iterated over again and again; its documents are in memory unless it is a `LargeText`.

    ``floor``: nats per token that no model can beat, where the text is generated and its entropy known.
    ``weights``: how often each training document counts; none: once. What is held out counts once.
    """

    name: str
    train: list[str] | LargeText
    valid: list[str]
    test: list[str]
    split: str
    floor: float | None = None
    floor_bits_per_character: float | None = None
    weights: list[int] = field(default_factory=list)

    @property
    def characters(self) -> int:
        """Of the training part."""
        return self.train.characters if isinstance(self.train, LargeText) else sum(map(len, self.train))

    @property
    def digest(self) -> str:
        """BLAKE2b of the training text: what a resumed run must find again."""
        if isinstance(self.train, LargeText):
            return self.train.digest
        hasher = hashlib.blake2b(digest_size=16)
        for text in self.train:
            for start in range(0, len(text), BLOCK):
                hasher.update(text[start : start + BLOCK].encode())
            hasher.update(b"\0")
        return hasher.hexdigest()


def read_corpus(
    sources: Sequence[str | Path],
    *,
    valid: Sequence[str | Path] = (),
    test: Sequence[str | Path] = (),
    split: str | None = None,
    seed: int = 0,
    encoding: str | None = None,
    keep_bom: bool = False,
    memory: int | None = None,
    weights: Sequence[int] = (),
    note: Note = lambda message: None,
) -> Corpus:
    """Read and split; separate ``valid`` and ``test`` texts take the place of a split unless one is asked for.

    memory: a training text in UTF-8 that would take more bytes than so many is read block by block, as a `LargeText`.
    weights: of each source, how often what of it is trained on counts (with ``memory``: none).
    """
    names = [str(source) for source in sources]
    if any(name.startswith("demo:") for name in names) and names != [PYDOCS]:
        if len(names) > 1 or valid or test or split:
            raise UsageError(
                "E-DEMO-002", "a demo corpus stands alone: it has its own split", mend=f"give {names[0]} only"
            )
        from chekhov.text.demo import demo_corpus

        demo = demo_corpus(names[0])
        floors = demo.floor, demo.floor_bits_per_character
        return Corpus(demo.name, [demo.train], [demo.valid], [demo.test], "by seed", *floors, list(weights))

    def read(paths: Sequence[str | Path]) -> list[str]:
        documents = read_documents(paths, encoding=encoding, keep_bom=keep_bom, note=note)
        return [document.text for document in documents]

    default = "none" if valid or test else "auto"
    needed = MEMORY_OF_A_BYTE * text_bytes(sources)
    if memory is not None and needed > memory and names != [PYDOCS] and "-" not in names and not encoding:
        note(f"the text would take some {needed / 2**30:.1f} GiB of memory: it is read block by block")
        large = LargeText(sources, split=split or default, seed=seed, note=note)
        name = Path(names[0]).name if len(names) == 1 else f"{len(large.paths)} documents"
        described = large.description if split or default == "auto" else "valid and test given apart"
        held_out_texts = read(valid) if valid else large.valid, read(test) if test else large.test
        return Corpus(name, large, *held_out_texts, described)
    if names == [PYDOCS]:
        documents = [Document(PYDOCS, pydocs(), *weights)]
    else:
        documents = read_documents(sources, encoding=encoding, keep_bom=keep_bom, weights=weights, note=note)
    name = Path(names[0]).name if len(names) == 1 else f"{len(documents)} documents"
    cut = split_documents(documents, split or default, seed=seed)
    parts = [[document.text for document in part] for part in (cut.train, cut.valid, cut.test)]
    described = cut.description if split or default == "auto" else "valid and test given apart"
    held_out_texts = read(valid) if valid else parts[1], read(test) if test else parts[2]
    own = [document.weight for document in cut.train] if weights else []
    return Corpus(name, parts[0], *held_out_texts, described, weights=own)


def held_out(
    training: dict[str, Any], sources: Sequence[str | Path], part: str, *, encoding: str | None = None, note: Note
) -> list[str]:
    """The ``valid`` or ``test`` part of the text that a model was trained on, by the model's own split.

    ``training`` is the model's record. Raises `UsageError` where ``sources`` are not what it was trained on, or where
    no such part was kept aside.
    """
    whole = training.get("split_by") == "none"
    corpus = read_corpus(
        sources,
        split=training.get("split_by") or None,
        seed=training.get("seed", 0),
        encoding=encoding,
        keep_bom=whole,
        memory=memory_for_text(),
        note=note,
    )
    texts = {"valid": corpus.valid, "test": corpus.test}[part]
    name = training.get("name", "the model")
    if corpus.digest != training.get("text_digest"):
        raise UsageError(
            "E-SPLIT-003",
            f"{name} was not trained on this text",
            why=f"it was trained on {training.get('text', 'another')}, {training.get('split', 'split otherwise')}",
            mend="give the same text again, or held-out text without --part",
        )
    if not texts:
        mend = "give held-out text without --part, or train with a --split"
        raise UsageError("E-SPLIT-004", f"{name} has kept no {part} part aside", mend=mend)
    return texts

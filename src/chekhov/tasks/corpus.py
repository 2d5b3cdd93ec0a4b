"""From what the user names to what a model is trained on: documents, their split, and where they came from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from chekhov.errors import UsageError
from chekhov.text.reading import read_documents
from chekhov.text.splits import split_documents


@dataclass(frozen=True)
class Corpus:
    """``floor``: nats per token that no model can beat, where the text is generated and its entropy known."""

    name: str
    train: list[str]
    valid: list[str]
    test: list[str]
    split: str
    floor: float | None = None
    floor_bits_per_character: float | None = None

    @property
    def digest(self) -> str:
        """BLAKE2b of the training text: what a resumed run must find again."""
        hasher = hashlib.blake2b(digest_size=16)
        for text in self.train:
            hasher.update(text.encode() + b"\0")
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
    note: Callable[[str], None] = lambda message: None,
) -> Corpus:
    """Read and split; separate ``valid`` and ``test`` texts take the place of a split unless one is asked for."""
    names = [str(source) for source in sources]
    if not names:
        raise UsageError("E-TEXT-000", "no text is given", mend="name a file, a folder, - or demo:rifle-ru")
    if any(name.startswith("demo:") for name in names):
        if len(names) > 1 or valid or test or split:
            raise UsageError(
                "E-DEMO-002", "a demo corpus stands alone: it has its own split", mend=f"give {names[0]} only"
            )
        from chekhov.text.demo import demo_corpus

        demo = demo_corpus(names[0])
        floors = demo.floor, demo.floor_bits_per_character
        return Corpus(demo.name, [demo.train], [demo.valid], [demo.test], "by seed", *floors)

    def read(paths: Sequence[str | Path]) -> list[str]:
        documents = read_documents(paths, encoding=encoding, keep_bom=keep_bom, note=note)
        return [document.text for document in documents]

    documents = read_documents(sources, encoding=encoding, keep_bom=keep_bom, note=note)
    name = Path(names[0]).name if len(names) == 1 else f"{len(documents)} documents"
    default = "none" if valid or test else "auto"
    cut = split_documents(documents, split or default, seed=seed)
    parts = [[document.text for document in part] for part in (cut.train, cut.valid, cut.test)]
    described = cut.description if split or default == "auto" else "valid and test given apart"
    return Corpus(name, parts[0], read(valid) if valid else parts[1], read(test) if test else parts[2], described)

"""A text that is larger than memory: its documents, read from the files each time, split as `split_documents` does."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from chekhov.errors import TextError, UsageError
from chekhov.text.blocks import read_blocks
from chekhov.text.files import changed, printable_path
from chekhov.text.reading import expand
from chekhov.text.splits import (
    BLOCK,
    PERIOD,
    TEST,
    TOO_SHORT,
    TRAIN,
    VALID,
    HeldOut,
    block_cuts,
    block_ends,
    describe_blocks,
    parts_by_hash,
    parts_of_blocks,
)  # fmt: skip

LONG = 3 * PERIOD  # blocks: of a document with so many no rule looks at its end
TELL_SECONDS = 5.0


class LargeText:
    """Iterating gives the documents of the training part; ``valid`` and ``test`` are in memory.

    UTF-8 alone. The parts are those that `split_documents` gives for ``auto`` and ``none``, to the letter; but a
    document that stays whole is given in pieces of some 8 MiB, each a document to its tokenizer.
    ``digest``: BLAKE2b of the training documents, each closed by a NUL.
    Raises `UsageError` E-SPLIT-006 for another split; `TextError` as `read_blocks`.
    """

    def __init__(
        self,
        sources: Sequence[str | Path],
        *,
        split: str = "auto",
        seed: int = 0,
        note: Callable[[str], None] = lambda message: None,
    ):
        if split not in ("auto", "none"):
            what, mend = f"a text that is read block by block has no --split {split}", "give --valid and --test texts"
            raise UsageError("E-SPLIT-006", what, mend=mend)
        self.paths = [path for source in sources for path in expand(str(source))[0]]
        self.note, self.total, self.told = note, text_bytes(sources), time.monotonic()
        self.stamps: dict[str, tuple[int, int, int]] = {}
        self.split, self.part_of_path, described = split, {}, ""  # type: str, dict[str, int], str
        if split == "auto" and len(self.paths) >= 3:
            self.stamps = {path: stamp(path) for path in self.paths}
            digests = [content_digest(path, seed) for path in self.paths]
            if len(set(digests)) >= 3:
                part_of, described = parts_by_hash(digests, seed)
                self.part_of_path = {path: part_of[digest] for path, digest in zip(self.paths, digests, strict=True)}
        self._scan()
        if split == "none":
            self.description = "none, everything is for training"
        elif described:
            self.description = described

    def _scan(self) -> None:
        """Read all once."""
        hasher, held_out = hashlib.blake2b(digest_size=16), (HeldOut[str](), HeldOut[str](), HeldOut[str]())
        sizes, self.count, self.characters, longest = [0, 0, 0], 0, 0, 0
        whole: list[list[str]] = [[], [], []]  # documents that are held out whole
        done = 0
        for path in self.paths:
            length = 0
            for part, text, ends in self._pieces(path):
                done = self._tell(done, text)
                sizes[part] += len(text)
                length += len(text)
                if part == TRAIN:
                    hasher.update(text.encode() + b"\0" * ends)
                    self.count += 1
                elif self.part_of_path:
                    whole[part].append(text)
                else:
                    held_out[part].add(text, len(text))
            longest = max(longest, length)
        self.characters, self.digest = sizes[TRAIN], hasher.hexdigest()
        self.valid, self.test = (held_out[part].blocks or whole[part] for part in (VALID, TEST))
        stride = max(held_out[VALID].stride, held_out[TEST].stride)
        self.description = describe_blocks(longest, len(self.paths), sizes, stride) if self.valid else TOO_SHORT

    def __iter__(self) -> Iterator[str]:
        done = 0
        for path in self.paths:
            self.reading, self.lines_before = path, 0
            for part, text, _ in self._pieces(path):
                done = self._tell(done, text)
                if part == TRAIN:
                    yield text
                self.lines_before += text.count("\n")

    def located(self, error: TextError) -> TextError:
        """``error``, which names a line of the document that was given last, with its file and the line there."""
        line = re.fullmatch("line ([0-9]+)", error.where)
        if line is None:
            return error
        where = f"{printable_path(self.reading)}, line {self.lines_before + int(line[1]):,}"
        return TextError(error.code, error.what, where=where, why=error.why, mend=error.mend, kept=error.kept)

    def _tell(self, done: int, text: str) -> int:
        """How much has been read, every few seconds; the sum with ``text``."""
        if time.monotonic() - self.told > TELL_SECONDS:
            self.told = time.monotonic()
            self.note(f"reading the text: {min(99, 100 * done // max(1, self.total))} %")
        return done + len(text.encode())

    def _pieces(self, path: str) -> Iterator[tuple[int, str, bool]]:
        """Part, text, and whether it ends a document. `TextError` E-TEXT-013 if the file is not what it was at first.

        What was made of one reading (the split, the digest that the ids are cached by) must hold for the next.
        """
        before = self.stamps.setdefault(path, stamp(path))
        texts = (block.decode() for block in read_blocks([path], close=False))
        if self.split == "none" or self.part_of_path:
            part = self.part_of_path.get(path, TRAIN)
            yield from ((part, text, last) for text, last in with_last(texts))
        else:
            yield from ((part, text, True) for part, text in cut_document(texts))
        if stamp(path) != before:
            raise changed(printable_path(path))


def stamp(path: str) -> tuple[int, int, int]:
    """What changes when a file does: inode, size and time; zeros where there is none, which reading it will say."""
    try:
        status = Path(path).stat()
    except (OSError, ValueError):
        return 0, 0, 0
    return status.st_ino, status.st_size, status.st_mtime_ns


def content_digest(path: str, seed: int) -> bytes:
    """That of `splits.content_digest`, the text read block by block."""
    digest = hashlib.blake2b(f"{seed}\n".encode(), digest_size=16)
    for block in read_blocks([path], close=False):
        digest.update(block)
    return digest.digest()


def cut_document(texts: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Its blocks and their parts, adjacent training blocks joined, as `splits` cuts a document."""
    texts, text = iter(texts), ""
    while len(text) < LONG * BLOCK and (more := next(texts, "")):
        text += more
    if len(text) < LONG * BLOCK:
        ends = block_ends(text)
        part_of = parts_of_blocks(len(ends))
        blocks = iter([text[start:end] for start, end in zip([0, *ends], ends)])
    else:
        part_of = parts_of_blocks(PERIOD)  # and so on
        blocks = blocks_of_long(chain([text], texts))
    training = ""
    for index, block in enumerate(blocks):
        part = part_of[index % PERIOD]
        if part == TRAIN:
            training += block
            continue
        if training:
            yield TRAIN, training
        training = ""
        yield part, block
    if training:
        yield TRAIN, training


def blocks_of_long(texts: Iterable[str]) -> Iterator[str]:
    """The blocks of `block_ends` where a text comes bit by bit, 80,000 characters and more in all."""
    rest, held = "", ""  # held: the block before, until it is known that what follows is not blank
    for text, last in with_last(texts):
        rest += text
        start = 0
        for end in block_cuts(rest, BLOCK, lines=True):
            if not last and end > len(rest) - 2 * BLOCK:
                break  # what is still to come might move this cut
            block, start = rest[start:end], end
            if not block.isspace() and held and not held.isspace():
                yield held
                held = ""
            held += block
        rest = rest[start:]
    if held:
        yield held


def with_last(texts: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """Each text, and whether it is the last."""
    texts = iter(texts)
    for before in texts:  # the first; the loop inside takes the others
        for text in texts:
            yield before, False
            before = text
        yield before, True


def text_bytes(sources: Sequence[str | Path]) -> int:
    """About how many bytes the texts have, those of .gz files taken five times; standard input is not known: 0."""
    total = 0
    for source in sources:
        for path in expand(str(source))[0]:
            if path != "-" and Path(path).is_file():
                total += Path(path).stat().st_size * (5 if printable_path(path).lower().endswith(".gz") else 1)
    return total

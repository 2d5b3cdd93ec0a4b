"""Documents -> training, validation and test parts: disjoint, and together the whole text, character for character.

Why blocks and not the last tenth: a text changes on its way. A contiguous cut of Chekhov's volume 8, whose last third
is editors' notes, costs 0.3 to 0.4 nats per character that no model is to blame for.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from chekhov.errors import UsageError
from chekhov.text.reading import Document

BLOCK = 4_000  # characters
PERIOD = 20  # of so many blocks one is for validation and the next for test
HELD_OUT = 8_000_000  # characters of held-out blocks that a part has at most: they are enough, and memory is not
MIN_CHARACTERS = 20  # a shorter text is not split
TRAIN, VALID, TEST = 0, 1, 2

TOO_SHORT = "too short to split, everything is for training"
Item = TypeVar("Item")

_BLANKS = re.compile(r"\s+")
_CONTIGUOUS = re.compile(r"contiguous:(0?\.[0-9]{1,9})(?:,(0?\.[0-9]{1,9}))?")


@dataclass(frozen=True)
class Split:
    """Three lists of documents, each in the order of the text, and a phrase for tables and model cards."""

    train: list[Document]
    valid: list[Document]
    test: list[Document]
    description: str


def split_documents(documents: Sequence[Document], spec: str = "auto", *, seed: int = 0) -> Split:
    """Split ``documents`` by ``spec``. A part of a document is named ``NAME[start:end]``, in characters.

    ``auto``              three or more different documents: each whole, by a hash of (seed, content), 90/5/5, equal
                          contents in the same part, no part empty or larger than training.
                          Fewer: blocks of about 4,000 characters (a twentieth of a short text), cut at line ends, or
                          at blanks if no line ends within 4,000 more; of every 20 blocks one is for validation and
                          the next for test. ``seed`` plays no part.
    ``contiguous:F``      the first int(n * F) of all n characters train, the rest is for validation (nanoGPT's split).
    ``contiguous:F,G``    then G of them for validation, the rest for test.
    ``none``              everything trains.

    A text too short to split (under 20 characters or under three words) trains whole, and the description says so.
    Raises UsageError: E-SPLIT-001 no document, E-SPLIT-002 unknown spec.
    """
    if not documents:
        raise UsageError("E-SPLIT-001", "there is no document to split", mend="give at least one text")
    if spec == "none":
        return Split(list(documents), [], [], "none, everything is for training")
    if spec == "auto":
        digests = [content_digest(document, seed) for document in documents] if len(documents) >= 3 else []
        return _by_hash(documents, digests, seed) if len(set(digests)) >= 3 else _by_blocks(documents)
    match = _CONTIGUOUS.fullmatch(spec)
    fractions = [float(group) for group in match.groups(default="0")] if match else []
    if not match or not fractions[0] > 0 or round(sum(fractions), 9) > 1 or (match[2] and not fractions[1] > 0):
        raise UsageError(
            "E-SPLIT-002",
            f"--split {spec!r} is not a split",
            mend="give auto, none, contiguous:0.9 (train, validation) or contiguous:0.9,0.05 (train, validation, test)",
        )
    return _contiguous(documents, *fractions)


def content_digest(document: Document, seed: int) -> bytes:
    """The same on every machine and in every process, unlike ``hash``."""
    digest = hashlib.blake2b(f"{seed}\n".encode(), digest_size=16)
    digest.update(document.text.encode("utf-8", "surrogatepass"))
    return digest.digest()


def _by_hash(documents: Sequence[Document], digests: Sequence[bytes], seed: int) -> Split:
    """Whole documents, 90/5/5 by the hash read as a number in [0, 1)."""
    part_of, description = parts_by_hash(digests, seed)
    parts: tuple[list[Document], ...] = ([], [], [])
    for document, digest in zip(documents, digests):
        parts[part_of[digest]].append(document)
    return Split(parts[0], parts[1], parts[2], description)


def parts_by_hash(digests: Sequence[bytes], seed: int) -> tuple[dict[bytes, int], str]:
    """The part of each document's digest, and the phrase for it."""
    part_of: dict[bytes, int] = {}
    for digest in digests:
        number = int.from_bytes(digest[:8], "big") / 2**64
        part_of[digest] = TRAIN if number < 0.90 else VALID if number < 0.95 else TEST
    moved = _balance(part_of)
    sizes = [sum(part_of[digest] == part for digest in digests) for part in (TRAIN, VALID, TEST)]
    description = f"{len(digests)} documents by hash (seed {seed}), {'/'.join(map(str, sizes))}"
    if moved:
        description += f", {moved} moved so that no part is empty and training is the largest"
    return part_of, description


def _balance(part_of: dict[bytes, int]) -> int:
    """Chance can leave few documents without a part, or with little to train on: move the fewest, return how many.

    An empty part takes from the largest, then training takes from a larger one, always the content of highest hash.
    """
    moved = 0

    def size(part: int) -> int:
        return list(part_of.values()).count(part)

    def take(giver: int, taker: int) -> None:
        nonlocal moved
        part_of[max(digest for digest, part in part_of.items() if part == giver)] = taker
        moved += 1

    for part in (TEST, VALID, TRAIN):
        if not size(part):
            take(max((TRAIN, VALID, TEST), key=size), part)
    while size(largest := max((TRAIN, VALID, TEST), key=size)) > size(TRAIN):
        take(largest, TRAIN)
    return moved


def _by_blocks(documents: Sequence[Document]) -> Split:
    parts: tuple[list[Document], ...] = ([], [], [])
    for document in documents:
        ends = block_ends(document.text)
        part_of = parts_of_blocks(len(ends))
        start = 0
        for index, end in enumerate(ends):
            if part_of[index] == TRAIN and part_of[index + 1 : index + 2] == [TRAIN]:
                continue  # adjacent training blocks stay one document
            parts[part_of[index]].append(_slice(document, start, end))
            start = end
    if not parts[VALID]:
        return Split(list(documents), [], [], TOO_SHORT)
    sizes = [sum(len(document.text) for document in part) for part in parts]
    valid, test = (HeldOut[Document]() for _ in range(2))
    for kept, part in ((valid, parts[VALID]), (test, parts[TEST])):
        for document in part:
            kept.add(document, len(document.text))
    longest = max(len(document.text) for document in documents)
    described = describe_blocks(longest, len(documents), sizes, max(valid.stride, test.stride))
    return Split(parts[TRAIN], valid.blocks, test.blocks, described)


class HeldOut(Generic[Item]):
    """The blocks of a held-out part: every ``stride``-th, 1, 2, 4 ..., so that they hold at most `HELD_OUT` characters.

    What is left out is not trained on either.
    """

    def __init__(self) -> None:
        self.kept: list[tuple[Item, int]] = []
        self.stride, self.seen, self.characters = 1, 0, 0

    def add(self, block: Item, characters: int) -> None:
        if self.seen % self.stride == 0:
            self.kept.append((block, characters))
            self.characters += characters
        self.seen += 1
        while self.characters > HELD_OUT and len(self.kept) > 1:
            self.kept, self.stride = self.kept[::2], 2 * self.stride
            self.characters = sum(size for _, size in self.kept)

    @property
    def blocks(self) -> list[Item]:
        return [block for block, _ in self.kept]


def describe_blocks(longest: int, documents: int, sizes: Sequence[int], stride: int) -> str:
    """``sizes``: the characters of the three parts; ``longest``: of a document."""
    where = f" in each of {documents} documents" if documents > 1 else ""
    thinned = f"; of the held-out blocks every {stride}th is read" if stride > 1 else ""
    return f"blocks of {min(BLOCK, longest // PERIOD):,} characters{where}, {percentages(sizes)}{thinned}"


def parts_of_blocks(count: int) -> list[int]:
    """The part of each block. The first held-out pair stands in the middle of 20: both ends of a text are unlike it."""
    phase = min(PERIOD // 2 - 1, count // 2)
    if count < 3:
        return [TRAIN] * count
    return [{phase: VALID, phase + 1: TEST}.get(index % PERIOD, TRAIN) for index in range(count)]


def block_ends(text: str) -> list[int]:
    """Where blocks end, the last at len(text); fewer than three ends mean that the text is too short to split.

    Line ends first; a text of one or two lines, or with nearly all of it in one, is cut as finely as it needs.
    """
    size = min(BLOCK, len(text) // PERIOD)
    ends: list[int] = []
    if len(text) >= MIN_CHARACTERS:
        for cuts in (
            block_cuts(text, size, lines=True),
            block_cuts(text, 1, lines=True),
            block_cuts(text, size, lines=False),
            block_cuts(text, 1, lines=False),
        ):
            ends = _without_blank_blocks(text, cuts)
            if len(ends) >= 3:
                return ends
    return [len(text)]


def block_cuts(text: str, size: int, *, lines: bool) -> Iterator[int]:
    """Places to cut at least ``size`` apart, each after a line end, or after blanks if no line ends within 4,000."""
    position = 0
    while (target := position + max(size, 1) - 1) < len(text):
        line_end = text.find("\n", target, target + BLOCK) if lines else -1
        if line_end >= 0:
            position = line_end + 1
        elif blanks := _BLANKS.search(text, target):
            position = blanks.end()
        else:
            break
        yield position
    if position < len(text):
        yield len(text)


def _without_blank_blocks(text: str, cuts: Iterator[int]) -> list[int]:
    """A block of white space alone joins the block before it (at the start, the one after)."""
    ends: list[int] = []
    start = 0
    for end in cuts:
        if not text[start:end].isspace():
            ends.append(end)
        elif ends:
            ends[-1] = end
        start = end
    return ends


def _contiguous(documents: Sequence[Document], train: float, valid: float) -> Split:
    total = sum(len(document.text) for document in documents)
    first = int(total * train)
    second = int(total * round(train + valid, 9)) if valid else total  # 0.7 + 0.1 is 0.7999999999999999
    if not first or first == total:
        return Split(list(documents), [], [], TOO_SHORT)
    parts: tuple[list[Document], ...] = ([], [], [])
    offset = 0
    for document in documents:
        length = len(document.text)
        bounds = [min(max(bound - offset, 0), length) for bound in (0, first, second, total)]
        for part, start, end in zip(parts, bounds, bounds[1:]):
            if end > start:
                part.append(_slice(document, start, end))
        offset += length
    shares = percentages([sum(len(document.text) for document in part) for part in parts])
    described = f"contiguous, the first {train:.12g} of the characters for training, {shares}"
    return Split(parts[0], parts[1], parts[2], described)


def _slice(document: Document, start: int, end: int) -> Document:
    if start == 0 and end == len(document.text):
        return document
    return replace(document, name=f"{document.name}[{start}:{end}]", text=document.text[start:end])


def percentages(sizes: Sequence[int]) -> str:
    """Shares of the characters, such as 90/5/5."""
    return "/".join(f"{100 * size / sum(sizes):.0f}" for size in sizes)

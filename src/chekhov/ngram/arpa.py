r"""ARPA files: an n-gram model as text, as KenLM, SRILM and IRSTLM write and read it.

    \data\
    ngram 1=4
    \1-grams:
    -0.9<TAB>word<TAB>-0.3        log10 p, the words, log10 of the back-off (none at the highest order)
    \end\
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chekhov.errors import ModelError
from chekhov.files import write_and_forget
from chekhov.kernels.threads import available, in_threads
from chekhov.ngram.assembly import MEND, assemble
from chekhov.ngram.table import FIRST, Ints, Table
from chekhov.text.files import read_bytes
from chekhov.tokens.vocabulary import RESERVED
from chekhov.types import BOS, EOS, UNK

BLOCK = 4 << 20
ENTRIES = 1 << 15  # that are written at once
MOST_ORDERS = 16
COUNT = re.compile(rb"ngram[ \t]+(\d{1,2})[ \t]*=[ \t]*(\d{1,12})[ \t]*\r?")
SECTION = re.compile(rb"\\(\d{1,2})-grams:[ \t]*\r?")


@dataclass(frozen=True)
class Section:
    """The n-grams of one order as a file lists them."""

    line: int  # of the first one
    grams: NDArray[np.int32]  # (count, n)
    log10_probs: NDArray[np.float32]
    log10_backoffs: NDArray[np.float32]


# Writing.


def write_arpa(table: Table, words: Sequence[str], path: Path) -> None:
    """All of the file or nothing; a name that ends in .gz is packed. ModelError for words that ARPA cannot hold."""
    if "\n".join(words).split() != list(words):
        word = next(word for word in words if word.split() != [word])
        what = f"the token {word!r} holds white space, which in an ARPA file stands between words"
        raise ModelError("E-ARPA-001", what, mend="train on --tokens words or whitespace")
    blocks = arpa_blocks(table, words)
    if path.name.endswith(".gz"):
        blocks = packed(blocks)
    write_and_forget(path, blocks)


def arpa_blocks(table: Table, words: Sequence[str], threads: int | None = None) -> Iterator[bytes | memoryview]:
    """The file piece by piece, each to be used before the next is asked for: they are written over."""
    from chekhov.ngram import arpa_kernels

    counts = "".join(f"ngram {n}={count}\n" for n, count in enumerate(table.sizes(), start=1))
    yield f"\\data\\\n{counts}".encode()
    spellings, word_starts = spelt_apart(words)
    sizes, records = np.empty(len(words), np.uint8), aligned(len(words) * arpa_kernels.RECORD)
    arpa_kernels.fill_records(spellings, word_starts, sizes, records)
    most = 2 * arpa_kernels.WIDEST + arpa_kernels.RECORD + table.order * (8 + int(np.diff(word_starts).max()))
    threads = available() if threads is None else threads
    rooms = [np.empty(BLOCK + most, np.uint8) for _ in range(threads)]
    kept = np.zeros((threads, arpa_kernels.KEPT, 4), np.int64)

    def lines(piece: tuple[int, int, int], depth: int, contexts: Ints, deeper: Ints) -> list[bytes | memoryview]:
        """Of some nodes; what does not fit into the room of this piece is copied out of it."""
        number, node, last = piece
        out, entry, blocks = rooms[number % threads], 0, []  # type: NDArray[np.uint8], int, list[bytes | memoryview]
        while True:
            node, entry, size = arpa_kernels.write_lines(
                table.arrays, table.starts, depth, contexts, deeper, (sizes, records, spellings, word_starts), node,
                last, entry, most, kept[number % threads], out,
            )  # fmt: skip
            if node == last:
                return [*blocks, out[:size].data]
            blocks.append(out[:size].tobytes())

    depths = [*np.diff(table.starts).tolist(), 0]
    contexts = np.empty((1, 0), np.int32)
    for depth in range(table.order):
        yield f"\n\\{depth + 1}-grams:\n".encode()
        deeper = np.empty((depths[depth + 1], depth + 1), np.int32)
        write = partial(lines, depth=depth, contexts=contexts, deeper=deeper)
        for blocks in in_threads(write, pieces(table, depth), threads):
            yield from blocks
        contexts = deeper
    yield b"\n\\end\\\n"


def spelt_apart(words: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The bytes of all words, and eight more; where each begins, and where the last ends."""
    data = np.frombuffer("\n".join([*words, ""]).encode(), np.uint8)
    ends = np.flatnonzero(data == ord("\n"))
    starts = np.append(0, ends - np.arange(len(ends)))
    return np.append(data[data != ord("\n")], np.zeros(8, np.uint8)), starts


def aligned(size: int) -> NDArray[np.uint8]:
    """So many bytes from a cache line's beginning on."""
    room = np.empty(size + 63, np.uint8)
    begin = -room.ctypes.data % 64
    return room[begin : begin + size]


def pieces(table: Table, depth: int) -> Iterator[tuple[int, int, int]]:
    """Numbers, first and last nodes of the pieces of a depth, some `ENTRIES` each."""
    node, last, number = int(table.starts[depth]), int(table.starts[depth + 1]), 0
    firsts = table.nodes[node : last + 1, FIRST]
    begin = node
    while node < last:
        wanted = min(int(firsts[node - begin]) + ENTRIES, int(firsts[-1]))
        end = begin + max(int(np.searchsorted(firsts, np.int32(wanted), side="right")) - 1, node + 1 - begin)
        yield number, node, min(end, last)
        node, number = min(end, last), number + 1


def packed(blocks: Iterator[bytes | memoryview]) -> Iterator[bytes | memoryview]:
    import io

    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as file:
        for block in blocks:
            file.write(block)
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


# Reading.


def read_arpa(path: Path) -> tuple[list[str], Table]:
    """The words, in the order of their ids (`RESERVED` first), and the table of an ARPA file, plain or .gz.

    Raises `ModelError` with the line of whatever is not as it must be, before anything larger than the file is made.
    """
    data = np.frombuffer(read_bytes(str(path)), np.uint8)
    where = str(path)
    refuse_other_formats(data[:64].tobytes(), where)
    sections, types = read_sections(data, where)
    words = [data[start:end].tobytes() for start, end in types[:, 1:].tolist()]
    try:
        spelt = [word.decode() for word in words]
    except UnicodeDecodeError as error:
        line = sections[0].line + next(i for i, word in enumerate(words) if not is_utf8(word))
        what, why = "a word is not UTF-8", str(error)
        raise ModelError("E-ARPA-002", what, where=f"{where} line {line}", why=why, mend=MEND) from error
    number = {word: i for i, word in enumerate(spelt)}
    for mark in (RESERVED[BOS], RESERVED[EOS]):
        if mark not in number:
            raise ModelError("E-ARPA-003", f"the 1-grams hold no {mark}", where=where, mend=MEND)
    others = [word for word in spelt if word not in RESERVED]
    id_of = np.empty(len(spelt), np.int32)
    for mark, i in ((RESERVED[UNK], UNK), (RESERVED[BOS], BOS), (RESERVED[EOS], EOS)):
        if mark in number:
            id_of[number[mark]] = i
    rest = np.array([word not in RESERVED for word in spelt])
    id_of[rest] = len(RESERVED) + np.arange(len(others))
    return [*RESERVED, *others], assemble(sections, id_of, len(RESERVED) + len(others), where)


def refuse_other_formats(head: bytes, where: str) -> None:
    if head.startswith(b"mmap lm http://kheafield.com/code"):
        what, mend = "this is a binary file of KenLM", "give the ARPA file that it was built from"
        raise ModelError("E-ARPA-004", what, where=where, mend=mend)
    if head.startswith((b"blmt", b"Qblmt", b"iARPA")):
        what, mend = "this is a file of IRSTLM, not ARPA", "turn it into ARPA with compile-lm --text=yes"
        raise ModelError("E-ARPA-004", what, where=where, mend=mend)
    if head.startswith(b"\x1f\x8b"):
        raise ModelError("E-ARPA-004", "this is gzip under another name", where=where, mend="name it .gz")


def read_sections(data: NDArray[np.uint8], where: str) -> tuple[list[Section], NDArray[np.int64]]:
    """The n-grams of all orders, and hash, start and end of each word, in the order of the 1-grams."""
    from chekhov.ngram import arpa_kernels

    lines = Lines(data, where)
    counts = read_counts(lines)
    V = counts[0]
    types = np.empty((V, 3), np.int64)
    slots = np.full(1 << (2 * V).bit_length(), -1, np.int32)
    sections = []
    for n, count in enumerate(counts, start=1):
        found = SECTION.fullmatch(lines.next_full())
        if not found or int(found[1]) != n:
            raise ModelError("E-ARPA-005", f"\\{n}-grams: is expected", **lines.place())
        first = lines.number + 1
        grams = np.empty((count, n), np.int32)
        logs = np.empty(count, np.float32), np.empty(count, np.float32)
        at, rows, stopped, place = arpa_kernels.read_lines(
            data, lines.at, n, n == len(counts), data, types, slots, n == 1, grams, *logs
        )
        lines.skip(at, rows)
        if stopped != arpa_kernels.GOOD:
            raise line_error(lines, stopped, place, n, count, rows)
        if at < len(data) and data[at : at + 1] not in (10, 13, 92):
            raise ModelError("E-ARPA-006", f"there are more {n}-grams than the {count} of the head", **lines.place())
        sections.append(Section(first, grams, *logs))
    if lines.next_full().strip() != b"\\end\\":
        raise ModelError("E-ARPA-007", "\\end\\ is expected", why="the file may have been cut off", **lines.place())
    return sections, types


def read_counts(lines: Lines) -> list[int]:
    while True:
        line = lines.next_line()
        if line is None:
            raise ModelError("E-ARPA-008", "there is no \\data\\: this is no ARPA file", **lines.place())
        if line.strip() == b"\\data\\":
            break
    counts: list[int] = []
    while (line := lines.peek_full()).startswith(b"ngram"):
        lines.next_full()
        found = COUNT.fullmatch(line)
        if not found or int(found[1]) != len(counts) + 1 or len(counts) == MOST_ORDERS:
            raise ModelError("E-ARPA-009", f"'ngram {len(counts) + 1}=' and a count is expected", **lines.place())
        counts.append(int(found[2]))
        if counts[-1] * (2 * len(counts) + 2) > len(lines.data):
            raise ModelError(
                "E-ARPA-010", f"the file is too short for {counts[-1]:,} {len(counts)}-grams", **lines.place()
            )
    if not counts or counts[0] == 0:
        raise ModelError("E-ARPA-009", "'ngram 1=' and a count is expected", **lines.place())
    return counts


def line_error(lines: Lines, stopped: int, at: int, n: int, count: int, rows: int) -> ModelError:
    """What is wrong in the line at hand, at the byte ``at`` of the file."""
    from chekhov.ngram import arpa_kernels

    place = lines.place(next_one=True, column=at - lines.at + 1)
    field = bytes(lines.data[at : at + 40]).split()[:1]
    shown = repr(field[0].decode(errors="replace")) if field else "the end of the line"
    if stopped == arpa_kernels.END:
        return ModelError("E-ARPA-006", f"there are {rows:,} {n}-grams, the head says {count:,}", **place)
    if stopped == arpa_kernels.NOT_A_NUMBER:
        return ModelError("E-ARPA-011", f"{shown} is not a number", **place)
    if stopped == arpa_kernels.POSITIVE:
        return ModelError("E-ARPA-012", f"log10 p is {shown}: p would be above 1", **place)
    if stopped == arpa_kernels.UNKNOWN_WORD:
        return ModelError("E-ARPA-013", f"{shown} " + ("stands twice" if n == 1 else "is no 1-gram"), **place)
    if stopped == arpa_kernels.TOO_FEW:
        return ModelError("E-ARPA-014", f"{shown} where {n} words are expected", **place)
    return ModelError("E-ARPA-014", f"{shown} is more than an {n}-gram has here", **place)


class Lines:
    """The lines of a file that are not n-grams, one by one, and where they stand."""

    def __init__(self, data: NDArray[np.uint8], where: str):
        self.data, self.where, self.at, self.number = data, where, 0, 0

    def next_line(self) -> bytes | None:
        if self.at >= len(self.data):
            return None
        block = self.data[self.at : self.at + 4096].tobytes()
        line = block.partition(b"\n")[0]
        self.at, self.number = self.at + len(line) + 1, self.number + 1
        return line

    def next_full(self) -> bytes:
        """The next line that is not empty; empty at the end of the file."""
        while (line := self.next_line()) is not None:
            if line.strip():
                return line
        return b""

    def peek_full(self) -> bytes:
        at, number = self.at, self.number
        line = self.next_full()
        self.at, self.number = at, number
        return line

    def skip(self, at: int, lines: int) -> None:
        self.at, self.number = at, self.number + lines

    def place(self, *, next_one: bool = False, column: int = 0) -> dict[str, str]:
        """Where an error is, and its mend: the line that was read last, or the next one."""
        where = f"{self.where} line {self.number + next_one}" + (f" column {column}" if column else "")
        return {"where": where, "mend": MEND}


def is_utf8(word: bytes) -> bool:
    try:
        word.decode()
    except UnicodeDecodeError:
        return False
    return True

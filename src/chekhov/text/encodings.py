"""Bytes -> text. UTF-8 is the rule; anything else is either certain (a byte order mark), or likely and announced (a
Cyrillic code page), or an error that names the byte."""

from __future__ import annotations

import codecs
import re

from chekhov.errors import TextError, UsageError
from chekhov.text.cyrillic import implausible_letters

CODE_PAGES = ("cp1251", "koi8-r", "cp866", "iso8859-5", "mac-cyrillic")
PLAUSIBLE = 0.95  # share of letters in plausible words that a code page needs
MIN_LETTERS = 8  # fewer prove nothing: in a trial on random cuts of prose, 5 letters were misread once in 150
SAMPLE_BYTES = 1 << 18  # what code pages are judged by: all of a short file, evenly spread slices of a long one
MAX_CONTROL_SHARE = 0.01  # more control characters than this and the file is binary

_MARKS = (  # UTF-32 first: its little-endian mark begins with UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b\x1a")) + b"\x7f"
_PIECE = 1 << 20
_CONTROL = re.compile(b"[" + re.escape(_CONTROLS) + b"]")
_SIGNATURES = (
    (b"\x1f\x8b", "gzip data: give it a name that ends in .gz"),
    (b"PK\x03\x04", "a zip archive (a .docx, .epub or .zip file): save its text as .txt"),
    (b"%PDF-", "a PDF file: save its text as .txt"),
)
_SURROGATE = re.compile("[\ud800-\udfff]")
# Text encodings of Python that are not encodings of files: lone surrogates or quadratic time come out of them.
_NOT_FOR_FILES = {"unicode-escape", "raw-unicode-escape", "utf-7", "idna", "punycode", "undefined"}


def decode_bytes(
    data: bytes | bytearray, *, name: str, encoding: str | None = None, keep_bom: bool = False
) -> tuple[str, str, str]:
    """(text, encoding used, note) of a file's bytes; the note is "" for UTF-8 and for an encoding that was asked for.

    Without ``encoding``: UTF-8, or UTF-16/32 by their byte order mark, or a single-byte Cyrillic code page if at least
    95 % of its letters form plausible Russian words and it leaves the runner-up behind. ``keep_bom`` keeps U+FEFF
    at the start, as the chapter's program does. The text never holds a lone surrogate or a NUL.

    Raises TextError E-TEXT-001 (not text in any of these), 002 (binary), 003 (not in the encoding asked for);
    UsageError E-TEXT-004 (no such encoding).
    """
    note = ""
    if encoding is not None:
        used = check_encoding(encoding)
        text = _decode_as(data, used, name)
    elif mark := next((codec for bom, codec in _MARKS if data.startswith(bom)), ""):
        used = mark
        text = _decode_as(data, used, name)
        note = f"{name}: read as {used.upper()} (by its byte order mark)"
    else:
        used = "utf-8"
        _refuse_binary(data, name)
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            used = _guess_code_page(data, error, name)
            text = _decode_as(data, used, name)
            note = f"{name}: not UTF-8, read as {used}; if that is wrong, name its encoding with --encoding"
    _refuse_nul(text, used, name)
    if text.startswith("\ufeff") and not keep_bom:
        text = text[1:]
    return text, used, note


def is_plain_utf8(data: bytes | bytearray) -> bool:
    """Would `decode_bytes` read it as UTF-8, with nothing to be said? Then also: are there no CR and no ``<s>``,
    ``</s>`` or ``<unk>``, at which tokenizers look? It looks at bytes alone, 64 at once."""
    import numpy as np

    from chekhov.kernels.threads import available, in_threads
    from chekhov.text.utf8_kernels import survey

    if data.startswith(tuple(magic for magic, _ in _SIGNATURES)):
        return False
    middle = data.find(b"\n", len(data) // 2) + 1  # no character and no mark goes on behind a line's end
    halves = np.frombuffer(data, np.uint8)[:middle], np.frombuffer(data, np.uint8)[middle:]
    wrong, controls, nuls, returns, marks = map(sum, zip(*in_threads(survey, halves, min(2, available()))))
    return not (wrong or nuls or returns or marks) and controls <= 2 + MAX_CONTROL_SHARE * len(data)


def check_encoding(encoding: str) -> str:
    """The canonical name of an encoding that a file can have; raises UsageError E-TEXT-004 for any other name."""
    try:
        codec = codecs.lookup(encoding)
    except (LookupError, ValueError):  # ValueError: a NUL or a surrogate in the name
        codec = None
    if codec is None or not getattr(codec, "_is_text_encoding", True) or codec.name.replace("_", "-") in _NOT_FOR_FILES:
        raise UsageError(
            "E-TEXT-004",
            f"--encoding {encoding!r} is not a text encoding known here",
            mend="give a name such as utf-8, cp1251, koi8-r or latin-1",
        )
    return codec.name


def _decode_as(data: bytes | bytearray, encoding: str, name: str) -> str:
    """Decode strictly; a UTF-8 or UTF-16/32 byte order mark may stay at the start."""
    try:
        text = data.decode(encoding)
    except UnicodeError as error:
        start = getattr(error, "start", 0)
        raise TextError(
            "E-TEXT-003",
            f"byte {start} ({_shown(data, start)}) is not {encoding}",
            where=name,
            why=str(getattr(error, "reason", error)).capitalize(),
            mend="give the file's own encoding with --encoding, or repair the file",
        ) from None
    if surrogate := _SURROGATE.search(text):
        raise TextError(
            "E-TEXT-003",
            f"character {surrogate.start()} decodes to a lone surrogate as {encoding}",
            where=name,
            mend="give the file's own encoding with --encoding",
        )
    return text


def _shown(data: bytes | bytearray, offset: int) -> str:
    return f"0x{data[offset]:02x}" if offset < len(data) else "end of file"


def _refuse_binary(data: bytes | bytearray, name: str) -> None:
    """Raise TextError for a known binary signature, a NUL byte, or more than 1 % control characters."""
    mend = "give a plain text file"
    kind = next((kind for magic, kind in _SIGNATURES if data.startswith(magic)), "")
    if kind:
        raise TextError("E-TEXT-002", "the file is binary, not text", where=name, why=f"It is {kind}", mend=mend)
    nul = data.find(0)
    controls = 0
    for start in range(0, len(data), _PIECE):  # in pieces, since translate copies
        piece = data[start : start + _PIECE]
        controls += len(piece) - len(piece.translate(None, _CONTROLS))
    if nul < 0 and controls <= 2 + MAX_CONTROL_SHARE * len(data):
        return
    if nul >= 0:
        why = f"A NUL byte stands at byte {nul}"
        mend += ", or --encoding utf-16-le if it is UTF-16 without a byte order mark"
    else:
        first = _CONTROL.search(data)
        at = first.start() if first else 0
        why = (
            f"{controls:,} of its {len(data):,} bytes are control characters, the first {_shown(data, at)} at byte {at}"
        )
    raise TextError("E-TEXT-002", "the file is binary, not text", where=name, why=why, mend=mend)


def _refuse_nul(text: str, encoding: str, name: str) -> None:
    at = text.find("\0")
    if at >= 0:
        raise TextError(
            "E-TEXT-002",
            f"character {at} is NUL when the file is read as {encoding}, so it is binary or in another encoding",
            where=name,
            mend="give a plain text file, or its own encoding with --encoding",
        )


def _guess_code_page(data: bytes | bytearray, error: UnicodeDecodeError, name: str) -> str:
    """The one code page in which ``data`` is Russian beyond doubt; else TextError E-TEXT-001 naming the first bad byte.

    Beyond doubt: at most 5 % of the letters stand outside plausible words, and the runner-up (the best page that
    reads the sample differently) has more than twice as many such letters, and at least two more. Two pages can read
    a text alike (cp1251 and mac-cyrillic share most small letters): then it does not matter which is named.
    """
    sample = _sample(data)
    readings: dict[str, tuple[float, int, int, str]] = {}  # what is read -> share of bad letters, bad, letters, page
    for page in CODE_PAGES:
        try:
            text = sample.decode(page)
        except UnicodeDecodeError:
            continue
        bad, letters = implausible_letters(text)
        if letters and text not in readings:
            readings[text] = (bad / letters, bad, letters, page)
    ranked = sorted(readings.values())
    guess = ""
    mend = "name the file's encoding with --encoding, for example --encoding latin-1, or repair the file"
    if ranked:
        share, bad, letters, page = ranked[0]
        runner_up_bad = ranked[1][1] if len(ranked) > 1 else letters
        if letters >= MIN_LETTERS and share <= 1 - PLAUSIBLE and runner_up_bad > 2 * bad + 1:
            return page
        if share < 0.5:
            guess = f" (the nearest is {page}: {1 - share:.0%} of {letters} letters form plausible Russian words)"
            mend = f"name the file's encoding, perhaps --encoding {page}, or repair the file"
    raise TextError(
        "E-TEXT-001",
        f"byte {error.start} ({_shown(data, error.start)}) is not UTF-8",
        where=name,
        why=f"{error.reason.capitalize()}, and no Cyrillic code page fits beyond doubt{guess}",
        mend=mend,
    )


def _sample(data: bytes | bytearray) -> bytes | bytearray:
    """At most SAMPLE_BYTES of ``data``: 64 slices from start to end."""
    if len(data) <= SAMPLE_BYTES:
        return data
    width = SAMPLE_BYTES // 64
    step = (len(data) - width) / 63
    return b"\n".join(data[int(i * step) : int(i * step) + width] for i in range(64))

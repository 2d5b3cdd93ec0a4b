"""Bytes -> text: what is certain is read, what is likely is announced, everything else is refused at its byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekhov.errors import ChekhovError, TextError, UsageError
from chekhov.text.encodings import CODE_PAGES, SAMPLE_BYTES, decode_bytes

TEXT = (
    "Над рекой стоял туман, и Марья Петровна долго смотрела, как паром идёт к другому берегу.\n"
    "«Какая нынче ранняя осень», — сказал доктор. Ему никто не ответил.\n"
)


def encode(text: str, page: str) -> bytes:
    """``text`` in ``page``, with plain signs for those that the page lacks."""
    if page in ("cp866", "koi8-r", "iso8859-5"):
        text = text.replace("«", '"').replace("»", '"').replace("—", "-")
    return text.encode(page)


def test_utf8_is_read_without_a_note():
    assert decode_bytes(TEXT.encode(), name="x.txt") == (TEXT, "utf-8", "")
    assert decode_bytes(bytearray(TEXT.encode()), name="x.txt") == (TEXT, "utf-8", "")
    assert decode_bytes(b"", name="x.txt") == ("", "utf-8", "")


def test_a_byte_order_mark_is_dropped_unless_it_is_to_be_kept():
    data = b"\xef\xbb\xbf" + TEXT.encode()
    assert decode_bytes(data, name="x")[0] == TEXT
    assert decode_bytes(data, name="x", encoding="utf-8")[0] == TEXT
    assert decode_bytes(data, name="x", keep_bom=True)[0] == "\ufeff" + TEXT
    assert decode_bytes(data + "\ufeff".encode(), name="x")[0] == TEXT + "\ufeff"  # elsewhere it is a character


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_utf16_and_utf32_by_their_mark(encoding):
    text, used, note = decode_bytes(("\ufeff" + TEXT + "🎭").encode(encoding), name="x.txt")
    assert (text, used) == (TEXT + "🎭", encoding)
    assert "x.txt" in note and encoding.upper() in note


@pytest.mark.parametrize("text", [TEXT, TEXT * 40, TEXT.upper(), "мама мыла раму", "Добрый день, друзья мои"])
@pytest.mark.parametrize("page", CODE_PAGES)
def test_code_pages_are_found_and_announced(page, text):
    data = encode(text, page)
    read, used, note = decode_bytes(data, name="old.txt")
    assert read == data.decode(page)  # and so it does not matter if another page reads the same
    assert used in note and "old.txt" in note and "--encoding" in note


def test_a_long_file_is_judged_by_all_of_its_length():
    russian = encode(TEXT, "cp1251") * (3 * SAMPLE_BYTES // len(TEXT))
    assert decode_bytes(russian, name="x")[1] == "cp1251"
    with pytest.raises(TextError):
        decode_bytes(russian[: len(russian) // 2] + b"plain English words all the way. " * 30_000, name="x")


@pytest.mark.parametrize(
    "data",
    [
        "Où est passé le café déjà vu ?".encode("latin-1"),
        "Ärger über Übergröße".encode("latin-1"),
        ("English with one accent: caf\xe9. " * 20).encode("latin-1"),
        ("Mostly English, and one word is Russian: " + "слово").encode("cp1251"),
        "мир".encode("cp1251"),  # too short to tell
        bytes(range(128, 256)) * 10,
        TEXT.encode() + b"\xff",
        TEXT.encode()[:-3],  # cut inside a letter
    ],
)
def test_doubt_is_an_error_not_a_guess(data):
    with pytest.raises(TextError) as error:
        decode_bytes(data, name="x.txt")
    assert error.value.code in {"E-TEXT-001", "E-TEXT-002"}


def test_the_error_names_file_byte_and_mend():
    data = TEXT.encode()[:100] + b"\xff" + TEXT.encode()[100:]
    with pytest.raises(TextError) as error:
        decode_bytes(data, name="x.txt")
    assert error.value.code == "E-TEXT-001"
    assert str(error.value).startswith("E-TEXT-001 x.txt: byte 100 (0xff) is not UTF-8.")
    assert "--encoding" in error.value.mend


@pytest.mark.parametrize(
    "bad", [b"\xc0\xaf", b"\xe0\x80\xaf", b"\xed\xa0\x80", b"\xed\xa0\xbd\xed\xb8\x80", b"\xf4\x90\x80\x80", b"\xd0"]
)
def test_overlong_forms_surrogates_cesu_and_torn_characters_are_refused(bad):
    with pytest.raises(TextError) as error:
        decode_bytes(b"abc " + bad, name="x")
    assert "byte 4 " in str(error.value)


@pytest.mark.parametrize(
    ("data", "clue"),
    [
        (b"abc\0def", "byte 3"),
        (TEXT.encode("utf-16-le"), "utf-16-le"),
        (bytes(range(1, 32)) * 10, "byte 0"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"PK\x03\x04 and so on", "zip"),
        (b"%PDF-1.7\n", "PDF"),
        (b"\x7fELF\x02\x01\x01\0\0", "byte 7"),
    ],
)
def test_binary_files_are_called_binary(data, clue):
    with pytest.raises(TextError) as error:
        decode_bytes(data, name="x.bin")
    assert error.value.code == "E-TEXT-002" and clue in str(error.value)


def test_a_stray_control_character_does_not_make_a_file_binary():
    text = "a form feed\f and a bell\a in a page of text\n"
    assert decode_bytes(text.encode(), name="x")[0] == text


def test_the_encoding_asked_for_is_used_and_strict():
    assert decode_bytes("мир".encode("koi8-r"), name="x", encoding="KOI8-R") == ("мир", "koi8-r", "")
    assert decode_bytes("à".encode("latin-1"), name="x", encoding="latin-1")[0] == "à"
    assert decode_bytes(TEXT.encode("utf-16"), name="x", encoding="utf-16")[0] == TEXT
    with pytest.raises(TextError) as error:
        decode_bytes(b"abc\x98", name="x", encoding="cp1251")
    assert error.value.code == "E-TEXT-003" and "byte 3 (0x98)" in str(error.value)
    with pytest.raises(TextError, match="E-TEXT-002"):
        decode_bytes(b"abc\0", name="x", encoding="ascii")


@pytest.mark.parametrize(
    "name", ["klingon", "", "a\0b", "rot13", "base64", "zlib", "idna", "punycode", "unicode_escape", "utf-7", "\ud800"]
)
def test_what_is_no_encoding_of_files_is_a_usage_error(name):
    with pytest.raises(UsageError) as error:
        decode_bytes(b"abc", name="x", encoding=name)
    assert error.value.code == "E-TEXT-004" and error.value.exit_code == 2


def test_all_two_byte_strings_give_text_or_an_error():
    """65,536 cases: never another exception, and what is read can always be written."""
    for first in range(256):
        for second in range(256):
            try:
                text, _, _ = decode_bytes(bytes((first, second)), name="x")
            except ChekhovError:
                continue
            text.encode("utf-8")
            assert "\0" not in text


@given(st.binary(max_size=60), st.sampled_from([None, "utf-8", "utf-16", "cp1251", "shift_jis", "utf-8-sig"]))
def test_any_bytes_give_text_or_an_error(data, encoding):
    try:
        text, _, _ = decode_bytes(data, name="x", encoding=encoding)
    except TextError:
        return
    text.encode("utf-8")
    assert "\0" not in text


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60))
def test_all_of_unicode_comes_back(text):
    if not text.startswith("\ufeff") and not text.startswith("%PDF-"):
        assert decode_bytes(text.encode(), name="x") == (text, "utf-8", "")

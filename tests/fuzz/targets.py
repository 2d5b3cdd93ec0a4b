"""What each parser is thrown at: bytes from anywhere end in a value or in a `ChekhovError`, in nothing else.

A target takes bytes; its seeds are valid inputs. `run.py` runs one under atheris, `test_targets.py` each for a moment.
"""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from chekhov import markovify
from chekhov.errors import ChekhovError
from chekhov.labels.vectors import read_vectors
from chekhov.ngram.arpa import read_arpa
from chekhov.ngram.model import NGram, NGramState, train_ngram
from chekhov.ngram.packed import PackedNGram
from chekhov.ngram.packing import pack
from chekhov.tasks.markov_text import MarkovText
from chekhov.tasks.text_model import TextModel, load
from chekhov.tokens.tokenizer import tokenizer_from_json, train_tokenizer

GOLDEN = Path(__file__).parent.parent / "golden"
TEXT = "Ружьё висело на стене. Доктор молчал. Никто не стрелял на улице, он молчал на стене.\n" * 3


@cache
def scratch() -> Path:
    return Path(tempfile.mkdtemp(prefix="chekhov-fuzz-"))


@cache
def small_table() -> NGram:
    ids = np.array([3, 4, 5, 2, 3, 4, 6, 2, 7, 4, 5, 6, 2] * 3, np.int64)
    return train_ngram(ids, order=3, vocab_size=9)


def arpa(data: bytes) -> None:
    path = scratch() / "fuzz.arpa"
    path.write_bytes(data)
    _, table = read_arpa(path)
    ask(NGram(table))


def arpa_gz(data: bytes) -> None:
    path = scratch() / "fuzz.arpa.gz"
    path.write_bytes(data)
    read_arpa(path)


def table(data: bytes) -> None:
    """Bytes written over a table: what is refused is refused, and kernels keep inside what is not looked at."""
    model = small_table()
    arrays = {name: array.copy() for name, array in model.arrays().items()}
    for name in ("nodes", "entries", "hints"):
        own, data = np.frombuffer(data[: arrays[name].nbytes], np.uint8), data[arrays[name].nbytes :]
        arrays[name].view(np.uint8).reshape(-1)[: len(own)] ^= own
    try:
        ask(NGram.from_arrays(model.sizes(), arrays))
    except ChekhovError:
        arrays["nodes"][0, 0], arrays["nodes"][1, 0], arrays["nodes"][-1, 0] = 0, 9, len(arrays["entries"])
        arrays["entries"][:9] = model.arrays()["entries"][:9]
        with np.errstate(all="ignore"):  # a large table is taken without a look at its numbers: they may be wrong
            ask(NGram(type(model.table)(**arrays)))


def packed_table(data: bytes) -> None:
    model = PackedNGram(pack(small_table().table))
    arrays = {name: array.copy() for name, array in model.arrays().items()}
    for name in sorted(arrays):
        own, data = np.frombuffer(data[: arrays[name].nbytes], np.uint8), data[arrays[name].nbytes :]
        arrays[name].view(np.uint8).reshape(-1)[: len(own)] ^= own
    found = PackedNGram.from_arrays(model.sizes(), arrays)
    found.score(found.initial_state(1), np.array([[3, 4, 5, 2, 6, 0]]))


def ask(model: NGram) -> None:
    """Every kernel that reads a table."""
    V = model.vocab_size
    ids = (np.arange(3000) % V)[None]
    ids[ids == 1] = 2
    model.score(model.initial_state(1), ids)
    model.score_with_orders(model.initial_state(2), np.concatenate([ids[:, :50]] * 2))
    state = model.advance(model.initial_state(3), ids[0, :3])
    model.log_probs(NGramState(np.minimum(state.node, len(model.table.nodes) - 2)))
    model.top(int(state.node[0]), 5)
    if (model.table.log10_probs <= 1e-5).all():  # what is above one has no end
        model.sentences.draw(3, max_words=4)


def markovify_json(data: bytes) -> None:
    markovify.Text.from_json(data.decode("utf-8", "replace"))


def markov_text_json(data: bytes) -> None:
    MarkovText.from_json(data).make(2, check_overlap=False)


def tokenizer_json(data: bytes) -> None:
    tokenizer_from_json(data, where="tokenizer.json").encode("Ружьё висело.")


@cache
def model_folder() -> Path:
    folder = scratch() / "folder"
    TextModel(small_table(), train_tokenizer("characters", ["абвгде"])).save(folder)
    (folder / "saved.json").write_bytes((folder / "config.json").read_bytes())
    return folder


def model_config(data: bytes) -> None:
    (model_folder() / "config.json").write_bytes(data)
    load(model_folder())


def vectors(data: bytes) -> None:
    path = scratch() / "fuzz.vectors"
    path.write_bytes(data)
    words, table = read_vectors(path)
    if len(words) != len(table) or not np.isfinite(table).all():
        raise AssertionError("a vector for each word, of finite numbers")


def vector_files() -> list[bytes]:
    from labels.test_vectors import as_binary, as_navec, as_text

    return [as_text(header=True), as_text(header=False), as_binary(), as_navec()]


def seeds(name: str) -> list[bytes]:
    """Inputs that are as they should be."""
    arpa_file = (GOLDEN / "short.arpa").read_bytes()
    return {
        "arpa": [arpa_file],
        "arpa_gz": [gzip.compress(arpa_file)],
        "table": [b"", bytes(64)],
        "packed_table": [b"", bytes(64)],
        "markovify_json": [markovify.Text(TEXT, well_formed=False).to_json().encode()],
        "markov_text_json": [MarkovText(TEXT).to_json()],
        "model_config": [(model_folder() / "saved.json").read_bytes()],
        "vectors": vector_files() if name == "vectors" else [],
        "tokenizer_json": [train_tokenizer(unit, [TEXT]).to_json() for unit in ("characters", "words", "whitespace")],
    }[name]


TARGETS: dict[str, Callable[[bytes], None]] = {
    "arpa": arpa,
    "arpa_gz": arpa_gz,
    "table": table,
    "packed_table": packed_table,
    "markovify_json": markovify_json,
    "markov_text_json": markov_text_json,
    "tokenizer_json": tokenizer_json,
    "model_config": model_config,
    "vectors": vectors,
}

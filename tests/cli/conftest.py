"""Models that the tests of the command line share."""

from __future__ import annotations

from pathlib import Path

import pytest
from calling import LSTM, TEXT, call


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models of every kind, shared: no test here may change one."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "che.txt").write_text(TEXT)
    text = str(folder / "che.txt")
    for arguments in (
        ("chain", text, "-o", str(folder / "chain")),
        ("ngram", text, "-o", str(folder / "ngram"), "--tokens", "characters"),
        ("lstm", text, "-o", str(folder / "lstm"), "--tokenizer", str(folder / "ngram"), *LSTM),
    ):
        code, _, err = call("train", *arguments, "-q")
        assert code == 0, err
    return folder

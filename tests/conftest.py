"""Fixtures that many tests share."""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: two threads that wait for each other cost 20 times one
os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(__file__).parent.parent / ".cache" / "kernels"))  # compile once

import pytest


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The real corpora, where CHEKHOV_DATA names them."""
    folder = os.environ.get("CHEKHOV_DATA")
    if not folder:
        pytest.skip("CHEKHOV_DATA is not set")
    return Path(folder)


@pytest.fixture(autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The blocks of the pages first: they take longest, and no worker is to wait for the other's at the end."""
    items.sort(key=lambda item: "test_every_block_runs" not in item.nodeid)

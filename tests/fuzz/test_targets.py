"""Each fuzz target for a moment: valid inputs are read, mutated ones give a value or a `ChekhovError`."""

from __future__ import annotations

import pytest
from fuzz.targets import TARGETS, seeds
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chekhov.errors import ChekhovError

PIECES = [b"", b"\0", b"\xff", b"\n", b"-", b"1e999", b"nan", b"{", b"]", b'"', b"\\", b"4294967297", b"\xd0"]


@pytest.mark.parametrize("name", TARGETS)
def test_valid_inputs_are_read(name: str) -> None:
    for seed in seeds(name):
        TARGETS[name](seed)


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_mutated_inputs_are_read_or_refused(name: str, data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(seeds(name)))
    if len(text) < 100:
        text = data.draw(st.binary(max_size=600))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 20)))
        text = text[:start] + data.draw(st.sampled_from(PIECES) | st.binary(max_size=8)) + text[end:]
    try:
        TARGETS[name](text)
    except ChekhovError:
        return

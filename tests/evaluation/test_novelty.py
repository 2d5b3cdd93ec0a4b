"""What is copied and what is new, against a search by hand."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from chekhov.evaluation.novelty import Source, novelty

texts = st.lists(st.integers(0, 3), max_size=40)


def spans(ids: list[int], n: int) -> set[tuple[int, ...]]:
    return {tuple(ids[i : i + n]) for i in range(len(ids) - n + 1)}


@given(texts, st.lists(texts, min_size=1, max_size=3))
def test_longest_copy_and_new_n_grams_are_those_of_a_plain_search(
    sample: list[int], documents: list[list[int]]
) -> None:
    found = novelty(np.array(sample, np.int64), Source([np.array(ids, np.int64) for ids in documents]), (1, 2, 3))
    start, length = found.copied
    held = {n: set().union(*(spans(ids, n) for ids in documents)) for n in range(1, len(sample) + 1)}
    longest = max((n for n in held if spans(sample, n) & held[n]), default=0)
    assert length == longest
    assert not length or tuple(sample[start : start + length]) in held[length]
    for n, share in found.new.items():
        rows = [tuple(sample[i : i + n]) for i in range(len(sample) - n + 1)]
        assert abs(share - sum(row not in held[n] for row in rows) / len(rows)) < 1e-12


def test_a_long_text_is_found_at_once() -> None:
    rng = np.random.default_rng(0)
    source = rng.integers(0, 60, size=500_000)
    sample = np.concatenate([rng.integers(0, 60, size=200), source[3000:3123], rng.integers(0, 60, size=200)])
    start, length = novelty(sample, Source([source])).copied
    assert length in range(123, 127)
    assert start in range(196, 201)

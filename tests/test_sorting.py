"""Sorting against NumPy's."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from chekhov.kernels import sorting_kernels as kernels

SIZES = 0, 1, 2, kernels.SMALL, kernels.SMALL + 1, 500, kernels.MANY, kernels.MANY + 1, 20_000


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("bits", [1, 9, 10, 18, 31])
def test_numbers_by_their_upper_bits(n: int, bits: int) -> None:
    rng, stack = np.random.default_rng(), np.empty(kernels.STACK, np.int64)
    values = rng.integers(0, 1 << bits, n) << 32 | np.arange(n)
    expected, spare = np.sort(values), np.full(n, -1)
    kernels.sort_numbers(values, spare, n, bits, stack)
    np.testing.assert_array_equal(values, expected)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("most", [1, 2, 50, 1 << 60])
@pytest.mark.parametrize("presorted", [False, True])
def test_columns_by_all_their_rows(n: int, most: int, presorted: bool) -> None:
    rng, stack = np.random.default_rng(), np.empty(kernels.STACK, np.int64)
    keys = rng.integers(0, most, (3, n))
    if presorted:
        keys = keys[:, np.lexsort(keys[::-1])]
    order, spare = np.full(n, -1, np.int32), np.full(n, -1)
    before = keys.copy()
    kernels.sort_bucket(keys, order, spare, n, stack)
    np.testing.assert_array_equal(keys, before[:, np.lexsort(before[::-1])])
    np.testing.assert_array_equal(keys, before[:, order])


def test_a_lean_kernel_leaves_the_counts_of_references_as_they_were() -> None:
    values, stack = np.arange(100)[::-1].copy(), np.empty(kernels.STACK, np.int64)
    kernels.sort_run(values, 0, 100, stack)
    before = sys.getrefcount(values), sys.getrefcount(stack)
    for _ in range(50):
        kernels.sort_run(values, 0, 100, stack)
    assert (sys.getrefcount(values), sys.getrefcount(stack)) == before
    np.testing.assert_array_equal(values, np.arange(100))

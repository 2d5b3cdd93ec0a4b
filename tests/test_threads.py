"""What is done side by side comes in its order, with its errors."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event

import pytest

from chekhov.kernels.threads import ahead, in_threads


@pytest.mark.parametrize("threads", [1, 3])
def test_results_come_in_the_order_of_their_items(threads: int) -> None:
    assert list(in_threads(lambda item: item**2, range(20), threads)) == [item**2 for item in range(20)]


def test_the_next_item_is_made_while_one_is_in_use() -> None:
    made = [Event() for _ in range(5)]

    def items() -> Iterator[int]:
        for k, event in enumerate(made):
            event.set()
            yield k

    taken = []
    for k in ahead(items()):
        assert k + 1 == len(made) or made[k + 1].wait(60)
        taken.append(k)
    assert taken == [0, 1, 2, 3, 4]


def test_an_error_comes_after_what_was_made_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("the third")

    taken = []
    with pytest.raises(ValueError, match="the third"):
        for k in ahead(items()):
            taken.append(k)
    assert taken == [1, 2]

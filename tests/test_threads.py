"""What is done side by side comes in its order, with its errors."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from threading import Event

import pytest

from chekhov.kernels.threads import ahead, in_threads, side_by_side


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


def test_parts_side_by_side_end_before_an_error_is_told() -> None:
    begun, done = Event(), []

    def part(item: int) -> None:
        if item == 0:
            assert begun.wait(60)  # the others do not wait for the first one
            raise ValueError("the first part")
        begun.set()
        done.append(item)

    with pytest.raises(ValueError, match="the first part"):
        side_by_side(part, range(4))
    assert sorted(done) == [1, 2, 3]
    with pytest.raises(ZeroDivisionError):
        side_by_side(lambda item: 1 // (2 - item), range(3))
    side_by_side(done.append, [])
    assert len(done) == 3


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own() -> None:
    side_by_side(str, range(4))
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        side_by_side(str, range(4))
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7

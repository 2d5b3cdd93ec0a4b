"""Kernels side by side: they hold no lock, so plain threads do."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache
from typing import Any, TypeVar

Progress = Callable[[str, int, int], None]  # the stage, how much of it is done, of how much
Item = TypeVar("Item")
Result = TypeVar("Result")


def available() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_threads(function: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """``map`` in so many threads; an item is asked for when a thread is about to be free, no earlier."""
    if threads == 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) == threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


@cache
def lasting_pool() -> ThreadPoolExecutor:
    """Threads that stay: to start one takes as long as a small kernel."""
    return ThreadPoolExecutor(available())


if hasattr(os, "register_at_fork"):  # a child has none of them, and would wait for them
    os.register_at_fork(after_in_child=lasting_pool.cache_clear)


def side_by_side(function: Callable[[Item], Any], items: Sequence[Item]) -> None:
    """``function`` of each item, of the first one here and of the others in threads; it must not call this in turn."""
    others = [lasting_pool().submit(function, item) for item in items[1:]]
    try:
        for item in items[:1]:
            function(item)
    finally:
        wait(others)
    for other in others:
        other.result()


def ahead(items: Iterable[Item]) -> Iterator[Item]:
    """``items``, each of which a thread makes while the one before it is in use."""
    iterator, end = iter(items), object()
    with ThreadPoolExecutor(1) as pool:
        coming: Future[Any] = pool.submit(next, iterator, end)
        while (item := coming.result()) is not end:
            coming = pool.submit(next, iterator, end)
            yield item

"""Items read ahead: in order, in runs, and no more of them once somebody has left."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from uhop_cli.files.ahead import Ahead


@pytest.mark.parametrize(("count", "run", "runs"), [(0, 3, []), (7, 3, [3, 3, 1]), (6, 3, [3, 3]), (5, 9, [5]), (3, 1, [1, 1, 1])])
def test_items_come_back_in_order_and_are_read_in_runs(count: int, run: int, runs: list[int]) -> None:
    with ThreadPoolExecutor(3) as pool, Ahead(lambda item: item * 10, pool) as ahead:
        ahead.begin(range(count), run)
        assert [len(part.result()) for part in ahead._begun] == runs
        assert ahead.results() == [item * 10 for item in range(count)]


def test_the_next_are_read_while_those_before_are_used() -> None:
    begun = Event()
    with ThreadPoolExecutor(1) as pool, Ahead(lambda item: item == 2 and begun.set(), pool) as ahead:
        ahead.begin([1], 1)
        ahead.results()
        ahead.begin([2], 1)
        assert begun.wait(60)  # nobody has asked for it


def test_what_was_not_begun_is_not_read_once_somebody_has_left() -> None:
    """Ctrl-C, while the first of four items, of which two are read at a time by one thread, takes as long as it is waited for."""
    read, at_the_first, left = [], Event(), Event()

    def slowly(item: int) -> None:
        read.append(item)
        at_the_first.set()
        left.wait(60)

    with ThreadPoolExecutor(1) as pool:
        with Ahead(slowly, pool) as ahead:
            ahead.begin(range(4), 2)
            at_the_first.wait(60)
        left.set()
    assert read == [0]


def test_an_error_arrives_where_results_are_asked_for() -> None:
    with ThreadPoolExecutor(1) as pool, Ahead(lambda item: 1 // item, pool) as ahead:
        ahead.begin([1, 0], 1)
        with pytest.raises(ZeroDivisionError):
            ahead.results()

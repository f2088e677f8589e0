"""Work on all cores: every part once, in about equal slices, and no threads within threads."""

from __future__ import annotations

import threading
import warnings

import numpy as np
import pytest

from uhop_cli.arrays import threads
from uhop_cli.arrays.threads import on_all_cores


@pytest.fixture(autouse=True)
def _three_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "cores", lambda: 3)


@pytest.mark.parametrize(
    ("total", "step", "lengths"),
    [(30, 9, [5] * 6), (30, 4, [4, 4, 2] * 3), (9, 9, [9]), (10, 9, [4, 4, 2]), (0, 4, []), (7, 100, [7])],
)
def test_slices_are_about_equally_long(total: int, step: int, lengths: list[int]) -> None:
    done: list[slice] = []
    on_all_cores(done.append, total, step)
    done.sort(key=lambda part: part.start)
    assert [part.stop - part.start for part in done] == lengths
    assert [place for part in done for place in range(part.start, part.stop)] == list(range(total))


def test_work_within_shared_work_stays_on_its_thread() -> None:
    inside: list[tuple[int, int]] = []

    def work(part: slice) -> None:
        on_all_cores(lambda _: inside.append((part.start, threading.get_ident())), 3, 1)

    on_all_cores(work, 3, 1)
    assert sorted(start for start, _ in inside) == [0] * 3 + [1] * 3 + [2] * 3
    assert len({thread for start, thread in inside if start == 1}) == 1
    inside.clear()
    on_all_cores(work, 1, 1)  # one piece of work has all cores
    assert threading.get_ident() not in {thread for _, thread in inside}


def test_errors_of_numbers_are_the_callers() -> None:
    def work(_: slice) -> None:
        np.divide(np.ones(1), np.zeros(1))

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("error")
        on_all_cores(work, 3, 1)
    with np.errstate(all="raise"), pytest.raises(FloatingPointError):
        on_all_cores(work, 3, 1)

"""Work on all cores: every part once, errors that arrive, work within work, and a process that was forked."""

from __future__ import annotations

import subprocess
import sys
import warnings
from threading import current_thread, get_ident

import numpy as np
import pytest

from uhop_cli.arrays import threads
from uhop_cli.arrays.threads import on_all_cores, share_cores


@pytest.fixture(autouse=True)
def three_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_shared", [3])


@pytest.mark.parametrize(("total", "step"), [(1, 1), (2, 1), (7, 2), (10, 3), (100, 7), (5, 9)])
def test_every_part_is_done_once_and_none_is_longer_than_asked_for(total: int, step: int) -> None:
    parts: list[range] = []
    on_all_cores(lambda part: parts.append(range(part.start, part.stop)), total, step)
    assert sorted(place for part in parts for place in part) == list(range(total))
    assert max(map(len, parts)) <= min(step, total)


@pytest.mark.parametrize(("total", "step", "lengths"), [(30, 9, [5] * 6), (30, 4, [4, 4, 2] * 3), (10, 9, [4, 4, 2]), (0, 4, [])])
def test_parts_of_a_strip_are_about_equally_long(total: int, step: int, lengths: list[int]) -> None:
    done: list[slice] = []
    on_all_cores(done.append, total, step)
    assert [part.stop - part.start for part in sorted(done, key=lambda part: part.start)] == lengths


def test_errors_of_numbers_are_the_callers() -> None:
    def work(_: slice) -> None:
        np.divide(np.ones(1), np.zeros(1))

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("error")
        on_all_cores(work, 3, 1)
    with np.errstate(all="raise"), pytest.raises(FloatingPointError):
        on_all_cores(work, 3, 1)


def test_buffers_are_small_in_every_part_and_the_callers_afterwards() -> None:
    seen = []
    before = np.getbufsize()
    on_all_cores(lambda part: seen.append(np.getbufsize()), 9, 3)
    assert seen == [threads.BUFFER] * 3
    assert np.getbufsize() == before != threads.BUFFER
    with pytest.raises(ZeroDivisionError), threads.small_buffers():
        raise ZeroDivisionError
    assert np.getbufsize() == before


def test_who_asks_takes_the_first_part_and_other_threads_the_rest() -> None:
    done: dict[int, str] = {}
    on_all_cores(lambda part: done.update({part.start: current_thread().name}), 9, 3)
    assert done[0] == current_thread().name
    assert all(done[start].startswith("uhop") for start in (3, 6))


@pytest.mark.parametrize("bad", [0, 6])
def test_an_error_of_any_part_arrives_once_the_others_are_done(bad: int) -> None:
    done = []

    def work(part: slice) -> None:
        if part.start == bad:
            raise ZeroDivisionError
        done.append(part.start)

    with pytest.raises(ZeroDivisionError):
        on_all_cores(work, 9, 3)
    assert sorted(done) == sorted({0, 3, 6} - {bad})


def test_work_within_work_is_done_where_it_comes_up() -> None:
    """Else all threads could wait for threads, and none be left. Afterwards who asked has all cores again."""
    where: list[tuple[int, int]] = []

    def outer(part: slice) -> None:
        here = get_ident()
        on_all_cores(lambda _: where.append((here, get_ident())), 30, 1)

    on_all_cores(outer, 60, 1)
    assert len(where) == 60 * 30
    assert all(inner == at for at, inner in where)
    where.clear()
    on_all_cores(outer, 1, 1)
    assert len({inner for _, inner in where}) > 1


def test_one_core_hands_nothing_out() -> None:
    share_cores(1)
    seen = set()
    on_all_cores(lambda _: seen.add(get_ident()), 50, 1)
    assert seen == {get_ident()}


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="nothing is forked here")
def test_a_forked_process_has_threads_of_its_own() -> None:
    script = """
import os
from uhop_cli.arrays.threads import on_all_cores, share_cores
share_cores(3)
done = []
on_all_cores(lambda part: done.append(part.start), 9, 3)
child = os.fork()
on_all_cores(lambda part: done.append(part.start), 9, 3)
if child == 0:
    os._exit(0 if len(done) == 6 else 1)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) or len(done) != 6)
"""
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", script], timeout=60, check=False).returncode == 0

"""Work cut into parts, on all cores."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from threading import local
from typing import Any

import numpy as np

from uhop_cli.arrays.types import Float32

MOST = 16  # threads
_shared: list[int] = []  # threads that this process may take, where it shares the machine
_here = local()  # `in_strip`: whether this thread is at one of the strips of `on_all_cores`
BUFFER = 512  # values
WORTH_THREADS = 1 << 20  # values from which a second core is worth its start


def chunks(total: int, size: int) -> Iterator[slice]:
    """Slices of at most `size`, or of 1 where that is less, that cover range(total)."""
    size = max(1, size)
    for start in range(0, total, size):
        yield slice(start, min(start + size, total))


def cores() -> int:
    """How many threads share the work: one a core, `MOST` at most, as memory does not feed more."""
    return min(_shared[-1] if _shared else os.cpu_count() or 1, MOST)


def share_cores(threads: int) -> None:
    """From now on this process takes that many threads at most, beside others that do the same."""
    _shared[:] = [max(1, threads)]


def product_on_all_cores(left: Float32, right: Float32) -> Float32:
    """left @ right for few rows and many columns, at full speed within `one_blas_thread`."""
    if right.size < WORTH_THREADS:
        return np.asarray(left @ right)
    out = np.empty((len(left), right.shape[1]), np.float32)

    def work(columns: slice) -> None:
        np.matmul(left, right[:, columns], out=out[:, columns])

    on_all_cores(work, right.shape[1], -(-right.shape[1] // cores()))
    return out


def on_all_cores(work: Callable[[slice], object], total: int, step: int) -> None:
    """Run `work` on slices of at most `step`, about equally long, that cover range(total): on all cores, one BLAS thread in each.

    The caller's `np.errstate` holds. Work that comes here again stays on its core, as all of them are taken.
    """
    threads, errors = cores(), np.geterr()

    def strip(part: slice) -> None:
        length = part.stop - part.start
        parts = max(1, -(-length // max(1, step)))
        with np.errstate(**errors), small_buffers():
            for rows in chunks(length, -(-length // parts)):
                work(slice(part.start + rows.start, part.start + rows.stop))

    if threads == 1 or total <= step or getattr(_here, "in_strip", False):
        strip(slice(0, total))
        return
    own, *others = chunks(total, -(-total // threads))
    with one_blas_thread():
        handed = [_pool().submit(_in_strip, strip, part) for part in others]
        try:
            _in_strip(strip, own)
        finally:
            wait(handed)
        for one in handed:
            one.result()


def _in_strip(strip: Callable[[slice], object], part: slice) -> None:
    """Within a strip all cores have work: what would be cut into strips there is done as it comes, and waits for no thread."""
    _here.in_strip = True
    try:
        strip(part)
    finally:
        _here.in_strip = False


@contextmanager
def small_buffers() -> Iterator[None]:
    """NumPy as it is fastest where numbers are broadcast, such as one for each row.

    Of several rows that fit into its buffer together it first copies what is broadcast to each of them, which takes three times as
    long as what is to be done. A buffer that is shorter than two rows has it go row by row.
    """
    before = np.setbufsize(BUFFER)
    try:
        yield
    finally:
        np.setbufsize(before)


@cache
def _pool() -> ThreadPoolExecutor:
    """The threads beside whoever asks. They stay: to start one takes a millisecond or two, where two are about already."""
    return ThreadPoolExecutor(MOST - 1, "uhop")


def one_blas_thread() -> AbstractContextManager[Any]:
    """BLAS without threads of its own. After a product they go on turning for some hundredths of a second, in the way of others: so
    work of that length that has threads itself lets BLAS have none from its beginning to its end."""
    context: AbstractContextManager[Any] = _blas().limit(limits=1, user_api="blas")
    return context


def blas_libraries() -> list[dict[str, Any]]:
    """The BLAS libraries of this process, as threadpoolctl describes them: internal_api, version, architecture, num_threads, ..."""
    libraries: list[dict[str, Any]] = _blas().select(user_api="blas").info()
    return libraries


@cache
def _blas() -> Any:
    """The BLAS libraries of this process; finding them takes longer than limiting their threads."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # a child has none of the threads

"""Arrays that are written anew for every chunk."""

from __future__ import annotations

from threading import Thread

import numpy as np
import pytest

from uhop_cli.arrays.joined_rows import JoinedRows
from uhop_cli.arrays.scratch import Scratch, product_into

LIKE = np.zeros(1, np.float32)


def test_the_next_array_of_a_name_takes_the_place_of_the_last() -> None:
    scratch = Scratch()
    first = scratch.empty("a", (2, 3), LIKE)
    first[:] = 1
    second, other = scratch.empty("a", (3, 1), LIKE), scratch.empty("b", (3, 1), LIKE)
    other[:] = 2
    second[:] = 3
    assert first.ravel().tolist() == [3, 3, 3, 1, 1, 1]
    assert (second.shape, second.dtype, second.flags.c_contiguous) == ((3, 1), np.float32, True)
    larger = scratch.empty("a", (3, 3), LIKE)
    larger[:] = 4
    assert first.max() == 3  # it was too small
    assert np.shares_memory(scratch.empty("a", (9,), LIKE), larger)


def test_a_copy_of_a_view_is_contiguous_and_its_own() -> None:
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    scratch = Scratch()
    copy = scratch.copy("a", values.T)
    assert copy.tolist() == [[0, 3], [1, 4], [2, 5]]
    assert copy.flags.c_contiguous
    assert not np.shares_memory(copy, values)
    assert np.shares_memory(scratch.copy("a", values[:1]), copy)
    torch = pytest.importorskip("torch")
    view = torch.from_numpy(values).T
    assert scratch.copy("a", view) is view


def test_threads_do_not_share() -> None:
    scratch, found = Scratch(), []
    thread = Thread(target=lambda: found.append(scratch.empty("a", (4,), LIKE)))
    thread.start()
    thread.join()
    assert not np.shares_memory(scratch.empty("a", (4,), LIKE), found[0])


def test_products_are_written_where_they_are_wanted() -> None:
    rng = np.random.default_rng(0)
    left, right = rng.random((2, 3), dtype=np.float32), rng.random((3, 4), dtype=np.float32)
    out = Scratch().empty("a", (2, 4), left)
    assert product_into(left, right, out) is out
    np.testing.assert_array_equal(out, left @ right)
    torch = pytest.importorskip("torch")
    tensors = torch.from_numpy(left), torch.from_numpy(right)
    product = product_into(*tensors, Scratch().empty("a", (2, 4), tensors[0]))
    np.testing.assert_allclose(product.numpy(), out, rtol=1e-6)


def test_rows_by_number_are_as_stored_and_the_next_take_their_place() -> None:
    stored, scratch = np.arange(12, dtype=np.uint8).reshape(4, 3), Scratch()
    first = scratch.rows("a", stored, np.array([3, 0, 3]))
    assert (first.dtype, first.tolist()) == (np.uint8, [[9, 10, 11], [0, 1, 2], [9, 10, 11]])
    again = scratch.rows("a", stored, np.array([1]))
    assert again.tolist() == [[3, 4, 5]]
    assert np.shares_memory(first, again)
    joined = scratch.rows("a", JoinedRows([stored[:1], stored[1:]]), np.array([2, 0]))
    assert joined.tolist() == [[6, 7, 8], [0, 1, 2]]

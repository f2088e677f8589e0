"""The two back ends give the same numbers for what the array API standard lacks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as array_strategy

from uhop_cli.arrays import threads
from uhop_cli.arrays.device import Device, device_of, resolve_device
from uhop_cli.arrays.library import namespace, to_numpy
from uhop_cli.arrays.operations import (
    clip_over,
    exp_over,
    into,
    inverse,
    largest,
    less_over,
    log_over,
    logsumexp,
    quotient,
    row_sums,
    sum_of_logs,
    topk,
    unit_rows,
    unit_vectors,
)
from uhop_cli.arrays.resources import available_memory
from uhop_cli.arrays.threads import chunks
from uhop_cli.errors import DeviceError


@given(
    array_strategy(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 20)), elements=st.floats(-5, 5, width=32)),
    st.integers(1, 25),
)
@settings(max_examples=60, deadline=None)
def test_topk_is_a_stable_sort(x: np.ndarray, k: int) -> None:
    values, indices = topk(x, k)
    order = np.argsort(-x, axis=-1, kind="stable")[:, :k]
    np.testing.assert_array_equal(values, np.take_along_axis(x, order, -1))
    np.testing.assert_array_equal(np.take_along_axis(x, indices, -1), values)


def test_topk_breaks_ties_by_index_within_the_chosen() -> None:
    _, indices = topk(np.array([[1.0, 3.0, 3.0, 2.0]]), 3)
    np.testing.assert_array_equal(indices, [[1, 2, 3]])


def test_logsumexp_survives_what_overflows_and_what_is_empty() -> None:
    x = np.array([[1000.0, 1000.0], [-np.inf, -np.inf], [-1000.0, 0.0]])
    np.testing.assert_allclose(logsumexp(x), [1000 + np.log(2), -np.inf, 0.0])


def test_back_ends_agree() -> None:
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(size=(5, 40)).astype(np.float32)
    tensor = torch.from_numpy(x)
    np.testing.assert_allclose(to_numpy(logsumexp(tensor)), logsumexp(x), rtol=1e-6)
    for ours, theirs in zip(topk(x, 7), topk(tensor, 7), strict=True):
        np.testing.assert_array_equal(ours, to_numpy(theirs))
    assert namespace(x) is np
    assert namespace(tensor) is not np


def test_unit_rows_maps_pixels_to_the_unit_interval() -> None:
    pixels = np.array([[[0], [255]], [[51], [102]]], np.uint8)
    np.testing.assert_allclose(unit_rows(pixels), [[0, 1], [0.2, 0.4]])
    np.testing.assert_allclose(unit_rows(pixels, slice(1, 2)), [[0.2, 0.4]])
    floats = np.array([[0.25, 0.5]])
    assert unit_rows(floats).dtype == np.float32


def test_chunks_cover_everything_once() -> None:
    assert [(part.start, part.stop) for part in chunks(10, 4)] == [(0, 4), (4, 8), (8, 10)]
    assert list(chunks(0, 4)) == []
    assert len(list(chunks(3, 0))) == 3


def test_a_small_job_stays_on_numpy_and_a_missing_device_is_an_error() -> None:
    assert resolve_device("cpu") == Device("cpu")
    assert resolve_device("auto", flop=1e6) == Device("cpu")
    with pytest.raises(DeviceError, match="unknown device"):
        resolve_device("gpu")
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        with pytest.raises(DeviceError, match="not available"):
            resolve_device("cuda:7")


def test_available_memory_respects_the_address_space_limit() -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30));"
        "from uhop_cli.arrays.resources import available_memory; print(available_memory())"
    )
    limited = int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    assert 0 < limited < 2 << 30
    assert available_memory() > 0


@pytest.mark.parametrize("k", [1, 5, 40, 300])
@pytest.mark.parametrize("shape", [(1003,), (3, 1003), (2, 2, 1000)])
def test_the_largest_are_those_of_a_sorting(k: int, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(k)
    x = rng.normal(size=shape).astype(np.float32)
    np.testing.assert_array_equal(np.sort(largest(x, k)), np.sort(np.argsort(-x)[..., :k]))
    few = rng.integers(0, 4, shape).astype(np.float32)  # many are equal
    best = largest(few, k)
    np.testing.assert_array_equal(-np.sort(-np.take_along_axis(few, best, axis=-1)), -np.sort(-few)[..., :k])
    assert all(len(set(line)) == k for line in best.reshape(-1, k).tolist())


def test_the_largest_of_lines_that_differ_in_how_many_lie_above_their_bound() -> None:
    """Of 100 values and k = 4 a group is every 20th: the second line has its largest in one group, and more lie above the bound."""
    x = np.zeros((2, 100), np.float32)
    x[0, [3, 24, 45, 66]] = 9, 8, 7, 6
    x[1, [3, 23, 43, 63, 83, 4, 5, 6]] = 9, 8, 7, 6, 5, 4, 3, 2
    assert np.sort(largest(x, 4)).tolist() == [[3, 24, 45, 66], [3, 23, 43, 63]]


def test_the_largest_one_is_the_first_of_equals() -> None:
    x = np.array([[1, 3, 3, 2], [4, 4, 0, 4]], np.float32)
    values, places = topk(x, 1)
    assert values.tolist() == [[3], [4]]
    assert places.tolist() == [[1], [0]]
    assert [part.tolist() for part in topk(x[:, :1], 5)] == [[[1], [4]], [[0], [0]]]


def test_values_that_are_no_numbers_leave_as_many_places() -> None:
    assert len(set(largest(np.full(400, np.nan, np.float32), 7).tolist())) == 7


@pytest.mark.parametrize("put", [lambda x: x, Device("torch-cpu").put], ids=["numpy", "torch"])
def test_sums_of_rows(put: Callable[[np.ndarray], Any]) -> None:
    x = np.random.default_rng(0).random((2, 3, 3072), dtype=np.float32)
    np.testing.assert_allclose(to_numpy(row_sums(put(x))), x.astype(np.float64).sum(axis=-1), rtol=1e-6)


@pytest.mark.parametrize("kind", ["distinct", "ties", "constant"])
def test_topk_of_a_long_row_is_the_head_of_a_sort(kind: str) -> None:
    rng = np.random.default_rng(0)
    x = {"distinct": rng.random((3, 5003)), "ties": rng.integers(0, 40, (3, 5003)), "constant": np.zeros((3, 5003))}[kind]
    for k in (1, 7, 30):
        values, indices = topk(x, k)
        np.testing.assert_array_equal(values, -np.sort(-x, axis=-1)[:, :k])
        np.testing.assert_array_equal(values, np.take_along_axis(x, indices, axis=-1))
        assert all(len(set(row)) == k for row in indices.tolist())
        assert ((np.diff(values) < 0) | (np.diff(indices) > 0)).all()


@pytest.mark.parametrize("columns", [1, 5, 64])
def test_a_product_on_all_cores_is_the_product(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "WORTH_THREADS", 1)
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    rng = np.random.default_rng(0)
    left, right = rng.random((4, 7), dtype=np.float32), rng.random((7, columns), dtype=np.float32)
    np.testing.assert_allclose(threads.product_on_all_cores(left, right), left @ right, rtol=1e-6)
    np.testing.assert_allclose(threads.product_on_all_cores(left, np.asfortranarray(right)), left @ right, rtol=1e-6)


@pytest.mark.parametrize("put", [lambda x: x, Device("torch-cpu").put], ids=["numpy", "torch"])
def test_divisions_by_zero_are_defined(put: Callable[[np.ndarray], Any]) -> None:
    x = put(np.array([[3.0, 4.0], [0.0, 0.0]], np.float32))
    np.testing.assert_array_equal(to_numpy(unit_vectors(x)), np.array([[0.6, 0.8], [0, 0]], np.float32))
    lengths = put(np.array([4.0, 0.0, 0.5], np.float32))
    np.testing.assert_array_equal(to_numpy(inverse(lengths)), [0.25, 0, 2])
    assert to_numpy(inverse(lengths)).dtype == np.float32
    np.testing.assert_array_equal(to_numpy(quotient(x, lengths[:2, None])), [[0.75, 1], [0, 0]])
    np.testing.assert_array_equal(to_numpy(quotient(x, lengths[:2, None], otherwise=-np.inf)), [[0.75, 1], [-np.inf, -np.inf]])


def test_what_is_no_number_stays_none() -> None:
    with np.errstate(all="ignore"):
        assert np.isnan(unit_vectors(np.array([np.nan, 1.0]))).any()
        assert np.isnan(unit_vectors(np.array([np.inf, 1.0]))).any()


@pytest.mark.parametrize("kind", ["cpu", "torch-cpu"])
def test_work_on_all_cores_covers_everything_once(kind: str) -> None:
    if kind != "cpu":
        pytest.importorskip("torch")
    device = Device(kind)
    values = device.put(np.zeros(1000, np.float32))
    assert device_of(values) == device
    sizes = []

    def work(part: slice) -> None:
        values[part] += 1
        sizes.append(part.stop - part.start)

    device.on_all_cores(work, 1000, 3)
    assert to_numpy(values).tolist() == [1] * 1000
    assert max(sizes) == (3 if kind == "cpu" else 3 * 64)
    left, right = device.put(np.arange(6, dtype=np.float32).reshape(2, 3)), device.put(np.eye(3, dtype=np.float32)[:, ::-1].copy())
    np.testing.assert_array_equal(to_numpy(device.product(left, right)), [[2, 1, 0], [5, 4, 3]])


def test_results_written_over_their_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    values = np.array([-2.0, -0.5, 0.5, 3.0], np.float32)
    logits = np.array([-200.0, -90.0, -1.0, 0.0], np.float32)
    for make in (np.copy, lambda array: torch.from_numpy(array.copy())):
        np.testing.assert_array_equal(to_numpy(clip_over(make(values), least=-1)), [-1, -0.5, 0.5, 3])
        np.testing.assert_array_equal(to_numpy(clip_over(make(values), most=0)), [-2, -0.5, 0, 0])
        np.testing.assert_allclose(to_numpy(exp_over(make(logits))), [0, 0, np.exp(-1), 1], rtol=1e-6, atol=1e-38)
        np.testing.assert_allclose(to_numpy(log_over(make(values[2:]))), np.log([0.5, 3]), rtol=1e-6)
        np.testing.assert_array_equal(to_numpy(less_over(make(values), make(values[:1]))), [0, -1.5, -2.5, -5])
    assert exp_over(logits.copy())[1] == 0  # e^-90 is no normal number of float32
    made: list[float] = []
    exp = np.exp
    monkeypatch.setattr(np, "exp", lambda values, out: made.append(float(exp(values).min())) or exp(values, out=out))
    exp_over(logits.copy())
    assert min(made) >= np.finfo(np.float32).tiny  # nor is one made on the way, which takes ten times as long
    kept = values.copy()
    assert clip_over(kept, least=0) is kept
    kept += 1
    assert log_over(kept) is kept
    assert less_over(kept, kept[:1].copy()) is kept


@pytest.mark.parametrize(("operation", "expected"), [("add", [5, 8]), ("sub", [-1, 4]), ("mul", [6, 12]), ("truediv", [2 / 3, 3])])
def test_a_result_in_the_place_of_another(operation: Any, expected: list[float]) -> None:
    torch = pytest.importorskip("torch")
    left, right = np.array([2, 6], np.float32), np.array([3, 2], np.float32)
    found = into(torch.empty(2), operation, torch.from_numpy(left), torch.from_numpy(right))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)
    assert into(right, operation, left, right) is right
    np.testing.assert_allclose(right, expected, rtol=1e-6)
    assert left.tolist() == [2, 6]


@pytest.mark.parametrize("size", [0, 1, 3, 4, 7, 3072])
def test_a_sum_of_logarithms_of_products(size: int) -> None:
    values = np.exp(np.random.default_rng(size).uniform(-18, 18, (2, 3, size))).astype(np.float32)
    expected = np.log(values.astype(np.float64)).sum(axis=-1)
    np.testing.assert_allclose(sum_of_logs(values.copy()), expected, rtol=1e-5, atol=1e-4)
    torch = pytest.importorskip("torch")
    np.testing.assert_allclose(sum_of_logs(torch.from_numpy(values)).numpy(), expected, rtol=1e-5, atol=1e-4)

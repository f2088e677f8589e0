"""Products and read-outs straight from the pixels equal those of float patterns, on every path."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.arrays.device import Device
from uhop_cli.arrays.library import to_numpy
from uhop_cli.retrieval import pattern_matrix as matrix_module
from uhop_cli.retrieval import read_out as read_out_module
from uhop_cli.retrieval.pattern_matrix import THIN, HostMatrix, pattern_matrix


@pytest.fixture(params=["cpu", "torch-cpu"])
def device(request: pytest.FixtureRequest) -> Device:
    if request.param != "cpu":
        pytest.importorskip("torch")
    return Device(request.param)


def pixels(count: int = 23) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 4, 5, 3), dtype=np.uint8)


@pytest.mark.parametrize("columns", [1, 3, THIN + 5])
@pytest.mark.parametrize("threads", [False, True])
def test_products_equal_float_products(device: Device, columns: int, threads: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix_module, "THIN_CHUNK_BYTES", 4 * 60 * 4)
    monkeypatch.setattr(matrix_module, "WIDE_CHUNK_BYTES", 4 * 60 * 7)
    if threads:
        monkeypatch.setattr(matrix_module, "THREADS_WORTH", 1)
    stored = pixels()
    y = np.random.default_rng(1).normal(size=(columns, 60)).astype(np.float32)
    result = to_numpy(pattern_matrix(stored, device).products(device.put(y)))
    factors = np.linspace(0, 2, 23, dtype=np.float32)
    squares = to_numpy(pattern_matrix(stored, device).products(device.put(y), device.put(factors), squared=True))
    np.testing.assert_allclose(squares, y @ np.square(stored.reshape(23, -1) / 255).T * factors, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(result, y @ (stored.reshape(23, -1) / 255).T, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shared", [0, 100])
def test_read_out_is_the_weighted_sum_and_skips_what_rounding_hides(
    device: Device, shared: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_out_module, "WIDE_CHUNK_BYTES", 4 * 60 * 3)
    monkeypatch.setattr(read_out_module, "READ_CHUNK_BYTES", 4 * 60 * 3)
    monkeypatch.setattr(read_out_module, "SHARED", shared)
    stored = pixels()
    x = stored.reshape(23, -1) / 255
    rng = np.random.default_rng(2)
    monkeypatch.setattr(read_out_module, "ONE_CHUNK_BYTES", 4 * 60 * 3)
    gaps = rng.dirichlet(np.ones(23), 1) * (np.arange(23) % 5 > 0)
    few = (rng.dirichlet(np.ones(23), 1), gaps, np.zeros((1, 23)), np.eye(23)[[3, 17]], np.eye(23)[[3, 17]] * (1 - 1e-9) + 1e-11)
    mixed = np.concatenate([0.4 * np.eye(23)[[3, 17, 3]], rng.dirichlet(np.ones(23), 2), np.eye(23)[:5], np.zeros((1, 23))])
    for weights in (rng.dirichlet(np.ones(23), 4), rng.dirichlet(np.ones(23), 40), mixed, *few):
        result = to_numpy(pattern_matrix(stored, device).read_out(device.put(weights.astype(np.float32))))
        np.testing.assert_allclose(result, weights @ x, rtol=1e-4, atol=1e-6)


def test_rows_and_float_patterns(device: Device) -> None:
    stored = pixels()
    np.testing.assert_allclose(
        to_numpy(pattern_matrix(stored, device).rows([2, 5])), stored.reshape(23, -1)[[2, 5]] / 255, rtol=1e-6
    )
    floats = np.random.default_rng(3).random((4, 6)).astype(np.float32)
    y = np.ones((2, 6), np.float32)
    np.testing.assert_allclose(to_numpy(pattern_matrix(floats, device).products(device.put(y))), y @ floats.T, rtol=1e-6)


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_rows_may_be_written_to(kind: type, device: Device) -> None:
    stored = pixels().astype(kind)
    X = pattern_matrix(stored, device)
    for places in (None, np.array([7, 2])):
        rows = X.rows(np.array([3, 5]), places)
        expected = X.rows(np.array([3, 5]), places)
        rows *= 0
        np.testing.assert_array_equal(to_numpy(X.rows(np.array([3, 5]), places)), to_numpy(expected))
        assert to_numpy(expected).any()


def test_parts_of_the_queries_cover_them(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix_module, "WIDE_CHUNK_BYTES", 4 * 60 * 7)  # chunks of 7 rows
    parts = pattern_matrix(pixels(), device).query_parts(100, 7 * 40)
    assert np.concatenate([np.arange(100)[part] for part in parts]).tolist() == list(range(100))
    assert [part.stop for part in parts] == ([40, 80, 100] if device.is_numpy else [100])


@pytest.mark.parametrize(("queries", "rows"), [(1, 128), (32, 128), (33, 512), (16_384, 128), (1 << 20, 64)])
def test_rows_of_a_chunk(queries: int, rows: int) -> None:
    """Of 3,072 values: 1.5 MiB of them for few queries, 6 MiB for many, 2^21 pairs with still more, but never below 64 rows."""
    assert HostMatrix(np.zeros((1, 3072), np.uint8)).chunk_rows(queries) == rows


def test_memory_mapped_patterns_are_used_in_place(tmp_path) -> None:
    stored = pixels()
    np.save(tmp_path / "stored.npy", stored)
    mapped = np.load(tmp_path / "stored.npy", mmap_mode="r")
    matrix = pattern_matrix(mapped)
    assert np.shares_memory(matrix.patterns, mapped)
    y = np.ones((1, 60), np.float32)
    np.testing.assert_allclose(matrix.products(y)[0], stored.reshape(23, -1).sum(axis=1) / 255, rtol=1e-5)


def test_memories_without_room_on_the_device_are_sent_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    device = Device("torch-cpu")
    stored = pixels()
    monkeypatch.setattr(Device, "free_memory", lambda self: 2 * 4 * 4 * 70)
    matrix = pattern_matrix(stored, device)
    assert not matrix.resident
    assert np.shares_memory(matrix.patterns, stored)
    x = stored.reshape(23, -1) / 255
    y = np.random.default_rng(1).normal(size=(3, 60)).astype(np.float32)
    np.testing.assert_allclose(to_numpy(matrix.products(device.put(y))), y @ x.T, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(to_numpy(matrix.products(device.put(y), squared=True)), y @ np.square(x).T, rtol=1e-4, atol=1e-5)
    weights = np.random.default_rng(2).dirichlet(np.ones(23), 4).astype(np.float32)
    np.testing.assert_allclose(to_numpy(matrix.read_out(device.put(weights))), weights @ x, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(to_numpy(matrix.rows(device.put(np.array([2, 5])))), x[[2, 5]], rtol=1e-6)
    seen = []
    matrix.each_chunk(lambda rows, part: seen.append((rows, to_numpy(part))))
    assert len(seen) > 1
    np.testing.assert_array_equal(np.concatenate([part for _, part in seen]), stored.reshape(23, -1))


@pytest.mark.parametrize("reads", [1, 5, 6, 100])
def test_levels_at_some_places_are_laid_side_by_side_for_whoever_reads_as_many_rows_as_there_are(reads: int) -> None:
    pixels = np.arange(6 * 12, dtype=np.uint8).reshape(6, 2, 2, 3)
    levels, places = pattern_matrix(pixels).levels, np.array([11, 0, 3])
    assert levels is not None
    read = levels.at(places, reads)
    rows = np.array([4, 0, 4])
    found = read(rows)
    np.testing.assert_array_equal(found, pixels.reshape(6, 12)[rows][:, places])
    np.testing.assert_array_equal(levels(rows, places), found)
    found[:] = 0  # it may be written to
    np.testing.assert_array_equal(read(rows), pixels.reshape(6, 12)[rows][:, places])
    pixels[:] = 0
    assert read(rows).any() == (reads >= 6)  # where they are read once, that is over

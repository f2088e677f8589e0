"""A memory comes back from its file as it was, and from nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from uhop_cli.errors import MemoryFileError
from uhop_cli.forecasting.file import TENSORS, load, save
from uhop_cli.forecasting.linear import fit_linear
from uhop_cli.forecasting.memory import ForecastMemory, MemorySettings
from uhop_cli.forecasting.windows import cut

VALUES = np.random.default_rng(0).normal(size=(40, 2))
WINDOWS = cut(VALUES, 5, 3)
MODEL = fit_linear(VALUES, 5, 3, centred=False)
MEMORY = ForecastMemory(MemorySettings(5, 3, separation="entmax:1.5", beta=7.0)).store(WINDOWS, MODEL)


@pytest.mark.parametrize("memory", [MEMORY, ForecastMemory(MemorySettings(5, 3)).store(WINDOWS)])
def test_there_and_back(memory: ForecastMemory, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    assert save(memory, path) == path.stat().st_size
    found = load(path)
    assert found.settings == memory.settings
    np.testing.assert_array_equal(found.forecast(WINDOWS.past)[0], memory.forecast(WINDOWS.past)[0])
    assert (found.residual is None) == (memory.residual is None)
    more = found.store(WINDOWS, None if memory.residual is None else MODEL)
    assert len(more) == 2 * len(memory)
    first = path.read_bytes()
    save(found, path)
    assert path.read_bytes() == first


def test_the_safetensors_library_reads_it(tmp_path: Path) -> None:
    save(MEMORY, tmp_path / "m.safetensors")
    with safe_open(tmp_path / "m.safetensors", "numpy") as file:
        assert sorted(file.keys()) == sorted(TENSORS)
        np.testing.assert_array_equal(file.get_tensor("residual"), MEMORY.residual)
        np.testing.assert_array_equal(file.get_tensor("starts"), MEMORY.starts)
        assert json.loads(file.metadata()["uhop"])["settings"]["beta"] == 7.0


def spoiled(content: bytes, old: bytes, new: bytes) -> bytes:
    assert old in content
    return content.replace(old, new.ljust(len(old)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content: b"", "not a memory file"),
        (lambda content: content[:-1], "truncated"),
        (lambda content: content + b"0", "follow the last tensor"),
        (lambda content: content[:-1] + bytes([content[-1] ^ 1]), "damaged"),
        (lambda content: spoiled(content, b"forecast-memory/1", b"forecast-memory/2"), "not a forecast memory"),
        (lambda content: spoiled(content, b"__metadata__", b"__metadatum_"), "bad shape|no type|not a forecast"),
        (lambda content: spoiled(content, b'"past"', b'"pass"'), "tensor past is missing"),
        (lambda content: spoiled(content, b'\\"horizon\\": 3', b'\\"horizon\\": 4'), "do not fit each other"),
        (lambda content: spoiled(content, b'\\"horizon\\"', b'\\"horison\\"'), "bad settings"),
        (lambda content: spoiled(content, b'\\"weight\\": 0.5', b'\\"weight\\": 9.5'), "from 0 to 1"),
    ],
)
def test_what_is_no_memory_is_refused(change: object, words: str, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save(MEMORY, path)
    path.write_bytes(change(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(MemoryFileError, match=words):
        load(path)


def test_an_empty_memory_has_no_file(tmp_path: Path) -> None:
    with pytest.raises(MemoryFileError, match="empty"):
        save(ForecastMemory(MemorySettings(5, 3)), tmp_path / "m.safetensors")
    with pytest.raises(MemoryFileError, match="no such"):
        load(tmp_path / "m.safetensors")

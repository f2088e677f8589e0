"""Checkpoints: what is read is what was written, and nothing else is read."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from uhop_cli.errors import MemoryFileError
from uhop_cli.nn.training.checkpoint import Checkpoint

TASK = {"seed": 1, "settings": {"epochs": 2}}
MOVED = [torch.zeros(2, 3), torch.zeros(4)]


def made() -> Checkpoint:
    now = {"a.weight": torch.randn(2, 3), "b": torch.randn(4)}
    best = {name: value + 1 for name, value in now.items()}
    adam = {
        index: {"step": torch.tensor(3.0), "exp_avg": torch.randn_like(value), "exp_avg_sq": torch.randn_like(value)}
        for index, value in enumerate(now.values())
    }
    return Checkpoint(TASK, [(0.5, 0.75), (0.25, 0.5)], now, best, adam)


def test_round_trip(tmp_path: Path) -> None:
    checkpoint, path = made(), tmp_path / "c.safetensors"
    checkpoint.save(path)
    found = Checkpoint.load(path, checkpoint.now, MOVED, TASK)
    assert (found.task, found.history) == (TASK, checkpoint.history)
    for one, other in ((found.now, checkpoint.now), (found.best, checkpoint.best), *zip_states(found, checkpoint)):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)


def zip_states(one: Checkpoint, other: Checkpoint) -> list[tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]]:
    assert one.adam.keys() == other.adam.keys()
    return [(one.adam[index], other.adam[index]) for index in one.adam]


def test_another_task_or_model_is_refused(tmp_path: Path) -> None:
    checkpoint, path = made(), tmp_path / "c.safetensors"
    checkpoint.save(path)
    with pytest.raises(MemoryFileError, match="another training"):
        Checkpoint.load(path, checkpoint.now, MOVED, TASK | {"seed": 2})
    with pytest.raises(MemoryFileError, match="inconsistent"):
        Checkpoint.load(path, {"b": torch.zeros(5)}, MOVED, TASK)
    with pytest.raises(MemoryFileError, match="inconsistent"):
        Checkpoint.load(path, {"c": torch.zeros(4)}, MOVED, TASK)
    for moved in ([torch.zeros(4)], [*MOVED, torch.zeros(1)]):
        with pytest.raises(MemoryFileError, match="inconsistent"):
            Checkpoint.load(path, checkpoint.now, moved, TASK)
    path.write_bytes(safetensors.torch.save({"now.b": torch.zeros(4)}))
    with pytest.raises(MemoryFileError, match="damaged"):
        Checkpoint.load(path, checkpoint.now, MOVED, TASK)
    path.write_bytes(bytes(3 << 20))
    with pytest.raises(MemoryFileError, match="larger"):
        Checkpoint.load(path, checkpoint.now, MOVED, TASK)
    with pytest.raises(MemoryFileError):
        Checkpoint.load(tmp_path, checkpoint.now, MOVED, TASK)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 2000), byte=st.integers(0, 255), cut=st.integers(0, 2000))
def test_damaged_files_end_in_one_line(place: int, byte: int, cut: int, tmp_path: Path) -> None:
    checkpoint, path = made(), tmp_path / "c.safetensors"
    checkpoint.save(path)
    data = bytearray(path.read_bytes())
    data[place % len(data)] = byte
    path.write_bytes(bytes(data[: len(data) - cut % len(data)]) if cut % 2 else bytes(data))
    with suppress(MemoryFileError):
        found = Checkpoint.load(path, checkpoint.now, MOVED, TASK)
        assert {name: value.shape for name, value in found.now.items()} == {"a.weight": (2, 3), "b": (4,)}

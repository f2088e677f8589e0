"""What `store --add` takes where nothing is new, beside the store itself, and what of a store is the self-test."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from uhop_cli.storing import marks
from uhop_cli.storing.settings import StoreSettings
from uhop_cli.storing.store import store

FILES = 5000


@pytest.fixture(scope="module")
def folder(pictures: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small PNG files, old enough to be known by their times."""
    folder = tmp_path_factory.mktemp("files")
    for index, pixels in enumerate(pictures[:FILES]):
        Image.fromarray(pixels).save(folder / f"{index}.png")
    time.sleep(marks.FRESH + 0.1)
    return folder


def test_adding_nothing(race: Any, folder: Path, tmp_path: Path) -> None:
    memory, settings = tmp_path / "m.safetensors", StoreSettings(local="off")
    untested = StoreSettings(local="off", self_test="off")
    contestants = {
        "store": lambda: store([folder], memory, settings, force=True),
        "store without the self-test": lambda: store([folder], tmp_path / "n", untested, force=True),
        "store --add, nothing new": lambda: store([folder], memory, add=True),
        "store --add --reread, nothing new": lambda: store([folder], memory, add=True, reread=True),
    }
    title = f"{FILES:,} PNG files of 32 x 32, {os.cpu_count()} cores"
    race(title, contestants, {"store --add, nothing new": 0.05}, rounds=2)
    before = memory.stat().st_mtime_ns
    contestants["store --add, nothing new"]()
    assert memory.stat().st_mtime_ns == before

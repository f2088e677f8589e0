"""A way to call the commands, and a small memory to call them on."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from uhop_cli.cli.app import run


class Ran(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str


Uhop = Callable[..., Ran]


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UHOP_MEMORY", "UHOP_DEVICE", "UHOP_DATA_DIR", "NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal as wide as the paths of a test are long."""
    monkeypatch.setenv("COLUMNS", "300")


@pytest.fixture
def uhop(capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Uhop:
    """Runs a command line in this process: `uhop("info", path)`."""

    def call(*arguments: object, stdin: bytes = b"") -> Ran:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = run([str(argument) for argument in arguments])
        out, err = capsysbinary.readouterr()
        return Ran(code, out.decode("latin-1"), err.decode())

    return call


Draw = Callable[..., Path]


def _draw(folder: Path, count: int = 8, side: int = 16, seed: int = 0) -> Path:
    """Distinct pictures of coloured blocks, `picture0.png` and so on."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    for index in range(count):
        blocks = random.integers(0, 256, (4, 4, 3), np.uint8)
        Image.fromarray(blocks.repeat(side // 4, axis=0).repeat(side // 4, axis=1)).save(folder / f"picture{index}.png")
    return folder


@pytest.fixture(scope="session")
def draw() -> Draw:
    """Draws pictures into a folder, and returns it."""
    return _draw


@pytest.fixture(scope="session")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `images/` and `memory.safetensors` made of them. Not to be changed."""
    folder = tmp_path_factory.mktemp("stored")
    _draw(folder / "images")
    assert run(["store", str(folder / "images"), "-m", str(folder / "memory.safetensors"), "-q"]) == 0
    return folder


@pytest.fixture
def memory(stored: Path) -> Path:
    """The memory file. Not to be changed."""
    return stored / "memory.safetensors"


@pytest.fixture
def damaged(stored: Path, tmp_path: Path) -> Path:
    """A copy of `picture3.png`, a quarter of it black."""
    with Image.open(stored / "images" / "picture3.png") as image:
        pixels = np.asarray(image).copy()
    pixels[:8, :8] = 0
    path = tmp_path / "damaged.png"
    Image.fromarray(pixels).save(path)
    return path

"""How fast a folder of photographs is taken in, beside Pillow alone on all cores."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from uhop_cli.images.patterns import PatternSpec
from uhop_cli.memory.file.writer import Writer
from uhop_cli.storing.ingest import Distinct, Ingested, ingest
from uhop_cli.storing.sources import collect

SIDE = 32
LARGE = (4000, 3000)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The photographs under UHOP_DATA_DIR, else blobs of noise of a similar size."""
    folder = Path(os.environ.get("UHOP_DATA_DIR", "")) / "photos"
    if "UHOP_DATA_DIR" in os.environ and folder.is_dir():
        return sorted(folder.rglob("*.jpg"))
    folder, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for index in range(100):
        small = Image.fromarray(rng.integers(0, 256, (40, 30, 3), dtype=np.uint8))
        small.resize((600, 800), Image.Resampling.BICUBIC).save(folder / f"{index}.jpg", quality=90)
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def large(photos: list[Path], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Some of them at the size that a camera gives."""
    folder = tmp_path_factory.mktemp("large")
    for index, path in enumerate(photos[:40]):
        with Image.open(path) as image:
            image.convert("RGB").resize(LARGE, Image.Resampling.BICUBIC).save(folder / f"{index:02}.jpg", quality=90)
    return sorted(folder.iterdir())


@pytest.mark.parametrize("size", ["photos", "large"])
def test_photographs(race: Any, size: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    photos: list[Path] = request.getfixturevalue(size)
    cores = os.cpu_count() or 1

    def decode(path: Path, draft: bool, how: Image.Resampling) -> np.ndarray:
        with Image.open(path) as image:
            if draft:
                image.draft("RGB", (6 * SIDE, 6 * SIDE))
            return np.asarray(image.convert("RGB").resize((SIDE, SIDE), how))

    def alone(draft: bool, how: Image.Resampling = Image.Resampling.BOX) -> None:
        with ThreadPoolExecutor(cores) as pool:
            list(pool.map(lambda path: decode(path, draft, how), photos))

    def ours() -> None:
        sources, _ = collect(photos, tmp_path)
        found = Ingested()
        with Writer(tmp_path / "m.safetensors") as writer:
            distinct = Distinct(writer, PatternSpec(SIDE, SIDE, 3))
            ingest(sources, distinct, found)
            assert len(distinct.close()) <= len(found.entries()) == len(photos)

    name = "uhop: find, read, hash, decode, resize, write"
    contestants = {
        "Pillow: decode and resize (box)": lambda: alone(False),
        "Pillow: decode at reduced size and resize (box)": lambda: alone(True),
        "Pillow: decode and resize (bicubic, its default)": lambda: alone(False, Image.Resampling.BICUBIC),
        name: ours,
    }
    times = race(f"{len(photos)} photographs ({size}), {cores} cores", contestants, {name: 1.25}, 9)
    print(f"  {len(photos) / times[name]:.0f} photographs a second")

"""The pictures of `frames.py`, and the memories that are made of them, once.

    photos/      190 photos as they are; 50 more are never stored
    composed/    2,000 pictures of 128 to 360 pixels, composed of CIFAR-10 pictures and sprites: nothing of the photos is in them
    cifar.npy    50,000 CIFAR-10 pictures, which are patterns only: they have no originals
    large/       19,810 composed pictures of 256 pixels

Every picture is drawn with its own number as seed, so that a set can be made again, or made larger. After a change of what `store`
writes, the memory files have to be removed by hand.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter
from verification_sets import Collection, jpeg

from uhop_cli.experiments.data.datasets import load
from uhop_cli.querying.restorer import Restorer
from uhop_cli.querying.settings import QuerySettings
from uhop_cli.storing.settings import StoreSettings
from uhop_cli.storing.store import store

STORED, HALF = 190, 95  # photos in the memory; settings are chosen on the first half and confirmed on the second
COMPOSED, LARGE = 2_000, 19_810
SIDES = (128, 360)
SMALL_SPRITE = 24  # pixels; smaller ones are icons of a few dots


@dataclass(frozen=True)
class Sources:
    """What pictures are composed of.

    Attributes:
        pictures: (50000, 32, 32, 3) uint8.
        sprites: files with transparent surroundings.
    """

    pictures: np.ndarray
    sprites: list[Path]

    @classmethod
    def of(cls, data: Path) -> Sources:
        """Those in a folder of data sets."""
        sprites = [path for path in sorted(data.glob("sprites/**/*.png")) if min(Image.open(path).size) >= SMALL_SPRITE]
        return cls(load("cifar10", data).pixels, sprites)


def composed(sources: Sources, seed: int, size: int | None = None) -> Image.Image:
    """A picture of many: a blurred one, or colours that flow into each other, under tilted pictures and sprites of all sizes."""
    draws = np.random.default_rng([seed, 18])
    width, height = (size, size) if size else (int(side) for side in draws.integers(*SIDES, 2))

    def one() -> Image.Image:
        return Image.fromarray(sources.pictures[draws.integers(len(sources.pictures))])

    if draws.random() < 0.5:
        image = one().resize((width, height), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(3))
    else:
        image = Image.fromarray(draws.integers(0, 256, (2, 2, 3), np.uint8)).resize((width, height), Image.Resampling.BILINEAR)
    for _ in range(draws.integers(4, 14)):
        if draws.random() < 0.6:
            layer = one().convert("RGBA")
        else:
            layer = Image.open(sources.sprites[draws.integers(len(sources.sprites))]).convert("RGBA")
        side = math.exp(draws.uniform(math.log(32), math.log(0.7 * max(width, height))))
        scale = side / max(layer.size)
        layer = layer.resize([max(1, round(scale * length)) for length in layer.size], Image.Resampling.BICUBIC)
        layer = layer.rotate(draws.uniform(-40, 40) if draws.random() < 0.5 else 0, Image.Resampling.BICUBIC, expand=True)
        image.paste(layer, (int(draws.integers(width)) - layer.width // 2, int(draws.integers(height)) - layer.height // 2), layer)
    return image


def photos(data: Path) -> list[Path]:
    """All 240, in their order."""
    return sorted(data.glob("photos/*/*.jpg"))


class Memories:
    """The memories, each stored when it is first asked for and then kept.

    Args:
        data: the folder of data sets.
        work: where pictures and memory files are kept.
    """

    def __init__(self, data: Path, work: Path) -> None:
        self.data, self.work = data, work

    @cached_property
    def sources(self) -> Sources:
        """What pictures are composed of."""
        return Sources.of(self.data)

    @cached_property
    def photos(self) -> Collection:
        """The 240 photos: those from `STORED` on are strangers."""
        return Collection("photos", [path.read_bytes() for path in photos(self.data)])

    def file(self, name: str) -> Path:
        """The memory file called '2190', '2190-off' (without local descriptors), '52190' or '20000'."""
        path = self.work / f"{name}.safetensors"
        if not path.exists():
            parts = {"2190": ("composed",), "2190-off": ("composed",), "52190": ("composed", "cifar.npy"), "20000": ("large",)}
            settings = StoreSettings(local="off") if name == "2190-off" else StoreSettings()
            store([self._made("photos"), *(self._made(part) for part in parts[name])], path, settings)
        return path

    def restorer(self, name: str, frames: str, **settings: Any) -> Restorer:
        """Answers from one of them, one query at a time, looking for frames as `frames` says."""
        return Restorer(self.file(name), QuerySettings(frames=frames, **settings), expected=1)

    def originals(self, name: str) -> list[Path]:
        """The files whose pictures a memory holds, but for those that are patterns only."""
        self.file(name)
        folders = (self.work / "photos", self.work / ("large" if name == "20000" else "composed"))
        return [path for folder in folders for path in sorted(folder.iterdir())]

    def _made(self, part: str) -> Path:
        """A folder of pictures, or an array; written in full before it has its name."""
        path, draft = self.work / part, self.work / f"{part}.part"
        if path.exists():
            return path
        self.work.mkdir(parents=True, exist_ok=True)
        if part == "cifar.npy":
            with draft.open("wb") as file:
                np.save(file, self.sources.pictures)
        else:
            draft.mkdir(exist_ok=True)
            if part == "photos":
                for index, data in enumerate(self.photos.files[:STORED]):
                    (draft / photo_name(index)).write_bytes(data)
            else:
                count, size, first = (LARGE, 256, 10**6) if part == "large" else (COMPOSED, None, 0)
                self._compose(draft, count, size, first)
        return draft.rename(path)

    def _compose(self, folder: Path, count: int, size: int | None, first: int) -> None:
        sources = self.sources

        def write(index: int) -> None:
            pixels = np.asarray(composed(sources, first + index, size))
            (folder / f"c{index:05}.jpg").write_bytes(jpeg(pixels, 92))

        with ThreadPoolExecutor() as pool:
            list(pool.map(write, range(count)))


def photo_name(index: int) -> str:
    """The file name of a stored photo."""
    return f"p{index:03}.jpg"

"""Draws the sample pictures: `python sample_data/draw.py [FOLDER]`.

`images/` gets the pictures, `damaged/` copies of some of them, named `<picture>_<damage>.png`. Drawing again gives the same pixels.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from canvas import Canvas
from damage import blurred, covered, dark, faded, half_painted, moth_eaten, noisy, scribbled, tiny, torn
from designs import DESIGNS
from landscapes import LANDSCAPES
from living import LIVING

DAMAGED = {
    "sailing-boat": covered,
    "portrait": half_painted,
    "orange-slice": scribbled,
    "lighthouse": noisy,
    "tulips": faded,
    "city-night": dark,
    "saturn": blurred,
    "butterfly": tiny,
    "cat": torn,
    "mountain-lake": moth_eaten,
}


def draw(folder: Path) -> None:
    """Writes `images/` and `damaged/` into `folder`."""
    for name in ("images", "damaged"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for seed, scene in enumerate((*LANDSCAPES, *LIVING, *DESIGNS)):
        canvas = Canvas(seed)
        scene(canvas)
        name, pixels = _dashed(scene.__name__), canvas.pixels()
        Image.fromarray(pixels).save(folder / "images" / f"{name}.png", optimize=True)
        if damage := DAMAGED.get(name):
            harmed = damage(pixels, np.random.default_rng(seed))
            Image.fromarray(harmed).save(folder / "damaged" / f"{name}_{_dashed(damage.__name__)}.png", optimize=True)


def _dashed(name: str) -> str:
    return name.replace("_", "-")


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)

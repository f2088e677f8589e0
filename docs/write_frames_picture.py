"""Draws docs/frames.png: sample pictures in other frames, above the originals that the memory finds with the query's outline.
`make docs`."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from uhop_cli.corruption.corruption import parse
from uhop_cli.experiments.data.samples import sample_data
from uhop_cli.frames.frame import IDENTITY
from uhop_cli.images.decode import Image as Picture
from uhop_cli.images.decode import decode
from uhop_cli.images.encode import contact_sheet, to_png
from uhop_cli.querying.restorer import Restorer
from uhop_cli.storing.store import store

PICTURE = Path(__file__).with_name("frames.png")
CELL, MIDDLE = 150, 84  # pixels of a cell, and of the picture in the middle of its lower one
FRAME = (220, 30, 90)
SEED = 4
QUERIES = {
    "lighthouse": ("crop:0.6",),
    "owl": ("border:0.3:colour",),
    "sailing-boat": ("turn:90",),
    "fox": ("mirror", "crop:0.75"),
    "city-night": ("screenshot:phone",),
    "tulips": ("screenshot:desktop",),
    "portrait": ("instant-print",),
    "butterfly": ("tilt:20:white",),
}
Pixels = np.ndarray


def picture() -> bytes:
    """The picture as PNG."""
    images = sample_data() / "images"
    above, below = [], []
    with tempfile.TemporaryDirectory() as folder:
        memory = Path(folder) / "sample.safetensors"
        store([images], memory)
        restorer = Restorer(memory)
        for name, labels in QUERIES.items():
            query = decode((images / f"{name}.png").read_bytes())
            for label in labels:
                query = parse(label).reframed(query, SEED)
            above.append(np.asarray(_in_a_cell(_fitted(query.pixels, CELL))[0]))
            below.append(_framed(restorer, query, f"{name}.png"))
    return to_png(contact_sheet([above, below], gap=6))


def _framed(restorer: Restorer, query: Picture, name: str) -> Pixels:
    """The original of a query, and the outline of the query on it."""
    found = restorer.restore(query)
    if found.match is None or found.pictures.original is None or not found.match.name.endswith(name):
        raise SystemExit(f"{name} is not found: choose another frame for the picture")
    original = _fitted(decode(found.pictures.original).pixels, MIDDLE)
    place = (found.answer.frame or IDENTITY).to_original(query.width / query.height)
    outline = np.array([(0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)]) @ place.T  # in the unit square of the original
    cell, corner = _in_a_cell(original)
    points = [tuple(point) for point in (corner + outline * original.shape[1::-1]).tolist()]
    ImageDraw.Draw(cell).polygon(points, outline=FRAME, width=3)
    return np.asarray(cell)


def _in_a_cell(pixels: Pixels) -> tuple[Image.Image, Pixels]:
    """A picture in the middle of a grey cell, and where its corner (x, y) lies there."""
    corner = (CELL - np.array(pixels.shape[1::-1])) // 2
    cell = Image.new("RGB", (CELL, CELL), (235, 235, 235))
    cell.paste(Image.fromarray(pixels), tuple(corner.tolist()))
    return cell, corner


def _fitted(pixels: Pixels, side: int) -> Pixels:
    """A picture as large as fits into a square."""
    image = Image.fromarray(pixels)
    scale = side / max(image.size)
    return np.asarray(image.resize((round(scale * image.width), round(scale * image.height)), Image.Resampling.LANCZOS))


if __name__ == "__main__":
    PICTURE.write_bytes(picture())

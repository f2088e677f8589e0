"""Draws docs/restored.png, the picture of the README: damaged sample pictures above what the memory makes of them. `make docs`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from uhop_cli.experiments.data.samples import sample_data
from uhop_cli.images.decode import decode
from uhop_cli.images.encode import contact_sheet, to_png
from uhop_cli.images.patterns import PatternSpec, to_pattern
from uhop_cli.querying.restorer import Restorer
from uhop_cli.storing.store import store

PICTURE = Path(__file__).with_name("restored.png")
CELL = PatternSpec(96, 96, 3, (255, 255, 255))


def picture() -> bytes:
    """The picture as PNG."""
    samples = sample_data()
    damaged = [path.read_bytes() for path in sorted((samples / "damaged").iterdir())]
    with tempfile.TemporaryDirectory() as folder:
        memory = Path(folder) / "sample.safetensors"
        store([samples / "images"], memory)
        restorer = Restorer(memory)
        restored = [restorer.restore(data).original or b"" for data in damaged]
    rows = [[to_pattern(decode(data), CELL) for data in row] for row in (damaged, restored)]
    return to_png(contact_sheet(rows, gap=6))


if __name__ == "__main__":
    PICTURE.write_bytes(picture())

"""A picture as frames see it: grey, with what is visible of it, brought to any grid by means over areas.

Grey is the luma that patterns have. What is transparent or missing has no part in a mean, as in `images/patterns.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uhop_cli.images.decode import Image
from uhop_cli.images.patterns import LUMA
from uhop_cli.images.resample import Axis
from uhop_cli.images.warp import Span, area

Float32 = NDArray[np.float32]
Bool = NDArray[np.bool_]


@dataclass(frozen=True)
class Sheet:
    """A grey picture and how visible each pixel is.

    Attributes:
        grey: (H, W) float32, 0 black to 1 white, times `cover`.
        cover: (H, W) float32 in [0, 1], or None where all is visible.
        rows: where the picture begins and ends among the rows, in pixels: of a reduced one the last row may be cut.
        columns: likewise among the columns.
    """

    grey: Float32
    cover: Float32 | None
    rows: Span
    columns: Span
    _seen: dict[tuple[int, int], tuple[Float32, Bool]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def height(self) -> float:
        """In pixels that are there."""
        return self.rows[1] - self.rows[0]

    @property
    def width(self) -> float:
        """In pixels that are there."""
        return self.columns[1] - self.columns[0]

    def at(self, height: int, width: int) -> tuple[Float32, Float32 | None]:
        """Grey times cover, and cover, on a grid of height x width over the whole picture."""
        grey, cover = (
            None if plane is None else area(plane, height, width, self.rows, self.columns) for plane in (self.grey, self.cover)
        )
        assert grey is not None
        return grey, cover

    def reduced(self, most: int) -> Sheet:
        """The sheet on a grid of at most about so many pixels; itself if it has no more."""
        scale = math.sqrt(most / (self.height * self.width))
        if scale >= 1:
            return self
        height, width = (max(1, round(scale * length)) for length in (self.height, self.width))
        grey, cover = self.at(height, width)
        return Sheet(grey, cover, (0.0, float(height)), (0.0, float(width)))

    def on(self, background: float) -> Sheet:
        """The sheet with everything visible: what is transparent shows a grey."""
        if self.cover is None:
            return self
        return Sheet(self.grey + np.float32(background) * (1 - self.cover), None, self.rows, self.columns)

    def seen(self, height: int, width: int) -> tuple[Float32, Bool]:
        """The mean grey of what is visible of each cell of a grid, and which cells are at least half visible; kept once made."""
        if (height, width) not in self._seen:
            grey, cover = self.at(height, width)
            visible = np.ones(grey.shape, bool) if cover is None else cover >= 0.5
            if cover is not None:
                grey = np.divide(grey, cover, out=np.zeros_like(grey), where=visible)
            self._seen[height, width] = grey, visible
        return self._seen[height, width]


def sheet_of_image(image: Image) -> Sheet:
    """The sheet of a decoded picture, which may be a reduced one; what is transparent or not in the file is not visible."""
    grey = _grey(image.pixels)
    cover = None if image.alpha is None else image.alpha.astype(np.float32) / np.float32(255)
    if image.missing is not None:
        cover = np.where(image.missing, np.float32(0), np.float32(1) if cover is None else cover)
    rows, columns = image.axes or (Axis(image.height), Axis(image.width))
    return Sheet(grey if cover is None else grey * cover, cover, _span(rows), _span(columns))


def _grey(pixels: NDArray[Any]) -> Float32:
    values = pixels.astype(np.float32) / np.float32(255)
    return values[:, :, 0] if pixels.shape[2] == 1 else values @ LUMA.astype(np.float32)


def _span(axis: Axis) -> Span:
    return -axis.start / axis.step, (axis.size - axis.start) / axis.step

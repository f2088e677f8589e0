"""A query and one original in one frame, brought to common grids.

A grid is such that the part of the frame that the query shows has about side x side pixels: with W x H the query's size after the
turn, U x V the frame and w x h the original's size, a pixel of the query becomes

    k = min(side / sqrt(area of the frame within the query), 1, 1.5 w/(U W), 1.5 h/(V H))

pixels of the grid: nothing is enlarged beyond that, so that small pictures are compared at their own size.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from uhop_cli.frames.alignment import MARGIN, Level, within
from uhop_cli.frames.block_evidence import Comparison, compare
from uhop_cli.frames.frame import Frame
from uhop_cli.frames.sheet import Sheet
from uhop_cli.images.warp import warp

Float64 = NDArray[np.float64]

SAMPLES = 2  # along a pixel, of an original that was aligned
_LEAST_GRID = 8
_LARGEST = 1.5  # how far originals are enlarged


class Pair:
    """A query and one original in one frame, on the grids of any level."""

    def __init__(self, query: Sheet, original: Sheet, frame: Frame) -> None:
        self._query, self._original, self._frame = query, original, frame
        self.start = frame.to_original(query.width / query.height)
        self._levels: dict[tuple[int, int], Level] = {}

    def level(self, side: int, samples: int) -> Level:
        """Both on a grid for the level `side`; `samples` pixels of the original along one of the query."""
        if (side, samples) not in self._levels:
            frame, scale = self._frame, self._scale(side)
            height, width = (max(_LEAST_GRID, round(scale * length)) for length in (self._query.height, self._query.width))
            grey, visible = self._query.seen(height, width)
            tall, wide = (width, height) if frame.turn % 2 else (height, width)
            size = (max(2, round(samples * frame.height * tall)), max(2, round(samples * frame.width * wide)))
            original, opacity = self._original.at(*size)
            if opacity is not None:
                original = original + np.float32(self._background) * (1 - opacity)
            self._levels[side, samples] = Level(grey, visible, original)
        return self._levels[side, samples]

    def compare(self, affine: Float64, side: int, samples: int) -> Comparison:
        """The comparison with the original laid down by `affine`."""
        level = self.level(side, samples)
        shape = level.query.shape
        seen = warp(level.original[None], affine, shape[0], shape[1], samples)[0]
        valid = level.visible & within(affine, shape, level.original.shape, 0)
        compared = valid & within(affine, shape, level.original.shape, MARGIN * samples)
        return compare(level.query, seen, valid, compared)

    def _scale(self, side: int) -> float:
        """Pixels of the grid for one of the query, both ways."""
        query, frame = self._query, self._frame
        turned = bool(frame.turn % 2)
        width, height = (query.height, query.width) if turned else (query.width, query.height)
        shown = max(frame.visible, 1e-6) * width * height
        across = _LARGEST * self._original.width / (frame.width * width)
        down = _LARGEST * self._original.height / (frame.height * height)
        return min(side / math.sqrt(shown), 1.0, across, down)

    @cached_property
    def _background(self) -> float:
        """The grey that a transparent original lies on: the mean of the query where it is transparent, as far as that is seen."""
        side = _LEAST_GRID * 4
        grey, cover = self._query.at(side, side)
        opacity = self._original.at(side, side)[1]
        assert opacity is not None
        bare = warp(1 - opacity[None], self.start, side, side)[0] * within(self.start, (side, side), (side, side), 0)
        weight = float((bare if cover is None else bare * cover).sum())
        return float((bare * grey).sum()) / weight if weight > 0.5 else 0.5

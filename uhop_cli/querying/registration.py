"""A query brought onto the pattern of the original that it shows a part of: once its frame is known, the rest of it is missing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays.types import Bool, Float32
from uhop_cli.frames.frame import inverse
from uhop_cli.frames.whole.windows import picture_of
from uhop_cli.images.decode import Image
from uhop_cli.images.patterns import PatternSpec
from uhop_cli.images.warp import warp

_SAMPLES = 4  # of the query along a cell of the pattern
_VISIBLE = 0.5  # share of a cell, as in `to_query`


def registered(image: Image, affine: NDArray[np.float64], spec: PatternSpec) -> tuple[Float32, Bool | None]:
    """The pattern that the query would be if all of the original were there, and what of it is visible, as `to_query` has them.

    Args:
        image: the query; transparent where it is missing.
        affine: the map (2, 3) from the query's unit square to the original's.
        spec: of the patterns.
    """
    back = inverse(affine)
    across, down = np.abs(back[:, :2]).max(axis=1)  # a side of the original, in sides of the query
    side = _SAMPLES * max(spec.width / across, spec.height / down)
    picture = picture_of(image, spec.channels, most=int(np.clip(side, 64, 2048)))
    planes = np.ascontiguousarray(np.moveaxis(picture.planes, 2, 0))
    padded = np.pad(planes, ((0, 0), (1, 1), (1, 1)))  # beyond its edges nothing is visible
    height, width = planes.shape[1:]
    scale = np.array([[width / (width + 2)], [height / (height + 2)]])
    shrunk = back * scale
    shrunk[:, 2] += 1 / np.array([width + 2, height + 2])
    seen = warp(padded, shrunk, spec.height, spec.width, _SAMPLES)
    cover = seen[-1]
    visible = cover >= _VISIBLE
    colours = np.divide(seen[:-1], cover, out=np.zeros_like(seen[:-1]), where=visible)
    pattern = np.rint(np.clip(np.moveaxis(colours, 0, 2), 0, 1) * 255).astype(np.float32) / np.float32(255)
    every: Bool = np.repeat(visible.ravel(), spec.channels)
    return pattern.ravel(), None if every.all() else every

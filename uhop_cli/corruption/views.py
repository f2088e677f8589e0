"""A picture in another frame: what is seen where, with nothing but one map and what lies around the picture.

A view of H' x W' pixels shows a picture through a map A (3, 3) from its own unit square to that of the picture (`images/warp.py`);
where A leaves the picture, the surroundings are seen. A crop is a view that lies inside the picture, a border one that reaches
beyond it; in both A takes pixel centres to pixel centres, so that every value that is seen is one of the picture's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays.threads import chunks
from uhop_cli.arrays.types import Bool, Float32, Float64, UInt8
from uhop_cli.errors import ImageError
from uhop_cli.images.decode import Image
from uhop_cli.images.formats.limits import MAX_PIXELS
from uhop_cli.images.warp import area, bilinear, transformed

STRIP = 1 << 19  # pixels sampled at a time, which bounds the memory


@dataclass(frozen=True, eq=False)
class View:
    """What shows a picture.

    Attributes:
        height, width: H', W', pixels.
        place: A (3, 3), from the unit square of the view to that of the picture.
        around: what is seen where the picture is not, broadcast to (H', W', C) uint8.
    """

    height: int
    width: int
    place: Float64
    around: UInt8

    def __post_init__(self) -> None:
        if self.height * self.width > MAX_PIXELS:
            raise ImageError(
                f"in another frame it would be too large: {self.width} x {self.height} pixels", "take a smaller copy, or level"
            )


def laid(picture: tuple[int, int], view: tuple[int, int], corner: tuple[float, float], around: UInt8) -> View:
    """A view (H', W') that shows a picture (H, W) at its own size, its upper left corner at pixel (top, left) of the view."""
    (rows, columns), (height, width), (top, left) = picture, view, corner
    across, down = (width / columns, 0, -left / columns), (0, height / rows, -top / rows)
    return View(height, width, np.array([across, down, (0, 0, 1)], np.float64), around)


def seen(image: Image, view: View) -> Image:
    """`image` as the view shows it, with what of it is transparent or missing; what lies around it is neither."""
    bands = [image.pixels]
    if image.alpha is not None:
        bands.append(image.alpha[..., None])
    if image.missing is not None:
        bands.append(image.missing[..., None] * np.uint8(255))
    channels = image.pixels.shape[2]
    around = np.broadcast_to(view.around, (view.height, view.width, channels))
    shape = (view.height, view.width)
    pixels, alpha, missing = np.empty((*shape, channels), np.uint8), np.full(shape, 255, np.uint8), np.zeros(shape, bool)
    for rows, values, inside in _strips(np.concatenate(bands, axis=2), view):
        pixels[rows] = np.where(inside[..., None], np.rint(values[..., :channels]), around[rows])
        if image.alpha is not None:
            alpha[rows] = np.where(inside, np.rint(values[..., channels]), 255)
        if image.missing is not None:
            missing[rows] = inside & (values[..., -1] > 0.5)  # no more than rounding
    return replace(
        image,
        pixels=pixels,
        alpha=None if image.alpha is None else alpha,
        missing=missing if image.missing is not None and missing.any() else None,
        axes=None,
    )


def seen_pattern(picture: Float32, view: View) -> Float32:
    """A pattern (H, W, C) as the view shows it, brought back to its own size: (H, W, C)."""
    shown = np.empty((view.height, view.width, picture.shape[2]), np.float32)
    around = np.broadcast_to(view.around, shown.shape) / np.float32(255)
    for rows, values, inside in _strips(picture, view):
        shown[rows] = np.where(inside[..., None], values, around[rows])
    planes = [area(np.ascontiguousarray(shown[..., channel]), *picture.shape[:2]) for channel in range(picture.shape[2])]
    return np.stack(planes, axis=2)


def _strips(picture: NDArray[Any], view: View) -> Iterator[tuple[slice, Float32, Bool]]:
    """Rows of the view, the picture's values there, (rows, W', C), and where they lie in the picture, (rows, W')."""
    height, width, channels = picture.shape
    for rows in chunks(view.height, max(1, STRIP // view.width)):
        count = rows.stop - rows.start
        strip = np.array([[1, 0, 0], [0, count / view.height, rows.start / view.height], [0, 0, 1]])
        v, u = transformed(view.place @ strip, count, view.width)
        values = bilinear(picture[None], (v * height - 0.5).ravel(), (u * width - 0.5).ravel())
        yield rows, values.reshape(count, view.width, channels), (u >= 0) & (u < 1) & (v >= 0) & (v < 1)

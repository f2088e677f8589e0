"""A query as canvases see it: for each of many frames, the mean of what is visible of it in every cell of the original.

A canvas has n x n cells. A cell is visible if more than .6 of it lies within the query and is visible there. Of the means the mean
over the visible ones of the 3 x 3 cells around each is taken off: only the finest band of a canvas is compared, since smooth
pictures fit each other in any frame. q is divided by sqrt(|q|^2 + 2e-5 n_visible C), so that its product with a memory is its
correlation but for the memory's own length.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from uhop_cli.frames.frame import Frame
from uhop_cli.images.decode import Image
from uhop_cli.images.patterns import LUMA, gaps_transparent
from uhop_cli.images.resample import Axis, resize
from uhop_cli.images.warp import bilinear, centres, transformed

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]

SIDE = 256  # pixels along the longer side that a query is looked at with
COVERED = 0.6
FLOOR = 2e-5  # mean square of a value that is no more than rounding
LEAST_VISIBLE = 0.1  # of the cells
_SAMPLES = 3  # along a cell, of a rotated frame
_SMALL = 64  # pixels along the longer side for these


@dataclass(frozen=True)
class Windows:
    """A query in F frames.

    Attributes:
        frames: the frames, F of them.
        values: (F, n n C), q.
        visible: (F, n n).
    """

    frames: list[Frame]
    values: Float32
    visible: Bool


class Picture:
    """A query, reduced.

    Args:
        planes: (H, W, C + 1), the colours times the cover, and the cover, in [0, 1].
        aspect: width over height of what it shows.
    """

    def __init__(self, planes: Float32, aspect: float) -> None:
        self.planes, self.aspect = planes, aspect

    def __reduce__(self) -> tuple[type[Picture], tuple[Float32, float]]:
        """Without what was made of it: it may go to other processes."""
        return Picture, (self.planes, self.aspect)

    @property
    def channels(self) -> int:
        """C, of its colours."""
        return int(self.planes.shape[2]) - 1

    @cached_property
    def pixels(self) -> NDArray[np.uint8]:
        """(H, W, C), black where it is not visible."""
        levels: NDArray[np.uint8] = np.rint(self.planes[..., :-1] * 255).astype(np.uint8)
        return levels

    def part(self, box: Frame) -> Picture:
        """What lies in an upright box within the picture."""
        height, width = self.planes.shape[:2]
        top, bottom = (round(edge * height) for edge in (box.y, box.y + box.height))
        left, right = (round(edge * width) for edge in (box.x, box.x + box.width))
        return Picture(self.planes[top:bottom, left:right], self.aspect * box.width / box.height)

    def without(self, affine: Float64) -> Picture:
        """The picture without what an original covers: `affine` (2, 3) takes the unit square of the picture to the original's."""
        height, width = self.planes.shape[:2]
        v, u = transformed(affine, height, width)
        covered = (u >= 0) & (u <= 1) & (v >= 0) & (v <= 1)
        return Picture(np.where(covered[..., None], np.float32(0), self.planes), self.aspect)

    def windows(self, frames: list[Frame], side: int) -> Windows:
        """The query in the frames of which at least a tenth of the side x side cells is visible."""
        boxes = np.array([(f.x, f.y, f.width, f.height, f.turn, f.mirrored, f.angle) for f in frames]).reshape(-1, 7)
        straight, flips = _unturned(boxes)
        kinds, which = np.unique(np.round(straight, 9), axis=0, return_inverse=True)
        sums = np.empty((len(kinds), side, side, self.channels + 1), np.float32)
        for turn in (0, 1):
            chosen = (kinds[:, 4] == turn) & (kinds[:, 5] == 0)
            sums[chosen] = _cell_means(self._tables[turn], kinds[chosen, :4], side)
        rotated = kinds[:, 5] != 0
        sums[rotated] = _rotated_means(self._small, kinds[rotated], side, self.aspect)
        values, visible = _fine(sums)
        kept = np.flatnonzero((visible.mean(axis=(1, 2)) >= LEAST_VISIBLE)[which.ravel()])
        of, flips = which.ravel()[kept], flips[kept]
        q, seen = np.empty((len(kept), side, side, self.channels), np.float32), np.empty((len(kept), side, side), bool)
        for down, across in ((False, False), (False, True), (True, False), (True, True)):
            chosen = (flips == (down, across)).all(axis=1)
            turned = (slice(None), slice(None, None, -1 if down else 1), slice(None, None, -1 if across else 1))
            q[chosen], seen[chosen] = values[of[chosen]][turned], visible[of[chosen]][turned]
        rows, cells = len(kept), side * side
        return Windows([frames[place] for place in kept], q.reshape(rows, cells * self.channels), seen.reshape(rows, cells))

    @cached_property
    def _tables(self) -> tuple[Float64, Float64]:
        """Summed-area tables (H + 1, W + 1, C + 1) of the picture and of it turned once."""
        return _summed(self.planes), _summed(np.rot90(self.planes))

    @cached_property
    def _small(self) -> Float32:
        height, width = self.planes.shape[:2]
        scale = min(1.0, _SMALL / max(height, width))
        size = max(1, round(height * scale)), max(1, round(width * scale))
        small: Float32 = (resize((self.planes * 65535).astype(np.uint16), *size) / 65535).astype(np.float32)
        return small


def picture_of(image: Image, channels: int, most: int = SIDE) -> Picture:
    """A decoded picture with the colours that patterns have; what is transparent or not in the file is not visible.

    Args:
        image: upright.
        channels: of the patterns, 1 or 3.
        most: pixels along the longer side.
    """
    image = gaps_transparent(image)
    pixels = image.pixels
    axes = image.axes or (Axis(image.height), Axis(image.width))
    height, width = (axis.size / axis.step for axis in axes)
    scale = min(1.0, most / max(height, width))
    size = max(1, round(height * scale)), max(1, round(width * scale))
    if image.alpha is None:
        colours = resize(pixels, *size, axes) / 255
        cover = np.ones((*size, 1))
    else:
        alpha = image.alpha[:, :, None]
        colours = resize(pixels * alpha.astype(np.uint16), *size, axes) / (255 * 255)
        cover = resize(alpha, *size, axes) / 255
    if colours.shape[2] != channels:
        colours = (colours * LUMA).sum(axis=2, keepdims=True) if channels == 1 else np.repeat(colours, 3, axis=2)
    return Picture(np.concatenate((colours, cover), axis=2, dtype=np.float32), width / height)


def _unturned(boxes: Float64) -> tuple[Float64, Bool]:
    """Frames as boxes of the picture as it is, or turned once, whose canvases are those of the frames but for flips.

    Args:
        boxes: (F, 7): x, y, width, height, turn, mirrored, angle.

    Returns:
        (F, 6): x, y, width, height, turn 0 or 1, angle; and (F, 2): whether the canvas is upside down, and left to right.
    """
    x, y, width, height, turn, mirrored, angle = boxes.T
    down, across = turn >= 2, (turn >= 2) != (mirrored > 0)
    straight = (np.where(across, 1 - x - width, x), np.where(down, 1 - y - height, y), width, height, turn % 2)
    return np.stack((*straight, np.where(mirrored > 0, -angle, angle)), axis=1), np.stack((down, across), axis=1)


def _summed(planes: Float32) -> Float64:
    table = np.zeros((planes.shape[0] + 1, planes.shape[1] + 1, planes.shape[2]))
    np.cumsum(planes, axis=0, out=table[1:, 1:], dtype=np.float64)
    np.cumsum(table[1:, 1:], axis=1, out=table[1:, 1:])
    return table


def _cell_means(table: Float64, boxes: Float64, side: int) -> Float32:
    """Means over the side x side cells of upright boxes (F, 4), 0 outside the picture: (F, side, side, K).

    A sum over a rectangle is four entries of the summed-area table, which between pixels is linear along either axis.
    """
    height, width = table.shape[0] - 1, table.shape[1] - 1
    edges = np.arange(side + 1) / side
    rows = np.clip(boxes[:, 1:2] + boxes[:, 3:] * edges, 0, 1) * height
    columns = np.clip(boxes[:, :1] + boxes[:, 2:3] * edges, 0, 1) * width
    # Boxes of one size and height share their rows: these are interpolated once.
    spans, which = np.unique(rows, axis=0, return_inverse=True)
    upper = np.minimum(spans.astype(np.intp), height - 1)
    share = (spans - upper)[..., None, None]
    strips = np.diff(table[upper] * (1 - share) + table[upper + 1] * share, axis=1).astype(np.float32)  # (S, side, W + 1, K)
    left = np.minimum(columns.astype(np.intp), width - 1)
    share = (columns - left).astype(np.float32)[:, None, :, None]
    place, cell = which.ravel()[:, None, None], np.arange(side)[None, :, None]
    sums = strips[place, cell, left[:, None]] * (1 - share) + strips[place, cell, left[:, None] + 1] * share
    areas = (boxes[:, 2] * boxes[:, 3] * (height * width / (side * side))).astype(np.float32)
    means: Float32 = np.diff(sums, axis=2) / areas[:, None, None, None]
    return means


def _rotated_means(planes: Float32, boxes: Float64, side: int, aspect: float) -> Float32:
    """The same for boxes (F, 6) of any angle, by samples spread over each cell."""
    height, width, count = planes.shape
    v, u = centres(side * _SAMPLES, side * _SAMPLES)
    frames = [Frame(x, y, wide, tall, int(turn), False, angle) for x, y, wide, tall, turn, angle in boxes.tolist()]
    affines = np.array([frame.to_query(aspect) for frame in frames]).reshape(-1, 2, 3, 1, 1)
    x, y = (affines[:, row, 0] * u + affines[:, row, 1] * v + affines[:, row, 2] for row in (0, 1))
    values = bilinear(planes[None], (y * height - 0.5).ravel(), (x * width - 0.5).ravel())[0]
    values *= ((x >= 0) & (x <= 1) & (y >= 0) & (y <= 1)).reshape(-1, 1)
    means: Float32 = values.reshape(len(boxes), side, _SAMPLES, side, _SAMPLES, count).mean(axis=(2, 4))
    return means


def _fine(sums: Float32) -> tuple[Float32, Bool]:
    """q and what is visible, of means of colour times cover, and of cover, (F, n, n, C + 1)."""
    visible = sums[..., -1] > COVERED
    mask = visible[..., None].astype(np.float32)
    means = sums[..., :-1] * mask / np.maximum(sums[..., -1:], COVERED)
    around = _around(np.concatenate((means, mask), axis=3))
    fine = (means - around[..., :-1] / np.maximum(around[..., -1:], 1)) * mask
    floor = FLOOR * means.shape[3] * visible.sum(axis=(1, 2))
    lengths = np.sqrt(np.square(fine).sum(axis=(1, 2, 3)) + np.maximum(floor, FLOOR)).astype(np.float32)
    return fine / lengths[:, None, None, None], visible


def _around(cells: Float32) -> Float32:
    """Sums over 3 x 3 cells of (F, n, n, K), nothing around."""
    rows = cells.copy()
    rows[:, 1:] += cells[:, :-1]
    rows[:, :-1] += cells[:, 1:]
    sums = rows.copy()
    sums[:, :, 1:] += rows[:, :, :-1]
    sums[:, :, :-1] += rows[:, :, 1:]
    return sums

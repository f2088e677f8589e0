"""Rectangles between straight edges of a query: where a picture on a screenshot or a page may lie.

The step between two neighbouring rows is min(|difference|, 25), in levels of 255, pixel by pixel; likewise for columns. A line is
as strong as the mean of the steps along it: the cap lets a faint edge that goes on all along win over a few bright spots. The nine
strongest local maxima along either axis and the picture's own edges make the rectangles; of these the ones that a stored picture's
aspect fits are frames, those first whose own sides have the largest steps.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from uhop_cli.frames.frame import Frame
from uhop_cli.frames.whole.trimming import reduced
from uhop_cli.images.patterns import LUMA

Float64 = NDArray[np.float64]
Index = NDArray[np.intp]

SIDE = 192
LINES = 9
STEP = 25.0
APART = 2  # a maximum is larger than what lies so many lines away
LEAST_SIDE = 12
AREAS = (0.06, 0.995)
ASPECT = 0.06


def line_rectangles(pixels: NDArray[np.uint8], aspects: Float64, most: int = 64) -> list[Frame]:
    """The frames between lines of a picture (H, W, C) whose aspect is within 6% of a stored one, the clearest first.

    Args:
        pixels: looked at with at most 192 pixels along the longer side.
        aspects: width over height of the stored pictures, (n,).
        most: frames at most.
    """
    small = reduced(pixels, SIDE).astype(np.float64)
    grey = small[:, :, 0] if small.shape[2] == 1 else small @ LUMA
    height, width = grey.shape
    steps = capped_steps(grey), capped_steps(grey.T)
    top, bottom = _spans(steps[0].mean(axis=1), height)
    left, right = _spans(steps[1].mean(axis=1), width)
    rows, columns = (index.ravel() for index in np.indices((len(top), len(left))))
    top, bottom, left, right = top[rows], bottom[rows], left[columns], right[columns]
    tall, wide = bottom - top, right - left
    areas = tall * wide / (height * width)
    fits = (areas >= AREAS[0]) & (areas <= AREAS[1]) & (_distance(np.log(wide / tall), np.log(aspects)) < ASPECT)
    top, bottom, left, right = top[fits], bottom[fits], left[fits], right[fits]
    strengths = _side_strengths(steps[0], (top, bottom), left, right) + _side_strengths(steps[1], (left, right), top, bottom)
    sides = sum(
        ((edge > 0) & (edge < end)).astype(int) for edge, end in ((top, height), (bottom, height), (left, width), (right, width))
    )
    order = np.argsort(-strengths / sides, kind="stable")[:most]
    boxes = np.stack((left / width, top / height, (right - left) / width, (bottom - top) / height), axis=1)
    return [Frame(x, y, wide, tall) for x, y, wide, tall in boxes[order].tolist()]


def capped_steps(grey: Float64) -> Float64:
    """min(|difference|, 25) between the rows of a picture (h, w) in levels of 255: (h - 1, w)."""
    steps: Float64 = np.minimum(np.abs(np.diff(grey, axis=0)), STEP)
    return steps


def strongest(strengths: Float64) -> NDArray[np.intp]:
    """The places of the `LINES` strongest local maxima that are above 0, each the first of the largest within `APART` places."""
    if not len(strengths):  # of a picture of one line
        return np.zeros(0, np.intp)
    padded = np.pad(strengths, APART, constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * APART + 1)
    peaks = np.flatnonzero((windows.argmax(axis=1) == APART) & (strengths > 0))
    return peaks[np.argsort(-strengths[peaks], kind="stable")[:LINES]]


def _spans(strengths: Float64, length: int) -> tuple[Index, Index]:
    """Where all spans between lines begin and end, of at least `LEAST_SIDE` pixels; the picture's own edges are lines too."""
    lines = np.union1d(strongest(strengths) + 1, (0, length))
    begin, end = (lines[index] for index in np.triu_indices(len(lines), 1))
    long = end - begin >= LEAST_SIDE
    return begin[long], end[long]


def _side_strengths(steps: Float64, edges: tuple[Index, Index], begin: Index, end: Index) -> Float64:
    """The sum over two opposite edges of rectangles of the mean step along each, 0 for the picture's own edges: (n,)."""
    sums = np.pad(np.cumsum(np.pad(steps, ((1, 1), (0, 0))), axis=1), ((0, 0), (1, 0)))
    total: Float64 = sum((sums[edge, end] - sums[edge, begin]) / (end - begin) for edge in edges) + np.zeros(len(begin))
    return total


def _distance(values: Float64, known: Float64) -> Float64:
    """From each value to the nearest known one; infinite if none is known."""
    known = np.concatenate(([-np.inf], np.unique(known), [np.inf]))
    place = np.searchsorted(known, values)
    nearest: Float64 = np.minimum(known[place] - values, values - known[place - 1])
    return nearest

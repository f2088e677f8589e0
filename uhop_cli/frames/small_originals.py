"""A picture found in a frame whose original shows no more than its pattern, or isn't there: clean cells tell another picture.

The fit on the patterns (`whole/fitting.py`) is grey, and light and gain are free in each of its blocks: a thing in other colours
fits as well as a copy. But a frame that only turns, mirrors and moves by whole cells changes no value of a clean copy; nor does
one that has the original at its own size in a larger query, as an icon in a screenshot. So the frame that was found is rounded to
the nearest of these, or to one a cell or pixel beside it in which the opaque cells correlate more, and there the rule of the same
frame decides (`evidence/backgrounds/another.py`). A copy that is noisy, compressed, or moved by part of a cell is no clean one,
and is not refused by this; nor is one of a picture of too many colours to tell.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays.operations import unit_rows
from uhop_cli.evidence.backgrounds.another import another_picture
from uhop_cli.frames.frame import Frame
from uhop_cli.frames.whole.windows import Picture
from uhop_cli.images.patterns import PatternSpec
from uhop_cli.images.resample import resize
from uhop_cli.images.warp import centres
from uhop_cli.memory.memory import Memory

Float32 = NDArray[np.float32]
Slices = tuple[slice, slice]

NEARLY = 2.5  # cells or pixels that a side may be longer or shorter than a copy's, and that rotation may move its end
BESIDE = (-1, 0, 1)  # cells: the fit of another picture is hardly exact
FEW = 0.25  # colours of a drawing, as a share of its cells
LEAST = 0.5  # of the cells that have to be seen


def shows_another(picture: Picture, memory: Memory, row: int, frame: Frame) -> bool:
    """Whether a clean query shows something else than the memory that was found in it.

    Args:
        picture: the query.
        memory: what is stored.
        row: what was found.
        frame: where it lies in the query.
    """
    pattern = memory.patterns[row]
    shape = pattern.shape[:2]
    coloured = pattern.shape[2] > 1  # damaged or not, greys are few
    if not (coloured and len(np.unique(pattern.reshape(-1, pattern.shape[2]), axis=0)) <= FEW * math.prod(shape)):
        return False
    opacity = np.full(shape, 255) if memory.opacity is None else memory.opacity[row]
    known, veil = unit_rows(pattern[None]).reshape(pattern.shape), (1 - opacity / 255).astype(np.float32)
    own = shape[::-1] if memory.shapes is None else tuple(memory.shapes[row].tolist())
    views = [*_moved_by_cells(picture, memory.spec, frame), *_at_own_size(picture, memory.spec, frame, own)]
    seen = [(query, known[cells], veil[cells]) for query, cells in views if veil[cells].size >= LEAST * veil.size]
    if not seen:
        return False
    x, m, v = max(seen, key=lambda parts: _correlation(*parts))
    part = replace(memory.spec, height=x.shape[0], width=x.shape[1])
    return bool(another_picture(x.reshape(1, -1), m.reshape(1, -1), v.reshape(1, -1), part)[0])


def _moved_by_cells(picture: Picture, spec: PatternSpec, frame: Frame) -> Iterator[tuple[Float32, Slices]]:
    """The query upright on the grid of the patterns and moved by whole cells: what it shows, (h, w, C), and of which cells."""
    shape = spec.height, spec.width
    if not _keeps_cells(frame, *shape):
        return
    upright = _upright(_on_background(picture.planes, spec), frame)
    down, across = (round(middle) for middle in _off_middle(frame, *shape))
    for y, x in itertools.product(BESIDE, BESIDE):
        query, cells = _shared(shape, (down + y, across + x))
        yield upright[query], cells


def _at_own_size(picture: Picture, spec: PatternSpec, frame: Frame, size: tuple[int, ...]) -> Iterator[tuple[Float32, Slices]]:
    """Likewise the windows of the query's pixels that have the size of the original, width and height, where the frame does."""
    rows, columns = picture.planes.shape[:2]
    width, height = size if frame.turn % 2 == 0 else size[::-1]
    x, y, wide, high = frame.window * np.array((columns, rows, columns, rows))
    turned = abs(math.sin(math.radians(frame.angle))) * max(width, height) / 2
    if max(abs(wide - width), abs(high - height), turned) > NEARLY:
        return
    left, top = round(x + (wide - width) / 2), round(y + (high - height) / 2)
    for down, across in itertools.product(BESIDE, BESIDE):
        window = slice(top + down, top + down + height), slice(left + across, left + across + width)
        if min(top + down, left + across) >= 0 and window[0].stop <= rows and window[1].stop <= columns:
            yield _upright(_on_background(picture.planes[window], spec), frame), (slice(None), slice(None))


def _on_background(planes: Float32, spec: PatternSpec) -> Float32:
    """What is to be seen of a query, (h, w, C + 1), on the grid of the patterns and on their background, (H, W, C)."""
    planes = resize(planes, spec.height, spec.width)
    background = np.array(spec.background, np.float32) / 255
    laid: Float32 = (planes[..., :-1] + (1 - planes[..., -1:]) * background).astype(np.float32)
    return laid


def _keeps_cells(frame: Frame, height: int, width: int) -> bool:
    """Whether a frame is nearly one that takes cells of a grid to cells."""
    longer = max(abs(frame.width - 1) * width, abs(frame.height - 1) * height)
    turned = abs(math.sin(math.radians(frame.angle))) * max(height, width) / 2
    return max(longer, turned) <= NEARLY and (height == width or frame.turn % 2 == 0)


def _upright(query: Float32, frame: Frame) -> Float32:
    """The query (H, W, C) after the turn and the mirror of a frame."""
    height, width = query.shape[:2]
    v, u = centres(height, width)
    across, down, offset = Frame(0, 0, 1, 1, frame.turn, frame.mirrored).to_query().T
    x, y = (across[axis] * u + down[axis] * v + offset[axis] for axis in (0, 1))
    upright: Float32 = query[(y * height).astype(int), (x * width).astype(int)]
    return upright


def _off_middle(frame: Frame, height: int, width: int) -> tuple[float, float]:
    """How many cells the middle of a frame lies below and right of that of the query."""
    return (frame.y + (frame.height - 1) / 2) * height, (frame.x + (frame.width - 1) / 2) * width


def _shared(shape: tuple[int, ...], move: tuple[int, int]) -> tuple[Slices, Slices]:
    """What a query and a memory, moved down and right in it by whole cells, both show: the cells of the one and of the other."""
    (top, left), (rows, columns) = move, shape
    query = slice(max(0, top), max(0, rows + min(0, top))), slice(max(0, left), max(0, columns + min(0, left)))
    own = slice(max(0, -top), max(0, rows - max(0, top))), slice(max(0, -left), max(0, columns - max(0, left)))
    return query, own


def _correlation(x: Float32, m: Float32, veil: Float32) -> float:
    """Of the colours of what is mostly opaque; 0 where nothing varies."""
    x, m = (plane[veil < 0.5].ravel() for plane in (x, m))
    if x.size == 0:
        return 0.0
    x, m = x - x.mean(), m - m.mean()
    return float(x @ m / max(math.sqrt((x @ x) * (m @ m)), 1e-9))

"""Frames: the picture as it is found elsewhere, cropped, bordered, turned, on a screen. Each gives the view that shows it so.

What is left to chance (the place of a crop, the side to which a picture is tilted, colours, letters) comes from `draws`. What lies
around is given in shares of the picture, which is neither enlarged nor reduced, so that one frame fits all sizes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from uhop_cli.arrays.types import Float64, UInt8
from uhop_cli.corruption.covering import cover, lettering
from uhop_cli.corruption.filters import DIRECTIONS
from uhop_cli.corruption.random_streams import Draws
from uhop_cli.corruption.views import View, laid

Level = float | str | None
Shape = tuple[int, int, int]
Frame = Callable[[Shape, Level, str, Draws], View]

PAPER, INK = 250, 25
SCREEN = 19.5 / 9  # height of a phone's screen over its width
SCREEN_SHARE = 0.8  # of the screen's height, which a picture fills at most
TABLE = 0.15  # of each side that is seen of the table around a print


def crop(shape: Shape, level: Level, fill: str, draws: Draws) -> View:
    """A share `level` of each side, anywhere in the picture."""
    height, width, _ = shape
    tall, wide = (max(1, round(_number(level) * side)) for side in (height, width))
    top, left = int(draws.index(height - tall + 1, 1)[0]), int(draws.index(width - wide + 1, 1)[0])
    return laid((height, width), (tall, wide), (-top, -left), _plain(shape, 0))


def border(shape: Shape, level: Level, fill: str, draws: Draws) -> View:
    """A border of a share `level` of the shorter side."""
    height, width, _ = shape
    edge = round(_number(level) * min(height, width))
    view = (height + 2 * edge, width + 2 * edge)
    return laid((height, width), view, (edge, edge), _filled(shape, view, fill, draws))


def square(shape: Shape, level: Level, fill: str, draws: Draws) -> View:
    """Made a square by bars on two sides."""
    height, width, _ = shape
    side = max(height, width)
    view = (side, side)
    return laid((height, width), view, ((side - height) // 2, (side - width) // 2), _filled(shape, view, fill, draws))


def instant_print(shape: Shape, level: Level, fill: str, draws: Draws) -> View:
    """The white frame of an instant print, which is wider below."""
    height, width, _ = shape
    edge, foot = round(0.06 * width), round(0.19 * height)
    return laid((height, width), (height + edge + foot, width + 2 * edge), (edge, edge), _plain(shape, PAPER))


def caption(shape: Shape, level: Level, fill: str, draws: Draws) -> View:
    """Two lines of letters on white above, over a share `level` of the height."""
    height, width, _ = shape
    band = max(1, round(_number(level) * height))
    around = np.full((height + band, width, 1), PAPER, np.uint8)
    _write(around[:band], max(1, band // 20), 2, INK, draws)
    return laid((height, width), (height + band, width), (band, 0), around)


def mirror(shape: Shape, level: Level, fill: str, draws: Draws) -> View:
    """Left and right swapped."""
    return View(*shape[:2], np.array([[-1, 0, 1], [0, 1, 0], [0, 0, 1.0]]), _plain(shape, 0))


def turn(shape: Shape, level: Level, fill: str, draws: Draws) -> View:
    """Turned clockwise by 90, 180 or 270 degrees."""
    times = int(str(level)) // 90
    once = np.array([[0, 1, 0], [-1, 0, 1], [0, 0, 1.0]])  # (u, v) of the turned picture was (v, 1 - u)
    height, width = shape[:2] if times == 2 else shape[1::-1]
    return View(height, width, np.linalg.matrix_power(once, times), _plain(shape, 0))


def tilt(shape: Shape, level: Level, fill: str, draws: Draws) -> View:
    """Rotated about the centre by `level` degrees to either side, the corners filled."""
    height, width, _ = shape
    place = _rotated((height, width), (height, width), _angle(level, draws))
    return View(height, width, place, _filled(shape, (height, width), fill, draws))


def tilt_inside(shape: Shape, level: Level, fill: str, draws: Draws) -> View:
    """As `tilt`, then cut to the largest rectangle of the picture's own proportions that no corner reaches into."""
    height, width, _ = shape
    cos, sin = abs(np.cos(np.deg2rad(_number(level)))), abs(np.sin(np.deg2rad(_number(level))))
    share = min(width / (width * cos + height * sin), height / (width * sin + height * cos))
    view = max(1, int(share * height)), max(1, int(share * width))
    return View(*view, _rotated((height, width), view, _angle(level, draws)), _plain(shape, 0))


def move(shape: Shape, level: Level, fill: str, draws: Draws) -> View:
    """Moved by a share `level` of its sides along one of eight directions; what was there is filled."""
    height, width, _ = shape
    down, right = DIRECTIONS[draws.index(len(DIRECTIONS), 1)[0]] * _number(level)
    corner = round(down * height), round(right * width)
    return laid((height, width), (height, width), corner, _filled(shape, (height, width), fill, draws))


def stretch(shape: Shape, level: Level, fill: str, draws: Draws) -> View:
    """Its width times `level`."""
    return View(shape[0], max(1, round(_number(level) * shape[1])), np.eye(3), _plain(shape, 0))


def perspective(shape: Shape, level: Level, fill: str, draws: Draws) -> View:
    """A print on a table, seen from one side: the far side is shorter by a share `level`."""
    height, width, _ = shape
    view = round((1 + 2 * TABLE) * height), round((1 + 2 * TABLE) * width)
    near, far = TABLE / (1 + 2 * TABLE), 1 - TABLE / (1 + 2 * TABLE)
    corners = np.array([(near, near), (far, near), (far, far), (near, far)])  # of the print, clockwise from the upper left one
    side = int(draws.index(4, 1)[0])
    ends = corners[[side, (side + 1) % 4]]
    corners[[side, (side + 1) % 4]] = ends + _number(level) / 2 * (ends[::-1] - ends)
    wood = (90 + 60 * draws.uniform(1, 1, shape[2])).astype(np.uint8)
    return View(*view, _through(corners), wood)


def screenshot(shape: Shape, level: Level, fill: str, draws: Draws) -> View:
    """In a viewer on a phone, or in a window on a desktop."""
    return (_phone if level == "phone" else _desktop)(shape, draws)


def _phone(shape: Shape, draws: Draws) -> View:
    height, width, _ = shape
    wide = max(width, round(height / SCREEN_SHARE / SCREEN))
    tall = max(height, round(wide * SCREEN))
    dark = draws.index(2, 1)[0] == 0
    around = np.full((tall, wide, 1), 0 if dark else 255, np.uint8)
    unit, ink = max(1, wide // 160), 230 if dark else 40
    _write(around[: 10 * unit], unit, 1, ink, draws)
    for button in range(1, 5):
        left = wide * button // 5
        around[tall - 14 * unit : tall - 6 * unit, left - 4 * unit : left + 4 * unit] = ink
    return laid((height, width), (tall, wide), ((tall - height) // 2, (wide - width) // 2), around)


def _desktop(shape: Shape, draws: Draws) -> View:
    """A title bar with letters and a close button, a surround of a colour of its own, and a bar of icons below."""
    height, width, channels = shape
    unit = max(1, min(height, width) // 100)
    above, below = 24 * unit, 18 * unit
    left, right, top, bottom = np.rint((0.02 + 0.2 * draws.uniform(4)) * (width, width, height, height)).astype(int)
    view = int(above + top + height + bottom + below), int(left + width + right)
    around = np.empty((*view, channels), np.uint8)
    around[:] = 20 + 60 * draws.uniform(channels)
    around[:above] = 230
    _write(around[: 10 * unit, : view[1] // 2], unit, 1, INK, draws)
    around[6 * unit : 14 * unit, -14 * unit : -6 * unit] = (200, 40, 40)[:channels]
    around[-below:] = 40
    for icon in range(5):
        colour = 60 + 190 * draws.uniform(channels)
        around[5 * unit - below : -5 * unit, (8 + 16 * icon) * unit : (18 + 16 * icon) * unit] = colour.astype(np.uint8)
    return laid((height, width), view, (above + int(top), int(left)), around)


def _write(around: UInt8, size: int, lines: int, ink: int, draws: Draws) -> None:
    """Lines of random letters into the upper left of `around`, with a margin, as far as there is room."""
    margin = 2 * size
    room = around[margin:, margin:]
    letters = lettering(1, lines, max(1, room.shape[1] // (4 * size) * 2 // 3), size, draws)[0][: room.shape[0], : room.shape[1]]
    room[: letters.shape[0], : letters.shape[1]][letters] = ink


def _rotated(picture: tuple[int, int], view: tuple[int, int], degrees: float) -> Float64:
    """The map of a view (H', W') of the middle of a picture (H, W) that is rotated clockwise; pixels keep their size."""
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    to_pixels, to_shares = np.diag([view[1], view[0], 1.0]), np.diag([1 / picture[1], 1 / picture[0], 1.0])
    back = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
    centred, uncentred = np.eye(3), np.eye(3)
    centred[:2, 2], uncentred[:2, 2] = (-view[1] / 2, -view[0] / 2), (picture[1] / 2, picture[0] / 2)
    return np.asarray(to_shares @ uncentred @ back @ centred @ to_pixels)


def _through(corners: Float64) -> Float64:
    """The projective map (3, 3) that takes four corners, clockwise from the upper left one, to those of the unit square.

    With the last number 1, each corner (u, v) -> (s, t) is two equations in the other eight: a u + b v + c - s (g u + h v) = s, and
    likewise for t.
    """
    square = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float64)
    rows = []
    for (u, v), (s, t) in zip(corners, square, strict=True):
        rows += [[u, v, 1, 0, 0, 0, -s * u, -s * v], [0, 0, 0, u, v, 1, -t * u, -t * v]]
    return np.append(np.linalg.solve(np.array(rows), square.ravel()), 1).reshape(3, 3)


def _angle(level: Level, draws: Draws) -> float:
    """Degrees clockwise, to either side."""
    return _number(level) * (1 - 2 * int(draws.index(2, 1)[0]))


def _plain(shape: Shape, value: int) -> UInt8:
    return np.full((1, 1, shape[2]), value, np.uint8)


def _filled(shape: Shape, view: tuple[int, int], fill: str, draws: Draws) -> UInt8:
    """One colour, or the noise of a fill that is not."""
    nothing = np.zeros((1, *(view if fill == "noise" else (1, 1)), shape[2]), np.float32)
    around: UInt8 = np.rint(cover(nothing, np.ones(1, bool), fill, draws)[0][0] * 255).astype(np.uint8)
    return around


def _number(level: Level) -> float:
    assert isinstance(level, float | int)
    return float(level)

"""The list of corruptions: names, levels and the functions that do the work.

Most change the values of a pattern. Frames put the picture elsewhere, at its own size; done to a pattern, they take that for the
picture, and what comes of it is brought back to the pattern's size.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from uhop_cli.arrays.types import Bool, Float32
from uhop_cli.corruption import covering as covers
from uhop_cli.corruption import filters, frames
from uhop_cli.corruption.random_streams import Draws
from uhop_cli.corruption.views import seen_pattern
from uhop_cli.errors import SettingsError

Level = float | str | None
Work = Callable[[Float32, Level, str, Draws], tuple[Float32, Bool | None]]


@dataclass(frozen=True)
class Kind:
    """One entry of the list of corruptions.

    Attributes:
        name: as it is written.
        description: one line.
        default: the level when none is given; None for a kind without levels.
        levels: levels for a sweep, from mild to severe.
        bounds: least and greatest level, or None where levels are words.
        work: pictures (M, H, W, C), level, fill, draws -> damaged pictures and visible (M, H, W, C), or None.
        fills: whether the missing part can be filled with something else than black.
        pointwise: whether each value depends on its own pixel alone, so that a mask from before stays true.
        frame: what shows a picture (H, W, C) in another frame; None for a kind that changes values only.
    """

    name: str
    description: str
    default: Level
    levels: tuple[Level, ...]
    bounds: tuple[float, float] | None
    work: Work
    fills: bool = False
    pointwise: bool = True
    frame: frames.Frame | None = None

    @property
    def acts_on(self) -> str:
        """What a query's damage of this kind is done to."""
        return "pattern" if self.frame is None else "picture"

    def check(self, level: Level) -> Level:
        """The level in its own type.

        Raises:
            SettingsError: it makes no sense for this kind.
        """
        if level is None:
            return self.default
        if self.default is None:
            raise SettingsError(f"{self.name} has no level", f"write {self.name}")
        if isinstance(self.default, str):
            if str(level) not in self.levels:
                raise SettingsError(f"{self.name}:{level} is not possible", f"choose among {', '.join(map(str, self.levels))}")
            return str(level)
        assert self.bounds is not None
        low, high = self.bounds
        try:
            value = float(level)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise SettingsError(f"{self.name}:{level} is not possible", f"the level is a number from {low:g} to {high:g}")
        return value


def _on_patterns(frame: frames.Frame, pictures: Float32, level: Level, fill: str, draws: Draws) -> tuple[Float32, None]:
    """Each of the pictures (M, H, W, C) in a frame of its own, brought back to its size."""
    result = np.empty_like(pictures)
    for index, picture in enumerate(pictures):
        result[index] = seen_pattern(picture, frame(picture.shape, level, fill, draws.row(index)))
    return result, None


def _frame(name: str, description: str, default: Level, levels: tuple[Level, ...], bounds: Any, frame: frames.Frame) -> Kind:
    fills = frame in (frames.border, frames.square, frames.tilt, frames.move)
    work = partial(_on_patterns, frame)
    return Kind(name, description, default, levels, bounds, work, fills=fills, pointwise=False, frame=frame)


_FRACTIONS = (0.1, 0.25, 0.5, 0.75, 0.9)
_SIGMAS = (0.1, 0.3, 0.5, 1.0)
_SIDES = ("top", "bottom", "left", "right")
_SHARE = (0.0, 1.0)
_FACTOR = (0.0, 100.0)

_LIST = (
    Kind("mask", "each pixel, all its channels, missing with probability F", 0.5, _FRACTIONS, _SHARE, covers.mask, fills=True),
    Kind("values", "each channel value set to 0 with probability F", 0.5, _FRACTIONS, _SHARE, covers.values),
    Kind("dropout", "as values, the survivors times 1/(1-F)", 0.5, (0.1, 0.25, 0.5, 0.75), (0, 0.99), covers.dropout),
    Kind("half", "the top, bottom, left or right half missing", "bottom", _SIDES, None, covers.half, fills=True),
    Kind("block", "a block over a share F of the picture missing", 0.25, (0.1, 0.2, 0.4, 0.6), _SHARE, covers.block, fills=True),
    Kind(
        "corner",
        "only N x N pixels left (N < 1: of each side)",
        0.5,
        (0.75, 0.5, 0.25),
        (0.01, 4096),
        covers.corner,
        fills=True,
    ),
    Kind("text", "white letters in lines over a share F of the height", 0.4, (0.2, 0.4, 0.8), _SHARE, covers.text),
    Kind("scratches", "N white lines across", 5.0, (2.0, 5.0, 10.0), (0, 1000), covers.scratches),
    Kind("salt-pepper", "each pixel black or white with probability F", 0.2, (0.05, 0.1, 0.2, 0.5), _SHARE, covers.salt_pepper),
    Kind("noise", "Gaussian noise of deviation S added, not clamped", 0.3, _SIGMAS, _FACTOR, filters.noise),
    Kind("noise-clamped", "Gaussian noise of deviation S, clamped to [0, 1]", 0.3, _SIGMAS, _FACTOR, filters.noise_clamped),
    Kind("noise-abs", "|x + Gaussian noise of deviation S|, clamped to [0, 1]", 0.5, _SIGMAS, _FACTOR, filters.noise_abs),
    Kind("noise-norm", "noise of Euclidean norm S in a random direction", 1.0, (0.5, 1.0, 5.0, 10.0), (0, 1e4), filters.noise_norm),
    Kind("brightness", "X added, clamped to [0, 1]", 0.4, (-0.4, -0.2, 0.2, 0.4), (-1, 1), filters.brightness),
    Kind("contrast", "distance from the picture's mean times X, clamped", 0.5, (0.75, 0.5, 0.25), _FACTOR, filters.contrast),
    Kind("fade", "faded to white by a share F", 0.5, (0.25, 0.5, 0.75), _SHARE, filters.fade),
    Kind("gamma", "raised to the power X", 2.0, (0.5, 2.0, 3.0), (0.01, 100), filters.gamma),
    Kind("scale", "all values times X", 0.3, (0.7, 0.5, 0.3, 0.1), _FACTOR, filters.scale),
    Kind("grey", "without colours", None, (), None, filters.grey),
    Kind("blur", "mean over (2R+1) x (2R+1) pixels", 2.0, (1.0, 2.0, 4.0), (0, 64), filters.blur, pointwise=False),
    Kind("gaussian-blur", "Gaussian blur of R pixels", 1.5, (0.5, 1.0, 2.0, 4.0), (0, 20), filters.gaussian_blur, pointwise=False),
    Kind("pixelate", "N x N pixels of one colour", 4.0, (2.0, 4.0, 8.0), (1, 1024), filters.pixelate, pointwise=False),
    Kind("jpeg", "stored as JPEG of quality Q", 10.0, (50.0, 20.0, 10.0, 5.0), (1, 100), filters.jpeg, pointwise=False),
    Kind("shift", "moved N pixels, the edge repeated", 2.0, (1.0, 2.0, 4.0), (0, 1024), filters.shift, pointwise=False),
    Kind("rotate", "turned by DEG degrees to either side", 5.0, (2.0, 5.0, 10.0, 20.0), (0, 180), filters.rotate, pointwise=False),
    _frame("crop", "a share F of each side kept, anywhere", 0.75, (0.9, 0.75, 0.6, 0.5, 0.4), (0.05, 1), frames.crop),
    _frame("border", "a border of a share F of the shorter side", 0.1, (0.05, 0.1, 0.2, 0.3), (0, 1), frames.border),
    _frame("square", "made a square by bars", None, (), None, frames.square),
    _frame("instant-print", "the white frame of an instant print", None, (), None, frames.instant_print),
    _frame("caption", "letters above, over a share F of the height", 0.2, (0.1, 0.2, 0.4), (0.01, 1), frames.caption),
    _frame("mirror", "left and right swapped", None, (), None, frames.mirror),
    _frame("turn", "turned clockwise by quarter turns", "90", ("90", "180", "270"), None, frames.turn),
    _frame("tilt", "rotated by DEG degrees to either side, corners filled", 10.0, (5.0, 10.0, 20.0, 45.0), (0, 180), frames.tilt),
    _frame("tilt-inside", "rotated by DEG degrees, cut inside", 10.0, (5.0, 10.0, 20.0, 30.0), (0, 180), frames.tilt_inside),
    _frame("move", "moved by a share F of its sides, the rest filled", 0.1, (0.03, 0.1, 0.2), (0, 0.95), frames.move),
    _frame("stretch", "its width times X", 1.25, (0.8, 1.25), (0.25, 4), frames.stretch),
    _frame("perspective", "on a table, the far side shorter by a share F", 0.1, (0.05, 0.1, 0.2), (0, 0.9), frames.perspective),
    _frame("screenshot", "on the screen of a phone or a desktop", "phone", ("phone", "desktop"), None, frames.screenshot),
)
KINDS: dict[str, Kind] = {kind.name: kind for kind in _LIST}

"""A small painter: shapes as coverage masks on a fine grid, averaged down to the picture.

Coordinates run from 0 to 1, x to the right and y down. A mask is an (N, N) array in [0, 1]; colours are `#rrggbb`, or an
(N, N, 3) array where they vary. Everything is plain NumPy, so the same seed gives the same pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Colour = str | Array
Mask = Array | NDArray[np.bool_] | float

SIZE = 96
FINE = 4  # sub-pixels a side


def rgb(colour: str) -> Array:
    """`#rrggbb` as three numbers in [0, 1]."""
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255


def to_bytes(values: Array) -> NDArray[np.uint8]:
    """Values in [0, 1] as bytes; what lies outside is clamped."""
    pixels: NDArray[np.uint8] = np.floor(np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8)
    return pixels


class Canvas:
    """A picture in the making: `paint` lays a colour through a mask, `pixels` gives the result."""

    def __init__(self, seed: int, background: str = "#ffffff") -> None:
        n = SIZE * FINE
        line = (np.arange(n) + 0.5) / n
        self.x, self.y = np.meshgrid(line, line)
        self.rng = np.random.default_rng(seed)
        self.colour: Array = np.broadcast_to(rgb(background), (n, n, 3)).copy()

    @classmethod
    def over(cls, pixels: NDArray[np.uint8]) -> Canvas:
        """A canvas that shows a picture, (SIZE, SIZE, 3)."""
        canvas = cls(0)
        canvas.colour = np.repeat(np.repeat(pixels / 255, FINE, axis=0), FINE, axis=1)
        return canvas

    def paint(self, mask: Mask, colour: Colour, opacity: float = 1.0) -> None:
        """Lays `colour` on the picture where `mask` is 1, mixing in between."""
        cover = np.broadcast_to(mask * np.float64(opacity), self.x.shape)
        rows, columns = (np.flatnonzero(cover.any(axis=axis)) for axis in (1, 0))
        if rows.size == 0:
            return
        part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)  # most shapes are small
        paint = rgb(colour) if isinstance(colour, str) else colour[part]
        share = cover[part][..., None]
        self.colour[part] = self.colour[part] * (1 - share) + paint * share

    def pixels(self) -> NDArray[np.uint8]:
        """The picture, (SIZE, SIZE, 3): each pixel the mean of its sub-pixels."""
        mean: Array = self.colour.reshape(SIZE, FINE, SIZE, FINE, 3).mean(axis=(1, 3))
        return to_bytes(mean)

    def ramp(self, *colours: str, along: Array | None = None) -> Array:
        """Colours that flow into each other from top to bottom, or along values in [0, 1]."""
        stops = np.array([rgb(colour) for colour in colours])
        at = np.clip(self.y if along is None else along, 0, 1)
        places = np.linspace(0, 1, len(colours))
        return np.stack([np.interp(at, places, stops[:, k]) for k in range(3)], axis=-1)

    def disc(self, cx: float, cy: float, r: float, ry: float | None = None, turn: float = 0, soft: float = 0) -> Array:
        """An ellipse with radii r and ry, turned by `turn` degrees; with `soft`, its edge fades over that share of its radius."""
        a, n, reach = np.deg2rad(turn), len(self.x), max(r, ry or r)
        top, bottom, left, right = (
            int(np.clip(n * edge, 0, n)) for edge in (cy - reach, cy + reach + 1 / n, cx - reach, cx + reach + 1 / n)
        )
        part = slice(top, bottom), slice(left, right)
        dx, dy = self.x[part] - cx, self.y[part] - cy
        u, v = (dx * np.cos(a) + dy * np.sin(a)) / r, (dy * np.cos(a) - dx * np.sin(a)) / (r if ry is None else ry)
        distance = np.sqrt(u * u + v * v)
        cover = np.zeros(self.x.shape)
        cover[part] = np.clip((1 - distance) / soft, 0, 1) if soft else distance < 1
        return cover

    def polygon(self, *points: tuple[float, float]) -> Array:
        """A closed outline, filled by the even-odd rule."""
        inside = np.zeros(self.x.shape, bool)
        for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1], strict=True):
            if y0 != y1:
                crosses = (self.y >= y0) != (self.y >= y1)
                inside ^= crosses & (self.x < x0 + (self.y - y0) * (x1 - x0) / (y1 - y0))
        return inside.astype(float)

    def box(self, left: float, top: float, right: float, bottom: float) -> Array:
        """A rectangle with sides along the axes."""
        return ((self.x >= left) & (self.x < right) & (self.y >= top) & (self.y < bottom)).astype(float)

    def stroke(self, width: float, *points: tuple[float, float]) -> Array:
        """A line through points, with round ends."""
        near = np.full(self.x.shape, np.inf)
        for (x0, y0), (x1, y1) in pairwise(points):
            dx, dy = x1 - x0, y1 - y0
            along = np.clip(((self.x - x0) * dx + (self.y - y0) * dy) / (dx * dx + dy * dy), 0, 1)
            near = np.minimum(near, np.hypot(self.x - x0 - along * dx, self.y - y0 - along * dy))
        return (near < width / 2).astype(float)

    def below(self, curve: Callable[[Array], Array]) -> Array:
        """All that lies below y = curve(x)."""
        return (self.y > curve(self.x)).astype(float)

    def ridge(self, height: float, rough: float, points: int = 9) -> Callable[[Array], Array]:
        """A random skyline of straight slopes about y = height, for `below`."""
        knots = height + rough * self.rng.uniform(-1, 1, points)
        knots[1::2] += rough
        return lambda x: np.interp(x, np.linspace(0, 1, points), knots)

    def hills(self, height: float, rough: float) -> Callable[[Array], Array]:
        """A random skyline of soft hills about y = height, for `below`."""
        phases = self.rng.uniform(0, 2 * np.pi, 3)
        return lambda x: (
            height + rough * sum(np.sin(2 * np.pi * f * x + p) / f for f, p in zip((0.8, 1.7, 3.1), phases, strict=True))
        )

    def polar(self, cx: float, cy: float) -> tuple[Array, Array]:
        """Distance from a point and angle about it, in turns."""
        dx, dy = self.x - cx, self.y - cy
        return np.hypot(dx, dy), np.arctan2(dy, dx) / (2 * np.pi)

    def stars(self, count: int, bottom: float, colour: str = "#ffffff") -> None:
        """Small stars above y = bottom."""
        for x, y, size in self.rng.uniform(0, 1, (count, 3)):
            self.paint(self.disc(x, y * bottom, 0.003 + 0.006 * size), colour, 0.5 + 0.5 * size)

    def cloud(self, cx: float, cy: float, size: float, colour: str = "#ffffff", opacity: float = 1.0) -> None:
        """A heap of discs with a flat foot."""
        heap = np.zeros(self.x.shape)
        for dx, dy, r in ((-1.0, 0.1, 0.5), (-0.35, -0.25, 0.65), (0.35, -0.1, 0.6), (1.0, 0.15, 0.45)):
            heap = np.maximum(heap, self.disc(cx + dx * size, cy + dy * size, r * size))
        foot = self.y < cy + 0.35 * size
        self.paint(heap * foot, colour, opacity)

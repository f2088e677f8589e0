"""The ways in which a picture comes to harm. Each takes pixels (H, W, 3) and a generator, and returns RGB or RGBA pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from canvas import SIZE, Array, Canvas, rgb, to_bytes

Pixels = NDArray[np.uint8]
Random = np.random.Generator


def covered(pixels: Pixels, rng: Random) -> Pixels:
    """Two labels stuck on it."""
    sheet = Canvas.over(pixels)
    sheet.paint(sheet.box(0.08, 0.5, 0.62, 0.86), "#1c1c22")
    sheet.paint(sheet.box(0.55, 0.1, 0.9, 0.34), "#e9d9a8")
    return sheet.pixels()


def half_painted(pixels: Pixels, rng: Random) -> Pixels:
    """The right half under a coat of paint."""
    sheet = Canvas.over(pixels)
    sheet.paint(sheet.x > 0.5 + 0.02 * np.sin(21 * sheet.y), sheet.ramp("#b9482f", "#a63d27", "#c2553a", along=(sheet.y * 9) % 1))
    return sheet.pixels()


def scribbled(pixels: Pixels, rng: Random) -> Pixels:
    """Pen all over it."""
    sheet = Canvas.over(pixels)
    time = np.linspace(0, 1, 90)
    for colour, turns in (("#1a3fb0", 7), ("#c81e2b", 5), ("#157a3c", 6)):
        phase = rng.uniform(0, 6, 3)
        x = 0.1 + 0.8 * time + 0.16 * np.cos(2 * np.pi * turns * time + phase[0])
        y = 0.5 + 0.24 * np.sin(2 * np.pi * turns * time + phase[1]) + 0.2 * np.sin(5 * time + phase[2])
        sheet.paint(sheet.stroke(0.028, *zip(x.tolist(), y.tolist(), strict=True)), colour)
    return sheet.pixels()


def noisy(pixels: Pixels, rng: Random) -> Pixels:
    """Heavy grain: Gaussian noise with a standard deviation of 0.3."""
    return to_bytes(pixels / 255 + rng.normal(0, 0.3, pixels.shape))


def faded(pixels: Pixels, rng: Random) -> Pixels:
    """Years of sunlight: a third of the contrast, and a yellow cast."""
    return to_bytes(0.35 * (pixels / 255) + 0.65 * rgb("#efe2c4"))


def dark(pixels: Pixels, rng: Random) -> Pixels:
    """Badly underexposed, with grain."""
    return to_bytes(0.22 * (pixels / 255) + rng.normal(0, 0.03, pixels.shape))


def blurred(pixels: Pixels, rng: Random) -> Pixels:
    """Out of focus: three passes of a box of 9 pixels."""
    soft: Array = pixels / 255
    for _ in range(3):
        for axis in (0, 1):
            wide = np.pad(soft, [(4, 4) if k == axis else (0, 0) for k in range(3)], mode="edge")
            soft = np.mean([np.take(wide, np.arange(SIZE) + shift, axis=axis) for shift in range(9)], axis=0)
    return to_bytes(soft)


def tiny(pixels: Pixels, rng: Random) -> Pixels:
    """All that is left is a thumbnail of 16 pixels a side."""
    return to_bytes(pixels.reshape(16, SIZE // 16, 16, SIZE // 16, 3).mean(axis=(1, 3)) / 255)


def torn(pixels: Pixels, rng: Random) -> Pixels:
    """The lower right is torn off: these pixels are transparent."""
    row, column = np.mgrid[:SIZE, :SIZE] / SIZE
    ragged = np.interp(np.arange(SIZE), np.linspace(0, SIZE, 25), rng.uniform(-0.05, 0.05, 25))
    return _with_alpha(pixels, column + 0.8 * row < 0.82 + ragged[:, None])


def moth_eaten(pixels: Pixels, rng: Random) -> Pixels:
    """Holes all over: these pixels are transparent."""
    row, column = np.mgrid[:SIZE, :SIZE] / SIZE
    left = np.ones((SIZE, SIZE), bool)
    for x, y, size in rng.uniform(0, 1, (16, 3)):
        left &= np.hypot(column - x, row - y) > 0.05 + 0.1 * size
    return _with_alpha(pixels, left)


def _with_alpha(pixels: Pixels, visible: NDArray[np.bool_]) -> Pixels:
    return np.dstack([np.where(visible[..., None], pixels, 0), np.where(visible, 255, 0)]).astype(np.uint8)

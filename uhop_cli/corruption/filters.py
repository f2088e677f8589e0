"""Corruptions that change values or mix neighbouring pixels; none leaves a part that is known to be untouched.

Pictures are (M, H, W, C) float32 in [0, 1].
"""

from __future__ import annotations

from io import BytesIO

import numpy as np

from uhop_cli.arrays.types import Float32
from uhop_cli.corruption.random_streams import Draws
from uhop_cli.images.patterns import LUMA
from uhop_cli.images.warp import bilinear

Level = float | str | None
Result = tuple[Float32, None]

DIRECTIONS = np.array([(0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1)])


def noise(pictures: Float32, level: Level, fill: str, draws: Draws) -> Result:
    """x + n, n ~ N(0, level^2) for each value."""
    return pictures + _number(level) * draws.normal(*pictures.shape), None


def noise_clamped(pictures: Float32, level: Level, fill: str, draws: Draws) -> Result:
    """x + n, clamped to [0, 1]."""
    return np.clip(noise(pictures, level, fill, draws)[0], 0, 1), None


def noise_abs(pictures: Float32, level: Level, fill: str, draws: Draws) -> Result:
    """|x + n|, clamped to [0, 1]: the noise of the published retrieval experiments."""
    return np.minimum(np.abs(noise(pictures, level, fill, draws)[0]), 1), None


def noise_norm(pictures: Float32, level: Level, fill: str, draws: Draws) -> Result:
    """x + level n / ||n||: noise of a given Euclidean norm."""
    n = draws.normal(*pictures.shape)
    norms = np.sqrt(np.einsum("mhwc,mhwc->m", n, n))
    return pictures + n * (_number(level) / norms)[:, None, None, None].astype(np.float32), None


def brightness(pictures: Float32, level: Level, fill: str, draws: Draws) -> Result:
    """x + level, clamped."""
    return np.clip(pictures + _number(level), 0, 1), None


def contrast(pictures: Float32, level: Level, fill: str, draws: Draws) -> Result:
    """m + level (x - m), clamped, m the mean of all values of the picture."""
    mean = pictures.mean(axis=(1, 2, 3), keepdims=True)
    return np.clip(mean + _number(level) * (pictures - mean), 0, 1), None


def fade(pictures: Float32, level: Level, fill: str, draws: Draws) -> Result:
    """x + level (1 - x): towards white."""
    return pictures + _number(level) * (1 - pictures), None


def gamma(pictures: Float32, level: Level, fill: str, draws: Draws) -> Result:
    """x^level; what an earlier corruption made negative counts as 0."""
    return np.maximum(pictures, 0) ** _number(level), None


def scale(pictures: Float32, level: Level, fill: str, draws: Draws) -> Result:
    """level x."""
    return pictures * _number(level), None


def grey(pictures: Float32, level: Level, fill: str, draws: Draws) -> Result:
    """Every pixel its luma; a grey picture stays as it is."""
    if pictures.shape[3] == 1:
        return pictures.copy(), None
    return np.repeat((pictures * LUMA.astype(np.float32)).sum(axis=3, keepdims=True), 3, axis=3), None


def blur(pictures: Float32, level: Level, fill: str, draws: Draws) -> Result:
    """Box blur: the mean over (2 level + 1)^2 pixels, the edge repeated."""
    size = 2 * round(_number(level)) + 1
    return _smooth(pictures, np.full(size, 1 / size, np.float32)), None


def gaussian_blur(pictures: Float32, level: Level, fill: str, draws: Draws) -> Result:
    """Gaussian blur of deviation `level` pixels, cut off at 3 deviations, the edge repeated."""
    sigma = float(_number(level))
    reach = int(np.ceil(3 * sigma))
    offsets = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (offsets / max(sigma, 1e-6)) ** 2)
    return _smooth(pictures, (kernel / kernel.sum()).astype(np.float32)), None


def pixelate(pictures: Float32, level: Level, fill: str, draws: Draws) -> Result:
    """Blocks of `level` x `level` pixels take their mean; those at the far edges may be smaller."""
    size = round(_number(level))
    result = pictures
    for axis in (1, 2):
        length = pictures.shape[axis]
        starts = np.arange(0, length, size)
        counts = np.diff(starts, append=length)
        sums = np.add.reduceat(result, starts, axis=axis)
        means = sums / counts.astype(np.float32).reshape([-1 if i == axis else 1 for i in range(4)])
        result = np.repeat(means, counts, axis=axis)
    return result, None


def jpeg(pictures: Float32, level: Level, fill: str, draws: Draws) -> Result:
    """Rounded to 8 bits, stored as JPEG of quality `level` and read again."""
    from PIL import Image

    eight = np.rint(np.clip(pictures, 0, 1) * 255).astype(np.uint8)
    gray = eight.shape[3] == 1
    result = np.empty_like(eight)
    for index, picture in enumerate(eight):
        buffer = BytesIO()
        Image.fromarray(picture[:, :, 0] if gray else picture).save(buffer, "JPEG", quality=round(_number(level)))
        with Image.open(buffer, formats=["JPEG"]) as stored:
            result[index] = np.asarray(stored).reshape(picture.shape)
    return result.astype(np.float32) / np.float32(255), None


def shift(pictures: Float32, level: Level, fill: str, draws: Draws) -> Result:
    """Moved by `level` pixels along one of the eight directions, the edge repeated."""
    count, height, width, _ = pictures.shape
    moves = DIRECTIONS[draws.index(8, count)] * round(_number(level))
    y = np.clip(np.arange(height) - moves[:, :1], 0, height - 1)
    x = np.clip(np.arange(width) - moves[:, 1:], 0, width - 1)
    return pictures[np.arange(count)[:, None, None], y[:, :, None], x[:, None, :]], None


def rotate(pictures: Float32, level: Level, fill: str, draws: Draws) -> Result:
    """Turned about the centre by +level or -level degrees, bilinear, the edge repeated."""
    clockwise = draws.index(2, len(pictures)) == 1
    result = np.empty_like(pictures)
    for turned, angle in ((clockwise, _number(level)), (~clockwise, -_number(level))):
        result[turned] = _rotated(pictures[turned], np.deg2rad(angle))
    return result, None


def _rotated(pictures: Float32, angle: float) -> Float32:
    _, height, width, _ = pictures.shape
    y, x = np.mgrid[:height, :width].reshape(2, -1) - np.array([[(height - 1) / 2], [(width - 1) / 2]])
    from_y = np.cos(angle) * y - np.sin(angle) * x + (height - 1) / 2
    from_x = np.sin(angle) * y + np.cos(angle) * x + (width - 1) / 2
    return bilinear(pictures, from_y, from_x).reshape(pictures.shape)


def _smooth(pictures: Float32, kernel: Float32) -> Float32:
    """Correlation with `kernel` along rows and columns, the edge repeated."""
    reach = len(kernel) // 2
    result = pictures
    for axis in (1, 2):
        length = pictures.shape[axis]
        padded = np.pad(result, [(reach, reach) if i == axis else (0, 0) for i in range(4)], mode="edge")
        result = np.zeros_like(pictures)
        for offset, weight in enumerate(kernel):
            result += weight * (padded[:, offset : offset + length] if axis == 1 else padded[:, :, offset : offset + length])
    return result


def _number(level: Level) -> np.float32:
    assert isinstance(level, float | int)
    return np.float32(level)

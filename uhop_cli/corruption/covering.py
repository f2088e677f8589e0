"""Corruptions that hide part of a picture and know which: each returns the pictures and what is still visible.

Pictures are (M, H, W, C) float32 in [0, 1]; `visible` broadcasts to that shape.
"""

from __future__ import annotations

import numpy as np

from uhop_cli.arrays.types import Bool, Float32
from uhop_cli.corruption.random_streams import Draws

Level = float | str | None

FILLS = ("black", "grey", "white", "colour", "noise")

_GREY = np.float32(128 / 255)
_SATURATED = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [0, 1, 1], [1, 0, 1]], np.float32)

# Capital letters of 3 x 5 pixels, a row each octal digit: A E H I L O P S T U and a space.
_LETTERS = (0o25755, 0o74647, 0o55755, 0o72227, 0o44447, 0o75557, 0o75744, 0o74717, 0o72222, 0o55557, 0)
_FONT: Bool = np.array([[[code >> (3 * (4 - y) + 2 - x) & 1 for x in range(3)] for y in range(5)] for code in _LETTERS], bool)


def cover(pictures: Float32, hidden: Bool, fill: str, draws: Draws) -> tuple[Float32, Bool]:
    """`pictures` with what is `hidden` replaced by the fill, and what is not."""
    count, height, width, channels = pictures.shape
    value: Float32 | np.float32
    if fill == "colour":  # one for each picture: a saturated colour, or any grey where there are only greys
        value = _SATURATED[draws.index(6, count)] if channels == 3 else draws.uniform(count, channels)
        value = value[:, None, None, :]
    elif fill == "noise":
        value = draws.uniform(count, height, width, channels)
    else:
        value = {"black": np.float32(0), "grey": _GREY, "white": np.float32(1)}[fill]
    return np.where(hidden, value, pictures), ~hidden


def mask(pictures: Float32, level: Level, fill: str, draws: Draws) -> tuple[Float32, Bool]:
    """Each pixel hidden with probability `level`."""
    return cover(pictures, draws.uniform(*pictures.shape[:3], 1) < _number(level), fill, draws)


def values(pictures: Float32, level: Level, fill: str, draws: Draws) -> tuple[Float32, Bool]:
    """Each channel value hidden with probability `level`."""
    return cover(pictures, draws.uniform(*pictures.shape) < _number(level), fill, draws)


def dropout(pictures: Float32, level: Level, fill: str, draws: Draws) -> tuple[Float32, None]:
    """As `values`, and the survivors divided by 1 - level, so that the mean is kept; so no value is the original."""
    keep = np.float32(1 - _number(level))
    return np.where(draws.uniform(*pictures.shape) < 1 - keep, np.float32(0), pictures / keep), None


def half(pictures: Float32, level: Level, fill: str, draws: Draws) -> tuple[Float32, Bool]:
    """The named half hidden; of an odd number of lines the middle one stays."""
    height, width = pictures.shape[1:3]
    hidden = np.zeros((1, height, width, 1), bool)
    top, left = height // 2, width // 2
    area = {
        "top": np.s_[:, :top],
        "bottom": np.s_[:, height - top :],
        "left": np.s_[:, :, :left],
        "right": np.s_[:, :, width - left :],
    }[str(level)]
    hidden[area] = True
    return cover(pictures, hidden, fill, draws)


def block(pictures: Float32, level: Level, fill: str, draws: Draws) -> tuple[Float32, Bool]:
    """A block of the picture's own proportions over a fraction `level` of its area, anywhere within it."""
    count, height, width, _ = pictures.shape
    side = _number(level) ** 0.5
    tall, wide = round(side * height), round(side * width)
    top = draws.index(height - tall + 1, count)[:, None, None, None]
    left = draws.index(width - wide + 1, count)[:, None, None, None]
    y, x = np.arange(height)[None, :, None, None], np.arange(width)[None, None, :, None]
    return cover(pictures, (y >= top) & (y < top + tall) & (x >= left) & (x < left + wide), fill, draws)


def corner(pictures: Float32, level: Level, fill: str, draws: Draws) -> tuple[Float32, Bool]:
    """All hidden but `level` x `level` pixels at the top left; a level below 1 is a fraction of each side."""
    height, width = pictures.shape[1:3]
    size = _number(level)
    tall, wide = (max(1, round(size * height)), max(1, round(size * width))) if size < 1 else (round(size), round(size))
    hidden = np.ones((1, height, width, 1), bool)
    hidden[:, :tall, :wide] = False
    return cover(pictures, hidden, fill, draws)


def salt_pepper(pictures: Float32, level: Level, fill: str, draws: Draws) -> tuple[Float32, Bool]:
    """Each pixel becomes black or white with probability `level`, either equally often."""
    chance = draws.uniform(*pictures.shape[:3], 1)
    hidden = chance < _number(level)
    return np.where(hidden, (chance < _number(level) / 2).astype(np.float32), pictures), ~hidden


def lettering(count: int, lines: int, columns: int, size: int, draws: Draws) -> Bool:
    """Where there is ink in blocks of random letters, (count, 6 size lines, 4 size columns); a dot is `size` pixels wide."""
    cells = np.zeros((count, lines, 6, columns, 4), bool)
    cells[:, :, :5, :, :3] = _FONT[draws.index(len(_FONT), count, lines, columns)].swapaxes(2, 3)
    return cells.reshape(count, lines * 6, columns * 4).repeat(size, axis=1).repeat(size, axis=2)


def text(pictures: Float32, level: Level, fill: str, draws: Draws) -> tuple[Float32, Bool]:
    """Lines of random white letters across the picture, over a share `level` of its height, anywhere."""
    count, height, width, _ = pictures.shape
    size = max(1, min(height, width) // 32)  # a letter is 3 x 5 dots of this many pixels, its cell 4 x 6
    lines = round(_number(level) * height / (6 * size)) or int(_number(level) > 0)
    ink = lettering(count, lines, -(-width // (4 * size)), size, draws)[:, :height, :width]
    hidden = np.zeros((count, height, width), bool)
    top = draws.index(height - ink.shape[1] + 1, count)
    hidden[np.arange(count)[:, None], top[:, None] + np.arange(ink.shape[1])] = ink
    return np.where(hidden[..., None], np.float32(1), pictures), ~hidden[..., None]


def scratches(pictures: Float32, level: Level, fill: str, draws: Draws) -> tuple[Float32, Bool]:
    """`level` straight white lines, each through a random point in a random direction."""
    count, height, width, _ = pictures.shape
    number = round(_number(level))
    half_width = 0.5 * max(1.0, min(height, width) / 32)
    place = draws.uniform(count, number, 3) * np.array([height, width, np.pi], np.float32)
    y, x = np.arange(height, dtype=np.float32)[None, :, None] + 0.5, np.arange(width, dtype=np.float32)[None, None, :] + 0.5
    hidden = np.zeros((count, height, width), bool)
    for line in range(number):
        v, u, angle = (place[:, line, i, None, None] for i in range(3))
        hidden |= np.abs((x - u) * np.sin(angle) - (y - v) * np.cos(angle)) <= half_width
    return np.where(hidden[..., None], np.float32(1), pictures), ~hidden[..., None]


def _number(level: Level) -> float:
    assert isinstance(level, float | int)
    return float(level)

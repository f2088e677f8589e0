"""Every pixel mode of Pillow -> 8-bit RGB or grey, and alpha; strip by strip, so that large pictures need little beyond themselves.

Modes of more than 8 bits: 16-bit files (I;16, and integers within 0..65535) are divided by 257. Other integers and floats have no
agreed scale: values within 0..255 are taken as they are, floats within 0..1 times 255, anything else is stretched from its own
least to its greatest value.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from uhop_cli.arrays.types import Float64, UInt8
from uhop_cli.errors import ImageError

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage


_STRIP_PIXELS = 1 << 20
_GRAY = frozenset(("1", "L", "LA", "La", "I", "F"))
_COLOR = frozenset(("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV", "LAB"))

# Linear sRGB from XYZ, both relative to the white D50 of LAB files (the inverse of the matrix in the sRGB profiles of the ICC).
_WHITE = np.array([0.9642, 1.0, 0.8249])
_SRGB = np.array([[3.1339, -1.6169, -0.4906], [-0.9788, 1.9161, 0.0335], [0.0719, -0.2290, 1.4052]])


def gray_mode(mode: str) -> bool:
    """Whether a Pillow mode holds grey values only. A palette counts as colour, whatever stands in it."""
    return mode in _GRAY or mode.startswith("I;16")


def to_arrays(image: PILImage, reduce: int = 1) -> tuple[UInt8, UInt8 | None]:
    """Pixels (H, W, 1 or 3) and alpha (H, W) or None of a loaded image.

    Args:
        image: any mode; colours that are declared transparent become alpha.
        reduce: average over blocks of reduce x reduce pixels; what is transparent has no part in the average.
    """
    gray = gray_mode(image.mode)
    if not gray and image.mode not in _COLOR:
        raise ImageError(f"its colours are {image.mode}, which are not read", "save it as PNG first")
    wide = image.mode[0] in "IF"
    bounds = _bounds(image) if wide else (0.0, 0.0)
    shape = -(-image.height // reduce), -(-image.width // reduce)
    if image.mode in ("L", "RGB") and reduce == 1 and not image.has_transparency_data:
        return np.asarray(image).reshape(*shape, -1), None
    pixels = np.empty((*shape, 1 if gray else 3), np.uint8)
    alpha = np.empty(shape, np.uint8) if image.has_transparency_data else None
    top = 0
    for strip in _strips(image, reduce):
        eight = _narrow(strip, bounds) if wide else _eight_bit(strip, gray)
        part = np.asarray(eight.reduce(reduce) if reduce > 1 else eight).reshape(-1, shape[1], len(eight.getbands()))
        rows = slice(top, top := top + len(part))
        pixels[rows] = part[:, :, : pixels.shape[2]]
        if alpha is not None:
            alpha[rows] = part[:, :, -1]
    return pixels, None if alpha is None or alpha.min() == 255 else alpha


def _strips(image: PILImage, reduce: int = 1) -> Iterator[PILImage]:
    """The picture in strips of about a megapixel, each of a multiple of `reduce` lines but for the last."""
    lines = max(1, _STRIP_PIXELS // (image.width * reduce)) * reduce
    if lines >= image.height:
        yield image
        return
    for top in range(0, image.height, lines):
        yield image.crop((0, top, image.width, min(image.height, top + lines)))


def _eight_bit(strip: PILImage, gray: bool) -> PILImage:
    """The strip in mode L, LA, RGB or RGBA."""
    if strip.mode == "LAB":
        return _from_lab(strip)
    mode = "L" if gray else "RGB"
    if strip.has_transparency_data:
        mode = "LA" if gray else "RGBA"
        color = strip.info.get("transparency")
        if strip.mode == "RGB" and isinstance(color, tuple) and max(color) > 255:
            # of a 16-bit RGB file Pillow keeps the upper bytes of the pixels, but the transparent colour in full
            strip.info["transparency"] = tuple(value >> 8 for value in color)
    return strip if strip.mode == mode else strip.convert(mode)


def _from_lab(strip: PILImage) -> PILImage:
    """CIE L*a*b* (8 bits: 255 L* / 100, and a*, b* with a sign) as sRGB: X / Xn = f^-1(L' + a* / 500), Y / Yn = f^-1(L'), Z / Zn =
    f^-1(L' - b* / 200) with L' = (L* + 16) / 116, then the matrix and the curve of sRGB."""
    from PIL import Image

    lab = np.asarray(strip)
    middle = (lab[..., 0] * (100 / 255) + 16) / 116
    a, b = (lab[..., channel].astype(np.int8) for channel in (1, 2))
    roots = np.stack((middle + a / 500, middle, middle - b / 200), axis=-1)
    linear = np.clip((np.where(roots > 6 / 29, roots**3, (roots - 4 / 29) * (108 / 841)) * _WHITE) @ _SRGB.T, 0, 1)
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return Image.fromarray(np.rint(255 * curved).astype(np.uint8))


def _values(strip: PILImage) -> Float64:
    with np.errstate(invalid="ignore"):  # of not-a-number, which is looked for later
        return np.asarray(strip).astype(np.float64)


def _bounds(image: PILImage) -> tuple[float, float]:
    """The values that become 0 and 255."""
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM"):
        return 0.0, 65535.0  # Pillow itself scales the values of a PGM to 16 bits
    low, high = np.inf, -np.inf
    for strip in _strips(image):
        values = _values(strip)
        finite = values[np.isfinite(values)]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    if low > high:
        raise ImageError("a picture without a single finite value")
    ranges = (1.0, 255.0) if image.mode == "F" else (255.0, 65535.0)
    for top in ranges:
        if low >= 0 and high <= top:
            return 0.0, top
    return low, max(high, float(np.nextafter(low, np.inf)))


def _narrow(strip: PILImage, bounds: tuple[float, float]) -> PILImage:
    """A strip of integers or floats as 8-bit grey; what is not finite becomes the nearer end (not-a-number: 0)."""
    from PIL import Image

    values = _values(strip)
    low, high = bounds
    scaled = np.clip(np.nan_to_num((values - low) * (255 / (high - low)), nan=0.0, posinf=255.0, neginf=0.0), 0, 255)
    eight = np.rint(scaled).astype(np.uint8)
    transparent = strip.info.get("transparency")
    if not isinstance(transparent, int):
        return Image.fromarray(eight)
    return Image.fromarray(np.stack((eight, np.where(values == transparent, 0, 255).astype(np.uint8)), axis=2))

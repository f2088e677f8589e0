"""A picture as a program has it: a path, bytes, a PIL image, an array, or decoded already."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays.types import UInt8
from uhop_cli.errors import ImageError
from uhop_cli.files.names import escape
from uhop_cli.images.decode import Header, Image, decode, read_bytes, read_header
from uhop_cli.images.formats.limits import MAX_PIXELS
from uhop_cli.images.modes import gray_mode, to_arrays
from uhop_cli.images.orientation import upright

Given = Any  # str | Path | bytes | PIL.Image.Image | numpy.ndarray | Image: PIL is not imported to say so

_KINDS = "a path, bytes, a PIL image, or an array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) of uint8 or of floats in [0, 1]"


def is_picture(given: object) -> bool:
    """Whether this is one picture, and not several of them: of arrays, one of two or three axes."""
    if isinstance(given, np.ndarray):
        return given.ndim == 2 or (given.ndim == 3 and given.shape[2] in (1, 3, 4))
    return isinstance(given, str | os.PathLike | bytes | Image) or _is_pil(given)


def name_of(given: object) -> str | None:
    """The name of a picture that has one: its path, or the file that PIL opened."""
    if isinstance(given, str | os.PathLike):
        return escape(os.fspath(given))
    name = getattr(given, "filename", None)
    return escape(name) if isinstance(name, str | os.PathLike) and name else None


def header_of(given: Given) -> Header:
    """Size and kind of a picture, without decoding a file.

    Raises:
        ImageError: it is none.
    """
    if isinstance(given, bytes):
        return read_header(given)
    if isinstance(given, str | os.PathLike):
        return read_header(read_bytes(Path(given)))
    if _is_pil(given):
        width, height = given.size if _turn(given) < 5 else given.size[::-1]
        return Header(width, height, gray_mode(given.mode), bool(given.has_transparency_data))
    image = image_of(given)
    return Header(image.width, image.height, image.pixels.shape[2] == 1, image.alpha is not None)


def image_of(given: Given, *, draft: tuple[int, int] | None = None) -> Image:
    """The picture, upright and in 8 bits.

    Args:
        given: a path or the bytes of a file; a PIL image, which is turned as its EXIF asks and closed by nobody; an array of
            uint8, or of floats in [0, 1], which are rounded to 8 bits, whose fourth channel is alpha; or an `Image`.
        draft: of `decode`, for files.

    Raises:
        ImageError: it is none of these, or cannot be read.
    """
    if isinstance(given, Image):
        return given
    if isinstance(given, bytes):
        return decode(given, draft=draft)
    if isinstance(given, str | os.PathLike):
        return decode(read_bytes(Path(given)), draft=draft)
    if _is_pil(given):
        return _of_pil(given)
    if isinstance(given, np.ndarray):
        return _of_array(given)
    raise ImageError(f"a {type(given).__name__} is no picture", f"give {_KINDS}")


def _is_pil(given: object) -> TypeGuard[Any]:
    """Whether this is a PIL image; PIL is not imported for the answer no."""
    if not any(kind.__module__.partition(".")[0] == "PIL" for kind in type(given).__mro__):
        return False
    from PIL import Image as Pillow

    return isinstance(given, Pillow.Image)


def _turn(picture: Any) -> int:
    value = picture.getexif().get(0x0112, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _of_pil(picture: Any) -> Image:
    if picture.width * picture.height > MAX_PIXELS or not picture.width or not picture.height:
        limit = f"the limit is {MAX_PIXELS // 10**6} megapixels"
        raise ImageError(f"a picture of {picture.width} x {picture.height} pixels; {limit}", "give a smaller one")
    turn = _turn(picture)
    try:
        picture.load()
    except Exception as error:  # a file that PIL has opened and cannot decode
        raise ImageError(f"PIL cannot decode it: {escape(str(error))[:120]}", "give its path, which says more") from None
    pixels, alpha = to_arrays(picture)
    return Image(upright(pixels, turn), None if alpha is None else upright(alpha, turn))


def _of_array(array: NDArray[Any]) -> Image:
    if not is_picture(array) or 0 in array.shape:
        raise ImageError(f"an array of shape {array.shape} is no picture", f"give {_KINDS}")
    pixels = in_eight_bits(array)
    pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
    alpha = pixels[:, :, 3] if pixels.shape[2] == 4 else None
    return Image(pixels[:, :, :3], None if alpha is None or alpha.min() == 255 else alpha)


def in_eight_bits(array: NDArray[Any]) -> UInt8:
    """Values as uint8: as they are, or from [0, 1], rounded.

    Raises:
        ImageError: values of another kind or range.
    """
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if not np.issubdtype(array.dtype, np.floating) or not np.isfinite(array).all() or array.min() < 0 or array.max() > 1:
        raise ImageError(f"an array of {array.dtype} with values from {_range(array)}", "give uint8, or floats in [0, 1]")
    rounded: UInt8 = np.rint(array * 255).astype(np.uint8)
    return rounded


def _range(array: NDArray[Any]) -> str:
    if not (np.issubdtype(array.dtype, np.number) and array.size):
        return "no numbers"
    return f"{array.min():g} to {array.max():g}"

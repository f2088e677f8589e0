"""Pictures -> patterns: points of [0, 1]^d that all have one size, one colour model and one background.

A pattern value is the mean of the picture over its cell where the picture is larger (so a picture and its shrunk copy give nearly
the same pattern), and linear interpolation between pixel centres where it is smaller; each axis on its own. The mean is exact, but
for pictures so large that `decode` hands them out reduced. A picture of the pattern's size keeps its exact pixels. Grey is the
luma of ITU-R BT.601: 0.299 R + 0.587 G + 0.114 B.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays.types import Bool, Float32, Float64, Floats, UInt8
from uhop_cli.errors import ImageError, SettingsError
from uhop_cli.images.decode import Header, Image
from uhop_cli.images.resample import resize

Background = tuple[int, int, int]

MAX_PATTERN_SIDE = 1024
AUTO_SIDE = 32
AUTO_OWN_SIDE = 64
HALF_A_LEVEL = 0.5 / 255  # pattern values closer than this are the same grey level of 8 bits

LUMA = np.array([0.299, 0.587, 0.114])

_NAMED: dict[str, Background] = {"grey": (128, 128, 128), "gray": (128, 128, 128), "black": (0, 0, 0), "white": (255, 255, 255)}
_BLEND = "use --alpha blend to lay it on the background"


@dataclass(frozen=True)
class PatternSpec:
    """What all patterns of a memory have in common.

    Attributes:
        width: columns, 1 to 1024.
        height: rows, 1 to 1024.
        channels: 1 (grey) or 3 (RGB).
        background: RGB, 0 to 255 each, that transparent pictures are laid on.
    """

    width: int
    height: int
    channels: int
    background: Background = (128, 128, 128)

    def __post_init__(self) -> None:
        for side in (self.width, self.height):
            if not _is_int(side) or not 1 <= side <= MAX_PATTERN_SIDE:
                raise SettingsError(
                    f"a pattern of {self.width} x {self.height} pixels is not possible",
                    f"each side is a whole number from 1 to {MAX_PATTERN_SIDE}",
                )
        if not (_is_int(self.channels) and self.channels in (1, 3)):
            raise SettingsError(f"a pattern has 1 or 3 channels, not {self.channels}")
        if not _is_color(self.background):
            raise SettingsError(f"a background is three numbers from 0 to 255, not {self.background}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C)."""
        return self.height, self.width, self.channels

    @property
    def dim(self) -> int:
        """d = H W C, the number of values of a pattern."""
        return self.height * self.width * self.channels

    def to_json(self) -> dict[str, Any]:
        """As JSON types; `from_json` reads it back."""
        return {"width": self.width, "height": self.height, "channels": self.channels, "background": list(self.background)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> PatternSpec:
        """The inverse of `to_json`.

        Raises:
            SettingsError: a field is missing or has an impossible value.
        """
        try:
            background = tuple(value["background"])
            return cls(value["width"], value["height"], value["channels"], background)
        except (KeyError, TypeError):
            raise SettingsError("the description of the pattern is incomplete") from None


def choose_spec(
    headers: Sequence[Header],
    size: str | int | tuple[int, int] = "auto",
    color: Literal["auto", "rgb", "gray"] = "auto",
    background: str | Background = "grey",
) -> PatternSpec:
    """The pattern for a set of images.

    Args:
        headers: those of all images.
        size: "auto" (the images' own size when they all share one of at most 64 pixels a side, else 32 x 32), N or "N"
            (a square), (W, H) or "WxH".
        color: "auto" is grey only when every image is of a grey mode.
        background: a name (grey, black, white), "#rrggbb" or three numbers.

    Raises:
        SettingsError: a size, colour or background that makes no sense.
    """
    if color not in ("auto", "rgb", "gray"):
        raise SettingsError(f"unknown colour model {color!r}", "choose auto, rgb or gray")
    gray = color == "gray" or (color == "auto" and len(headers) > 0 and all(h.gray for h in headers))
    width, height = _own_size(headers) if size == "auto" else parse_size(size)
    return PatternSpec(width, height, 1 if gray else 3, parse_background(background) if isinstance(background, str) else background)


def parse_size(size: str | int | tuple[int, int]) -> tuple[int, int]:
    """(width, height) from N, "N", "WxH" or (W, H).

    Raises:
        SettingsError: none of these.
    """
    if isinstance(size, tuple):
        return size
    match = re.fullmatch(r"([0-9]{1,6})(?:[xX]([0-9]{1,6}))?", str(size).strip())
    if not match:
        raise SettingsError(f"{size!r} is no size", "give auto, one number such as 64, or WxH such as 64x48")
    return int(match[1]), int(match[2] or match[1])


def parse_background(text: str) -> Background:
    """RGB from "grey", "black", "white" or "#rrggbb".

    Raises:
        SettingsError: none of these.
    """
    lower = text.strip().lower()
    if lower in _NAMED:
        return _NAMED[lower]
    match = re.fullmatch(r"#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})", lower)
    if not match:
        raise SettingsError(f"{text!r} is no background", "give grey, black, white or #rrggbb")
    return int(match[1], 16), int(match[2], 16), int(match[3], 16)


def to_pattern(image: Image, spec: PatternSpec) -> UInt8:
    """The pattern of a picture, (H, W, C) uint8: laid on the background, brought to the pattern's size, rounded.

    What a file that ends too early lacks is taken as transparent.
    """
    return to_layers(image, spec)[0]


def to_layers(image: Image, spec: PatternSpec) -> tuple[UInt8, UInt8 | None]:
    """The pattern of a picture as `to_pattern` makes it, and the opacity of its cells, (H, W) uint8; None where all is opaque."""
    image = gaps_transparent(image)
    if image.alpha is None:
        return _round(_channels(_resize(image.pixels, image, spec), spec)), None
    color, cover = _premultiplied(image, spec)
    background = np.array([[spec.background]], np.float64)
    pattern = _round(_channels(color, spec) + (1 - cover) * _channels(background, spec))
    return pattern, _round(255 * cover[:, :, 0])


def on_background(patterns: UInt8, opacity: UInt8, colours: Floats, spec: PatternSpec) -> Float32:
    """Stored patterns (M, H, W, C) of this opacity (M, H, W) on other backgrounds: rows (M, d) in [0, 1].

    Args:
        patterns: on the background of `spec`.
        opacity: 255 is opaque.
        colours: of the new backgrounds in [0, 1], (M, 1, C).
    """
    own = _channels(np.array([[spec.background]], np.float64), spec)[0] / 255
    veils = 1 - opacity.reshape(len(opacity), -1, 1) / 255
    laid = patterns.reshape(len(patterns), -1, spec.channels) / 255 + veils * (colours - own)
    rows: Float32 = np.clip(laid, 0, 1).astype(np.float32).reshape(len(patterns), spec.dim)
    return rows


def to_query(image: Image, spec: PatternSpec, alpha: Literal["missing", "blend"] = "missing") -> tuple[Float32, Bool | None]:
    """The pattern of a picture that may have missing (transparent) parts.

    With "missing", a cell that is at least half visible takes the mean of its visible pixels, weighted by their alpha; the others
    are missing. Values lie on the 8-bit grid, as those of stored patterns do. With "blend" it is `to_pattern`, all visible. What a
    file that ends too early lacks is missing either way.

    Returns:
        the pattern, (d,) float32 in [0, 1], 0 where missing; and which values are visible, (d,) bool, or None if all are.

    Raises:
        ImageError: nothing is visible.
    """
    if image.missing is not None:
        image = gaps_transparent(laid_on_background(image, spec) if alpha == "blend" else image)
    elif image.alpha is None or alpha == "blend":
        return to_vectors(to_pattern(image, spec)[None])[0], None
    assert image.alpha is not None
    if not image.alpha.any():
        raise ImageError("nothing is visible: the whole picture is transparent", _BLEND)
    color, cover = _premultiplied(image, spec)
    visible = cover >= 0.5 - 1e-5  # (H, W, 1); the slack is for the rounding of half a cell
    if not visible.any():
        raise ImageError(
            "nothing is visible: no cell of the pattern is half covered", "use --alpha blend to lay it on the background"
        )
    mean = np.divide(color, cover, out=np.zeros_like(color), where=visible)
    pattern = np.where(visible, _round(_channels(mean, spec)), 0).astype(np.uint8)
    every = np.repeat(visible.ravel(), spec.channels)
    return to_vectors(pattern[None])[0], None if every.all() else every


def gaps_transparent(image: Image) -> Image:
    """`image` with transparency where its file, which ends too early, has no pixels."""
    if image.missing is None:
        return image
    opaque = np.uint8(255) if image.alpha is None else image.alpha
    return replace(image, alpha=np.where(image.missing, np.uint8(0), opaque), missing=None)


def laid_on_background(image: Image, spec: PatternSpec) -> Image:
    """`image` as it looks on the background, opaque."""
    if image.alpha is None:
        return image
    cover = image.alpha[..., None] / 255
    background = np.array(spec.background, np.float64)
    behind = background if image.pixels.shape[2] == 3 else _channels(background[None, None], PatternSpec(1, 1, 1))[0, 0]
    return replace(image, pixels=_round(cover * image.pixels + (1 - cover) * behind), alpha=None)


def holes_only(image: Image, spec: PatternSpec) -> Image:
    """`image` laid on the background wherever anything of it is there: only what is wholly transparent stays missing.

    For a memory whose pictures are transparent themselves: half-transparent pixels were stored as they look on the background.
    """
    if image.alpha is None:
        return image
    return replace(laid_on_background(image, spec), alpha=np.where(image.alpha > 0, 255, 0).astype(np.uint8))


def with_mask(image: Image, mask: Image) -> Image:
    """`image` with the white parts of `mask` missing; the mask is stretched to the picture's size.

    Its luma is taken as what is missing: 255 makes a pixel transparent, 128 half so. Transparency of the picture itself remains.
    """
    gray = PatternSpec(mask.width, mask.height, 1)
    luma = _channels(mask.pixels.astype(np.float64), gray)[:, :, 0]
    rows = _nearest(mask.height, image.height)
    columns = _nearest(mask.width, image.width)
    kept = (255 - np.rint(luma)[rows][:, columns]).astype(np.uint8)
    if image.alpha is not None:
        kept = np.minimum(kept, image.alpha)
    return replace(image, alpha=kept)


def to_vectors(pixels: UInt8) -> Float32:
    """Rows (M, d) in [0, 1] from pixels (M, H, W, C): x = pixel / 255."""
    return np.divide(pixels.reshape(len(pixels), math.prod(pixels.shape[1:])), np.float32(255), dtype=np.float32)


def to_pixels(vectors: Floats, spec: PatternSpec) -> UInt8:
    """Pixels (M, H, W, C) from rows (M, d): clamped to [0, 1], rounded to 8 bits, not-a-number as 0."""
    return _round(np.nan_to_num(np.clip(vectors, 0, 1)) * 255).reshape(len(vectors), *spec.shape)


def _own_size(headers: Sequence[Header]) -> tuple[int, int]:
    sizes = {(h.width, h.height) for h in headers}
    if len(sizes) == 1:
        size = sizes.pop()
        if max(size) <= AUTO_OWN_SIDE:
            return size
    return AUTO_SIDE, AUTO_SIDE


def _premultiplied(image: Image, spec: PatternSpec) -> tuple[Float64, Float64]:
    """Mean of colour times alpha, (H, W, 1|3) in 0..255, and mean alpha, (H, W, 1) in 0..1, of each cell."""
    assert image.alpha is not None
    alpha = image.alpha[:, :, None]
    cover = _resize(alpha, image, spec) / 255
    return _resize(image.pixels * alpha.astype(np.uint16), image, spec) / 255, cover


def _channels(values: Float64, spec: PatternSpec) -> Float64:
    """RGB to luma or grey to RGB, where the pattern asks for it."""
    if values.shape[2] == spec.channels:
        return values
    return (values * LUMA).sum(axis=2, keepdims=True) if spec.channels == 1 else np.repeat(values, 3, axis=2)


def _resize(values: NDArray[Any], image: Image, spec: PatternSpec) -> Float64:
    """(h, w, c) of unsigned integers that belong to `image` -> (H, W, c): each axis brought to the pattern's size."""
    return resize(values, spec.height, spec.width, image.axes)


def _nearest(size: int, target: int) -> NDArray[np.intp]:
    return ((np.arange(target) + 0.5) * (size / target)).astype(np.intp)


def _round(values: NDArray[Any]) -> UInt8:
    if values.dtype == np.uint8:  # a picture that fits as it is
        return values
    rounded: UInt8 = np.rint(np.clip(values, 0, 255)).astype(np.uint8)
    return rounded


def _is_int(value: object) -> bool:  # JSON brings in anything, and a bool is an int
    return isinstance(value, int) and not isinstance(value, bool)


def _is_color(value: object) -> bool:
    return isinstance(value, tuple) and len(value) == 3 and all(_is_int(v) and 0 <= v <= 255 for v in value)

"""Every corruption, on patterns: one list for queries, the self-test and the benchmarks.

A corruption is written `kind[:level][:fill]`, for example `noise:0.3`, `half:bottom` or `corner:16:white`. It takes rows (M, d) in
[0, 1] to damaged rows and, where pixels go missing or are covered, tells which values are still the originals. Its random numbers
depend on the seed and the label alone, and row i does not depend on how many rows follow. A frame, such as `crop:0.6`, also takes a
picture at its own size to another picture.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from uhop_cli.arrays.types import Bool, Float32
from uhop_cli.corruption.covering import FILLS
from uhop_cli.corruption.kinds import KINDS, Kind, Level
from uhop_cli.corruption.random_streams import Draws
from uhop_cli.corruption.views import seen
from uhop_cli.errors import SettingsError
from uhop_cli.images.decode import Image
from uhop_cli.images.patterns import PatternSpec

__all__ = ["FRAMES", "KINDS", "SUITE", "TEN", "Corruption", "Damaged", "Kind", "damage", "parse"]


class Damaged(NamedTuple):
    """Damaged rows (M, d) float32, and which values are untouched, (M, d) bool, or None where no such mask exists."""

    patterns: Float32
    visible: Bool | None


@dataclass(frozen=True)
class Corruption:
    """One way to damage patterns.

    Attributes:
        kind: a name from `KINDS`.
        level: how much; the kind's default where None is given.
        fill: what a missing part is filled with, for the kinds that have one: black, grey, white, colour or noise.
    """

    kind: str
    level: Level = None
    fill: str = "black"

    def __post_init__(self) -> None:
        known = _kind(self.kind)
        object.__setattr__(self, "level", known.check(self.level))
        if self.fill not in FILLS or (self.fill != "black" and not known.fills):
            choices = ", ".join(FILLS) if known.fills else "none"
            raise SettingsError(f"{self.kind} cannot be filled with {self.fill!r}", f"fills of {self.kind}: {choices}")

    @property
    def label(self) -> str:
        """The canonical spelling, which `parse` reads back."""
        level = "" if self.level is None else f":{self.level if isinstance(self.level, str) else format(self.level, 'g')}"
        return self.kind + level + ("" if self.fill == "black" else f":{self.fill}")

    @property
    def pointwise(self) -> bool:
        """Whether each value depends on its own pixel alone."""
        return KINDS[self.kind].pointwise

    @property
    def is_frame(self) -> bool:
        """Whether it puts the picture into another frame, at its own size."""
        return KINDS[self.kind].frame is not None

    def reframed(self, image: Image, seed: int = 0) -> Image:
        """A picture in this frame; deterministic in (seed, label), and what happens to the first row of patterns.

        Raises:
            ImageError: it would be too large.
        """
        frame = KINDS[self.kind].frame
        assert frame is not None
        return seen(image, frame(image.pixels.shape, self.level, self.fill, Draws(seed, self.label).row(0)))

    def __call__(self, patterns: Float32, spec: PatternSpec, seed: int = 0) -> Damaged:
        """Damages rows (M, d) of `spec`; deterministic in (seed, label)."""
        pictures = np.asarray(patterns, np.float32).reshape(-1, *spec.shape)
        damaged, visible = KINDS[self.kind].work(pictures, self.level, self.fill, Draws(seed, self.label))
        rows = np.ascontiguousarray(damaged, dtype=np.float32).reshape(len(pictures), spec.dim)
        if visible is None:
            return Damaged(rows, None)
        return Damaged(rows, np.ascontiguousarray(np.broadcast_to(visible, pictures.shape)).reshape(len(pictures), spec.dim))

    def __str__(self) -> str:
        return self.label


def parse(text: str) -> Corruption:
    """The corruption written as `kind[:level][:fill]`.

    Raises:
        SettingsError: no such kind, level or fill.
    """
    name, *rest = text.strip().lower().split(":")
    known = _kind(name)
    fill = "black"
    if rest and known.fills and rest[-1] in FILLS:
        fill = rest.pop()
    if len(rest) > 1:
        raise SettingsError(f"{text!r} is no corruption", "write KIND, KIND:LEVEL or KIND:LEVEL:FILL, for example half:bottom:grey")
    return Corruption(name, rest[0] if rest else None, fill)


def damage(patterns: Float32, corruptions: Sequence[Corruption], spec: PatternSpec, seed: int = 0) -> Damaged:
    """Several corruptions in order.

    A value is visible if every mask left it visible. Where pixels went missing and are then mixed with their neighbours (blur,
    shift, ...) no mask can tell any more, and there is none.
    """
    rows, visible = np.asarray(patterns, np.float32), None
    known = True
    for position, corruption in enumerate(corruptions):
        rows, mask = corruption(rows, spec, seed + position)
        if not corruption.pointwise and visible is not None:
            known = False
        if mask is not None:
            visible = mask if visible is None else visible & mask
    return Damaged(rows, visible if known else None)


def _kind(name: str) -> Kind:
    if name not in KINDS:
        near = difflib.get_close_matches(name, KINDS, n=1)
        raise SettingsError(f"unknown corruption {name!r}", f"did you mean {near[0]}?" if near else f"known: {', '.join(KINDS)}")
    return KINDS[name]


def _each(*labels: str) -> tuple[Corruption, ...]:
    return tuple(parse(label) for label in labels)


_NINE = _each(
    "values:0.5", "values:0.9", "noise:0.3", "noise:1", "noise-abs:0.5", "half:bottom", "brightness:0.4", "scale:0.3", "blur:4"
)

# The ten of this project's measurements on pictures of 32 x 32.
TEN = (*_NINE, parse("corner:16"))

# What the self-test does to a sample of the memories: the ten, with a corner that fits any size, and what else pictures suffer.
SUITE = (
    *_NINE,
    *_each("corner:0.5", "mask:0.5", "half:right:white", "block:0.2:colour", "salt-pepper:0.2", "text:0.4"),
    *_each("contrast:0.5", "jpeg:10", "pixelate:4", "gaussian-blur:1", "blur:2", "blur:6"),
)

# The frames that `uhop bench` looks at.
FRAMES = _each(
    *("mirror", "turn:90", "turn:180", "border:0.1", "border:0.3:white", "square", "instant-print", "caption:0.2", "stretch:1.25"),
    *("screenshot:phone", "screenshot:desktop", "move:0.03", "move:0.1", "tilt:10", "tilt:45", "tilt-inside:10", "perspective:0.1"),
    *("crop:0.9", "crop:0.75", "crop:0.6", "crop:0.5", "crop:0.4"),
)

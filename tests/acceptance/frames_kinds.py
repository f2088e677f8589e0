"""What is done to the photos of `frames.py`: the kinds, in groups with what is promised of each, and the queries that come of them.

A kind is written as one or several corruptions of the product, joined by '+' and done in this order to the photo at its own size:
frames, and damage beside them. Where a kind has several spellings the queries take turns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image
from verification_sets import Collection, Pixels, corrupted, jpeg

from uhop_cli.corruption.corruption import parse
from uhop_cli.images.decode import Image as Picture

QUALITY = 75  # of the JPEG that a query is
COLOURS = ("black", "white", "grey", "colour")
ANGLES = (5, 9, 14, 20, 27, 36, 45)


@dataclass(frozen=True)
class Kind:
    """One row of the table.

    Attributes:
        name: for a person.
        spellings: the corruptions.
        group: what it is pooled with.
        least: the share that is promised to be right.
        without_local: likewise where nothing is described locally; None: nothing is promised.
    """

    name: str
    spellings: tuple[str, ...]
    group: str
    least: float
    without_local: float | None = None


def _each(label: str) -> tuple[str, ...]:
    return tuple(f"{label}:{colour}" for colour in COLOURS)


# What is promised of a group as a whole, beside each of its kinds.
POOLED = {"whole picture": 0.97, "whole picture, harder": 0.93}
WRONG_WHOLE = 1  # of the whole-picture frames, in all
WRONG = 0.005  # of everything
WHOLE, HARDER, CROPS, MIXED = *POOLED, "crops", "mixed"

KINDS = (
    Kind("mirror", ("mirror",), WHOLE, 0.92),
    Kind("quarter turn", ("turn:90", "turn:270"), WHOLE, 0.92),
    Kind("half turn", ("turn:180",), WHOLE, 0.92),
    *(Kind(f"border {share:.0%}", _each(f"border:{share}"), WHOLE, 0.92) for share in (0.05, 0.1, 0.2, 0.3)),
    Kind("padded square", _each("square"), WHOLE, 0.92),
    Kind("instant print", ("instant-print",), WHOLE, 0.92),
    Kind("caption above", ("caption:0.2",), WHOLE, 0.92),
    Kind("wider by 25%", ("stretch:1.25",), WHOLE, 0.92),
    Kind("narrower by 25%", ("stretch:0.75",), WHOLE, 0.92),
    Kind("phone screenshot", ("screenshot:phone",), WHOLE, 0.92),
    Kind("desktop screenshot", ("screenshot:desktop",), HARDER, 0.86),
    Kind("shift 3%", _each("move:0.03"), HARDER, 0.86),
    Kind("rotated, corners filled", tuple(f"tilt:{angle}:{fill}" for angle in ANGLES for fill in COLOURS[:2]), HARDER, 0.86),
    Kind("shift 10%", _each("move:0.1"), CROPS, 0.92),
    Kind("rotated, cut inside", tuple(f"tilt-inside:{angle}" for angle in ANGLES[:5]), CROPS, 0.92),
    Kind("crop 90%", ("crop:0.9",), CROPS, 0.92),
    Kind("crop 75%", ("crop:0.75",), CROPS, 0.92, 0.8),
    Kind("crop 60%", ("crop:0.6",), CROPS, 0.88, 0.55),
    Kind("crop 50%", ("crop:0.5",), CROPS, 0.8),
    Kind("crop 40%", ("crop:0.4",), CROPS, 0.6),
    Kind("crop 75%, brightness 1.3", ("crop:0.75+scale:1.3",), MIXED, 0.75),
    Kind("mirror, crop 75%", ("mirror+crop:0.75",), MIXED, 0.75),
    Kind("border, half covered", tuple(f"{label}+half:bottom:colour" for label in _each("border:0.1")), MIXED, 0.75),
    Kind("crop 75%, JPEG 20, noise .1", ("crop:0.75+noise-clamped:0.1+jpeg:20",), MIXED, 0.75),
)
AMONG_MANY = ("mirror", "border 10%", "padded square", "phone screenshot", "crop 75%", "crop 60%")


def kind_of(name: str) -> Kind:
    """The kind of that name."""
    return next(kind for kind in KINDS if kind.name == name)


def edited(pixels: Pixels, spelling: str, seed: int) -> Pixels:
    """A picture (H, W, 3) uint8 after one spelling of a kind."""
    for label in spelling.split("+"):
        corruption = parse(label)
        if corruption.is_frame:
            pixels = corruption.reframed(Picture(pixels, None), seed).pixels
        else:
            pixels = corrupted(label)(pixels, seed)
    return pixels


def queries(photos: Collection, rows: range, count: int, kind: Kind) -> Iterator[tuple[int, bytes]]:
    """(index, file) of `count` photos, spread over `rows`, edited and saved again."""
    for place, row in enumerate(np.linspace(rows.start, rows.stop - 1, min(count, len(rows))).astype(int).tolist()):
        yield row, jpeg(edited(photos.pixels(row), kind.spellings[place % len(kind.spellings)], row), QUALITY)


@dataclass(frozen=True)
class Collage:
    """Several photos in one picture, and where each lies: (x, y, width, height) in shares of its sides."""

    file: bytes
    shown: dict[int, tuple[float, float, float, float]]


def side_by_side(photos: Collection, rows: range, place: int) -> Collage:
    """Two photos on a scan, of one height."""
    pair = [rows[(place + step) % len(rows)] for step in (0, 7)]
    parts = [Image.fromarray(photos.pixels(row)) for row in pair]
    parts = [part.resize((round(part.width * 533 / part.height), 533), Image.Resampling.LANCZOS) for part in parts]
    width = sum(part.width for part in parts)
    scan, left, shown = Image.new("RGB", (width, 533)), 0, {}
    for row, part in zip(pair, parts, strict=True):
        scan.paste(part, (left, 0))
        shown[row] = (left / width, 0.0, part.width / width, 1.0)
        left += part.width
    return Collage(jpeg(np.asarray(scan), QUALITY), shown)


def four_up(photos: Collection, rows: range, place: int) -> Collage:
    """Four photos in a square, each stretched to its quarter."""
    four = [rows[(place + 11 * step) % len(rows)] for step in range(4)]
    scan, shown = Image.new("RGB", (800, 1066)), {}
    for step, row in enumerate(four):
        part = Image.fromarray(photos.pixels(row)).resize((400, 533), Image.Resampling.LANCZOS)
        scan.paste(part, (step % 2 * 400, step // 2 * 533))
        shown[row] = (step % 2 / 2, step // 2 / 2, 0.5, 0.5)
    return Collage(jpeg(np.asarray(scan), QUALITY), shown)


def overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Area that two rectangles (x, y, width, height) share, over the area of both together."""
    sides = [max(0.0, min(a + s, b + t) - max(a, b)) for a, b, s, t in zip(one[:2], other[:2], one[2:], other[2:], strict=True)]
    both = sides[0] * sides[1]
    return both / (one[2] * one[3] + other[2] * other[3] - both)

"""The query beside its original in the terminal, both in their own shape."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from uhop_cli.cli.screen.pictures import Picture
from uhop_cli.cli.screen.words import pattern_words
from uhop_cli.errors import ImageError

if TYPE_CHECKING:
    from uhop_cli.arrays.types import UInt8
    from uhop_cli.images.decode import Image
    from uhop_cli.querying.restoration import Restoration
    from uhop_cli.querying.restorer import Restorer

DRAFT = 256  # pixels a side that a JPEG is decoded to at least: more than a terminal shows
BEHIND = 96  # the grey that shows through transparent parts


def query_beside_answer(
    source: Path | bytes, result: Restoration, restorer: Restorer, *, open_nearest: bool = False
) -> list[Picture]:
    """The query, and the original, the pattern, or what is nearest, whichever the answer is.

    Args:
        source: the query as it was given. Where it was damaged on purpose, its damaged pattern is shown in its shape.
        result: the answer.
        restorer: that gave it.
        open_nearest: where nothing fits, show the original of what is nearest, if it is at hand, and not its pattern.
    """
    name = "query" if isinstance(source, bytes) else os.path.basename(result.query)
    given = _decoded(source)
    aspect = None if given is None else given.width / given.height
    if given is None or restorer.settings.damage or restorer.settings.mask_file:
        query = Picture(name, result.pictures.damaged, aspect)
    else:
        query = Picture(name, _on_grey(given))
    best = result.answer.matches[0]
    title = os.path.basename(best.path)
    if result.match is None:
        nearest = None
        if open_nearest and restorer.originals is not None:
            nearest = restorer.originals.of(best.row).picture((DRAFT, DRAFT))
        if nearest is not None:
            return [query, Picture(f"nearest: {title}", _on_grey(nearest))]
        return [query, Picture(f"nearest: {title}", restorer.memory.patterns[best.row], aspect)]
    original = None if result.pictures.original is None else _decoded(result.pictures.original, result.pictures.page)
    if original is None:
        return [query, Picture(f"{title} ({pattern_words(restorer.memory.spec)})", result.pictures.state, aspect)]
    return [query, Picture(title, _on_grey(original))]


def _decoded(source: Path | bytes, page: int = 1) -> Image | None:
    from uhop_cli.images.decode import decode, read_bytes

    try:
        return decode(source if isinstance(source, bytes) else read_bytes(source), draft=(DRAFT, DRAFT), page=page)
    except ImageError:  # it was there a moment ago
        return None


def _on_grey(image: Image) -> UInt8:
    if image.alpha is None:
        return image.pixels
    share = image.alpha[:, :, None] / 255
    return np.rint(image.pixels * share + BEHIND * (1 - share)).astype(np.uint8)

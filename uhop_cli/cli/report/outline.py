"""The frame of an answer: in words, and as a line drawn over the query and over the original."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from uhop_cli.cli.screen import words
from uhop_cli.errors import SettingsError
from uhop_cli.frames.frame import Frame

_CORNERS = np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]]).T
_EDGE = 0.01  # share of a side: a line so near to the edge of a picture says nothing


@dataclass(frozen=True)
class Outline:
    """A frame as the page shows it.

    Attributes:
        query: corners of the original in the query, as an SVG polygon has them; "" where the original fills the query or more.
        answer: corners of the query in the original; "" where the query fills the original or more.
        words: what was done to the original, "" for nothing.
    """

    query: str = ""
    answer: str = ""
    words: str = ""


def outline(frame: Mapping[str, Any] | None, aspect: float) -> Outline:
    """The outline of a frame as `uhop.query/1` has it: {kind, window: [x, y, width, height], turn, mirrored, angle}.

    Args:
        frame: None where the query has the frame of its original, or none is known.
        aspect: width through height of the query.
    """
    if frame is None:
        return Outline()
    try:
        x, y, width, height = frame["window"]
        found = Frame(x, y, width, height, frame["turn"], frame["mirrored"], frame["angle"])
    except (SettingsError, KeyError, TypeError, ValueError):  # an outline is no reason to lose the page
        return Outline()
    in_query = found.to_query(aspect) @ _CORNERS
    in_original = found.to_original(aspect) @ _CORNERS
    return Outline(_polygon(in_query), _polygon(in_original), words.frame(found))


def _polygon(corners: Any) -> str:
    """The corners (2, 4), unless no line between them runs inside the picture."""
    x, y = corners
    inside = ((x > _EDGE) & (x < 1 - _EDGE)) | ((y > _EDGE) & (y < 1 - _EDGE))
    return " ".join(f"{u:.4f},{v:.4f}" for u, v in corners.T) if inside.any() else ""

"""A frame for a person and as JSON: what was done to the picture, and how much of it is shown. The words stand nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from uhop_cli.frames.frame import Frame

SLACK = 0.015  # shares of a side, and
LEAST_ANGLE = 1.5  # degrees, that an alignment may be off by


def kind(frame: Frame) -> str:
    """mirrored, turned, rotated, and one of crop, border and shifted, as far as they apply; `whole` if none does.

    A crop lacks something of the original, a border adds something to it; what does both is shifted.
    """
    done = [] if not frame.mirrored else ["mirrored"]
    done += ["turned"] if frame.turn else []
    done += ["rotated"] if abs(frame.angle) > LEAST_ANGLE else []
    edges = [(frame.x, frame.x + frame.width), (frame.y, frame.y + frame.height)]
    lacks = any(low < -SLACK or high > 1 + SLACK for low, high in edges)
    adds = any(low > SLACK or high < 1 - SLACK for low, high in edges)
    if lacks or adds:
        done.append("shifted" if lacks and adds else "crop" if lacks else "border")
    return ", ".join(done) or "whole"


def shown(frame: Frame) -> tuple[float, float]:
    """The share of the original's width and of its height that the query shows, its rotation left aside."""
    shares = []
    for start, length in ((frame.x, frame.width), (frame.y, frame.height)):
        shares.append(max(0.0, min(start + length, 1.0) - max(start, 0.0)) / length)
    return shares[0], shares[1]


def frame_json(frame: Frame | None) -> dict[str, Any] | None:
    """The frame as JSON values."""
    if frame is None:
        return None
    return {
        "kind": kind(frame),
        "window": [round(number, 4) for number in frame.window],
        "turn": frame.turn,
        "mirrored": frame.mirrored,
        "angle": round(frame.angle, 2),
    }

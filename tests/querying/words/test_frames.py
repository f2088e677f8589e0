"""What a frame is called."""

from __future__ import annotations

import pytest

from uhop_cli.frames.frame import Frame
from uhop_cli.querying.words.frames import frame_json, kind, shown


@pytest.mark.parametrize(
    ("frame", "word"),
    [
        (Frame(0, 0, 1, 1), "whole"),
        (Frame(0.01, -0.01, 1.002, 1, angle=1.4), "whole"),
        (Frame(0, 0, 1, 1, angle=-1.6), "rotated"),
        (Frame(0.014, 0, 0.986, 1), "whole"),
        (Frame(0.016, 0, 0.984, 1), "border"),
        (Frame(-0.016, 0, 1.016, 1), "crop"),
        (Frame(-0.2, 0, 1.2, 1), "crop"),
        (Frame(0, 0, 1, 1.1), "crop"),
        (Frame(0.1, 0.1, 0.8, 0.8), "border"),
        (Frame(0, 0, 1, 0.9), "border"),
        (Frame(0.05, 0.05, 1, 1), "shifted"),
        (Frame(-0.1, 0.2, 1.2, 0.5), "shifted"),
        (Frame(0, 0, 1, 1, 2), "turned"),
        (Frame(0.1, 0.1, 0.8, 0.8, 1, True, -20), "mirrored, turned, rotated, border"),
    ],
)
def test_kinds(frame: Frame, word: str) -> None:
    assert kind(frame) == word


def test_shares_shown() -> None:
    assert shown(Frame(-0.5, 0, 2, 1)) == (0.5, 1)
    assert shown(Frame(0.1, 0.1, 0.5, 0.5)) == (1, 1)
    assert shown(Frame(0.75, -0.25, 1, 0.5)) == (0.25, 0.5)


def test_json_has_the_window_of_the_query_as_it_is() -> None:
    assert frame_json(None) is None
    found = frame_json(Frame(0.1, 0.2, 0.5, 0.3, 1, True, 3.14159))
    assert found == {
        "kind": "mirrored, turned, rotated, border",
        "window": [0.5, 0.4, 0.3, 0.5],
        "turn": 1,
        "mirrored": True,
        "angle": 3.14,
    }

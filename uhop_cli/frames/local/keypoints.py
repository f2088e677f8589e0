"""Keypoints of a picture and what its surroundings look like: SIFT, by OpenCV.

    D. Lowe, Distinctive image features from scale-invariant keypoints, IJCV 60 (2004)

OpenCV is imported when first needed and only here; its own threads are turned off, since pictures are described side by side.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np

from uhop_cli.arrays.types import Float32, UInt8
from uhop_cli.frames.sheet import Sheet

LENGTH = 128  # values of a descriptor: 4 x 4 cells across and along the keypoint's own direction, 8 directions each
MISSING = "opencv-python-headless is not installed"
CONTRAST = 0.01  # least contrast of a keypoint; with OpenCV's .04 smooth pictures have hardly any
_HIDDEN = 0.5  # grey of what is transparent or missing


@dataclass(frozen=True, eq=False)
class Keypoints:
    """The strongest keypoints of one picture, the strongest first.

    Attributes:
        descriptors: (n, 128) uint8.
        places: (n, 4) float32: x and y in shares of the picture's width and height, the diameter in shares of its longer side,
            and the direction, in turns clockwise from the right, 0 to 1.
    """

    descriptors: UInt8
    places: Float32

    def __len__(self) -> int:
        return len(self.places)


def installed() -> bool:
    """Whether OpenCV is there."""
    return find_spec("cv2") is not None


def keypoints(sheet: Sheet, side: int, most: int) -> Keypoints:
    """At most `most` keypoints of a picture whose longer side is brought to `side` pixels; it is not enlarged.

    The same pixels give the same keypoints, whatever the number of threads. What is not visible has no keypoint.
    """
    scale = min(1.0, side / max(sheet.height, sheet.width))
    height, width = (max(1, round(scale * length)) for length in (sheet.height, sheet.width))
    grey, cover = sheet.on(_HIDDEN).at(height, width)[0], sheet.at(height, width)[1]
    pixels = np.rint(np.clip(grey, 0, 1) * 255).astype(np.uint8)
    mask = None if cover is None else (cover >= 0.5).astype(np.uint8)
    found, descriptors = _opencv().SIFT_create(nfeatures=most, contrastThreshold=CONTRAST).detectAndCompute(pixels, mask)
    if not found:
        return Keypoints(np.zeros((0, LENGTH), np.uint8), np.zeros((0, 4), np.float32))
    # Of equally strong ones OpenCV hands out more than it was asked for, and in no order.
    values = np.array([(*point.pt, point.size, point.angle, point.response) for point in found], np.float32)
    order = np.lexsort((*values.T[:4], -values[:, 4]))[:most]
    size = max(width, height)
    scales = np.array([width, height, size, 360], np.float32)
    middle = np.array([0.25, 0.25, 0, 0], np.float32)  # it counts from the middle of the first pixel of the doubled picture
    return Keypoints(descriptors[order].astype(np.uint8), (values[order, :4] + middle) / scales)


def mirrored(points: Keypoints) -> Keypoints:
    """The keypoints of the picture with left and right swapped: the cells on either side of a direction change places.

    Descriptor values stand in the order (across, along, direction): across i -> 3 - i, direction k -> -k modulo 8.
    """
    cells = points.descriptors.reshape(-1, 4, 4, 8)[:, ::-1, :, -np.arange(8) % 8]
    x, y, size, angle = points.places.T
    return Keypoints(cells.reshape(-1, LENGTH), np.stack((1 - x, y, size, (0.5 - angle) % 1), axis=1))


@cache
def _opencv() -> Any:
    import cv2

    cv2.setNumThreads(1)
    return cv2

"""The descriptors of a memory in the making: on disk while pictures come in, made into codes when all are there.

The directions are learned once, from the pictures that are described first. What is added later is coded with the same ones, as the
descriptors of the pictures that are kept are no longer there; they serve as well (docs/memory-file.md).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import IO

import numpy as np

from uhop_cli.arrays.threads import chunks
from uhop_cli.arrays.types import Int8, UInt8
from uhop_cli.frames.local.describing import DIRECTIONS, encode, encode_places, learn_directions
from uhop_cli.frames.local.keypoints import LENGTH, Keypoints
from uhop_cli.memory.local import LocalDescriptors

TOGETHER = 1 << 14  # descriptors that are worked on at a time


class Collection:
    """Takes the keypoints of one picture after the other, in the order of the memory.

    Args:
        keypoint_file: an empty temporary file; what comes in waits there, 132 bytes a keypoint.
        code_file: another one, for the codes.
        kept: how many pictures stand before those that are added.
        before: their descriptors, None where they have none.
        describes: whether the pictures that are added are to be described.
    """

    def __init__(
        self,
        keypoint_file: IO[bytes],
        code_file: IO[bytes],
        kept: int = 0,
        before: LocalDescriptors | None = None,
        *,
        describes: bool = True,
    ) -> None:
        self.describes = describes
        self._waiting, self._coded, self._before = keypoint_file, code_file, before
        self._counts = array("q", [0] * kept if before is None else np.diff(before.offsets).tolist())
        self._new = 0
        self.seconds = 0.0

    def add(self, points: Keypoints | None, seconds: float = 0.0) -> None:
        """The next picture, None for one that isn't described, and how long describing it took."""
        self.seconds += seconds
        self._counts.append(0 if points is None else len(points))
        if points is not None and len(points):
            self._new += len(points)
            self._waiting.write(np.hstack((points.descriptors, encode_places(points))).tobytes())

    def finish(self) -> LocalDescriptors | None:
        """All descriptors, their codes in place in the temporary file; None where there are none. Nothing can be added then."""
        before = self._before
        if not sum(self._counts):
            return None
        directions = learn_directions(part[:, :LENGTH] for part in self._parts()) if before is None else before.directions
        places: list[UInt8] = []
        if before is not None:
            places.append(before.places)
            for rows in chunks(len(before.codes), TOGETHER):
                self._coded.write(before.codes[rows].tobytes())
        for part in self._parts():
            self._coded.write(encode(part[:, :LENGTH], directions).tobytes())
            places.append(part[:, LENGTH:])
        self._coded.flush()
        codes: Int8 = np.memmap(self._coded, np.int8, "r").reshape(-1, DIRECTIONS)
        offsets = np.concatenate(([0], np.cumsum(np.frombuffer(self._counts, np.int64)))).astype(np.int64)
        return LocalDescriptors(codes, np.concatenate(places), offsets, directions)

    def _parts(self) -> Iterator[UInt8]:
        """What came in, (n, 132) each."""
        self._waiting.flush()
        if self._new:
            rows = np.memmap(self._waiting, np.uint8, "r").reshape(-1, LENGTH + 4)
            for part in chunks(len(rows), TOGETHER):
                yield np.asarray(rows[part])

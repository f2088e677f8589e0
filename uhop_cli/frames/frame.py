"""Where the whole original lies in a query: a rectangle, after one of eight turns, perhaps rotated.

Both pictures are unit squares (`images/warp.py`). A query Q is first turned by `turn` quarter turns anticlockwise, as
`numpy.rot90(Q, turn)` does, and then, if `mirrored`, its left and right are swapped: that is Q'. In Q' the original fills the
rectangle [x, x + width] x [y, y + height], in shares of the width and height of Q', rotated by `angle` degrees clockwise, as the
eye sees it, about its centre. A rectangle that reaches beyond 0 to 1 is that of a crop; one that lies within is that of a border.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uhop_cli.errors import SettingsError

Float64 = NDArray[np.float64]

MAX_SIDE = 1000.0


@dataclass(frozen=True)
class Frame:
    """Where the whole original lies in the turned and mirrored query.

    Attributes:
        x: left edge, in shares of the query's width.
        y: upper edge, in shares of its height.
        width: U, above 0.
        height: V, above 0.
        turn: quarter turns anticlockwise that bring the query upright, 0 to 3.
        mirrored: whether left and right of the turned query are swapped.
        angle: degrees clockwise, -180 to 180, that the original is rotated by about the centre of the rectangle.

    Raises:
        SettingsError: a value that is out of range or no number.
    """

    x: float
    y: float
    width: float
    height: float
    turn: int = 0
    mirrored: bool = False
    angle: float = 0.0

    def __post_init__(self) -> None:
        finite = math.isfinite(self.x + self.y + self.width + self.height + self.angle)
        if not finite or max(abs(self.x), abs(self.y)) > MAX_SIDE:
            raise SettingsError("the place of a frame is given in finite numbers, in shares of the query's sides")
        if not (0 < self.width <= MAX_SIDE and 0 < self.height <= MAX_SIDE):
            raise SettingsError(f"a frame of {self.width:g} x {self.height:g} is not possible", "its sides are above 0")
        if self.turn not in (0, 1, 2, 3):
            raise SettingsError(f"{self.turn} quarter turns are not possible", "a turn is 0, 1, 2 or 3")
        if not -180 <= self.angle <= 180:
            raise SettingsError(f"an angle of {self.angle:g} degrees is not possible", "angles are from -180 to 180")

    @classmethod
    def of_affine(cls, affine: Float64, aspect: float = 1.0) -> Frame:
        """The frame nearest to an affine map (2, 3) from the query's unit square to the original's: what undoes `to_original`.

        In pixels of the upright query the sides of the original are the columns a, b of a matrix, and the frame has U r, V s for
        them, r = (cos t, sin t), s = (-sin t, cos t). |a - U r|^2 + |b - V s|^2 is least for U = <a, r>, V = <b, s> and

            tan 2t = 2 (a_1 a_2 - b_1 b_2) / (a_1^2 - a_2^2 - b_1^2 + b_2^2);

        of the four turns that one is taken which leaves |t| <= 45 degrees. The centre stays where it is, a shear is dropped.

        Args:
            affine: the map; mirrored where its determinant is negative.
            aspect: width over height of the query in pixels.

        Raises:
            SettingsError: the map is singular, or out of the range of frames.
        """
        if not (np.isfinite(affine).all() and abs(np.linalg.det(affine[:, :2])) > 1 / MAX_SIDE**2):
            raise SettingsError("a map that is singular, or not of finite numbers, is no frame")
        upright, found = _matrix(inverse(affine)), []
        mirrored = bool(np.linalg.det(upright) < 0)
        for turn in range(4):
            seen = _MIRROR @ upright if mirrored else upright
            ratio = 1 / aspect if turn % 2 else aspect
            (a, b), (c, d) = np.diag((ratio, 1.0)) @ seen[:2, :2]
            angle = math.atan2(2 * (a * c - b * d), a * a - c * c - b * b + d * d) / 2
            cos, sin = math.cos(angle), math.sin(angle)
            width, height = float(a * cos + c * sin) / ratio, float(d * cos - b * sin)
            if min(width, height) > 0:
                x, y = (float(middle) for middle in seen[:2] @ (0.5, 0.5, 1))
                found.append((x - width / 2, y - height / 2, width, height, turn, mirrored, math.degrees(angle)))
            upright = _FORTH @ upright
        return cls(*min(found, key=lambda values: abs(values[-1])))

    @property
    def is_identity(self) -> bool:
        """Whether the original fills the query exactly."""
        return self == IDENTITY

    @property
    def visible(self) -> float:
        """The share of the query's area that the rectangle covers, its rotation left aside."""
        return _overlap(self.x, self.width) * _overlap(self.y, self.height)

    @property
    def window(self) -> tuple[float, float, float, float]:
        """The rectangle in the query as it is, before the turn and the mirror: x, y, width, height."""
        x, y, width, height = self.x, self.y, self.width, self.height
        if self.mirrored:
            x = 1 - x - width
        for _ in range(self.turn):
            x, y, width, height = 1 - y - height, x, height, width
        return x, y, width, height

    def within(self, box: Frame) -> Frame:
        """This frame of a query that is the part of a larger one in an upright box, as a frame of the larger one."""
        x, y, width, height = box.x, box.y, box.width, box.height
        for _ in range(self.turn):  # a quarter turn takes (u, v) to (v, 1 - u)
            x, y, width, height = y, 1 - x - width, height, width
        if self.mirrored:
            x = 1 - x - width
        return replace(self, x=x + width * self.x, y=y + height * self.y, width=width * self.width, height=height * self.height)

    def to_query(self, aspect: float = 1.0) -> Float64:
        """The affine map (2, 3) from the unit square of the original to that of the query.

        (s, t) -> c + D^-1 R D ((x + U s, y + V t) - c), c the centre of the rectangle, R the rotation, D = diag(aspect of Q', 1);
        then the mirror image u -> 1 - u and the turns (u, v) -> (1 - v, u), each undone.

        Args:
            aspect: width over height of the query in pixels. Only a rotation depends on it.
        """
        upright = 1 / aspect if self.turn % 2 else aspect
        result = _matrix([[self.width, 0, self.x], [0, self.height, self.y]])
        if self.angle:
            cos, sin = math.cos(math.radians(self.angle)), math.sin(math.radians(self.angle))
            centre = np.array([self.x + self.width / 2, self.y + self.height / 2])
            turned = np.array([[cos, -sin / upright], [sin * upright, cos]])
            result = _matrix(np.column_stack((turned, centre - turned @ centre))) @ result
        if self.mirrored:
            result = _MIRROR @ result
        for _ in range(self.turn):
            result = _BACK @ result
        return _upper(result)

    def to_original(self, aspect: float = 1.0) -> Float64:
        """The affine map (2, 3) from the unit square of the query to that of the original: the inverse of `to_query`."""
        return inverse(self.to_query(aspect))


def refined(frame: Frame, affine: Float64, aspect: float) -> Frame:
    """The frame that an alignment led to; as it was if it was left as it is, or an affine map that is no frame."""
    if np.allclose(affine, frame.to_original(aspect), rtol=0, atol=1e-9):
        return frame
    try:
        return Frame.of_affine(affine, aspect)
    except SettingsError:
        return frame


def inverse(affine: Float64) -> Float64:
    """The affine map (2, 3) that undoes another."""
    return _upper(np.linalg.inv(_matrix(affine)))


def composed(second: Float64, first: Float64) -> Float64:
    """The affine map (2, 3) that does `first` and then `second`."""
    return _upper(_matrix(second) @ _matrix(first))


def _matrix(affine: Float64 | list[list[float]]) -> Any:
    return np.vstack((np.asarray(affine, np.float64), (0, 0, 1)))


def _upper(matrix: Any) -> Float64:
    return np.ascontiguousarray(matrix[:2], dtype=np.float64)


def _overlap(start: float, length: float) -> float:
    return max(0.0, min(start + length, 1.0) - max(start, 0.0))


_MIRROR = _matrix([[-1, 0, 1], [0, 1, 0]])
_BACK = _matrix([[0, -1, 1], [1, 0, 0]])  # a point of the picture turned once anticlockwise -> the same point before
_FORTH = _matrix([[0, 1, 0], [-1, 0, 1]])

_FORTH = _matrix([[0, 1, 0], [-1, 0, 1]])

IDENTITY = Frame(0, 0, 1, 1)

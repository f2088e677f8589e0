"""How far apart M unit vectors of D dimensions can be at all: bounds to hold a learned separation against.

The separation of a code is Delta = min over pairs of (1 - cos), the smallest margin of a memory with unit features (U-Hop+, arXiv
2410.23126). With F_D(phi) the share of the sphere S^(D-1) that a cap of angular radius phi covers,

    F_D(phi) = I(sin^2 phi; (D - 1)/2, 1/2) / 2  for phi <= pi/2,    I the regularised incomplete beta function,

* a code exists with Delta >= 1 - cos theta, F_D(theta) = 1/M: as long as the caps of radius theta leave a gap, a point fits into
it; * no code has Delta > 1 - cos 2 phi, F_D(phi) = 1/M: caps of half the smallest angle are disjoint; * no code has Delta > M/(M
- 1), reached by the simplex for M <= D + 1; for D + 2 <= M <= 2D the best is exactly 1, reached by orthogonal
  vectors and their opposites (Rankin 1955);
* for M > 2D the largest cosine s satisfies M <= D (1 - s) (2 + (D + 1) s) / (1 - D s^2) as long as s <= (sqrt(D + 3) - 1)/(D +
2), where the
  right side is D (D + 3)/2; more vectors than that are no better off (Levenshtein 1979, the linear programming bound of degree 3);
* on the circle the best is the regular polygon; on S^2 Delta <= (3 - cot^2(pi M / (6 (M - 2)))) / 2, reached for M = 4, 6, 12
(Fejes Toth).

All are theorems, so `lower` <= the best possible <= `upper`. Everything is float64 from the standard library.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from uhop_cli.errors import SettingsError

BISECTIONS = 100
SERIES_TERMS = 10_000


@dataclass(frozen=True)
class CodeBounds:
    """What M unit vectors of D dimensions can reach.

    Attributes:
        memories: M.
        dimension: D.
        lower: a code with this Delta = min (1 - cos) exists.
        upper: no code has a larger one.
    """

    memories: int
    dimension: int
    lower: float
    upper: float

    @property
    def exact(self) -> bool:
        """Whether the best possible Delta is known."""
        return self.upper - self.lower <= 1e-12


def code_bounds(memories: int, dimension: int) -> CodeBounds:
    """The bounds of the head of this file, the best of each kind.

    Raises:
        SettingsError: fewer than two vectors, or no dimension.
    """
    m, d = memories, dimension
    if m < 2 or d < 1:
        raise SettingsError(f"a separation needs two memories and one dimension, not {m} and {d}")
    if m <= d + 1:
        best = m / (m - 1)
    elif m <= 2 * d:
        best = 1.0
    elif d == 1:
        best = 0.0  # a third point on the line coincides with one of two
    elif d == 2:
        best = 1 - math.cos(2 * math.pi / m)
    else:
        angle = _cap_angle(1 / m, d)
        upper = min(1 - _levenshtein_cosine(m, d), 1 - math.cos(2 * angle))
        if d == 3:
            upper = min(upper, (3 - math.tan(math.pi * m / (6 * (m - 2))) ** -2) / 2)
        lower = 1 - math.cos(angle)
        return CodeBounds(m, d, upper if d == 3 and m == 12 else lower, upper)  # the icosahedron reaches Fejes Toth's bound
    return CodeBounds(m, d, best, best)


def required_dimension(memories: int, separation: float) -> tuple[int, int]:
    """The dimensions that M unit vectors need for Delta = `separation`: (necessary, sufficient).

    Below the first no code reaches it; from the second on one exists. Between them the bounds are silent. About
    ln M / -ln sin(theta/2) and ln M / -ln sin(theta), theta = arccos(1 - Delta).

    Raises:
        SettingsError: a separation that no M vectors of any dimension reach (above M/(M - 1)), or that is not positive.
    """
    if memories < 2 or not 0 < separation <= memories / (memories - 1):
        raise SettingsError(f"{memories} unit vectors cannot be {separation:g} apart", f"at most {memories}/({memories} - 1)")
    necessary = _smallest(lambda d: code_bounds(memories, d).upper >= separation, memories - 1)
    return necessary, _smallest(lambda d: code_bounds(memories, d).lower >= separation, memories - 1)


def _smallest(reached: Callable[[int], bool], enough: int) -> int:
    """The smallest d in 1..enough with `reached(d)`, which holds for `enough` and, once it holds, for every larger d."""
    low, high = 0, enough
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high


def cap_fraction(angle: float, dimension: int) -> float:
    """F_D(phi): the share of the unit sphere of R^D within the angle phi of a point, phi in radians in [0, pi], D >= 2."""
    if angle > math.pi / 2:
        return 1 - cap_fraction(math.pi - angle, dimension)
    return incomplete_beta(math.sin(angle) ** 2, math.cos(angle) ** 2, (dimension - 1) / 2, 0.5) / 2


def _levenshtein_cosine(memories: int, dimension: int) -> float:
    """The smallest s that Levenshtein's bound of degree 3 allows M > 2D vectors; the right side rises with s from 2D."""
    d = dimension
    low, high = 0.0, (math.sqrt(d + 3) - 1) / (d + 2)
    if memories >= d * (d + 3) / 2:
        return high
    for _ in range(BISECTIONS):
        s = (low + high) / 2
        low, high = (s, high) if d * (1 - s) * (2 + (d + 1) * s) / (1 - d * s * s) < memories else (low, s)
    return low


def _cap_angle(fraction: float, dimension: int) -> float:
    """The phi with F_D(phi) = fraction <= 1/2."""
    low, high = 0.0, math.pi / 2
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if cap_fraction(middle, dimension) < fraction else (low, middle)
    return (low + high) / 2


def incomplete_beta(x: float, rest: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I(x; a, b), to about 1e-13 relative.

    Args:
        x: in [0, 1].
        rest: 1 - x, apart, because near x = 1 it keeps digits that x has lost.
        a: above 0.
        b: above 0.

    Source: the continued fraction of DLMF 8.17.22, evaluated by Lentz's method, and the symmetry I(x; a, b) = 1 - I(1 - x; b, a).
    """
    if x <= 0 or rest <= 0:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast only below the mean
        return 1 - incomplete_beta(rest, x, b, a)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log(rest)
    tiny = 1e-300
    c, d = 1.0, 1 / _nonzero(1 - (a + b) * x / (a + 1), tiny)
    value = d
    for k in range(1, SERIES_TERMS):
        even = k * (b - k) * x / ((a + 2 * k - 1) * (a + 2 * k))
        odd = -(a + k) * (a + b + k) * x / ((a + 2 * k) * (a + 2 * k + 1))
        change = 1.0
        for term in (even, odd):
            d, c = 1 / _nonzero(1 + term * d, tiny), _nonzero(1 + term / c, tiny)
            change = d * c
            value *= change
        if abs(change - 1) < 1e-15:
            break
    return math.exp(log_front) * value / a


def _nonzero(value: float, tiny: float) -> float:
    return value if abs(value) > tiny else tiny

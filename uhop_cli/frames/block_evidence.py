"""How far an original, laid where the query has it, agrees with the query: evidence a block, and the share of power explained.

Below, t is the query and m the original in one band (`bands.py`), both grey in [0, 1]; sums go over the compared pixels.

    L = -sum_blocks sum_bands share_band (n/2) ln(1 - c^2),   c = <t, m>+ / sqrt((|t|^2 + 2e-6 n)(|m|^2 + 2e-6 n)),  c^2 <= .999

over blocks of 16 x 16 pixels, both block means removed: a block without texture adds nothing, and gain and light may change from
block to block. L grows with the pixels compared and falls with noise. What is comparable between pictures is

    X = (v_mid - e_mid) / (v_mid - noise + 1e-6),   e = mean (t - g m)^2,  g = <t, m>+ / (|m|^2 + 1e-6),  v = mean t^2,

the share of the middle band's power that the original explains, less what white noise puts there: noise = min(e_fine/9, .95 v_mid).
It may exceed 1 a little. What is covered by one colour is no disagreement: v, e and m^2 are means over the blocks in which the
query has texture, s > 4e-5 + noise/2; over all pixels, if there are none. A block's correlation is

    c = <t, m>+ / sqrt((s + 2e-6)(mean m^2 + 2e-6)),   s = max(mean t^2 - noise, .15 mean t^2),

in the middle band and in these blocks, <t, m> the mean product; it may exceed 1 as well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uhop_cli.frames.bands import band_split

Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]

BLOCK = 16
SMALLEST = 8  # pixels along a side of a block at the far edges
LEAST_PIXELS = 85  # of the 256 of a block
SHARES = np.array([0.80, 0.16, 0.04])
NOISE_RATIO = 9.0  # of white noise, variance in the first band over that in the second
MOST = 0.999
_FLOOR = 2e-6
_TEXTURE = 4e-5
_UNEXPLAINED = 0.15


@dataclass(frozen=True)
class Comparison:
    """What a query and an original, aligned, have in common.

    Attributes:
        evidence: L, in nats.
        explained: X, the share of the query's middle band that the original explains.
        pixels: compared.
        power: mean square of the query's middle band, as the three that follow over the blocks that X is made of.
        noise: share of that which is white noise.
        sharpness: power of the query's middle band over that of its third one, noise taken off, over the same for the original.
        textured: blocks in which the query has texture.
        correlation: median of c over these, not-a-number where there are none.
        agreeing: share of these with c > .9, not-a-number where there are none.
    """

    evidence: float
    explained: float
    pixels: int
    power: float
    noise: float
    sharpness: float
    textured: int
    correlation: float
    agreeing: float


NOTHING = Comparison(0.0, 0.0, 0, 0.0, 0.0, 0.0, 0, math.nan, math.nan)
AGREES = 0.9


def compare(query: NDArray[np.floating], original: NDArray[np.floating], valid: Bool, compared: Bool) -> Comparison:
    """The comparison of two grey pictures (h, w) of one size.

    Args:
        query: t before it is split into bands.
        original: m likewise, warped onto the query.
        valid: where both are known, (h, w); the bands are made of these pixels.
        compared: which of them count, (h, w): those near the original's edge don't.
    """
    count = int(compared.sum())
    if count == 0:
        return NOTHING
    bands = band_split(np.stack((query, original)), valid)
    t, m = np.where(compared, bands, 0).swapaxes(0, 1)  # (3, h, w) each
    products = np.concatenate((t * t, m * m, t * m))
    n = blocks(compared[None].astype(np.float64))[0]
    used = n >= LEAST_PIXELS
    sums = blocks(np.concatenate((products, t, m)))[:, used].reshape(5, 3, -1)  # (products and sums, bands, blocks)
    n, totals = n[used], products.sum(axis=(1, 2)).reshape(3, 3) / count

    tt, mm, tm = sums[:3] - np.stack((sums[3] ** 2, sums[4] ** 2, sums[3] * sums[4])) / n
    evidence = -float(SHARES @ (n / 2 * np.log1p(-np.minimum(_correlation(tt, mm, tm, _FLOOR * n) ** 2, MOST))).sum(axis=1))

    _, noise = _explained(totals)
    tt, mm, tm = sums[:3, 1] / n
    signal = np.maximum(tt - noise, _UNEXPLAINED * tt)
    shown = signal > _TEXTURE + noise / 2
    c = _correlation(signal, mm, tm, _FLOOR)[shown]
    if shown.any():
        totals = sums[:3][:, :, shown].sum(axis=2) / n[shown].sum()
    explained, noise = _explained(totals)
    power = float(totals[0, 1])
    ratio = totals[:2, 1] - np.array([noise, 0])
    sharpness = ratio / (totals[:2, 2] + 1e-9)
    return Comparison(
        evidence=evidence,
        explained=explained,
        pixels=count,
        power=power,
        noise=noise / (power + 1e-9),
        sharpness=float(sharpness[0] / (sharpness[1] + 1e-9)),
        textured=len(c),
        correlation=float(np.median(c)) if len(c) else math.nan,
        agreeing=float((c > AGREES).mean()) if len(c) else math.nan,
    )


def _explained(totals: Float64) -> tuple[float, float]:
    """X and the noise in the middle band, from mean squares of t and m and mean products, (3, 3 bands)."""
    tt, mm, tm = totals
    gain = np.maximum(tm, 0) / (mm + 1e-6)
    left = tt - 2 * gain * tm + gain**2 * mm
    noise = min(float(left[0]) / NOISE_RATIO, 0.95 * float(tt[1]))
    return float((tt[1] - left[1]) / (tt[1] - noise + 1e-6)), noise


def _correlation(tt: Float64, mm: Float64, tm: Float64, floor: Float64 | float) -> Float64:
    """<t, m>+ / sqrt((|t|^2 + floor)(|m|^2 + floor)); squares that rounding made negative count as 0."""
    c: Float64 = np.maximum(tm, 0) / np.sqrt((np.maximum(tt, 0) + floor) * (np.maximum(mm, 0) + floor))
    return c


def blocks(planes: Float64, side: int = BLOCK, smallest: int = SMALLEST) -> Float64:
    """Sums of planes (K, h, w) over blocks of side x side pixels, (K, rows, columns).

    Those at the far edges may be smaller, down to `smallest` pixels; what is narrower is left out.
    """
    height, width = (length - length % side * (length % side < smallest) for length in planes.shape[1:])
    if not height or not width:
        return np.zeros((len(planes), 0, 0))
    sums = np.add.reduceat(planes[:, :height, :width], np.arange(0, height, side), axis=1)
    return np.add.reduceat(sums, np.arange(0, width, side), axis=2)

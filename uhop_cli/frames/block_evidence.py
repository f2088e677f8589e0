"""How far an original, laid where the query has it, agrees with the query: evidence a block, and the share of power explained.

Below, t is the query and m the original in one band (`bands.py`), both grey in [0, 1]; sums go over the compared pixels.

    L = -sum_blocks sum_bands share_band (n/2) ln(1 - c^2),   c = <t, m>+ / sqrt((|t|^2 + 2e-6 n)(|m|^2 + 2e-6 n)),  c^2 <= .999

over blocks of 16 x 16 pixels, both block means removed: a block without texture adds nothing, and gain and light may change from
block to block. L grows with the pixels compared and falls with noise. What is comparable between pictures is

    X = (v_mid - e_mid) / (v_mid - noise + 1e-6),   e = mean (t - g m)^2,  g = <t, m>+ / (|m|^2 + 1e-6),  v = mean t^2,

the share of the middle band's power that the original explains, less what white noise puts there: noise = min(e_fine/9, .95 v_mid).
It may exceed 1 a little. A block's correlation c, in the middle band with the noise taken off, is used where it has texture.
"""

from __future__ import annotations

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
        power: mean square of the query's middle band.
        sharpness: power of the query's middle band over that of its third one, noise taken off, over the same for the original.
        textured: blocks with texture in the query or in the original.
        correlation: median of c over these, not-a-number where there are none.
        agreeing: share of these with c > .9, not-a-number where there are none.
    """

    evidence: float
    explained: float
    pixels: int
    power: float
    sharpness: float
    textured: int
    correlation: float
    agreeing: float


NOTHING = Comparison(0.0, 0.0, 0, 0.0, 0.0, 0, float("nan"), float("nan"))
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
    products = np.stack((t * t, m * m, t * m))
    total = products.sum(axis=(2, 3)) / count  # (3 products, 3 bands): mean squares and product
    gain = np.maximum(total[2], 0) / (total[1] + 1e-6 / count)
    left = total[0] - 2 * gain * total[2] + gain**2 * total[1]
    power, residual = float(total[0, 1]), float(left[1])
    noise = min(float(left[0]) / NOISE_RATIO, 0.95 * power)
    explained = (power - residual) / (power - noise + 1e-6)

    n = blocks(compared[None].astype(np.float64))[0]
    used = n >= LEAST_PIXELS
    n = n[used]
    squares = blocks(products.reshape(-1, *t.shape[1:]))[:, used].reshape(3, 3, -1)  # (products, bands, blocks)
    sums = blocks(np.concatenate((t, m)))[:, used].reshape(2, 3, -1)
    tt, mm, tm = squares - np.stack((sums[0] ** 2, sums[1] ** 2, sums[0] * sums[1])) / n
    c = np.maximum(tm, 0) / np.sqrt((tt + _FLOOR * n) * (mm + _FLOOR * n))
    evidence = -float(SHARES @ (n / 2 * np.log1p(-np.minimum(c**2, MOST))).sum(axis=1))

    tt, mm, tm = squares[:, 1] / n
    signal = np.maximum(tt - noise, _UNEXPLAINED * tt)
    textured = np.maximum(signal, mm) > _TEXTURE + noise / 2
    c = (tm / np.sqrt((signal + _FLOOR) * (mm + _FLOOR)))[textured]
    middle, agreeing = (float(np.median(c)), float((c > AGREES).mean())) if len(c) else (float("nan"),) * 2
    return Comparison(
        evidence=evidence,
        explained=explained,
        pixels=count,
        power=power,
        sharpness=float((power - noise) / (total[0, 2] + 1e-9) / (total[1, 1] / (total[1, 2] + 1e-9) + 1e-9)),
        textured=len(c),
        correlation=middle,
        agreeing=agreeing,
    )


def blocks(planes: Float64, side: int = BLOCK, smallest: int = SMALLEST) -> Float64:
    """Sums of planes (K, h, w) over blocks of side x side pixels, (K, rows, columns).

    Those at the far edges may be smaller, down to `smallest` pixels; what is narrower is left out.
    """
    height, width = (length - length % side * (length % side < smallest) for length in planes.shape[1:])
    if not height or not width:
        return np.zeros((len(planes), 0, 0))
    sums = np.add.reduceat(planes[:, :height, :width], np.arange(0, height, side), axis=1)
    return np.add.reduceat(sums, np.arange(0, width, side), axis=2)

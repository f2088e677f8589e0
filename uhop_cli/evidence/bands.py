"""A picture in bands of its spectrum: the spectral twin of the blocks.

Blur, shrinking, compression and sharpening scale the spectrum band by band, as light and covers scale a picture block by block. In
an orthonormal basis (colours turned to luminance and two chrominances, each of them taken through the DCT-II) the coefficients of a
picture are the same data as its values, so that a gain and a noise level for each radial band make another density of its pixels:

    x_w = h_w xi_w + noise_w,      h_w >= 0

    L = -sum_w (n_w/2) ln max(v_w - cov_w^2 s_w, q/2) - (n_r/2) ln(|x_r|^2 / n_r + q) - (C/2) ln q

with v_w = |x_w|^2 / n_w + q, cov_w = max(<x_w, xi_w>, 0), s_w = 1 / (n_w (|xi_w|^2 + n_w q)), C offsets, and x_r what lies beyond
the `KEPT` lowest frequencies, which has a level of its own and no gain. The two chrominances share their bands.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np

from uhop_cli.arrays.library import Array, float32, like, namespace
from uhop_cli.arrays.scratch import Scratch, product_into
from uhop_cli.arrays.threads import chunks
from uhop_cli.arrays.types import Float32, Int8, Int64

KEPT = 12  # frequencies along each axis: what lies beyond them tells pictures apart less than it drowns in their noise
EDGES = (0.5, 1.5, 2.5, 3.5, 5.0, 7.0, 10.0, 14.0)  # where radial bands begin, in whole frequencies; the last one is open
TOGETHER = 1024  # codes that become float32 at a time: they stay in the cache
COLOURS = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]]) / np.sqrt([[3], [2], [6]])


@dataclass(frozen=True)
class BandGrid:
    """The bands of patterns of shape (height, width, channels).

    Attributes:
        shape: (H, W, C) of a pattern, C = 1 or 3.
    """

    shape: tuple[int, int, int]

    @property
    def order(self) -> Int64:
        """All coefficients but the means, as places in the transform (v, u, colour): band by band the K that are kept, then those
        beyond; (d - C,)."""
        return _layout(self.shape)[0]

    @property
    def sizes(self) -> Float32:
        """n_w, the coefficients of each band, (W,). Bands that would be empty are left out."""
        return _layout(self.shape)[1]

    @property
    def kept(self) -> int:
        """K."""
        return int(self.sizes.sum())

    @property
    def parts(self) -> tuple[slice, ...]:
        """Where each band lies among the coefficients that are kept."""
        ends = np.cumsum(self.sizes).astype(int).tolist()
        return tuple(slice(begin, end) for begin, end in pairwise([0, *ends]))

    @property
    def beyond(self) -> int:
        """n_r, the values that no band has."""
        return len(self.order) - self.kept

    @property
    def parameters(self) -> int:
        """Of the model: a gain and a level for each band, an offset a channel, the level beyond the bands."""
        return 2 * len(self.sizes) + self.shape[2] + (self.beyond > 0)

    def coefficients(self, patterns: Array) -> Array:
        """The coefficients of patterns (m, d) in the order of `order`: (m, d - C)."""
        height, width, channels = self.shape
        xp, count = namespace(patterns), patterns.shape[0]
        vertical, of_rows = (like(patterns, basis) for basis in (_dct(height), _of_rows(width, channels)))
        rows = (vertical @ patterns.reshape(count, height, width * channels)).reshape(-1, width * channels)
        return xp.take((rows @ of_rows.T).reshape(count, -1), like(patterns, self.order), axis=1)

    def powers(self, coefficients: Array) -> Array:
        """|x_w|^2 of coefficients or codes (m, K or more): (m, W), float32."""
        xp, (count, kept) = namespace(coefficients), (coefficients.shape[0], self.kept)
        out = xp.empty((count, len(self.sizes)), dtype=xp.float32, device=coefficients.device)
        owned = like(out, np.repeat(np.eye(len(self.sizes), dtype=np.float32), self.sizes.astype(int), axis=0))  # 0/1 (K, W)
        for rows in chunks(count, TOGETHER):
            values = float32(coefficients[rows, :kept])
            out[rows] = (values * values) @ owned
        return out

    def products(self, coefficients: Array, codes: Array, scratch: Scratch | None = None) -> Array:
        """<x_w, xi_w> of queries (Q, K or more) and codes of memories (m, K): (W, Q, m), the long axis last."""
        parts, count, memories = self.parts, coefficients.shape[0], codes.shape[0]
        scratch = scratch or Scratch()
        out = scratch.empty("bands", (len(parts), count, memories), coefficients)
        for rows in chunks(memories, TOGETHER):
            columns = scratch.floats("codes", codes[rows]).T
            for band, part in enumerate(parts):
                out[band, :, rows] = product_into(coefficients[:, part], columns[part], out[band, :, rows])
        return out


def quantised(grid: BandGrid, coefficients: Float32) -> tuple[Int8, Float32]:
    """Coefficients (m, K or more) in 8 bits with a scale for each memory and band: int8 (m, K) and float32 (m, W)."""
    codes = np.empty((len(coefficients), grid.kept), np.int8)
    scales = np.empty((len(coefficients), len(grid.parts)), np.float32)
    for band, part in enumerate(grid.parts):
        values = coefficients[:, part]
        scales[:, band] = np.abs(values).max(axis=1) / 127
        unit = np.divide(values, scales[:, [band]], out=np.zeros_like(values), where=scales[:, [band]] > 0)
        codes[:, part] = np.clip(np.round(unit), -127, 127)
    return codes, scales


@cache
def _layout(shape: tuple[int, int, int]) -> tuple[Int64, Float32]:
    """`BandGrid.order` and `BandGrid.sizes`."""
    height, width, channels = shape
    rows, columns = np.arange(height)[:, None, None], np.arange(width)[:, None]
    radius = np.hypot(rows, columns)
    band = np.digitize(radius, EDGES) - 1 + len(EDGES) * (np.arange(channels) > 0)
    band = np.where((rows < KEPT) & (columns < KEPT), band, 2 * len(EDGES))
    band = np.where(radius > 0, band, -1).ravel()
    order = np.argsort(band, kind="stable")[channels:]  # the means, which have no band, come first
    sizes = np.bincount(band[order], minlength=2 * len(EDGES))[: 2 * len(EDGES)]
    return order, sizes[sizes > 0].astype(np.float32)


@cache
def _dct(size: int) -> Float32:
    """The orthonormal DCT-II, (size, size), a frequency a row."""
    rows = np.cos(np.pi / size * (np.arange(size) + 0.5) * np.arange(size)[:, None]) * np.sqrt(2 / size)
    rows[0] = np.sqrt(1 / size)
    basis: Float32 = rows.astype(np.float32)
    return basis


@cache
def _of_rows(width: int, channels: int) -> Float32:
    """The DCT-II of a row of pixels and the turn of their colours, luminance and two chrominances, in one orthonormal matrix
    (width C, width C): one product of many rows takes less time than many of three columns."""
    colours = COLOURS if channels == 3 else np.ones((1, 1))
    basis: Float32 = np.kron(_dct(width), colours).astype(np.float32)
    return basis

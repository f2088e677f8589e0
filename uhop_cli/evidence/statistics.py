"""The statistics that the choice by evidence keeps of every memory, and the kernels of the family that take part in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from uhop_cli.arrays.joined_rows import EndToEnd
from uhop_cli.arrays.operations import unit_rows
from uhop_cli.arrays.threads import chunks
from uhop_cli.arrays.types import Bool, Float32, Float64, Int8, Int64, UInt8
from uhop_cli.evidence.backgrounds.opacity import background_grid, opacity_sums
from uhop_cli.evidence.bands import BandGrid, quantised
from uhop_cli.evidence.blocks import BlockGrid
from uhop_cli.evidence.likelihoods import RHOS
from uhop_cli.images.patterns import PatternSpec
from uhop_cli.kernel.feature_map import KernelFamily
from uhop_cli.progress import OnProgress, Progress

CHUNK_BYTES = 32 << 20


def evidence_members(kernel: KernelFamily) -> list[int]:
    """The members of the family that take part: those at `evidence.RHOS`; all of a family that has not these."""
    members = [kernel.rhos.index(rho) for rho in RHOS if rho in kernel.rhos]
    return members or list(range(kernel.members))


def encode(
    kernel: KernelFamily,
    spec: PatternSpec,
    patterns: UInt8,
    progress: OnProgress | None = None,
    *,
    opacity: UInt8 | None = None,
) -> tuple[Float32, Statistics]:
    """Norms (M, R) and statistics of the memories: `encoded`, of all of them.

    Args:
        kernel, spec, patterns, progress, opacity: as there.
    """
    return joined_parts([encoded(kernel, spec, patterns, progress, opacity=opacity)], len(patterns))


class Encoded(NamedTuple):
    """What is kept of some memories.

    Attributes:
        norms: (m, R).
        of_each: what `Statistics` keeps of each memory, in the order of its fields.
        moments: sums of the coefficients of the spectrum and of their squares, (2, d - C), float64.
    """

    norms: Float32
    of_each: tuple[Any, ...]
    moments: Float64


def joined_parts(parts: Iterable[Encoded], count: int) -> tuple[Float32, Statistics]:
    """The norms and statistics of all parts of a memory of `count` patterns, in their order; where they are large, in temporary
    files, so that one part at a time has to be at hand."""
    columns: dict[int, EndToEnd] = {}
    moments: Any = 0.0
    for part in parts:
        for place, column in enumerate((part.norms, *part.of_each)):
            if column is not None:
                columns.setdefault(place, EndToEnd(count)).add(column)
        moments = moments + part.moments
    mean, power = moments / count
    variances = np.maximum(power - mean**2, 0).astype(np.float32)
    norms, sums, squares, centred, codes, scales, *opacities = (columns[place].close() for place in sorted(columns))
    return norms, Statistics(sums, squares, centred, codes, scales, variances, *opacities)


def encoded(
    kernel: KernelFamily,
    spec: PatternSpec,
    patterns: UInt8,
    progress: OnProgress | None = None,
    *,
    opacity: UInt8 | None = None,
) -> Encoded:
    """Norms, statistics and moments of memories, in one pass over the features.

    The features of a memory less its mean m are z - m W 1, so that both norms come from the same z.

    Args:
        kernel: of the memories.
        spec: of their patterns, (M, H, W, C).
        progress: told how far it is.
        opacity: (M, H, W), where pictures have transparency.
    """
    count, members = len(patterns), evidence_members(kernel)
    grid = BlockGrid.of(spec.shape)
    blocks = grid.side**2
    norms = np.empty((count, kernel.members), np.float32)
    bands = BandGrid(spec.shape)
    widths = (blocks, blocks, len(members), len(bands.sizes))
    sums, blockwise, centred_norms, scales = (np.empty((count, width), np.float32) for width in widths)
    codes = np.empty((count, bands.kept), np.int8)
    moments = np.zeros((2, len(bands.order)))
    laid = background_grid(spec.shape)
    opacities = None if opacity is None else np.empty((count, 2 + 2 * spec.channels, laid.side**2), np.float32)
    squares = np.square(kernel.gains).T  # (D, R)
    ones = kernel.weight.sum(axis=1)  # W 1
    for rows in chunks(count, CHUNK_BYTES // (4 * spec.dim)):
        part = unit_rows(patterns, rows)
        features = part @ kernel.weight.T
        norms[rows] = np.sqrt(np.square(features) @ squares)
        centred_norms[rows] = np.sqrt(np.square(features - part.mean(axis=1, keepdims=True) * ones) @ squares[:, members])
        sums[rows], blockwise[rows] = grid.sums(part)
        coefficients = bands.coefficients(part)
        codes[rows], scales[rows] = quantised(bands, coefficients)
        moments += [coefficients.sum(axis=0, dtype=np.float64), np.square(coefficients).sum(axis=0, dtype=np.float64)]
        if opacity is not None and opacities is not None:
            opacities[rows] = opacity_sums(laid, part, unit_rows(opacity, rows))
        if progress:
            progress(Progress("encode", rows.stop, count))
    return Encoded(norms, (sums, blockwise, centred_norms, codes, scales, opacities), moments)


@dataclass(frozen=True, eq=False)
class Statistics:
    """What the choice by evidence needs of each memory beside its pixels (`memory_statistics.MemoryStatistics`).

    Attributes:
        sums, squares: (M, B) float32, sums of the values and of their squares in each of the B blocks of a pattern.
        norms: (M, R') float32, feature norms of the memory less its own mean, for the kernels that take part.
        bands, band_scales: (M, K) int8 and (M, W) float32, the coefficients in bands of the spectrum (`bands.quantised`).
        variances: (d - C,) float32, of each coefficient over all memories (`BandGrid.coefficients`).
        opacity: (M, 2 + 2C, B') float32, `backgrounds.opacity_sums`; None where all pictures are opaque.
    """

    sums: Float32
    squares: Float32
    norms: Float32
    bands: Int8
    band_scales: Float32
    variances: Float32
    opacity: Float32 | None = None

    @property
    def of_each(self) -> tuple[Any, ...]:
        """What is kept of each memory, opaque or not, (M, ...) each."""
        return self.sums, self.squares, self.norms, self.bands, self.band_scales

    @property
    def widths(self) -> tuple[int, ...]:
        """(B, B, R', K, W, d - C)."""
        return (*(part.shape[1] for part in self.of_each), len(self.variances))

    def select(self, rows: Bool | Int64 | slice) -> Statistics:
        """The statistics of the memories that `rows` marks, (M,), or names; of a slice views. The variances stay those of all."""
        sums, squares, norms, bands, band_scales = (part[rows] for part in self.of_each)
        opacity = None if self.opacity is None else self.opacity[rows]
        return Statistics(sums, squares, norms, bands, band_scales, self.variances, opacity)

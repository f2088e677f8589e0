"""Queries ready for the pass over the memories: what the models need of a query and what is the same for all memories."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from uhop_cli.arrays.library import Array, like, namespace
from uhop_cli.evidence.backgrounds.opacity import background_grid
from uhop_cli.evidence.bands import BandGrid
from uhop_cli.evidence.blocks import FEW_QUERIES, BlockGrid
from uhop_cli.evidence.unknown import Spectrum
from uhop_cli.retrieval.distances import ROUNDING


@dataclass(frozen=True)
class Level:
    """The blocks of Q queries at one level of the grid.

    Attributes:
        pool: adds the finest blocks up to those of this level, (b, B).
        sizes: n_b, (b,).
        means: of the blocks, (Q, b).
        variances: |x_b|^2 / n_b + q of the centred blocks, (Q, b).
    """

    pool: Array
    sizes: Array
    means: Array
    variances: Array


@dataclass(frozen=True)
class PreparedQueries:
    """Q queries, prepared for a pass over the memories (`prepare`).

    Attributes:
        grid: of the patterns' shape.
        pictures: x, (Q, d).
        sums, squares: of the blocks, (Q, B).
        coefficients: of the spectrum, (Q, d - C) (`BandGrid.coefficients`).
        unknown: log-likelihood of a picture of the memories' kind that was never stored (`unknown.Spectrum`), (Q,).
        probes: (R, Q, d): <xi, probe> / norm is the cosine of the centred features; (R, Q, D) for features at hand.
        dims: d_r, (R,).
        channel_sums: of each channel in the blocks of `background_grid`, (Q, C, B'), where memories have opacity.
    """

    grid: BlockGrid
    pictures: Array
    sums: Array
    squares: Array
    coefficients: Array
    unknown: Array
    probes: Array
    dims: tuple[float, ...]
    channel_sums: Array | None = None

    def part(self, queries: slice) -> PreparedQueries:
        """Some of the queries."""
        first = ("pictures", "sums", "squares", "coefficients", "unknown")
        return replace(
            self,
            **{name: getattr(self, name)[queries] for name in first},
            probes=self.probes[:, queries],
            channel_sums=None if self.channel_sums is None else self.channel_sums[queries],
        )

    def channels(self) -> Array:
        """The pictures channel by channel, (Q C, H W)."""
        xp, (height, width, channels) = namespace(self.pictures), self.grid.shape
        return xp.permute_dims(self.pictures.reshape(-1, height * width, channels), (0, 2, 1)).reshape(-1, height * width)

    @property
    def bands(self) -> BandGrid:
        """The bands of the patterns' shape."""
        return BandGrid(self.grid.shape)

    @cached_property
    def band_variances(self) -> Array:
        """v_w, (Q, W)."""
        return self.bands.powers(self.coefficients) / like(self.sums, self.bands.sizes) + ROUNDING

    @cached_property
    def band_rest(self) -> Array:
        """What the bands' likelihood owes to what has no gain, the values beyond them and the offsets: (Q,)."""
        xp, count = namespace(self.sums), self.bands.beyond
        rest = self.coefficients[:, self.bands.kept :]
        levels = xp.log(xp.sum(rest * rest, axis=1) / max(count, 1) + ROUNDING)  # of no values: it is multiplied by 0
        return (-count / 2) * levels - self.grid.shape[2] / 2 * math.log(ROUNDING)

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """The blocks at every level, from the whole picture to the finest."""
        xp = namespace(self.sums)
        result = []
        for level in self.grid.levels:
            pool, sizes = pooling(self.grid, level, self.sums)
            means = (self.sums @ pool) / sizes
            spread = xp.clip((self.squares @ pool) / sizes - means * means, 0, None)
            result.append(Level(pool.T, sizes, means, spread + ROUNDING))
        return tuple(result)

    @cached_property
    def blocks(self) -> Sequence[Array]:
        """The pictures less the mean of each of the finest blocks, laid out for `BlockGrid.products`: products are covariances."""
        if self.pictures.shape[0] <= FEW_QUERIES:
            return self.grid.probes(self.grid.centred(self.pictures))
        return [without_mean(block) for block in self.grid.cut(self.pictures)]

    @cached_property
    def offsets(self) -> Array:
        """What the sums of a memory's blocks are multiplied by, (b, Q, B), to be added to the pooled covariances of the finest
        blocks: first for the product of the whole pictures, then for the covariances in the blocks of each coarser level.

        <x - m, xi> in a block of mean m is that of the parts of it, each less its own mean m_b, and sum_b (m_b - m) sum xi_b.
        """
        xp, finest = namespace(self.sums), self.levels[-1]
        coarse = (level.pool[:, None] * (finest.means - level.means.T[..., None]) for level in self.levels[:-1])
        return xp.concat([finest.means[None], *coarse])

    @property
    def floor(self) -> Array:
        """q as a share of the query's variance, (Q,): no correlation is known better."""
        return ROUNDING / self.levels[0].variances[:, 0]

    @property
    def models(self) -> tuple[str, ...]:
        """The names of the models, in the order of `log_likelihoods`, agreement last."""
        affine = tuple(f"affine {level}x{level}" for level in self.grid.levels)
        return ("identity", *affine, "bands", *(f"kernel {i}" for i in range(len(self.dims))), "agreement")

    @property
    def parameters(self) -> tuple[int, ...]:
        """Nuisance parameters of the densities, which are the first models: a noise level; gain, offset and noise level a block;
        those of the bands."""
        return (1, *(3 * level**2 for level in self.grid.levels), self.bands.parameters)


def without_mean(patterns: Array) -> Array:
    """Patterns (M, d) less the mean of each: feature maps of these know no brightness."""
    xp = namespace(patterns)
    return patterns - xp.mean(patterns, axis=-1, keepdims=True)


def prepare(
    grid: BlockGrid,
    spectrum: Spectrum,
    queries: Array,
    *,
    probes: Array,
    norms: Array,
    dims: tuple[float, ...],
    for_features: bool = False,
    opacity: bool = False,
) -> PreparedQueries:
    """Queries ready for the pass over the memories.

    Args:
        grid: of the patterns' shape.
        spectrum: of the memories.
        queries: x, (Q, d), float32.
        probes: A_r (x - mean x) for each kernel, (R, Q, d); R may be 0.
        norms: |Phi_r(x - mean x)|, (R, Q).
        dims: d_r, the values of noise that kernel r weighs: d, even where there are fewer features.
        for_features: the probes are (R, Q, D), for features of centred memories and not for their pixels.
        opacity: whether memories have it.
    """
    probes = (probes if for_features else without_mean(probes)) * inverse(norms)[..., None]
    sums, squares = grid.sums(queries)
    coefficients = BandGrid(grid.shape).coefficients(queries)
    prepared = PreparedQueries(
        grid=grid,
        pictures=queries,
        sums=sums,
        squares=squares,
        coefficients=coefficients,
        unknown=spectrum.log_likelihood(coefficients),
        probes=probes,
        dims=dims,
    )
    return replace(prepared, channel_sums=_channel_sums(prepared)) if opacity else prepared


def _channel_sums(queries: PreparedQueries) -> Array:
    height, width, channels = queries.grid.shape
    one = BlockGrid((height, width, 1), background_grid(queries.grid.shape).side)
    return one.sums(queries.channels())[0].reshape(-1, channels, one.side**2)


def inverse(norms: Array) -> Array:
    """1 / norms, 0 where they are 0."""
    xp = namespace(norms)
    return xp.where(norms > 0, 1 / xp.where(norms > 0, norms, xp.ones_like(norms)), xp.zeros_like(norms))


def pooling(grid: BlockGrid, level: int, array: Array) -> tuple[Array, Array]:
    """The pooling matrix of a level and the sizes of its blocks, in the library of `array`."""
    pool = grid.pooling(level)
    return like(array, pool), like(array, grid.sizes() @ pool)

"""Choosing the answer by evidence, not by similarity.

A similarity is a noise model: x = a xi + b + noise of some shape. With the nuisance parameters profiled out, each model k gives
every memory a log-likelihood, and its log-odds are those of its own best memory against the runner-up or against "unrelated",

    m_k = L_k(top) - max(L_k(runner-up), L_k(unrelated)).

The models:
    identity     x = xi + white noise:                      L = -(d/2) ln(|x - xi|^2 / d + q)
    affine k     k x k blocks, each with its own gain a >= 0, offset and noise level (k = 1, 2, 4):
                                                            L = -sum_b (n_b/2) ln(|x_b|^2 (1 - c_b^2) / n_b + q)
    kernel r     noise that is white after a learned feature map: L = -(d_r/2) ln(1 - c_r^2)
    agreement    every value is kept or replaced (`agreement`), on a shortlist
with c_b the correlation in block b, c_r the cosine of the features of centred patterns, and q the variance of rounding to 8 bits.

Identity and affine models are densities of the same pixels, so their own likelihoods choose among them (less ln(d)/2 a parameter,
Schwarz 1978). Where that finds the same white noise all over the picture, its maximum-likelihood decoder stands and no learned
kernel can do better; else the learned kernels compete with it, and the largest log-odds answer. Agreement competes in either
case. Nothing is fitted.

All but agreement are functions of inner products with the stored pixels and of a few sums over each memory, so they share one pass:
this file. The choice itself is `choice`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from uhop_cli.arrays.library import Array, like, namespace
from uhop_cli.arrays.operations import clip_over
from uhop_cli.evidence.blocks import BlockGrid
from uhop_cli.retrieval.distances import ROUNDING

RHOS = (1e-3, 1.0)  # the learned kernels that take part: one for covered and recoloured pictures, one for blurred ones


@dataclass(frozen=True)
class MemoryStatistics:
    """What the models need to know of each memory beside its pixels; the memories are the last axis, which is long.

    Attributes:
        inverses: for each kernel 1 / feature norm of the centred memory, 0 where that is 0: (M,).
        sums: for each level of the grid the sums of its blocks, (level^2, M).
        scales: likewise 1 / (n_b (|xi_b|^2 + n_b q)) of the centred blocks.
        totals: |xi|^2, (M,).
    """

    inverses: tuple[Array, ...]
    sums: tuple[Array, ...]
    scales: tuple[Array, ...]
    totals: Array

    @classmethod
    def of(cls, grid: BlockGrid, sums: Array, squares: Array, norms: Array) -> MemoryStatistics:
        """From what a memory file keeps: sums and squares of the blocks (`BlockGrid.sums`), each (M, B), and feature norms of the
        centred memories, (M, R)."""
        xp = namespace(sums, squares)
        pooled, scales = [], []
        for level in grid.levels:
            pool, sizes = _pooling(grid, level, sums)
            total = pool.T @ sums.T
            spread = xp.clip(pool.T @ squares.T - total**2 / sizes[:, None], 0, None)
            pooled.append(total)
            scales.append(1 / (sizes[:, None] * (spread + sizes[:, None] * ROUNDING)))
        inverses = tuple(_inverse(norms[:, r]) for r in range(norms.shape[1]))
        return cls(inverses, tuple(pooled), tuple(scales), xp.sum(squares, axis=1))

    def rows(self, rows: slice) -> MemoryStatistics:
        """The statistics of a chunk of the memories."""
        sums, scales = (tuple(level[:, rows] for level in levels) for levels in (self.sums, self.scales))
        return MemoryStatistics(tuple(kernel[rows] for kernel in self.inverses), sums, scales, self.totals[rows])


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
    """Q queries, prepared for a pass over the memories (`prepare`)."""

    grid: BlockGrid
    pictures: Array  # (Q, d)
    sums: Array  # (Q, B)
    squares: Array  # (Q, B)
    probes: Array  # (R, Q, d): <xi, probe> / norm is the cosine of the centred features; (R, Q, D) for features at hand
    dims: tuple[float, ...]  # (R,)

    def part(self, queries: slice) -> PreparedQueries:
        """Some of the queries."""
        sums, squares = self.sums[queries], self.squares[queries]
        return PreparedQueries(self.grid, self.pictures[queries], sums, squares, self.probes[:, queries], self.dims)

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """The blocks at every level, from the whole picture to the finest."""
        xp = namespace(self.sums)
        result = []
        for level in self.grid.levels:
            pool, sizes = _pooling(self.grid, level, self.sums)
            means = (self.sums @ pool) / sizes
            spread = xp.clip((self.squares @ pool) / sizes - means * means, 0, None)
            result.append(Level(pool.T, sizes, means, spread + ROUNDING))
        return tuple(result)

    @cached_property
    def blocks(self) -> tuple[Array, ...]:
        """The pictures, laid out for `BlockGrid.products`."""
        return self.grid.probes(self.pictures)

    @property
    def floor(self) -> Array:
        """q as a share of the query's variance, (Q,): no correlation is known better."""
        return ROUNDING / self.levels[0].variances[:, 0]

    @property
    def models(self) -> tuple[str, ...]:
        """The names of the models, in the order of `log_likelihoods`, agreement last."""
        affine = tuple(f"affine {level}x{level}" for level in self.grid.levels)
        return ("identity", *affine, *(f"kernel {i}" for i in range(len(self.dims))), "agreement")

    @property
    def features(self) -> tuple[str, ...]:
        """The facts about a choice that a confidence is made of.

        All but `agreement` and `consensus` are logarithms of 1 + log-likelihood ratios: log-odds of the answering model; the same
        less the spread of its unsuccessful proposals; log-odds that the answer's values agree with the query's (pi); the query
        explained by the best pixel model; the share of the models whose best memory is the answer; the sum of the models' log-odds,
        negative for those that have another answer; each of these log-odds.
        """
        return ("log-odds", "lead", "agreement", "explained", "consensus", "support", *self.models)

    @property
    def parameters(self) -> tuple[int, ...]:
        """Nuisance parameters of the identity and affine models: a noise level; gain, offset and noise level a block."""
        return (1, *(3 * level**2 for level in self.grid.levels))


def without_mean(patterns: Array) -> Array:
    """Patterns (M, d) less the mean of each: feature maps of these know no brightness."""
    xp = namespace(patterns)
    return patterns - xp.mean(patterns, axis=-1, keepdims=True)


def prepare(
    grid: BlockGrid, queries: Array, probes: Array, norms: Array, dims: tuple[float, ...], *, for_features: bool = False
) -> PreparedQueries:
    """Queries ready for the pass over the memories.

    Args:
        grid: of the patterns' shape.
        queries: x, (Q, d), float32.
        probes: A_r (x - mean x) for each kernel, (R, Q, d); R may be 0.
        norms: |Phi_r(x - mean x)|, (R, Q).
        dims: d_r, the values of noise that kernel r weighs: d, even where there are fewer features.
        for_features: the probes are (R, Q, D), for features of centred memories and not for their pixels.
    """
    probes = (probes if for_features else without_mean(probes)) * _inverse(norms)[..., None]
    return PreparedQueries(grid, queries, *grid.sums(queries), probes, dims)


def _inverse(norms: Array) -> Array:
    """1 / norms, 0 where they are 0."""
    xp = namespace(norms)
    return xp.where(norms > 0, 1 / xp.where(norms > 0, norms, xp.ones_like(norms)), xp.zeros_like(norms))


def inner_products(queries: PreparedQueries, patterns: Array, features: Array = None) -> tuple[Array, Array]:
    """All that the models need of a chunk of pixels (m, d).

    Args:
        queries: from `prepare`.
        patterns: the chunk.
        features: of the centred chunk, (D, m), where the probes are for them.

    Returns:
        <x_b, xi_b> of the finest blocks, (Q, B, m), and <probe, xi>, (R, Q, m).
    """
    kernels, count = queries.probes.shape[:2]
    columns = patterns.T if features is None else features
    probes = queries.probes.reshape(kernels * count, columns.shape[0])
    return queries.grid.products(patterns, queries.blocks), (probes @ columns).reshape(kernels, count, patterns.shape[0])


def log_likelihoods(queries: PreparedQueries, patterns: Array, memory: MemoryStatistics) -> tuple[Array, Array]:
    """L_k of a chunk of memories under every model but agreement.

    Args:
        queries: from `prepare`.
        patterns: the chunk's pixels in [0, 1], (m, d), float32.
        memory: the chunk's statistics.

    Returns:
        (K, Q, m) in the order of `PreparedQueries.models`, and the plain cosine (Q, m), which only proposes.
    """
    return likelihoods_of_products(queries, *inner_products(queries, patterns), memory)


def likelihoods_of_products(
    queries: PreparedQueries, products: Array, projections: Array, memory: MemoryStatistics
) -> tuple[Array, Array]:
    """`log_likelihoods` from the `inner_products` of the chunk."""
    xp = namespace(products)
    total = xp.sum(products, axis=1)
    size = queries.pictures.shape[1]
    own = xp.sum(queries.squares, axis=1)[:, None]
    residual = clip_over(own - 2 * total + memory.totals, least=0)
    results = [(-size / 2) * xp.log(residual / size + ROUNDING)]
    for level, sums, scale in zip(queries.levels, memory.sums, memory.scales, strict=True):
        finest = len(level.sizes) == products.shape[1]
        values = sums * level.means[..., None]
        values -= products if finest else level.pool @ products
        values = clip_over(values, most=0)  # minus the covariance; a negative gain is no damage
        values *= values
        values *= -scale
        values += level.variances[..., None]
        values = clip_over(values, least=ROUNDING / 2)  # what the best gain and offset leave unexplained
        results.append((-level.sizes / 2) @ xp.log(values))
    for projection, dim, inverse in zip(projections, queries.dims, memory.inverses, strict=True):
        cosine = clip_over(projection * inverse, 0, 1)
        results.append((-dim / 2) * xp.log(1 - cosine * cosine + queries.floor[:, None]))
    length = clip_over(memory.totals * own, least=ROUNDING)
    return xp.stack(results, axis=0), total / length**0.5


def unrelated(queries: PreparedQueries) -> Array:
    """L_k of a memory that explains nothing of the query: no correlation anywhere. (K, Q)."""
    xp = namespace(queries.pictures)
    affine = [xp.log(level.variances) @ (-level.sizes / 2) for level in queries.levels]
    kernels = [(-dim / 2) * xp.log1p(queries.floor) for dim in queries.dims]
    return xp.stack([affine[0], *affine, *kernels], axis=0)


def _pooling(grid: BlockGrid, level: int, array: Array) -> tuple[Array, Array]:
    """The pooling matrix of a level and the sizes of its blocks, in the library of `array`."""
    pool = grid.pooling(level)
    return like(array, pool), like(array, grid.sizes() @ pool)

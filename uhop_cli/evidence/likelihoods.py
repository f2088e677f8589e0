"""Choosing the answer by evidence, not by similarity.

A similarity is a noise model: x = a xi + b + noise of some shape. With the nuisance parameters profiled out, each model k gives
every memory a log-likelihood, and its log-odds are those of its own best memory against the runner-up or against "unrelated",

    m_k = L_k(top) - max(L_k(runner-up), L_k(unrelated)).

The models:
    identity     x = xi + white noise:                      L = -(d/2) ln(|x - xi|^2 / d + q)
    affine k     k x k blocks, each with its own gain a >= 0, offset and noise level (k = 1, 2, 4):
                                                            L = -sum_b (n_b/2) ln(|x_b|^2 (1 - c_b^2) / n_b + q)
    bands        bands of the spectrum, each with its own gain and noise level: see `bands`
    kernel r     noise that is white after a learned feature map: L = -(d_r/2) ln(1 - c_r^2)
    agreement    every value is kept or replaced (`agreement`), on a shortlist
with c_b the correlation in block b, c_r the cosine of the features of centred patterns, and q the variance of rounding to 8 bits.

Identity, affine models and bands are densities of the same pixels, so their own likelihoods can be compared; the others have
nothing but their log-odds. All but agreement are functions of inner products with the stored values and of a few sums over each
memory, so they share one pass: this file. The choice among them is `choice`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from uhop_cli.arrays.library import Array, like, namespace
from uhop_cli.arrays.operations import clip_over, less_over
from uhop_cli.arrays.scratch import Scratch, product_into
from uhop_cli.evidence.backgrounds.likelihoods import unrelated_by_channel
from uhop_cli.evidence.backgrounds.opacity import background_grid
from uhop_cli.evidence.blocks import BlockGrid
from uhop_cli.evidence.memory_statistics import MemoryStatistics
from uhop_cli.evidence.prepared import PreparedQueries
from uhop_cli.retrieval.distances import ROUNDING

RHOS = (1e-3, 1.0)  # the learned kernels that take part: one for covered and recoloured pictures, one for blurred ones


class Products(NamedTuple):
    """What the models need of a chunk of m memories.

    Attributes:
        blocks: covariances <x_b - mean x_b, xi_b> in the finest blocks, (B, Q, m).
        bands: <x_w, codes_w>, (W, Q, m).
        kernels: <probe, xi>, (R, Q, m).
        veiled: <x_c, 1 - opacity> in the blocks of `background_grid`, of the memories that have some: (Q, C, B', T).
    """

    blocks: Array
    bands: Array
    kernels: Array
    veiled: Array | None = None

    def part(self, queries: slice) -> Products:
        """Those of some of the queries."""
        veiled = None if self.veiled is None else self.veiled[queries]
        return Products(self.blocks[:, queries], self.bands[:, queries], self.kernels[:, queries], veiled)


def inner_products(
    queries: PreparedQueries, patterns: Array, codes: Array, features: Array = None, scratch: Scratch | None = None
) -> Products:
    """The products of a chunk of memories.

    Args:
        queries: from `prepare`.
        patterns: the chunk's pixels, (m, d).
        codes: of its bands, (m, K).
        features: of the centred chunk, (D, m), where the probes are for them.
        scratch: where the products are written, until those of the next chunk; None: they stay.
    """
    scratch = scratch or Scratch()
    kernels, count = queries.probes.shape[:2]
    columns = patterns.T if features is None else features
    probes = queries.probes.reshape(kernels * count, columns.shape[0])
    into = scratch.empty("kernels", (kernels * count, patterns.shape[0]), patterns)
    return Products(
        blocks=queries.grid.products(patterns, queries.blocks, scratch),
        bands=queries.bands.products(queries.coefficients, codes, scratch),
        kernels=product_into(probes, columns, into).reshape(kernels, count, patterns.shape[0]),
    )


def veiled_products(queries: PreparedQueries, opacity: Array) -> Array:
    """<x_c, 1 - opacity> in the blocks of `background_grid`, of memories of opacity (T, H W) in [0, 1]: (Q, C, B', T)."""
    height, width, channels = queries.grid.shape
    one = BlockGrid((height, width, 1), background_grid(queries.grid.shape).side)
    products = one.products(1 - opacity, one.probes(queries.channels()))  # (B', Q C, T)
    apart = products.reshape(products.shape[0], -1, channels, products.shape[2])
    return namespace(products).permute_dims(apart, (1, 2, 0, 3))


def log_likelihoods(queries: PreparedQueries, products: Products, memory: MemoryStatistics) -> tuple[Array, Array]:
    """L_k of a chunk of memories under every model but agreement.

    Args:
        queries: from `prepare`.
        products: the `inner_products` of the chunk; they are written over.
        memory: the chunk's statistics.

    Returns:
        (K, Q, m) in the order of `PreparedQueries.models`, and the plain cosine (Q, m), which only proposes.
    """
    xp, size = namespace(products.blocks), queries.pictures.shape[1]
    own = xp.sum(queries.squares, axis=1)[:, None]
    offsets = _with_sums(queries.offsets, memory.sums)
    pooled = _pooled(queries.grid, products.blocks, [int(level.sizes.shape[0]) for level in queries.levels])
    total = offsets[0] + pooled[1][0]
    residual = clip_over(own - 2 * total + memory.totals, least=0)
    results = [(-size / 2) * xp.log(residual / size + ROUNDING)]
    raw = _of_blocks_as_they_are(queries, products.blocks, memory) if memory.backgrounds is not None else None
    start = 1
    for level, scale in zip(queries.levels, memory.scales, strict=True):
        covariances, blocks = products.blocks, int(level.sizes.shape[0])
        if blocks < covariances.shape[0]:
            covariances = offsets[start : start + blocks]
            covariances += pooled[blocks]
        values = _unexplained(covariances, _of_queries(scale), level.variances.T[..., None])
        results.append(_weighed_logs(values, level.sizes, even=queries.grid.even))
        start += blocks
    values = _unexplained(products.bands, _of_queries(memory.reach), queries.band_variances.T[..., None])
    results.append(_weighed_logs(values, like(total, queries.bands.sizes), even=False) + queries.band_rest[:, None])
    for projection, dim, scale in zip(products.kernels, queries.dims, memory.inverses, strict=True):
        cosine = clip_over(projection * scale, 0, 1)
        results.append((-dim / 2) * xp.log(1 - cosine * cosine + queries.floor[:, None]))
    scores = xp.stack(results, axis=0)
    if memory.backgrounds is not None and products.veiled is not None and queries.channel_sums is not None:
        memory.backgrounds.raise_scores(
            scores, residual, queries.channel_sums, _of_background_blocks(queries), raw, products.veiled
        )
    return scores, total / clip_over(own * memory.totals, least=ROUNDING) ** 0.5


def _pooled(grid: BlockGrid, blocks: Array, levels: Sequence[int]) -> dict[int, Array]:
    """Sums of the finest blocks (B, Q, m) over the blocks of each level, by their number: (b, Q, m).

    Args:
        levels: numbers of blocks, rising, the first of them 1. That sum is taken over the blocks of the level before.
    """
    xp, found = namespace(blocks), {int(blocks.shape[0]): blocks}
    for count in reversed(levels[:-1]):
        if count == 1:
            found[count] = xp.sum(found[min(found)], axis=0, keepdims=True)
            continue
        found[count] = xp.zeros((count, *blocks.shape[1:]), dtype=blocks.dtype, device=blocks.device)
        for part, owner in zip(blocks, grid.pooled_in(count), strict=True):
            found[count][owner] += part
    return found


def _with_sums(offsets: Array, sums: Array) -> Array:
    """Offsets (b, Q, B) times the sums of the finest blocks, (B, m) or of each query's own memories (B, Q, m): (b, Q, m)."""
    if sums.ndim == 2:
        return (offsets.reshape(-1, sums.shape[0]) @ sums).reshape(*offsets.shape[:2], -1)
    xp = namespace(sums)
    return xp.permute_dims(xp.permute_dims(offsets, (1, 0, 2)) @ xp.permute_dims(sums, (1, 0, 2)), (1, 0, 2))


def _of_queries(values: Array) -> Array:
    """Values of memories, (b, m) or of each query's own (b, Q, m), beside results (b, Q, m)."""
    return values if values.ndim == 3 else values[:, None]


def _unexplained(covariances: Array, scales: Array, variances: Array) -> Array:
    """What the best gain leaves unexplained, v - s max(c, 0)^2, at least q/2: a negative gain is no damage. Written over c.

    Args:
        covariances: c, (b, Q, m).
        scales: s, (b, 1, m) or (b, Q, m).
        variances: v, (b, Q, 1).
    """
    values = clip_over(covariances, least=0)
    values *= values
    values *= scales
    return clip_over(less_over(values, variances), least=ROUNDING / 2)


def _weighed_logs(values: Array, sizes: Array, *, even: bool) -> Array:
    """-sum_b (n_b/2) ln v_b of values (b, Q, m): (Q, m); blocks of one size are multiplied by fours before the logarithm."""
    xp, count = namespace(values), int(values.shape[0])
    if even and count % 4 == 0:
        quarter = count // 4
        first, second, third, fourth = (values[place * quarter : (place + 1) * quarter] for place in range(4))
        first *= second
        third *= fourth
        first *= third
        return (-sizes[0] / 2) * xp.sum(xp.log(first), axis=0)
    return xp.tensordot(-sizes / 2, xp.log(values), axes=1)


def _of_blocks_as_they_are(queries: PreparedQueries, covariances: Array, memory: MemoryStatistics) -> Array:
    """<x, xi> in the blocks of `background_grid`, (Q, B', m)."""
    xp, finest = namespace(covariances), queries.levels[-1]
    pool = like(covariances, queries.grid.pooling(background_grid(queries.grid.shape).side))
    products = covariances + finest.means.T[..., None] * memory.sums[:, None]
    return xp.permute_dims(xp.tensordot(pool.T, products, axes=1), (1, 0, 2))


def _of_background_blocks(queries: PreparedQueries) -> Array:
    """Sums of squares of the queries in the blocks of `background_grid`, (Q, B')."""
    return queries.squares @ like(queries.squares, queries.grid.pooling(background_grid(queries.grid.shape).side))


def unrelated(queries: PreparedQueries) -> Array:
    """L_k of a memory that explains nothing of the query: no correlation anywhere. (K, Q)."""
    xp = namespace(queries.pictures)
    affine = [xp.log(level.variances) @ (-level.sizes / 2) for level in queries.levels]
    bands = xp.log(queries.band_variances) @ (-like(queries.sums, queries.bands.sizes) / 2) + queries.band_rest
    kernels = [(-dim / 2) * xp.log1p(queries.floor) for dim in queries.dims]
    if queries.channel_sums is not None:
        grid = background_grid(queries.grid.shape)
        offsets = unrelated_by_channel(grid, queries.channel_sums, _of_background_blocks(queries))
        affine = [*(xp.maximum(*pair) for pair in zip(affine, offsets, strict=False)), *affine[len(offsets) :]]
    return xp.stack([affine[0], *affine, bands, *kernels], axis=0)

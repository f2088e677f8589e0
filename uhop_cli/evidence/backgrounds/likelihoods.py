"""The likelihoods of memories through which a background is seen; the head of this folder has the equations."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np

from uhop_cli.arrays.library import Array, like, namespace, to_numpy
from uhop_cli.arrays.operations import quotient
from uhop_cli.arrays.types import Int64
from uhop_cli.evidence.backgrounds.opacity import LEAST, background_grid, see_through
from uhop_cli.evidence.blocks import BlockGrid
from uhop_cli.retrieval.distances import ROUNDING


def unrelated_by_channel(grid: BlockGrid, sums: Array, squares: Array) -> list[Array]:
    """L of a memory that explains nothing but an offset of each channel in each block, less the charge for these; for every level
    of `grid`, (Q,).

    Args:
        sums: of each channel of the queries, (Q, C, B).
        squares: of all their values, (Q, B).
    """
    xp, (channels, results) = namespace(sums), (sums.shape[1], [])
    for level in grid.levels:
        pool = grid.pooling(level)
        sizes, pool = like(sums, grid.sizes() @ pool), like(sums, pool)
        totals = sums @ pool
        own = squares @ pool - xp.sum(totals * totals, axis=1) * (channels / sizes)
        charge = (channels - 1) * level**2 * math.log(math.prod(grid.shape)) / 2
        results.append(xp.log(xp.clip(own, 0, None) / sizes + ROUNDING) @ (-sizes / 2) - charge)
    return results


def on_best_background(differences: Array, veils: Array) -> tuple[Array, Array]:
    """X - x of n pairs, with X on the background that explains x best if that is worth its charge; and the charge.

    Args:
        differences: on the background that is stored, (n, d).
        veils: m, (n, H W).

    Returns:
        (n, d) and (n,).
    """
    xp, (count, size), pixels = namespace(differences), differences.shape, veils.shape[1]
    channels = size // pixels
    power = xp.sum(veils * veils, axis=1)[:, None]
    shift = xp.sum(differences.reshape(count, pixels, channels) * veils[..., None], axis=1)  # (n, C)
    shift = quotient(shift, xp.where(power >= LEAST * pixels, power, xp.zeros_like(power)))
    gain = xp.sum(shift * shift * power, axis=1)
    charge = xp.full_like(gain, channels * math.log(size) / 2)
    residual = xp.sum(differences * differences, axis=1)
    left = xp.clip(residual - gain, 0, None)
    worth = size / 2 * xp.log((residual / size + ROUNDING) / (left / size + ROUNDING)) > charge
    shift = xp.where(worth[:, None], shift, xp.zeros_like(shift))
    laid = differences - (veils[..., None] * shift[:, None]).reshape(count, size)
    return laid, xp.where(worth, charge, xp.zeros_like(charge))


@dataclass(frozen=True)
class BackgroundLevel:
    """What the affine model of b blocks needs of T memories.

    Attributes:
        sizes: n_b, values, (b,).
        pool: adds the finest blocks of `background_grid` up to these, (b, B).
        veils: sum m, (b, T).
        inverses: 1 / |m - mean m|^2, 0 where no background is seen, (b, T).
        slopes: <X_c, m - mean m> times `inverses`, (C, b, T).
        sums: sum X_c, (C, b, T).
        scales: 1 / (n_b (|p~|^2 + n_b q)), (b, T).
        charges: ln(d)/2 for each parameter that a memory without opacity has not, (T,).
    """

    sizes: Array
    pool: Array
    veils: Array
    inverses: Array
    slopes: Array
    sums: Array
    scales: Array
    charges: Array

    @classmethod
    def of(cls, grid: BlockGrid, level: int, kept: Array, squares: Array) -> BackgroundLevel:
        """From `opacity_sums` (T, 2 + 2C, B) and the sums of squares of the blocks, (T, B)."""
        channels, pool = grid.shape[2], grid.pooling(level)
        sizes = like(kept, grid.sizes() @ pool)
        pool = like(kept, pool)
        xp, pixels = namespace(kept), sizes[:, None] / channels
        pooled = xp.permute_dims(kept @ pool, (1, 2, 0))  # (2 + 2C, b, T)
        veils, sums = pooled[0], pooled[2 : 2 + channels]
        spread = pooled[1] - veils * veils / pixels
        seen = spread >= LEAST * pixels
        inverses = quotient(1, xp.where(seen, spread, xp.zeros_like(spread)))
        covariances = pooled[2 + channels :] - sums * veils / pixels
        slopes = covariances * inverses
        power = (squares @ pool).T - xp.sum(sums * sums, axis=0) / pixels - xp.sum(slopes * covariances, axis=0)
        extra = xp.sum(xp.where(seen, 2 * channels - 1, channels - 1), axis=0)
        return cls(
            sizes=sizes,
            pool=pool.T,
            veils=veils,
            inverses=inverses,
            slopes=slopes,
            sums=sums,
            scales=1 / (sizes[:, None] * (xp.clip(power, 0, None) + sizes[:, None] * ROUNDING)),
            charges=extra * (math.log(math.prod(grid.shape)) / 2),
        )

    def rows(self, rows: slice) -> BackgroundLevel:
        """Those of some of the memories."""
        both = (self.sizes, self.pool)
        return BackgroundLevel(*both, *(getattr(self, field.name)[..., rows] for field in fields(self)[len(both) :]))

    def log_likelihood(self, sums: Array, squares: Array, products: Array, veiled: Array) -> Array:
        """L of T memories for Q queries, less the charges: (Q, T).

        Args:
            sums: of each channel of the queries, (Q, C, B).
            squares: of all their values, (Q, B).
            products: <x, X> in each block, (Q, B, T).
            veiled: <x_c, m> in each block, (Q, C, B, T).
        """
        xp, channels = namespace(products), sums.shape[1]
        totals = sums @ self.pool.T  # (Q, C, b)
        means = totals * (channels / self.sizes)
        own = squares @ self.pool.T - xp.sum(totals * means, axis=1)  # (Q, b)
        covariance = self.pool @ products
        left = xp.zeros_like(covariance) + own[..., None]
        for channel in range(channels):
            mean = means[:, channel, :, None]
            behind = self.pool @ veiled[:, channel] - mean * self.veils  # <x_c, m - mean m>
            covariance -= mean * self.sums[channel] + behind * self.slopes[channel]
            left -= behind * behind * self.inverses
        covariance = xp.clip(covariance, 0, None)  # a negative gain is no damage
        values = left / self.sizes[:, None] + ROUNDING - covariance * covariance * self.scales
        return (-self.sizes / 2) @ xp.log(xp.clip(values, ROUNDING / 2, None)) - self.charges


@dataclass(frozen=True)
class Backgrounds:
    """What the models with a free background need of the T memories, among all or among a chunk, through which it is seen.

    Attributes:
        places: their rows in the chunk, in rising order, (T,), in host memory.
        levels: from the whole picture to the finest blocks.
        colours: <X_c, m> in the whole picture, (C, T).
        weights: 1 / |m|^2, (T,).
    """

    places: Int64
    levels: tuple[BackgroundLevel, ...]
    colours: Array
    weights: Array

    @classmethod
    def of(cls, shape: tuple[int, int, int], kept: Array, squares: Array) -> Backgrounds | None:
        """From what a memory file keeps; None if no background is seen through any memory.

        Args:
            shape: (H, W, C) of a pattern.
            kept: `opacity_sums` of all memories, (M, 2 + 2C, B).
            squares: sums of squares of the blocks of `BlockGrid.of`, (M, B').
        """
        channels, grid, xp = shape[2], background_grid(shape), namespace(kept)
        places = see_through(shape, kept)
        if not len(places):
            return None
        chosen = like(kept, places)
        kept, coarse = kept[chosen], squares[chosen] @ like(squares, BlockGrid.of(shape).pooling(grid.side))
        return cls(
            places=places,
            levels=tuple(BackgroundLevel.of(grid, level, kept, coarse) for level in grid.levels),
            colours=xp.sum(kept[:, 2 + channels :], axis=2).T,
            weights=1 / xp.sum(kept[:, 1], axis=1),
        )

    def rows(self, rows: slice) -> Backgrounds | None:
        """Those of a chunk of the memories; None if there are none."""
        begin, end = np.searchsorted(self.places, [rows.start, rows.stop]).tolist()
        if begin == end:
            return None
        part = slice(begin, end)
        return Backgrounds(
            places=self.places[part] - rows.start,
            levels=tuple(level.rows(part) for level in self.levels),
            colours=self.colours[:, part],
            weights=self.weights[part],
        )

    def raise_scores(self, scores: Array, residuals: Array, sums: Array, squares: Array, products: Array, veiled: Array) -> None:
        """Puts the likelihoods with a free background where they are larger.

        Args:
            scores: L of identity and the affine models, the first of (K, Q, m), written to.
            residuals: |x - X|^2, (Q, m).
            sums, squares: of the queries' blocks of `background_grid`, (Q, C, B) and (Q, B).
            products: <x, X> in each of them, (Q, B, m).
            veiled: <x_c, m> of the memories at `places` likewise, (Q, C, B, T).
        """
        xp, places = namespace(scores), like(scores, self.places)
        channels, size = sums.shape[1], float(to_numpy(self.levels[0].sizes)[0])
        behind = xp.sum(veiled, axis=2) - self.colours
        left = residuals[:, places] - xp.sum(behind * behind, axis=1) * self.weights
        of_identity = (-size / 2) * xp.log(xp.clip(left, 0, None) / size + ROUNDING) - channels * math.log(size) / 2
        chosen = products[:, :, places]
        found = [of_identity, *(level.log_likelihood(sums, squares, chosen, veiled) for level in self.levels)]
        for model, raised in enumerate(found):
            scores[model][:, places] = xp.maximum(scores[model][:, places], raised)

"""The memories that the models propose for each query, looked at pixel by pixel: first at some of the pixels, the best then at all.

Agreement is no function of inner products, and its expectation-maximisation costs as much for some dozens of memories as the
pass over thousands. So all that are proposed are compared on the same eighth of the pixels, and on all pixels only the `AGAIN`
that agree best there, the memory that each model names, and the best of identity, whose residual the pass has as a difference of
large sums.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cache, partial
from typing import Protocol

import numpy as np

from uhop_cli.arrays.device import device_of
from uhop_cli.arrays.library import Array, like, namespace, to_numpy
from uhop_cli.arrays.operations import row_sums, topk
from uhop_cli.arrays.scratch import Scratch
from uhop_cli.arrays.threads import on_all_cores
from uhop_cli.arrays.types import Float32, Int64, UInt8
from uhop_cli.evidence.backgrounds.likelihoods import on_best_background
from uhop_cli.evidence.pixelwise.agreement import agreement, agreement_of_levels, value_density
from uhop_cli.evidence.prepared import PreparedQueries
from uhop_cli.evidence.verdicts import PROPOSALS
from uhop_cli.retrieval.distances import ROUNDING
from uhop_cli.retrieval.pattern_matrix import Levels

LOOKED_AT = 1 << 19  # values at a time: of fewer, calls are so short that threads wait for each other
AGAIN = PROPOSALS  # of the memories that agree best on the sample: fewer name the same answer, but say less of how sure it is
OF_IDENTITY = 5
SHARE = 8  # one pixel in so many is in the sample
LEAST = 128  # pixels that are sample enough; of patterns with fewer than twice as many all are looked at
PAIRS = 1 << 20  # of query and memory that are chosen among together: short calls of many threads stand in each other's way
MOST_TOGETHER = 128  # queries
WHOLE = 1e-3  # of a level: what a picture in 8 bits is off by in float32 at most


@dataclass(frozen=True)
class Candidates:
    """The memories that have been looked at in full, with what only they are asked.

    Attributes:
        rows: (Q, S); one that is shorter than the longest is filled up with repeats.
        repeated: (Q, S) bool, which only fill up.
        exact: (Q, S) log-likelihood of the identity model, from the residual itself.
        agreed, kept: (Q, S) log-likelihood ratio of agreement, and the share of values that agree.
        replaced: (Q,) log-likelihood of the query if every value is replaced, sum_j ln h_j, on the scale of the densities: it makes
            a density of the pixels of agreement's ratio.
        best: (Q, K, P) the `PROPOSALS` best memories of each model by the scores that it was asked with, the best first; None: they
            have to be found again.
    """

    rows: Array
    repeated: Array
    exact: Array
    agreed: Array
    kept: Array
    replaced: Array
    best: Array | None = None

    def part(self, queries: slice) -> Candidates:
        """Those of some of the queries."""
        values = (getattr(self, field.name) for field in fields(self))
        return Candidates(*(None if value is None else value[queries] for value in values))


class Gather(Protocol):
    """Values of memories: float32 in [0, 1]."""

    def __call__(self, indices: Array, places: Int64 | None = None) -> Array:
        """Rows (n,) -> (n, d), to be written to; of each the values at `places` alone, where these are given: (n, s)."""
        ...


def propose(
    queries: PreparedQueries,
    scores: Array,
    cosine: Array,
    gather: Gather,
    opacity: Gather | None = None,
    *,
    levels: Levels | None = None,
    listed: Int64 | None = None,
    named: Int64 | None = None,
) -> Candidates:
    """The `PROPOSALS` best memories of every model and of the plain cosine, and those of them that are worth it looked at in full.

    Args:
        queries: from `prepare`.
        scores: `log_likelihoods` of all memories, (K, Q, M).
        cosine: plain cosines, (Q, M).
        gather: values of the memories.
        opacity: likewise their opacity, H W values each, where pictures have transparency.
        levels: the values as they are stored, where that is in 8 bits.
        listed: (Q, M) which memories each query has; None: all, in their order. Candidates are places in these.
        named: (Q, N) more memories that are worth it, as rows or places in these; -1 where there are fewer.
    """
    xp, best_of_each = namespace(cosine), proposed(scores, cosine)
    leaders = best_of_each[:, :, 0]
    if named is not None:
        leaders = with_named(leaders, named)
    look = _Look(queries, gather, opacity, levels if opacity is None else None, listed)
    rows, repeated = distinct(xp.concat([best_of_each.reshape(len(leaders), -1), leaders], axis=1))
    pixels = sample(*queries.grid.shape[:2])
    if pixels is not None:
        first = look(rows, pixels).agreed
        best = topk(xp.where(repeated, xp.full_like(first, -xp.inf), first), AGAIN)[1]
        of_identity = best_of_each[:, 0, :OF_IDENTITY]
        again = [xp.take_along_axis(rows, best, axis=1), leaders, of_identity]
        rows, repeated = distinct(xp.concat(again, axis=1))
    seen = look(rows)
    return Candidates(rows, repeated, seen.exact, seen.agreed, seen.kept, seen.replaced, best_of_each[:, :-1])


def with_named(rows: Array, named: Int64) -> Array:
    """Proposals (Q, S), and after them those that are `named` (Q, N); a -1 of these is the first proposal again."""
    xp, own = namespace(rows), like(rows, named)
    return xp.concat([rows, xp.where(own < 0, rows[:, :1], own)], axis=1)


def proposed(scores: Array, cosine: Array, most: int | None = None) -> Array:
    """The rows of the P best memories of every model and of the plain cosine, the best first: (Q, K + 1, P).

    Args:
        scores, cosine: as in `propose`.
        most: P, where there are so many memories; None: `PROPOSALS`.
    """
    xp = namespace(cosine)
    parts: dict[int, Array] = {}

    def work(part: slice) -> None:
        best = [topk(values[part], most or PROPOSALS)[1] for values in (*scores, cosine)]
        parts[part.start] = xp.stack(best, axis=1)

    by_queries(work, cosine)
    return xp.concat([parts[start] for start in sorted(parts)], axis=0)


def by_queries(work: Callable[[slice], object], results: Array) -> None:
    """Runs `work` on slices of the queries whose results with all memories are (Q, M), on all cores."""
    count, memories = (int(length) for length in results.shape)
    step = count if count == 1 else int(np.clip(PAIRS // memories, 1, MOST_TOGETHER))
    device_of(results).on_all_cores(work, count, step)


@cache
def sample(height: int, width: int) -> Int64 | None:
    """The pixels of a pattern that are looked at first, the same for all: drawn once. None: all of them are."""
    pixels = height * width
    count = max(LEAST, pixels // SHARE)
    if 2 * count > pixels:
        return None
    return np.sort(np.random.default_rng(0).choice(pixels, count, replace=False))


@dataclass(frozen=True)
class _Seen:
    """The attributes of `Candidates` of the same names."""

    exact: Array
    agreed: Array
    kept: Array
    replaced: Array


Compared = Callable[[slice, Array, Array], tuple[Array | None, Array | float, Array, Array]]


class _Look:
    """Compares queries with memories pixel by pixel."""

    def __init__(
        self, queries: PreparedQueries, gather: Gather, opacity: Gather | None, levels: Levels | None, listed: Int64 | None
    ) -> None:
        self._queries, self._gather, self._opacity, self._listed = queries, gather, opacity, listed
        pictures = to_numpy(queries.pictures)
        self._density, self._scratch = _densities(pictures), Scratch()
        self._stored, self._levels = levels, None if levels is None else _levels(pictures)

    def __call__(self, rows: Array, pixels: Int64 | None = None) -> _Seen:
        """The memories `rows` (Q, S), a few at a time, to stay in the cache; at some of the pixels, or at all.

        Transparent ones lie on the colour that explains the query best (`backgrounds`), which is charged, where that is worth it.
        `exact` is of all pixels, and 0 where these are not asked for.
        """
        pictures = self._queries.pictures
        xp, channels = namespace(pictures), self._queries.grid.shape[2]
        places = None if pixels is None else (pixels[:, None] * channels + np.arange(channels)).ravel()
        density = like(pictures, self._density if places is None else self._density[:, places])
        (count, length), size = rows.shape, int(density.shape[1])
        named = rows if self._listed is None else xp.take_along_axis(self._listed, rows, axis=1)
        exact, agreed, kept = (xp.zeros((count, length), dtype=pictures.dtype, device=pictures.device) for _ in range(3))
        compared: Compared = partial(self._values, pixels, places)
        if self._levels is not None and self._stored is not None:
            stored = self._stored if places is None else self._stored.at(places, rows.shape[0] * length)
            compared = partial(self._in_levels, stored, places)

        def work(part: slice) -> None:
            squares, charge, found, kept[part] = compared(part, named[part], density[part, None])
            agreed[part] = found - charge
            if squares is not None:
                exact[part] = (-size / 2) * xp.log(squares / size + ROUNDING) - charge

        device_of(pictures).on_all_cores(work, count, LOOKED_AT // (length * size))
        # The densities leave out what is the same for all of them, (d/2) (ln(2 pi) + 1).
        replaced = xp.sum(xp.log(density), axis=1) + size / 2 * (math.log(2 * math.pi) + 1)
        return _Seen(exact, agreed, kept, replaced)

    def _values(
        self, pixels: Int64 | None, places: Int64 | None, part: slice, rows: Array, density: Array
    ) -> tuple[Array | None, Array | float, Array, Array]:
        """Some queries and their memories `rows` (q, S): |x - xi|^2 where all pixels are looked at, what a background is charged,
        Lambda and pi, (q, S) each."""
        pictures = self._queries.pictures[part]
        if places is not None:
            pictures = pictures[:, like(rows, places)]
        size = int(pictures.shape[1])
        squares = self._gather(rows.reshape(-1), places).reshape(*rows.shape, size)
        squares -= pictures[:, None]
        charge: Array | float = 0.0
        if self._opacity is not None:
            laid, charged = on_best_background(squares.reshape(-1, size), 1 - self._opacity(rows.reshape(-1), pixels))
            squares, charge = laid.reshape(squares.shape), charged.reshape(rows.shape)
        squares *= squares
        total = row_sums(squares) if places is None else None
        return total, charge, *agreement(density, squares, scratch=self._scratch)

    def _in_levels(
        self, read: Callable[[Int64], UInt8], places: Int64 | None, part: slice, rows: Int64, density: Float32
    ) -> tuple[Array | None, float, Array, Array]:
        """The same where both are in 8 bits, the memories as they are `read`."""
        assert self._levels is not None
        levels = self._levels[part] if places is None else self._levels[part, places]
        stored = read(rows.reshape(-1)).reshape(*rows.shape, -1)
        differences = np.maximum(stored, levels[:, None])
        differences -= np.minimum(stored, levels[:, None], out=stored)
        squares = None
        if places is None:
            values = differences.astype(np.float32)
            squares = np.einsum("qsd,qsd->qs", values, values) / np.float32(255**2)
        return squares, 0.0, *agreement_of_levels(density, differences, self._scratch)


def _levels(pictures: Float32) -> UInt8 | None:
    """Values in levels of 255, if all of them are; else None."""
    scaled = pictures * np.float32(255)
    levels = np.rint(scaled)
    off = float(np.abs(scaled - levels).max(initial=0))
    if not (off <= WHOLE and levels.min(initial=0) >= 0 and levels.max(initial=255) <= 255):  # so that NaN is none
        return None
    found: UInt8 = levels.astype(np.uint8)
    return found


def _densities(pictures: Float32) -> Float32:
    """`value_density` of queries (Q, d)."""
    out = np.empty(pictures.shape, np.float32)

    def work(part: slice) -> None:
        out[part] = value_density(pictures[part])

    on_all_cores(work, len(pictures), MOST_TOGETHER)
    return out


def distinct(proposals: Array) -> tuple[Array, Array]:
    """The distinct proposals (Q, S) of each query from all of them (Q, ...), and which are repeats that only fill up: last."""
    xp = namespace(proposals)
    rows = xp.sort(proposals.reshape(proposals.shape[0], -1), axis=1)
    repeated = xp.concat([xp.zeros_like(rows[:, :1], dtype=xp.bool), rows[:, 1:] == rows[:, :-1]], axis=1)
    order = xp.argsort(xp.astype(repeated, xp.int8), axis=1, stable=True)
    longest = int(xp.max(xp.sum(xp.astype(~repeated, xp.int32), axis=1)))
    order = order[:, :longest]
    return xp.take_along_axis(rows, order, axis=1), xp.take_along_axis(repeated, order, axis=1)

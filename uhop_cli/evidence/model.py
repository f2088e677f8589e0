"""One pass over all memories, and the choice by evidence: the engine around `likelihoods`, which has the equations.

The state of the first step is the damaged query, and the noise model that explains it best gives the weights. What a step reads
out is a picture of the same kind as the memories, damage gone, so from the second step on the identity model alone is at work.
Its energy

    E(x) = -ln sum_mu exp(L(x, mu)),     L = -(d/2) ln(|x - xi_mu|^2 / d + q)

never rises under

    x <- sum_mu w_mu xi_mu,     w_mu proportional to p_mu / (|x - xi_mu|^2 + d q),     p = softmax(L):

L is convex in the squared distances r and log-sum-exp is convex and rising, so -E is at least its tangent in r, which this x
maximises.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from uhop_cli.arrays.library import Array, like, namespace
from uhop_cli.arrays.operations import exp_over, into, log_over
from uhop_cli.arrays.scratch import Scratch
from uhop_cli.arrays.types import Float32, Int64
from uhop_cli.evidence.blocks import FEW_QUERIES, BlockGrid
from uhop_cli.evidence.choice import choose
from uhop_cli.evidence.likelihoods import Products, inner_products, log_likelihoods, veiled_products
from uhop_cli.evidence.memory_statistics import MemoryStatistics
from uhop_cli.evidence.pixelwise.candidates import Candidates, by_queries, propose
from uhop_cli.evidence.prepared import PreparedQueries, prepare, without_mean
from uhop_cli.evidence.unknown import Spectrum
from uhop_cli.retrieval.distances import ROUNDING, squared_distances
from uhop_cli.retrieval.dynamics import ReadsOut
from uhop_cli.retrieval.models import Evaluation
from uhop_cli.retrieval.pattern_matrix import PatternMatrix

FEW_TOGETHER = 1 << 13  # pairs of a few queries and their memories: the products of their blocks stay in the cache
MANY = 33  # queries, with which chunks are long: what is weighed of each memory is forty calls, and those are short enough
MANY_TOGETHER = 1 << 17  # of many: shorter calls have threads wait for each other
UNSEEN = 40.0  # nats below the best: what has so much less of the weight is measured as the product has it
Probes = Callable[[Float32], tuple[Float32, Float32]]


@dataclass(frozen=True)
class EvidenceEngine:
    """The memories as the choice by evidence sees them.

    Attributes:
        X: the memories.
        grid: of their shape.
        spectrum: of the memories.
        statistics: of the memories, on the device of X.
        probes: rows (Q, d) -> A_r x (R, Q, d) and |Phi_r(x)| (R, Q), for the kernels that take part.
        dims: the dimension of the noise that each kernel whitens.
        features: W (xi - mean xi) of all memories, (D, M), where they are at hand; only batches of queries use them.
        coordinates: the same as `probes` for them, (R, Q, D).
        opacity: of the memories, where pictures have transparency: rows of H W values.
        named: for each of the queries that are asked, memories that are compared pixel by pixel whatever the models propose, (Q, N)
            (`shortlist.index`); -1 where there are fewer.
    """

    X: PatternMatrix
    grid: BlockGrid
    spectrum: Spectrum
    statistics: MemoryStatistics
    probes: Probes
    dims: tuple[float, ...]
    features: Float32 | None = None
    coordinates: Probes | None = None
    opacity: PatternMatrix | None = None
    named: Int64 | None = None

    @property
    def count(self) -> int:
        """How many memories a query is compared with."""
        return self.X.count

    @property
    def memories(self) -> ReadsOut:
        """What their weights read out."""
        return self.X

    def prepare(self, queries: Float32, opacity: bool | None = None) -> PreparedQueries:
        """Queries (Q, d), in host memory, ready for the pass.

        Args:
            queries: see above.
            opacity: whether a background is seen through any memory, where these are not all; None: as these have it.
        """
        put, at_hand = self.X.device.put, self._features_for(len(queries)) is not None
        project = self.coordinates if at_hand and self.coordinates is not None else self.probes
        probes, norms = project(without_mean(queries))
        return prepare(
            self.grid,
            self.spectrum,
            put(queries),
            probes=put(probes),
            norms=put(norms),
            dims=self.dims,
            for_features=at_hand,
            opacity=self.statistics.backgrounds is not None if opacity is None else opacity,
        )

    def _features_for(self, queries: int) -> Float32 | None:
        """The features, if that many queries make use of them: a few read the pixels of a memory faster, which are fewer bytes."""
        return self.features if queries > FEW_QUERIES else None

    def scan(self, queries: PreparedQueries) -> tuple[Array, Array]:
        """The pass over all memories: log-likelihoods (K, Q, M) and plain cosines (Q, M)."""
        X = self.X
        xp = namespace(queries.pictures)
        count = int(queries.pictures.shape[0])
        scores = xp.empty((len(queries.models) - 1, count, X.count), dtype=xp.float32, device=queries.pictures.device)
        cosines = xp.empty((count, X.count), dtype=xp.float32, device=queries.pictures.device)
        features = self._features_for(count)
        # Pixels come as stored; the query carries their scale, so that no chunk has to be multiplied by it.
        probes = queries.probes * X.scale if features is None else queries.probes
        scaled = replace(queries, pictures=queries.pictures * X.scale, probes=probes)

        if count > FEW_QUERIES or X.long_chunks:
            parts = [(part, queries.part(part)) for part in X.query_parts(count, MANY_TOGETHER)]
            scratch = Scratch()

            def work(rows: slice, pixels: Array) -> None:
                statistics = self.statistics.rows(rows)
                some_features = None if features is None else features[:, rows]
                products = inner_products(scaled, pixels, statistics.codes, some_features, scratch)
                products = products._replace(veiled=self._veiled(queries, statistics, rows))
                for part, some in parts:
                    found = log_likelihoods(some, products.part(part), statistics)
                    scores[:, part, rows], cosines[part, rows] = found

            X.each_chunk(work, max(count, MANY))
            return scores, cosines
        # A chunk of pixels that fits into the cache has few rows, and work on few numbers is mostly overhead.
        grid = self.grid
        slabs = grid.slabs(scaled.blocks, scaled.probes.reshape(-1, X.dim))
        slab_products = np.empty((grid.side, slabs[0].shape[-2], X.count), np.float32)

        def weigh(rows: slice) -> None:
            blocks, projections = grid.of_slabs(slab_products[:, :, rows], count)
            projections = projections.reshape(len(queries.dims), count, rows.stop - rows.start)
            statistics = self.statistics.rows(rows)
            bands = queries.bands.products(queries.coefficients, statistics.codes)
            products = Products(blocks, bands, projections, self._veiled(queries, statistics, rows))
            scores[:, :, rows], cosines[:, rows] = log_likelihoods(queries, products, statistics)

        X.each_chunk(lambda rows, pixels: grid.slab_products(pixels, slabs, slab_products[:, :, rows]), count)
        X.device.on_all_cores(weigh, X.count, FEW_TOGETHER // count)
        return scores, cosines

    def _veiled(self, queries: PreparedQueries, statistics: MemoryStatistics, rows: slice) -> Array | None:
        """`Products.veiled` of the chunk `rows`, whose statistics are given; None where no background is seen."""
        if self.opacity is None or statistics.backgrounds is None:
            return None
        places = like(queries.pictures, rows.start + statistics.backgrounds.places)
        return veiled_products(queries, self.opacity.rows(places))

    def identity(self, pictures: Array) -> Array:
        """L of the identity model, (Q, M), for pictures (Q, d)."""
        size = self.X.dim
        squares = squared_distances(self.X, pictures, totals=self.statistics.totals, times=math.exp(2 * UNSEEN / size))

        def work(part: slice) -> None:
            values = squares[part]
            values *= 1 / size
            values += ROUNDING
            values = log_over(values)
            values *= -size / 2
            squares[part] = values

        by_queries(work, squares)
        return squares

    def candidates(self, queries: PreparedQueries, scores: Array, cosines: Array) -> Candidates:
        """The memories that the models propose, from what the pass found."""
        opacity = None if self.opacity is None else self.opacity.rows
        return propose(queries, scores, cosines, self.X.rows, opacity, levels=self.X.levels, named=self.named)


class EvidenceModel:
    """The retrieval model of the choice by evidence; see the head of this file.

    Args:
        engine: of the memories.
        queries: prepared.
    """

    name = "evidence"
    monotone = True  # from the first read-out on

    def __init__(self, engine: EvidenceEngine, queries: PreparedQueries) -> None:
        self.engine, self.queries = engine, queries
        scores, cosines = engine.scan(queries)
        listed = engine.candidates(queries, scores, cosines)
        self.choice = choose(queries, engine.statistics, scores, cosines, listed)
        self._first = scores[0]  # L of the identity model for the query
        self._first[namespace(cosines).arange(len(listed.rows), device=listed.rows.device)[:, None], listed.rows] = listed.exact

    def start(self, queries: Array) -> Array | None:
        """None stands for the query itself."""
        return None

    def evaluate(self, state: Array | None) -> Evaluation:
        """The weights of the answering model for the query, of the identity model for a picture; the energy is the latter's."""
        identity = self._first if state is None else self.engine.identity(state)
        xp, scratch = namespace(identity), Scratch()
        energy = xp.empty_like(identity[:, 0])
        # e^L / (|x - xi|^2 / d + q) = e^((1 + 2/d) L), as L has the logarithm of what it is divided by.
        weights = self.choice.weights if state is None else xp.empty_like(identity)

        def work(part: slice) -> None:
            own = identity[part]
            top = xp.max(own, axis=-1, keepdims=True)
            below = into(scratch.empty("below", own.shape, own), "sub", own, top)
            if state is not None:
                pulls = exp_over(into(scratch.empty("pulls", own.shape, own), "mul", below, 1 + 2 / self.engine.X.dim))
                weights[part] = pulls / xp.sum(pulls, axis=-1, keepdims=True)
            energy[part] = -xp.log(xp.sum(exp_over(below), axis=-1)) - top[:, 0]

        by_queries(work, identity)
        return Evaluation(weights, self.choice.scores if state is None else identity, energy)

    def advance(self, state: Array | None, weights: Array, picture: Array) -> Array:
        """The picture."""
        return picture

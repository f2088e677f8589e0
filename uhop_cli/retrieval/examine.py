"""One pass over all memories, and the choice by evidence: the engine around `evidence`, which has the equations.

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

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays import Array, logsumexp, namespace
from uhop_cli.retrieval.bank import Bank
from uhop_cli.retrieval.blocks import BlockGrid
from uhop_cli.retrieval.choice import Shortlist, choose, shortlist
from uhop_cli.retrieval.evidence import MemoryStatistics, Query, centred, log_likelihoods, prepare
from uhop_cli.retrieval.models import Evaluation
from uhop_cli.retrieval.residuals import ROUNDING, squared_distances
from uhop_cli.retrieval.separation import Separation

Probes = Callable[[NDArray[np.float32]], tuple[NDArray[np.float32], NDArray[np.float32]]]


@dataclass(frozen=True)
class Examiner:
    """The memories as the choice by evidence sees them.

    Attributes:
        bank: the memories.
        grid: of their shape.
        statistics: of the memories, on the bank's device.
        probes: rows (Q, d) -> A_r x (R, Q, d) and |Phi_r(x)| (R, Q), for the kernels that take part.
        dims: the dimension of the noise that each kernel whitens.
    """

    bank: Bank
    grid: BlockGrid
    statistics: MemoryStatistics
    probes: Probes
    dims: tuple[float, ...]

    def prepare(self, queries: NDArray[np.float32]) -> Query:
        """Queries (Q, d), in host memory, ready for the pass."""
        put = self.bank.device.put
        probes, norms = self.probes(centred(queries))
        return prepare(self.grid, put(queries), put(probes), put(norms), self.dims)

    def scan(self, query: Query) -> tuple[Array, Array]:
        """The pass over all memories: log-likelihoods (K, Q, M) and plain cosines (Q, M)."""
        bank = self.bank
        xp = namespace(query.pictures)
        count = int(query.pictures.shape[0])
        scores = xp.empty((len(query.models) - 1, count, bank.count), dtype=xp.float32, device=query.pictures.device)
        cosines = xp.empty((count, bank.count), dtype=xp.float32, device=query.pictures.device)
        # Pixels come as stored; the query carries their scale, so that no chunk has to be multiplied by it.
        scaled = replace(query, pictures=query.pictures * bank.scale, probes=query.probes * bank.scale)

        def work(rows: slice, pixels: Array) -> None:
            scores[:, :, rows], cosines[:, rows] = log_likelihoods(scaled, pixels, self.statistics.rows(rows))

        bank.each_chunk(work, count)
        return scores, cosines

    def shortlist(self, query: Query, scores: Array, cosines: Array) -> Shortlist:
        """The memories that the models propose, from what the pass found."""
        return shortlist(query, scores, cosines, self.bank.rows)


class EvidenceModel:
    """The retrieval model of the choice by evidence; see the head of this file.

    Args:
        examiner: of the memories.
        query: prepared.
        separation, beta: weights are Sep(beta L); softmax at beta = 1 is the posterior.
    """

    name = "evidence"
    monotone = True  # from the first read-out on

    def __init__(self, examiner: Examiner, query: Query, separation: Separation, beta: float) -> None:
        self.examiner, self.separation, self.beta = examiner, separation, beta
        self.query = query
        scores, cosines = examiner.scan(query)
        listed = examiner.shortlist(query, scores, cosines)
        self.choice = choose(query, scores, cosines, listed)
        self._first = scores[0]  # L of the identity model for the query
        self._first[namespace(cosines).arange(len(listed.rows), device=listed.rows.device)[:, None], listed.rows] = listed.exact

    def start(self, queries: Array) -> Array | None:
        """None stands for the query itself."""
        return None

    def evaluate(self, state: Array | None) -> Evaluation:
        """The weights of the answering model for the query, of the identity model for a picture; the energy is the latter's."""
        identity = self._first if state is None else self._identity(state)
        energy = -logsumexp(identity)
        if state is None:
            return Evaluation(self.separation(self.beta * self.choice.scores), self.choice.scores, energy)
        xp = namespace(identity)
        residual = xp.exp(-2 / self.examiner.bank.dim * identity)  # |x - xi|^2 / d + q
        pull = self.separation(self.beta * identity) / residual
        return Evaluation(pull / xp.sum(pull, axis=-1, keepdims=True), identity, energy)

    def advance(self, state: Array | None, weights: Array, picture: Array) -> Array:
        """The picture."""
        return picture

    def _identity(self, pictures: Array) -> Array:
        """L of the identity model, (Q, M)."""
        bank = self.examiner.bank
        squares = squared_distances(bank, pictures, totals=self.examiner.statistics.totals)
        return (-bank.dim / 2) * namespace(pictures).log(squares / bank.dim + ROUNDING)

"""Minima over all pairs of memories, from the blocks of two Gram matrices: what the guarantees of `margins` are made of.

G = Z Z^T holds the inner products of the features, H those of the pulls y_mu = W^T z_mu (in units of the score), so that ||y_mu -
y_nu|| is the length of the gradient of s_mu - s_nu. Blocks are visited once and serve both of their memories; nothing of size M x
M is kept.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays.operations import quotient
from uhop_cli.arrays.threads import chunks
from uhop_cli.arrays.types import Floats

BLOCK_ROWS = 512  # rows of the Gram matrices at a time
ROUNDING = 8.0  # times sqrt(k) eps of the norms: more than the rounding of an inner product of k terms amounts to


class Pairs:
    """The running minima over pairs of memories, filled block by block of the Gram matrices."""

    def __init__(self, patterns: Floats, weight: Floats | None, similarity: str, limit: float) -> None:
        self.similarity, self.threshold = similarity, limit
        self.features = patterns if weight is None else patterns @ weight.T
        self.norms = np.linalg.norm(self.features, axis=1)
        # y_mu with ||y_mu - y_nu|| the gradient's length: A xi for the kernels, the pattern itself for the others
        self.pulls = self.features if weight is None else self.features @ weight
        self.largest_gain = 1.0
        if similarity.endswith("cosine"):
            if weight is not None and 0 < limit < math.inf:  # equation (3) of `margins` needs it there only
                self.largest_gain = operator_norm(weight)
            self.pulls = quotient(self.pulls, self.norms[:, None])
        self.pull_squares = np.einsum("ij,ij->i", self.pulls, self.pulls)
        count, dtype = len(patterns), patterns.dtype
        terms = max(self.features.shape[1], patterns.shape[1])
        self.slop = ROUNDING * math.sqrt(terms) * float(np.finfo(dtype).eps)
        self.margins = np.full(count, np.inf, dtype)
        self.rivals = np.full(count, -1, np.intp)
        self.exact = np.full(count, np.inf, dtype)
        self.argmax = np.full(count, np.inf, dtype)
        self.squares = np.full(count, np.inf, dtype)
        self.cosines = np.stack([np.zeros(count), np.full(count, -np.inf), np.full(count, np.inf)])  # sum, max, min over nu

    def sweep(self, memories: NDArray[np.intp] | None) -> None:
        """Visit every pair of a chosen memory with any memory; where all are chosen, each pair's products serve both."""
        count = len(self.features)
        everything = np.arange(count)
        if memories is not None:
            for part in chunks(len(memories), BLOCK_ROWS):
                self._block(np.asarray(memories, np.intp)[part], everything, both=False)
            return
        for part in chunks(count, BLOCK_ROWS):
            rows = everything[part]
            self._block(rows, rows, both=False)
            for other in chunks(count - part.stop, 4 * BLOCK_ROWS):
                self._block(rows, everything[part.stop :][other], both=True)

    def cosine_distances(self, which: NDArray[np.intp]) -> tuple[float, float, float]:
        """Mean, smallest and largest 1 - cos over the pairs of `which` with all; 0 for a single memory."""
        others = len(self.features) - 1
        if others == 0:
            return 0.0, 0.0, 0.0
        total, largest, smallest = self.cosines[:, which]
        return 1 - float(total.mean()) / others, 1 - float(largest.max()), 1 - float(smallest.min())

    def _block(self, rows: NDArray[np.intp], columns: NDArray[np.intp], *, both: bool) -> None:
        gram = self.features[rows] @ self.features[columns].T
        shared = gram if self.pulls is self.features else self.pulls[rows] @ self.pulls[columns].T
        self._update(rows, columns, gram, shared)
        if both:
            self._update(columns, rows, gram.T, shared.T)

    def _update(self, rows: NDArray[np.intp], columns: NDArray[np.intp], gram: Floats, shared: Floats) -> None:
        own, other = self.norms[rows][:, None], self.norms[columns][None, :]
        squares = np.maximum(own**2 + other**2 - 2 * gram, 0)
        product = own * other
        cosines = np.clip(quotient(gram, product), -1, 1)
        same = rows[:, None] == columns[None, :]
        size = own**2 + product  # what the rounding of a gap is measured by
        if self.similarity in ("kernel", "dot"):
            gaps, scale, extra = own**2 - gram, 1.0, 0.0
        elif self.similarity == "l2-squared":
            gaps, scale, extra, size = squares, 1.0, 0.0, own**2 + other**2
        else:
            # a zero vector has no direction, and is not even like itself
            gaps, scale, extra, size = (own > 0) - cosines, own, self.largest_gain, 2.0
        lengths = self.pull_squares[rows][:, None] + self.pull_squares[columns][None, :]
        slopes = np.sqrt(np.maximum(lengths - 2 * shared, 0) + self.slop * lengths) * (2 if self.similarity == "l2-squared" else 1)
        sure = gaps - self.slop * size
        with np.errstate(divide="ignore", invalid="ignore"):  # two zero images: 0 / 0, and no radius
            argmax = np.where(sure > 0, scale * sure / slopes, 0)
            if math.isinf(self.threshold):
                exact = np.zeros_like(argmax)
            else:
                ahead = sure - self.threshold
                exact = np.where(ahead > 0, scale * ahead / (slopes + self.threshold * extra), 0)
        if self.similarity.endswith("cosine"):  # whose features have length 1, or 0
            squares = np.maximum(1.0 * (own > 0) + (other > 0) - 2 * cosines, 0)
        for values in (gaps, squares, argmax, exact):
            values[same] = np.inf
        nearest = np.argmin(gaps, axis=1)
        found = gaps[np.arange(len(rows)), nearest]
        closer = found < self.margins[rows]
        self.rivals[rows[closer]] = columns[nearest[closer]]
        for target, values in (
            (self.margins, found),
            (self.squares, squares.min(1)),
            (self.argmax, argmax.min(1)),
            (self.exact, exact.min(1)),
        ):
            target[rows] = np.minimum(target[rows], values)
        self.cosines[0, rows] += np.where(same, 0, cosines).sum(axis=1, dtype=np.float64)
        self.cosines[1, rows] = np.maximum(self.cosines[1, rows], np.where(same, -np.inf, cosines).max(axis=1))
        self.cosines[2, rows] = np.minimum(self.cosines[2, rows], np.where(same, np.inf, cosines).min(axis=1))


def operator_norm(weight: Floats) -> float:
    """An upper bound on ||W||_2: exact to rounding where the rows of W are orthogonal, at most D^(1/16) too large else.

    ||W||^2 is the largest eigenvalue of S = W W^T, at most the largest absolute row sum of S (Gershgorin), which is the
    eigenvalue itself where S is diagonal, and at most ||S^4||_F^(1/4), within D^(1/8) of it.
    """
    inner = weight @ weight.T if len(weight) <= weight.shape[1] else weight.T @ weight
    largest = float(np.abs(inner).sum(axis=1).max())
    if largest <= 1.01 * float(np.diagonal(inner).max()):
        return math.sqrt(largest)
    inner = inner / largest
    inner = inner @ inner
    return math.sqrt(largest * min(1.0, float(np.linalg.norm(inner @ inner)) ** 0.25))

"""The retrieval models: what a state is, which weights it gives the memories, and where it goes next.

Each model has a state for every query. `evaluate` gives the weights p = Sep(beta * scores) over the memories and the energy of the
state; `advance` gives the next state. The picture that a step retrieves is always the same weighted sum X^T p.

    LinearModel     scores F z * scale + bias with F = W X^T / norms; state z in feature space, z <- F^T p. Covers the raw kernel
                    (U-Hop eq. 2.4, norms = 1), normalised features (docs/equations.md), dot, cosine and -L2^2.
    ClampedModel    the same, with known pixels held fast: the free pixels take the exact minimiser of the tangent.
    FixedModel      scores of the query alone (visible-pixel similarities, -L2, -L1): the state never moves the scores.

docs/equations.md says for which of them the energy is proved to fall; these have `monotone` True.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from uhop_cli.arrays.device import device_of
from uhop_cli.arrays.library import Array, namespace
from uhop_cli.arrays.operations import inverse, quotient, unit_vectors
from uhop_cli.arrays.threads import WORTH_THREADS
from uhop_cli.retrieval.energy import conjugate
from uhop_cli.retrieval.pattern_matrix import PatternMatrix
from uhop_cli.retrieval.separation import Separation

ROWS_BYTES = 1 << 20  # of scores that are separated together
CLAMP_ITERATIONS = 50  # of conjugate gradients; each lowers the tangent, so that the energy falls however many there are


@dataclass(frozen=True)
class Evaluation:
    """What a state is worth: weights and scores over the memories, (Q, M), and the energy (Q,), None where none is defined."""

    weights: Array
    scores: Array
    energy: Array | None


def separated(separation: Separation, scores: Array, beta: float) -> tuple[Array, Array | None]:
    """p = Sep(beta * scores), (Q, M), and Psi*(beta, scores), (Q,), None where it is not defined.

    A few rows at a time, which stay in the cache, on all cores.
    """
    alpha = separation.alpha
    if alpha is None:  # some of these have to know which row of the batch they are at
        return separation(beta * scores), None
    xp = namespace(scores)
    count, size = (int(length) for length in scores.shape)
    if count * size < WORTH_THREADS or count == 1:
        weights = separation(beta * scores)
        return weights, conjugate(scores, beta, alpha, weights)
    weights, potential = xp.empty_like(scores), xp.empty_like(scores[:, 0])

    def work(rows: slice) -> None:
        weights[rows] = separation(beta * scores[rows])
        potential[rows] = conjugate(scores[rows], beta, alpha, weights[rows])

    device_of(scores).on_all_cores(work, count, ROWS_BYTES // (scores.dtype.itemsize * size))
    return weights, potential


class Model(Protocol):
    """See the head of this file."""

    name: str
    monotone: bool

    def start(self, queries: Array) -> Any:
        """The state of queries (Q, d)."""
        ...

    def evaluate(self, state: Any) -> Evaluation:
        """Weights, scores and energy of a state."""
        ...

    def advance(self, state: Any, weights: Array, picture: Array) -> Any:
        """The next state, from the weights of this one and the picture X^T p that they give."""
        ...


class LinearModel:
    """Scores that are linear in the state.

    Args:
        X: the memories.
        separation: from logits to weights.
        beta: inverse temperature.
        weight: W (D, d); None is the identity.
        norms: (M,) the length that each memory's feature is divided by; None divides by nothing, and the query is not normalised.
        bias: (M,) added to the scores.
        scale: factor of the linear part.
        features: F^T = W X^T / norms, (D, M), where it is at hand: then nothing but it is read, which has fewer values than X.
        name: of the map, for the result.
    """

    def __init__(
        self,
        X: PatternMatrix,
        separation: Separation,
        beta: float,
        *,
        weight: Array = None,
        norms: Array = None,
        bias: Array = None,
        scale: float = 1.0,
        features: Array = None,
        name: str = "kernel",
    ) -> None:
        self.X, self.separation, self.beta = X, separation, beta
        self.weight, self.bias, self.scale, self.features, self.name = weight, bias, scale, features, name
        self.inverse: Array = None if norms is None else inverse(norms)
        self.monotone = separation.alpha is not None

    def start(self, queries: Array) -> Array:
        """z = Phi(x), divided by its length where the memories' features are."""
        features = queries if self.weight is None else device_of(queries).product(queries, self.weight.T)
        return features if self.inverse is None else unit_vectors(features)

    def scores_of(self, state: Array) -> Array:
        """scale F z + bias, (Q, M)."""
        if self.features is not None:
            scores = device_of(state).product(state, self.features)
        else:
            probes = state if self.weight is None else device_of(state).product(state, self.weight)
            scores = self.X.products(probes if self.scale == 1 else probes * self.scale, self.inverse)
        if self.bias is not None:
            scores += self.bias
        return scores

    def evaluate(self, state: Array) -> Evaluation:
        """p = Sep(beta F z) and E(z) = scale ||z||^2 / 2 - Psi*(beta, F z)."""
        scores = self.scores_of(state)
        weights, potential = separated(self.separation, scores, self.beta)
        return Evaluation(weights, scores, None if potential is None else self.energy(state, potential))

    def energy(self, state: Array, potential: Array) -> Array:
        """E(z) from Psi*(beta, F z), (Q,)."""
        return 0.5 * self.scale * namespace(state).sum(state * state, axis=-1) - potential

    def advance(self, state: Array, weights: Array, picture: Array) -> Array:
        """z <- F^T p."""
        return self.moved(state, self.target(weights, picture))

    def target(self, weights: Array, picture: Array) -> Array:
        """F^T p = W sum_mu p_mu xi_mu / n_mu, (Q, D)."""
        return self.embedded(picture if self.inverse is None else self.X.read_out(weights * self.inverse))

    def embedded(self, pictures: Array) -> Array:
        """W x of pictures (Q, d): (Q, D)."""
        return pictures if self.weight is None else pictures @ self.weight.T

    def moved(self, state: Array, target: Array) -> Array:
        """The state that a target leads to: itself."""
        return target


class ClampedModel(LinearModel):
    """A kernel model in which known pixels do not move.

    The state is z = W x / ||W x0|| with x made of known and free pixels. A step minimises the tangent of the energy,
    ||z - F^T p||^2 / 2, over the free pixels by conjugate gradients, started where they are (least norm where A_ff is singular).

    Args:
        known: (Q, d) bool, the pixels that stay.
        The others as in `LinearModel`.
    """

    def __init__(self, *args: Any, known: Array, **named: Any) -> None:
        super().__init__(*args, **named)
        self.known = known
        self.name = f"{self.name}, clamped"
        self._pixels: Array = None
        self._length: Array = None

    def start(self, queries: Array) -> Array:
        """z of the query, whose missing pixels start at 0."""
        xp = namespace(queries)
        self._pixels = xp.where(self.known, queries, 0)
        features = self._pixels @ self.weight.T
        length = xp.sqrt(xp.sum(features * features, axis=-1, keepdims=True))
        self._length = xp.where(length > 0, length, 1) if self.inverse is not None else xp.ones_like(length)
        return features / self._length

    def moved(self, state: Array, target: Array) -> Array:
        """Free pixels x_f <- argmin ||W x / l - F^T p||^2, by conjugate gradients on the normal equations."""
        xp = namespace(state)
        target = target * self._length  # (Q, D)
        x, weight = self._pixels, self.weight
        residual = target - x @ weight.T
        gradient = xp.where(self.known, 0, residual @ weight)
        direction = gradient
        size = xp.sum(gradient * gradient, axis=-1, keepdims=True)
        for _ in range(CLAMP_ITERATIONS):
            image = direction @ weight.T
            curvature = xp.sum(image * image, axis=-1, keepdims=True)
            step = quotient(size, curvature)
            x = x + step * direction
            residual = residual - step * image
            gradient = xp.where(self.known, 0, residual @ weight)
            new_size = xp.sum(gradient * gradient, axis=-1, keepdims=True)
            direction = gradient + quotient(new_size, size) * direction
            size = new_size
        self._pixels = x
        return (x @ weight.T) / self._length


class FixedModel:
    """Scores of the query that no step changes: what is known of the query stays, so the first step is the fixed point.

    Args:
        scores: (Q, M), larger = closer.
        separation, beta: from scores to weights.
        name: of the map.
    """

    monotone = True

    def __init__(self, scores: Array, separation: Separation, beta: float, name: str) -> None:
        self.scores, self.separation, self.beta, self.name = scores, separation, beta, name

    def start(self, queries: Array) -> Array:
        """The query itself; it is not used again."""
        return queries

    def scores_of(self, state: Array) -> Array:
        """The same for every state, (Q, M)."""
        return self.scores

    def evaluate(self, state: Array) -> Evaluation:
        """p = Sep(beta * scores); the energy is -Psi*(beta, scores), constant."""
        weights, potential = separated(self.separation, self.scores, self.beta)
        return Evaluation(weights, self.scores, None if potential is None else self.energy(state, potential))

    def energy(self, state: Array, potential: Array) -> Array:
        """-Psi*(beta, scores), (Q,)."""
        return -potential

    def target(self, weights: Array, picture: Array) -> Array:
        """The picture, which leads nowhere."""
        return picture

    def moved(self, state: Array, target: Array) -> Array:
        """Nowhere."""
        return state

    def advance(self, state: Array, weights: Array, picture: Array) -> Array:
        """Nowhere."""
        return self.moved(state, picture)

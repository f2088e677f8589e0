"""Similarity functions: one score for each pair of query and memory, and larger means closer, always.

A similarity takes queries (Q, d) and memories (M, d) and returns scores (Q, M) that a separation function (`separation`) turns
into weights. Distances enter with their sign turned, so that every similarity obeys one contract: **larger = closer**. Nothing
downstream has to know which one it is, and the sign error of feeding distances to softmax (which then prefers the farthest
memory) cannot be written. With Phi(u) = W u and v the 0/1 vector of the visible pixels (all ones where everything is visible):

    dot                <v x, v xi>
    cosine             <v x, v xi> / (||v x|| ||v xi||)
    l2                 -||v (x - xi)||
    l2-squared         -||v (x - xi)||^2
    l1                 -||v (x - xi)||_1
    kernel             <Phi(v x), Phi(v xi)>                              (U-Hop eq. 2.1)
    kernel-distance    -||Phi(v x) - Phi(v xi)||^2                        (log G_t / t, U-Hop eq. 2.7)
    kernel-cosine      <Phi(v x), Phi(v xi)> / (||Phi(v x)|| ||Phi(v xi)||)

The visible form is the similarity after deleting the columns of the missing pixels from x, xi and W. All but l1 are matrix
products. Sources: Millidge et al. 2022 (arXiv 2202.04557) for the framework, Wu et al. 2024 (arXiv 2404.03827) for the kernels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from uhop_cli.arrays.library import Array, namespace
from uhop_cli.arrays.operations import quotient
from uhop_cli.arrays.threads import chunks
from uhop_cli.errors import SettingsError

BLOCK_VALUES = 1 << 22  # values of one temporary array where a form needs more than a matrix product (16 MB of float32)
# ||x||^2 + ||xi||^2 - 2 <x, xi> loses the leading digits when it is small beside its terms: below this share it is computed from
# x - xi.
CANCELLATION = 1e-3


class Score(Protocol):
    """The common signature of the functions in this file; see `Similarity.__call__`."""

    def __call__(
        self, queries: Array, memories: Array, *, visible: Array | None, norms: Array | None, weight: Array | None
    ) -> Array: ...


@dataclass(frozen=True)
class Similarity:
    """An entry of the registry `SIMILARITIES`.

    Attributes:
        name: how the command line and the settings call it.
        score: the function.
        uses_weight: whether it is a kernel, so that W has to be given.
    """

    name: str
    score: Score
    uses_weight: bool = False

    def __call__(
        self,
        queries: Array,
        memories: Array,
        *,
        visible: Array | None = None,
        norms: Array | None = None,
        weight: Array | None = None,
    ) -> Array:
        """Scores of every query against every memory, larger = closer.

        Args:
            queries: shape (Q, d), floating point.
            memories: shape (M, d), the same dtype.
            visible: which pixels of each query are known, shape (Q, d), or (1, d) or (d,) for all queries; None: all of them.
                What stands in the missing pixels has no influence.
            norms: what `norms(memories, weight)` returned, to save its cost. Not used with `visible`, which changes the norms.
            weight: W, shape (D, d), for the kernels; must be None for the others.

        Returns:
            shape (Q, M), the dtype of the queries. The cosine with a vector of length zero is 0.

        Raises:
            SettingsError: shapes that do not fit, W missing or given in vain.
        """
        self._check(queries, memories, weight)
        if visible is not None:
            visible = visible[None, :] if visible.ndim == 1 else visible
            if visible.shape[0] not in (1, queries.shape[0]) or visible.shape[1] != queries.shape[1]:
                raise SettingsError(f"the mask has shape {tuple(visible.shape)}, the queries {tuple(queries.shape)}")
            visible = namespace(queries).astype(visible, queries.dtype)
        return self.score(queries, memories, visible=visible, norms=norms, weight=weight)

    def norms(self, memories: Array, weight: Array | None = None) -> Array:
        """||xi_mu||, or ||Phi(xi_mu)|| for the kernels: shape (M,)."""
        self._check(memories, memories, weight)
        return namespace(memories).sqrt(_memory_squares(memories, None, None, weight)[0])

    def _check(self, queries: Array, memories: Array, weight: Array | None) -> None:
        if queries.ndim != 2 or memories.ndim != 2 or queries.shape[1] != memories.shape[1]:
            raise SettingsError(f"queries {tuple(queries.shape)} and memories {tuple(memories.shape)} must be (Q, d) and (M, d)")
        if memories.shape[0] == 0:
            raise SettingsError("there is no memory to compare with")
        if self.uses_weight and (weight is None or weight.ndim != 2 or weight.shape[1] != queries.shape[1]):
            raise SettingsError(f"similarity '{self.name}' needs a weight W of shape (D, {queries.shape[1]})")
        if not self.uses_weight and weight is not None:
            raise SettingsError(f"similarity '{self.name}' has no weight W")


def _inner(queries: Array, memories: Array, *, visible: Array | None, norms: Array | None, weight: Array | None) -> Array:
    """<Phi(v x), Phi(v xi)>, (Q, M). A x is formed, never Phi(xi), so that the memories enter one product only."""
    probes = queries if visible is None else queries * visible
    if weight is not None:
        probes = (probes @ weight.T) @ weight
        # v stands on the side of the memory too, but <v A v x, xi> = <A v x, v xi>: one mask on the thin side does it.
        probes = probes if visible is None else probes * visible
    return probes @ memories.T


def _normalised(queries: Array, memories: Array, *, visible: Array | None, norms: Array | None, weight: Array | None) -> Array:
    """<Phi(v x), Phi(v xi)> / (||Phi(v x)|| ||Phi(v xi)||), 0 where a length is 0."""
    xp = namespace(queries)
    products = _inner(queries, memories, visible=visible, norms=None, weight=weight)
    lengths = xp.sqrt(_query_squares(queries, visible, weight)) * xp.sqrt(_memory_squares(memories, visible, norms, weight))
    return quotient(products, lengths)


def _negative_square(queries: Array, memories: Array, *, visible: Array | None, norms: Array | None, weight: Array | None) -> Array:
    """-||Phi(v x) - Phi(v xi)||^2 by the binomial formula, and from the difference itself where that would cancel."""
    xp = namespace(queries)
    scale = _query_squares(queries, visible, weight) + _memory_squares(memories, visible, norms, weight)
    squares = scale - 2 * _inner(queries, memories, visible=visible, norms=None, weight=weight)
    rows, columns = xp.nonzero(squares < CANCELLATION * scale)
    for part in chunks(rows.shape[0], BLOCK_VALUES // queries.shape[1]):
        row, column = rows[part], columns[part]
        difference = queries[row] - memories[column]
        if visible is not None:
            difference = difference * (visible if visible.shape[0] == 1 else visible[row])
        difference = difference if weight is None else difference @ weight.T
        squares[row, column] = xp.sum(difference * difference, axis=-1)
    return -squares


def _negative_root(queries: Array, memories: Array, *, visible: Array | None, norms: Array | None, weight: Array | None) -> Array:
    """-||v (x - xi)||."""
    return -namespace(queries).sqrt(-_negative_square(queries, memories, visible=visible, norms=norms, weight=weight))


def _negative_l1(queries: Array, memories: Array, *, visible: Array | None, norms: Array | None, weight: Array | None) -> Array:
    """-||v (x - xi)||_1: no matrix product has this form, so it goes by blocks of memories, one query at a time."""
    xp = namespace(queries)
    rows = []
    for index in range(queries.shape[0]):
        mask = None if visible is None else visible[index if visible.shape[0] > 1 else 0]
        blocks = []
        for part in chunks(memories.shape[0], BLOCK_VALUES // memories.shape[1]):
            distance = xp.abs(memories[part] - queries[index])
            blocks.append(xp.sum(distance, axis=-1) if mask is None else distance @ mask)
        rows.append(-xp.concat(blocks))
    return xp.stack(rows) if rows else queries @ memories.T


def _query_squares(queries: Array, visible: Array | None, weight: Array | None) -> Array:
    """||Phi(v x)||^2, shape (Q, 1)."""
    seen = queries if visible is None else queries * visible
    seen = seen if weight is None else seen @ weight.T
    return namespace(queries).sum(seen * seen, axis=-1, keepdims=True)


def _memory_squares(memories: Array, visible: Array | None, norms: Array | None, weight: Array | None) -> Array:
    """||Phi(v xi)||^2, shape (1, M), or (Q, M) where every query has a mask of its own.

    A kernel needs the features of the memories under each mask, O(M d D) a mask; queries that follow each other with the same mask
    share it.
    """
    xp = namespace(memories)
    if visible is None and norms is not None:
        return (norms * norms)[None, :]
    if weight is None:
        squares = [
            xp.sum(memories[part] * memories[part], axis=-1)[None, :]
            if visible is None
            else visible @ (memories[part] * memories[part]).T
            for part in chunks(memories.shape[0], BLOCK_VALUES // memories.shape[1])
        ]
        return xp.concat(squares, axis=1)
    if visible is None:
        return _feature_squares(memories, weight)[None, :]
    rows: list[Array] = []
    for index in range(visible.shape[0]):
        same = index > 0 and bool(xp.all(visible[index] == visible[index - 1]))
        rows.append(rows[-1] if same else _feature_squares(memories, weight * visible[index]))
    return xp.stack(rows)


def _feature_squares(memories: Array, weight: Array) -> Array:
    """||W xi||^2, shape (M,), by blocks of memories."""
    xp = namespace(memories)
    squares = []
    for part in chunks(memories.shape[0], BLOCK_VALUES // weight.shape[0]):
        features = memories[part] @ weight.T
        squares.append(xp.sum(features * features, axis=-1))
    return xp.concat(squares)


def _register(*entries: Similarity) -> dict[str, Similarity]:
    return {entry.name: entry for entry in entries}


SIMILARITIES: dict[str, Similarity] = _register(
    Similarity("dot", _inner),  # <x, xi>
    Similarity("cosine", _normalised),  # <x, xi> / (|x| |xi|)
    Similarity("l2", _negative_root),  # -|x - xi|
    Similarity("l2-squared", _negative_square),  # -|x - xi|^2
    Similarity("l1", _negative_l1),  # -sum |x - xi|
    Similarity("kernel", _inner, uses_weight=True),  # <Wx, Wxi>
    Similarity("kernel-distance", _negative_square, uses_weight=True),  # -|Wx - Wxi|^2
    Similarity("kernel-cosine", _normalised, uses_weight=True),  # <Wx, Wxi> / (|Wx| |Wxi|)
)


def similarity(name: str) -> Similarity:
    """The entry of the registry with this name.

    Raises:
        SettingsError: there is none.
    """
    try:
        return SIMILARITIES[name]
    except KeyError:
        raise SettingsError(f"unknown similarity '{name}'", "one of " + ", ".join(SIMILARITIES)) from None

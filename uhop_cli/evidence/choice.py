"""The choice among the models of `evidence`: who answers, how sure, and what a confidence is made of."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np

from uhop_cli.arrays.library import Array, like, namespace, to_numpy
from uhop_cli.arrays.operations import logsumexp, topk
from uhop_cli.arrays.threads import on_all_cores
from uhop_cli.evidence.agreement import agreement, value_density
from uhop_cli.evidence.likelihoods import ROUNDING, Query, unrelated

LOOKED_AT = 1 << 18  # values at a time: shorter calls have threads wait for each other
PAIRS = 1 << 20  # of query and memory that are chosen among together: short calls of many threads stand in each other's way
MOST_TOGETHER = 16  # queries
FLAT = 4 * ROUNDING  # variance of a picture of one colour, with what float32 adds to it
PROPOSALS = 12  # memories that each model puts on the shortlist


@dataclass(frozen=True)
class Choice:
    """The answers to Q queries.

    Attributes:
        model: index into `Query.models` of the model that answers, (Q,).
        scores: its log-likelihood ratios of all memories against "unrelated", (Q, M). Agreement knows its shortlist only; the
            others count as unrelated there (0).
        log_odds: m_k of that model, (Q,).
        features: what a confidence is made of, (Q, F), in the order of `Query.features`.
    """

    model: Array
    scores: Array
    log_odds: Array
    features: Array

    @property
    def weights(self) -> Array:
        """Posterior weights of the memories, (Q, M): softmax of the scores, Sep at beta = 1."""
        xp = namespace(self.scores)
        return xp.exp(self.scores - logsumexp(self.scores, axis=-1, keepdims=True))


@dataclass(frozen=True)
class Shortlist:
    """The memories that one of the models proposes for each query, with what only they are asked.

    Attributes:
        rows: (Q, S); one that is shorter than the longest is filled up with repeats.
        repeated: (Q, S) bool, which only fill up.
        exact: (Q, S) log-likelihood of the identity model, from the residual itself.
        agreed, kept: (Q, S) log-likelihood ratio of agreement, and the share of values that agree.
    """

    rows: Array
    repeated: Array
    exact: Array
    agreed: Array
    kept: Array

    def part(self, queries: slice) -> Shortlist:
        """That of some of the queries."""
        return Shortlist(*(getattr(self, field.name)[queries] for field in fields(self)))


def shortlist(query: Query, scores: Array, cosine: Array, gather: Callable[[Array], Array]) -> Shortlist:
    """The `PROPOSALS` best memories of every model and of the plain cosine, looked at pixel by pixel.

    Args:
        query: from `prepare`.
        scores: `log_likelihoods` of all memories, (K, Q, M).
        cosine: plain cosines, (Q, M).
        gather: rows (n,) -> their pixels in [0, 1], (n, d), float32, to be written to.
    """
    rows, repeated = _distinct(_proposals(scores, cosine))
    return Shortlist(rows, repeated, *_looked_at(query.pictures, rows, gather))


def _proposals(scores: Array, cosine: Array) -> Array:
    """The best memories of every model and of the cosine, side by side: (Q, P)."""

    def proposed(queries: slice) -> Array:
        best = [topk(values[queries], PROPOSALS)[1] for values in (*scores, cosine)]
        return namespace(scores).concat(best, axis=1)

    count, memories = cosine.shape
    if not isinstance(scores, np.ndarray) or count == 1:
        return proposed(slice(None))
    out = np.empty((count, (len(scores) + 1) * min(PROPOSALS, memories)), np.intp)

    def work(queries: slice) -> None:
        out[queries] = proposed(queries)

    _by_queries(work, count, memories)
    return out


def _by_queries(work: Callable[[slice], object], queries: int, memories: int) -> None:
    """Runs `work` on slices of the queries, on all cores."""
    on_all_cores(work, queries, int(np.clip(PAIRS // memories, 1, MOST_TOGETHER)))


def _looked_at(pictures: Array, rows: Array, gather: Callable[[Array], Array]) -> tuple[Array, Array, Array]:
    """`Shortlist.exact`, `agreed` and `kept` of the memories `rows` (Q, S), a few at a time, so that they stay in the cache."""
    xp = namespace(pictures)
    queries, length = rows.shape
    flat = rows.reshape(-1)
    density = like(pictures, value_density(to_numpy(pictures)))
    results = [xp.empty(queries * length, dtype=pictures.dtype, device=pictures.device) for _ in range(3)]
    size = pictures.shape[1]

    def work(pairs: slice) -> None:
        asked = xp.arange(pairs.start, pairs.stop, device=rows.device) // length
        squares = gather(flat[pairs])
        squares -= pictures[asked]
        squares *= squares
        results[0][pairs] = (-size / 2) * xp.log(xp.sum(squares, axis=1) / size + ROUNDING)
        results[1][pairs], results[2][pairs] = agreement(density[asked], squares)

    if isinstance(pictures, np.ndarray):
        on_all_cores(work, queries * length, max(1, LOOKED_AT // size))
    else:
        for query in range(queries):
            work(slice(query * length, (query + 1) * length))
    exact, agreed, kept = (result.reshape(queries, length) for result in results)
    return exact, agreed, kept


def choose(query: Query, scores: Array, cosine: Array, listed: Shortlist) -> Choice:
    """The model that answers each query, and its scores.

    Args:
        query: from `prepare`.
        scores: `log_likelihoods` of all memories, (K, Q, M); minus infinity leaves a memory out.
        cosine: plain cosines, (Q, M); minus infinity there too.
        listed: the shortlist; those of its memories that are left out do not count.
    """
    count = int(query.pictures.shape[0])
    if not isinstance(scores, np.ndarray) or count == 1:
        return _choose(query, scores, cosine, listed)
    parts: list[Choice | None] = [None] * count

    def work(rows: slice) -> None:
        parts[rows.start] = _choose(query.part(rows), scores[:, rows], cosine[rows], listed.part(rows))

    _by_queries(work, count, int(scores.shape[2]))
    found = [part for part in parts if part is not None]
    return Choice(*(np.concatenate([getattr(part, field.name) for part in found]) for field in fields(Choice)))


def _choose(query: Query, scores: Array, cosine: Array, listed: Shortlist) -> Choice:
    """`choose` for queries whose scores fit into memory several times."""
    xp = namespace(scores)
    null = unrelated(query)  # (K, Q)
    ratios = scores - null[..., None]
    rows, size = listed.rows, query.pictures.shape[1]
    absent = xp.take_along_axis(cosine, rows, axis=1) == -xp.inf
    exact = xp.where(absent, xp.full_like(listed.exact, -xp.inf), listed.exact - null[0][:, None])
    kept_score = xp.where(absent, xp.full_like(listed.agreed, -xp.inf), listed.agreed)
    kept = listed.kept
    each = xp.arange(rows.shape[0], device=rows.device)
    # The pass has the residual of identity as a difference of large sums; the shortlist has it exactly.
    ratios[0, each[:, None], rows] = exact
    tops, leaders, odds, spreads = [], [], [], []
    for k in range(scores.shape[0]):
        values, index = topk(ratios[k], PROPOSALS)
        tops.append(values[:, 0])
        leaders.append(index[:, 0])
        odds.append(_odds(values))
        spreads.append(_spread(values))
    single = xp.where(listed.repeated, xp.full_like(kept_score, -xp.inf), kept_score)
    values, index = topk(single, PROPOSALS)
    tops.append(values[:, 0])
    odds.append(_odds(values))
    spreads.append(_spread(values))
    leaders.append(xp.take_along_axis(rows, index[:, :1], axis=1)[:, 0])
    top, leader, odd = xp.stack(tops), xp.stack(leaders), xp.stack(odds)  # each (K + 1, Q)

    pixel_models = len(query.parameters)
    penalty = like(scores, np.asarray(query.parameters, np.float32) * (math.log(size) / 2))
    best = xp.argmax(top[:pixel_models] + null[:pixel_models] - penalty[:, None], axis=0)  # (Q,)
    index = xp.arange(top.shape[0], device=rows.device)[:, None]
    allowed = (index == best) | (index == top.shape[0] - 1) | ((index >= pixel_models) & (best > 1))
    # With nothing in the picture but rounding, gains and correlations are those of rounding; how far it is from each memory is not.
    flat = query.levels[0].variances[:, 0] < FLAT
    allowed = xp.where(flat, index == 0, allowed)
    model = xp.argmax(xp.where(allowed, odd, xp.full_like(odd, -xp.inf)), axis=0)

    answer, log_odds = leader[model, each], odd[model, each]
    agreed = xp.zeros_like(ratios[0])
    agreed = xp.where(ratios[0] == -xp.inf, ratios[0], agreed)
    agreed[each[:, None], rows] = kept_score
    chosen = xp.where((model == top.shape[0] - 1)[:, None], agreed, ratios[xp.clip(model, None, scores.shape[0] - 1), each])
    place = xp.argmax(xp.astype(rows == answer[:, None], xp.float32), axis=1)
    features = xp.stack(
        [
            xp.log1p(xp.clip(log_odds, 0, None)),
            xp.log1p(xp.clip(log_odds, 0, None)) - xp.log1p(xp.stack(spreads)[model, each]),
            xp.log(kept[each, place] / (1 - kept[each, place])),
            xp.log1p(xp.clip(top[best, each], 0, None)),
            xp.mean(xp.astype(leader == answer, xp.float32), axis=0),
            xp.log1p(xp.clip(xp.sum(xp.where(leader == answer, odd, -odd), axis=0), 0, None)),
            *(xp.where(leader == answer, 1.0, -1.0) * xp.log1p(xp.clip(odd, 0, None))),
        ],
        axis=1,
    )
    return Choice(model, chosen, log_odds, features)


def _distinct(proposals: Array) -> tuple[Array, Array]:
    """The distinct proposals (Q, S) of each query from all of them (Q, P), and which are repeats that only fill up: last."""
    xp = namespace(proposals)
    rows = xp.sort(proposals, axis=1)
    repeated = xp.concat([xp.zeros_like(rows[:, :1], dtype=xp.bool), rows[:, 1:] == rows[:, :-1]], axis=1)
    order = xp.argsort(xp.astype(repeated, xp.int8), axis=1, stable=True)
    longest = int(xp.max(xp.sum(xp.astype(~repeated, xp.int32), axis=1)))
    order = order[:, :longest]
    return xp.take_along_axis(rows, order, axis=1), xp.take_along_axis(repeated, order, axis=1)


def _odds(values: Array) -> Array:
    """Top less the larger of runner-up and 0 (unrelated), of log-likelihood ratios in falling order (Q, 1 or 2)."""
    xp = namespace(values)
    rival = values[:, 1] if values.shape[1] > 1 else xp.zeros_like(values[:, 0])
    return values[:, 0] - xp.clip(rival, 0, None)


def _spread(values: Array) -> Array:
    """How far the runner-up stands above the last of the proposals, (Q,): the scale of differences among wrong memories."""
    xp = namespace(values)
    return xp.clip(values[:, min(1, values.shape[1] - 1)], 0, None) - xp.clip(values[:, -1], 0, None)

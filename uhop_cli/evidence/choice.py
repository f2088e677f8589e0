"""The choice among the models of `likelihoods`: verdicts -> who may answer -> who answers -> facts for a confidence."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np

from uhop_cli.arrays.device import device_of
from uhop_cli.arrays.library import Array, like, namespace, to_numpy
from uhop_cli.arrays.operations import logsumexp, topk
from uhop_cli.evidence.agreement import agreement, value_density
from uhop_cli.evidence.likelihoods import PreparedQueries, unrelated
from uhop_cli.evidence.verdicts import PROPOSALS, Verdict, stacked
from uhop_cli.retrieval.distances import ROUNDING

LOOKED_AT = 1 << 18  # values at a time: shorter calls have threads wait for each other
PAIRS = 1 << 20  # of query and memory that are chosen among together: short calls of many threads stand in each other's way
MOST_TOGETHER = 16  # queries
FLAT = 4 * ROUNDING  # variance of a picture of one colour, with what float32 adds to it


@dataclass(frozen=True)
class Choice:
    """The answers to Q queries.

    Attributes:
        model: index into `PreparedQueries.models` of the model that answers, (Q,).
        scores: its log-likelihood ratios of all memories against "unrelated", (Q, M). Agreement knows its shortlist only; the
            others count as unrelated there (0).
        log_odds: m_k of that model, (Q,).
        features: what a confidence is made of, (Q, F), in the order of `PreparedQueries.features`.
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
class Candidates:
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

    def part(self, queries: slice) -> Candidates:
        """Those of some of the queries."""
        return Candidates(*(getattr(self, field.name)[queries] for field in fields(self)))


def propose(queries: PreparedQueries, scores: Array, cosine: Array, gather: Callable[[Array], Array]) -> Candidates:
    """The `PROPOSALS` best memories of every model and of the plain cosine, looked at pixel by pixel.

    Args:
        queries: from `prepare`.
        scores: `log_likelihoods` of all memories, (K, Q, M).
        cosine: plain cosines, (Q, M).
        gather: rows (n,) -> their pixels in [0, 1], (n, d), float32, to be written to.
    """
    xp = namespace(cosine)
    parts: dict[int, Array] = {}

    def work(part: slice) -> None:
        best = [topk(values[part], PROPOSALS)[1] for values in (*scores, cosine)]
        parts[part.start] = xp.concat(best, axis=1)

    _by_queries(work, cosine)
    rows, repeated = _distinct(xp.concat([parts[start] for start in sorted(parts)], axis=0))
    return Candidates(rows, repeated, *_looked_at(queries.pictures, rows, gather))


def _by_queries(work: Callable[[slice], object], results: Array) -> None:
    """Runs `work` on slices of the queries whose results with all memories are (Q, M), on all cores."""
    count, memories = (int(length) for length in results.shape)
    step = count if count == 1 else int(np.clip(PAIRS // memories, 1, MOST_TOGETHER))
    device_of(results).on_all_cores(work, count, step)


def _looked_at(pictures: Array, rows: Array, gather: Callable[[Array], Array]) -> tuple[Array, Array, Array]:
    """`Candidates.exact`, `agreed` and `kept` of the memories `rows` (Q, S), a few at a time, so that they stay in the cache."""
    xp = namespace(pictures)
    count, length = rows.shape
    flat = rows.reshape(-1)
    density = like(pictures, value_density(to_numpy(pictures)))
    results = [xp.empty(count * length, dtype=pictures.dtype, device=pictures.device) for _ in range(3)]
    size = pictures.shape[1]

    def work(pairs: slice) -> None:
        asked = xp.arange(pairs.start, pairs.stop, device=rows.device) // length
        squares = gather(flat[pairs])
        squares -= pictures[asked]
        squares *= squares
        results[0][pairs] = (-size / 2) * xp.log(xp.sum(squares, axis=1) / size + ROUNDING)
        results[1][pairs], results[2][pairs] = agreement(density[asked], squares)

    device_of(pictures).on_all_cores(work, count * length, max(1, LOOKED_AT // size))
    exact, agreed, kept = (result.reshape(count, length) for result in results)
    return exact, agreed, kept


def choose(queries: PreparedQueries, scores: Array, cosine: Array, candidates: Candidates) -> Choice:
    """The model that answers each query, and its scores.

    Args:
        queries: from `prepare`.
        scores: `log_likelihoods` of all memories, (K, Q, M); minus infinity leaves a memory out.
        cosine: plain cosines, (Q, M); minus infinity there too.
        candidates: of the queries; those of them that are left out do not count.
    """
    parts: dict[int, Choice] = {}

    def work(part: slice) -> None:
        parts[part.start] = _choose(queries.part(part), scores[:, part], cosine[part], candidates.part(part))

    _by_queries(work, cosine)
    found = [parts[start] for start in sorted(parts)]
    xp = namespace(cosine)
    return found[0] if len(found) == 1 else Choice(*(xp.concat([getattr(part, f.name) for part in found]) for f in fields(Choice)))


def _choose(queries: PreparedQueries, scores: Array, cosine: Array, candidates: Candidates) -> Choice:
    """`choose` for queries whose scores fit into memory several times."""
    xp = namespace(scores)
    null = unrelated(queries)  # (K, Q)
    ratios = scores - null[..., None]
    rows = candidates.rows
    each = xp.arange(rows.shape[0], device=rows.device)
    absent = xp.take_along_axis(cosine, rows, axis=1) == -xp.inf
    # The pass has the residual of identity as a difference of large sums; the candidates have it exactly.
    ratios[0, each[:, None], rows] = xp.where(absent, xp.full_like(candidates.exact, -xp.inf), candidates.exact - null[0][:, None])
    agreed = xp.where(absent, xp.full_like(candidates.agreed, -xp.inf), candidates.agreed)
    once = xp.where(candidates.repeated, xp.full_like(agreed, -xp.inf), agreed)
    verdicts = stacked([*(Verdict.of(values) for values in ratios), Verdict.of(once, rows)])

    best = _best_density(queries, verdicts, null)
    odds = xp.where(_may_answer(queries, best, len(ratios)), verdicts.odds, xp.full_like(verdicts.odds, -xp.inf))
    model = xp.argmax(odds, axis=0)
    answer = verdicts.leader[model, each]

    of_agreement = xp.where(ratios[0] == -xp.inf, ratios[0], xp.zeros_like(ratios[0]))
    of_agreement[each[:, None], rows] = agreed
    by_agreement = (model == len(ratios))[:, None]
    chosen = xp.where(by_agreement, of_agreement, ratios[xp.clip(model, None, len(ratios) - 1), each])
    place = xp.argmax(xp.astype(rows == answer[:, None], xp.float32), axis=1)
    facts = _facts(verdicts, model, best, candidates.kept[each, place])
    return Choice(model, chosen, verdicts.odds[model, each], facts)


def _best_density(queries: PreparedQueries, verdicts: Verdict, null: Array) -> Array:
    """Identity or the affine model that explains each query best by its own best memory, less ln(d)/2 a parameter: index (Q,)."""
    xp = namespace(null)
    models = len(queries.parameters)
    size = queries.pictures.shape[1]
    penalty = like(null, np.asarray(queries.parameters, np.float32) * (math.log(size) / 2))
    return xp.argmax(verdicts.top[:models] + null[:models] - penalty[:, None], axis=0)


def _may_answer(queries: PreparedQueries, best: Array, agreement: int) -> Array:
    """Which models compete by their log-odds, (K, Q): the best density and agreement; the learned kernels too, unless that density
    is white all over the picture. In a picture of one colour identity alone: with nothing in it but rounding, gains and
    correlations are those of rounding; how far it is from each memory is not."""
    xp = namespace(best)
    index = xp.arange(agreement + 1, device=best.device)[:, None]
    allowed = (index == best) | (index == agreement) | ((index >= len(queries.parameters)) & (best > 1))
    flat = queries.levels[0].variances[:, 0] < FLAT
    return xp.where(flat, index == 0, allowed)


def _facts(verdicts: Verdict, model: Array, best: Array, kept: Array) -> Array:
    """`PreparedQueries.features` of choices: (Q, F).

    Args:
        verdicts: of all models, (K, Q).
        model: that answers, (Q,);  best: the best density, (Q,).
        kept: share of the values that agree with the answer, (Q,).
    """
    xp = namespace(kept)
    each = xp.arange(kept.shape[0], device=kept.device)
    leads = verdicts.leader == verdicts.leader[model, each]
    odds, log_odds = verdicts.odds, xp.log1p(xp.clip(verdicts.odds[model, each], 0, None))
    return xp.stack(
        [
            log_odds,
            log_odds - xp.log1p(verdicts.spread[model, each]),
            xp.log(kept / (1 - kept)),
            xp.log1p(xp.clip(verdicts.top[best, each], 0, None)),
            xp.mean(xp.astype(leads, xp.float32), axis=0),
            xp.log1p(xp.clip(xp.sum(xp.where(leads, odds, -odds), axis=0), 0, None)),
            *(xp.where(leads, 1.0, -1.0) * xp.log1p(xp.clip(odds, 0, None))),
        ],
        axis=1,
    )


def _distinct(proposals: Array) -> tuple[Array, Array]:
    """The distinct proposals (Q, S) of each query from all of them (Q, P), and which are repeats that only fill up: last."""
    xp = namespace(proposals)
    rows = xp.sort(proposals, axis=1)
    repeated = xp.concat([xp.zeros_like(rows[:, :1], dtype=xp.bool), rows[:, 1:] == rows[:, :-1]], axis=1)
    order = xp.argsort(xp.astype(repeated, xp.int8), axis=1, stable=True)
    longest = int(xp.max(xp.sum(xp.astype(~repeated, xp.int32), axis=1)))
    order = order[:, :longest]
    return xp.take_along_axis(rows, order, axis=1), xp.take_along_axis(repeated, order, axis=1)

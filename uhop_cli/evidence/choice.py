"""The choice among the models of `likelihoods`: verdicts -> who may answer -> who answers -> facts for a confidence."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np

from uhop_cli.arrays.device import device_of
from uhop_cli.arrays.library import Array, like, namespace, to_numpy
from uhop_cli.arrays.operations import logsumexp, topk
from uhop_cli.evidence.agreement import BINS, agreement, value_density
from uhop_cli.evidence.backgrounds.likelihoods import on_best_background
from uhop_cli.evidence.doubts import Doubt, doubts_of_choice
from uhop_cli.evidence.facts import Outcome, facts
from uhop_cli.evidence.likelihoods import MemoryStatistics, unrelated
from uhop_cli.evidence.prepared import PreparedQueries
from uhop_cli.evidence.verdicts import PROPOSALS, Verdict, stacked
from uhop_cli.retrieval.distances import ROUNDING

LOOKED_AT = 1 << 18  # values at a time: shorter calls have threads wait for each other
PAIRS = 1 << 20  # of query and memory that are chosen among together: short calls of many threads stand in each other's way
MOST_TOGETHER = 16  # queries
OF_AGREEMENT = BINS + 1  # parameters of agreement: the bins of the histogram, and the share of values that are kept
FLAT = 4 * ROUNDING  # variance of a picture of one colour, with what float32 adds to it


@dataclass(frozen=True)
class Choice:
    """The answers to Q queries.

    Attributes:
        model: index into `PreparedQueries.models` of the model that answers, (Q,).
        scores: its log-likelihood ratios of all memories against "unrelated", (Q, M). Agreement knows its shortlist only; the
            others count as unrelated there (0).
        log_odds: m_k of that model, (Q,).
        facts: what a confidence is made of, (Q, F) (`facts.facts`).
        doubts: for each query the reason why its answer is refused where the confidence is too low.
    """

    model: Array
    scores: Array
    log_odds: Array
    facts: Array
    doubts: tuple[Doubt, ...]

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
        replaced: (Q,) log-likelihood of the query if every value is replaced, sum_j ln h_j, on the scale of the densities: it makes
            a density of the pixels of agreement's ratio.
    """

    rows: Array
    repeated: Array
    exact: Array
    agreed: Array
    kept: Array
    replaced: Array

    def part(self, queries: slice) -> Candidates:
        """Those of some of the queries."""
        return Candidates(*(getattr(self, field.name)[queries] for field in fields(self)))


Gather = Callable[[Array], Array]


def propose(queries: PreparedQueries, scores: Array, cosine: Array, gather: Gather, opacity: Gather | None = None) -> Candidates:
    """The `PROPOSALS` best memories of every model and of the plain cosine, looked at pixel by pixel.

    Args:
        queries: from `prepare`.
        scores: `log_likelihoods` of all memories, (K, Q, M).
        cosine: plain cosines, (Q, M).
        gather: rows (n,) -> their pixels in [0, 1], (n, d), float32, to be written to.
        opacity: likewise their opacity, (n, H W), where pictures have transparency.
    """
    rows, repeated = proposed(scores, cosine)
    return Candidates(rows, repeated, *_looked_at(queries.pictures, rows, gather, opacity))


def proposed(scores: Array, cosine: Array) -> tuple[Array, Array]:
    """The rows of the `PROPOSALS` best memories of every model and of the plain cosine, (Q, S), and which only fill up.

    Args:
        scores, cosine: as in `propose`.
    """
    xp = namespace(cosine)
    parts: dict[int, Array] = {}

    def work(part: slice) -> None:
        best = [topk(values[part], PROPOSALS)[1] for values in (*scores, cosine)]
        parts[part.start] = xp.concat(best, axis=1)

    _by_queries(work, cosine)
    return _distinct(xp.concat([parts[start] for start in sorted(parts)], axis=0))


def _by_queries(work: Callable[[slice], object], results: Array) -> None:
    """Runs `work` on slices of the queries whose results with all memories are (Q, M), on all cores."""
    count, memories = (int(length) for length in results.shape)
    step = count if count == 1 else int(np.clip(PAIRS // memories, 1, MOST_TOGETHER))
    device_of(results).on_all_cores(work, count, step)


def _looked_at(pictures: Array, rows: Array, gather: Gather, opacity: Gather | None) -> tuple[Array, Array, Array, Array]:
    """`Candidates.exact`, `agreed`, `kept` and `replaced` of memories `rows` (Q, S), a few at a time, to stay in the cache.

    Transparent ones lie on the colour that explains the query best (`backgrounds`), which is charged, where that is worth it.
    """
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
        charge: Array | float = 0.0
        if opacity is not None:
            squares, charge = on_best_background(squares, 1 - opacity(flat[pairs]))
        squares *= squares
        results[0][pairs] = (-size / 2) * xp.log(xp.sum(squares, axis=1) / size + ROUNDING) - charge
        found, results[2][pairs] = agreement(density[asked], squares)
        results[1][pairs] = found - charge

    device_of(pictures).on_all_cores(work, count * length, max(1, LOOKED_AT // size))
    exact, agreed, kept = (result.reshape(count, length) for result in results)
    # The densities leave out what is the same for all of them, (d/2) (ln(2 pi) + 1).
    return exact, agreed, kept, xp.sum(xp.log(density), axis=1) + size / 2 * (math.log(2 * math.pi) + 1)


def choose(queries: PreparedQueries, memory: MemoryStatistics, scores: Array, cosine: Array, candidates: Candidates) -> Choice:
    """The model that answers each query, and its scores.

    Args:
        queries: from `prepare`.
        memory: statistics of all memories.
        scores: `log_likelihoods` of all memories, (K, Q, M); minus infinity leaves a memory out.
        cosine: plain cosines, (Q, M); minus infinity there too.
        candidates: of the queries; those of them that are left out do not count.
    """
    parts: dict[int, Choice] = {}

    def work(part: slice) -> None:
        parts[part.start] = _choose(queries.part(part), memory, scores[:, part], cosine[part], candidates.part(part))

    _by_queries(work, cosine)
    found = [parts[start] for start in sorted(parts)]
    if len(found) == 1:
        return found[0]
    model, chosen, log_odds, told = (
        namespace(cosine).concat([getattr(part, name) for part in found]) for name in ("model", "scores", "log_odds", "facts")
    )
    return Choice(model, chosen, log_odds, told, tuple(doubt for part in found for doubt in part.doubts))


def _choose(queries: PreparedQueries, memory: MemoryStatistics, scores: Array, cosine: Array, candidates: Candidates) -> Choice:
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

    blind = _flat_blocks(queries, memory, verdicts)
    densities = _densities(queries, verdicts, null, xp.zeros_like(blind))
    best = xp.argmax(_densities(queries, verdicts, null, blind), axis=0)
    price = math.log(queries.pictures.shape[1]) / 2
    replaced = candidates.replaced + verdicts.top[-1] - OF_AGREEMENT * price > densities[best, each]
    allowed = _may_answer(queries, memory, verdicts, best, replaced)
    model = xp.argmax(xp.where(allowed, verdicts.odds, xp.full_like(verdicts.odds, -xp.inf)), axis=0)
    answer = verdicts.leader[model, each]

    of_agreement = xp.where(ratios[0] == -xp.inf, ratios[0], xp.zeros_like(ratios[0]))
    of_agreement[each[:, None], rows] = agreed
    by_agreement = (model == len(ratios))[:, None]
    chosen = xp.where(by_agreement, of_agreement, ratios[xp.clip(model, None, len(ratios) - 1), each])
    place = xp.argmax(xp.astype(rows == answer[:, None], xp.float32), axis=1)
    bands = len(queries.parameters) - 1
    outcome = Outcome(
        verdicts=verdicts,
        densities=densities,
        model=model,
        best=best,
        kept=candidates.kept[each, place],
        powers=null[bands] - (queries.parameters[bands] - len(queries.bands.sizes)) * price,
        spectrum=queries.unknown,
    )
    return Choice(model, chosen, verdicts.odds[model, each], facts(outcome), doubts_of_choice(outcome))


def _flat_blocks(queries: PreparedQueries, memory: MemoryStatistics, verdicts: Verdict) -> Array:
    """The finest blocks that are flat in the query and in the best memories of all densities: bool (Q, b).

    Every memory explains them to the last level, so that they say nothing but that they are flat; and a model with a noise level
    of its own for each would be credited for it.
    """
    xp = namespace(verdicts.top)
    finest = queries.levels[-1]
    leaders = verdicts.leader[: len(queries.parameters)]
    spread = 1 / (memory.scales[-1][:, leaders] * (finest.sizes**2)[:, None, None])  # |xi_b|^2 / n_b + q, (b, D, Q)
    return (finest.variances < FLAT) & xp.all(spread < FLAT, axis=1).T


def _densities(queries: PreparedQueries, verdicts: Verdict, null: Array, blind: Array) -> Array:
    """The log-likelihood of each density's own best memory, less ln(d)/2 a parameter (Schwarz 1978): (D, Q).

    Blocks that are left out (`blind`, (Q, b)) take their own terms and parameters from the model of the finest blocks. Any other
    one spreads its noise evenly over the picture, and loses their share.
    """
    xp = namespace(null)
    models, size, finest = len(queries.parameters), queries.pictures.shape[1], queries.levels[-1]
    left_out = xp.astype(blind, null.dtype)
    lost = left_out @ finest.sizes
    found = verdicts.top[:models] + null[:models]
    own = xp.sum(left_out * (-finest.sizes / 2) * xp.log(finest.variances), axis=1)
    index = xp.arange(models, device=null.device)[:, None]
    is_finest = index == models - 2
    found = xp.where(is_finest, found - own, found * (1 - lost / size))
    parameters = like(null, np.asarray(queries.parameters, np.float32))[:, None] - xp.where(
        is_finest, 3 * xp.sum(left_out, axis=1), 0
    )
    return found - parameters * xp.log(xp.clip(size - lost, 1, None)) / 2


def _may_answer(queries: PreparedQueries, memory: MemoryStatistics, verdicts: Verdict, best: Array, replaced: Array) -> Array:
    """Which models compete by their log-odds, (K, Q).

    Always the best density. Agreement with it, but where bands are the best only if its density is larger still. Where that is one
    of several blocks, the bands too; and where memories have opacity and it is that of the finest blocks, all affine models: these
    blocks are credited for the levels of a background that nothing else is in. The learned kernels propose and do not answer: they
    count as many independent values as a picture has pixels, and claim more than they know. In a picture of one colour identity
    alone: with nothing in it but rounding, gains and correlations are those of rounding; how far it is from each memory is not.

    Args:
        queries: from `prepare`.
        memory: statistics of all memories.
        verdicts: of all models, (K, Q).
        best: the best density, (Q,).
        replaced: whether agreement is a better density than that, (Q,).
    """
    xp = namespace(best)
    bands, models = len(queries.parameters) - 1, verdicts.leader.shape[0]
    index = xp.arange(models, device=best.device)[:, None]
    in_blocks = (best > 1) & (best < bands)
    allowed = (index == best) | ((index == models - 1) & ((best != bands) | replaced)) | ((index == bands) & in_blocks)
    if memory.backgrounds is not None:
        allowed |= (best == bands - 1) & (index > 0) & (index < bands)
    flat = queries.levels[0].variances[:, 0] < FLAT
    return xp.where(flat, index == 0, allowed)


def _distinct(proposals: Array) -> tuple[Array, Array]:
    """The distinct proposals (Q, S) of each query from all of them (Q, P), and which are repeats that only fill up: last."""
    xp = namespace(proposals)
    rows = xp.sort(proposals, axis=1)
    repeated = xp.concat([xp.zeros_like(rows[:, :1], dtype=xp.bool), rows[:, 1:] == rows[:, :-1]], axis=1)
    order = xp.argsort(xp.astype(repeated, xp.int8), axis=1, stable=True)
    longest = int(xp.max(xp.sum(xp.astype(~repeated, xp.int32), axis=1)))
    order = order[:, :longest]
    return xp.take_along_axis(rows, order, axis=1), xp.take_along_axis(repeated, order, axis=1)

"""The choice among the models of `likelihoods`: verdicts -> who may answer -> who answers -> facts for a confidence."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from uhop_cli.arrays.library import Array, like, namespace
from uhop_cli.evidence.doubts import Doubt, doubts_of_choice
from uhop_cli.evidence.facts import Outcome, facts
from uhop_cli.evidence.likelihoods import unrelated
from uhop_cli.evidence.memory_statistics import MemoryStatistics
from uhop_cli.evidence.pixelwise.agreement import BINS
from uhop_cli.evidence.pixelwise.candidates import Candidates, by_queries
from uhop_cli.evidence.prepared import PreparedQueries
from uhop_cli.evidence.verdicts import Verdict, stacked
from uhop_cli.retrieval.distances import ROUNDING
from uhop_cli.retrieval.entmax import softmax

OF_AGREEMENT = BINS + 1  # parameters of agreement: the bins of the histogram, and the share of values that are kept
FLAT = 4 * ROUNDING  # variance of a picture of one colour, with what float32 adds to it
# Where the mixture is by far the better density, residuals are few and large, and a Gaussian overstates its log-odds: they are
# differences of (n/2) ln v, as if n normal residuals had been seen. Chosen on one draw of MNIST and others (docs/evidence.md).
FAR_BETTER = 1.0  # nats a value
OVERSTATED = 8.0  # times; from 5 to 20 hardly matters
TELLING = 5.0  # log-odds of agreement below which it says too little to be heard before others


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
        weights = namespace(self.scores).empty_like(self.scores)

        def work(part: slice) -> None:
            weights[part] = softmax(self.scores[part])

        by_queries(work, weights)
        return weights


def choose(queries: PreparedQueries, memory: MemoryStatistics, scores: Array, cosine: Array, candidates: Candidates) -> Choice:
    """The model that answers each query, and its scores.

    Args:
        queries: from `prepare`.
        memory: statistics of all memories, or of each query's own.
        scores: `log_likelihoods` of these memories, (K, Q, M); minus infinity leaves a memory out.
        cosine: plain cosines, (Q, M); minus infinity there too.
        candidates: of the queries; those of them that are left out do not count.
    """
    parts: dict[int, Choice] = {}

    def work(part: slice) -> None:
        parts[part.start] = _choose(
            queries.part(part), memory.of_queries(part), scores[:, part], cosine[part], candidates.part(part)
        )

    by_queries(work, cosine)
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
    rows = candidates.rows
    each = xp.arange(rows.shape[0], device=rows.device)
    absent = xp.take_along_axis(cosine, rows, axis=1) == -xp.inf
    # The pass has the residual of identity as a difference of large sums; the candidates have it exactly.
    identity = scores[0] - null[0][:, None]
    identity[each[:, None], rows] = xp.where(absent, xp.full_like(candidates.exact, -xp.inf), candidates.exact - null[0][:, None])
    agreed = xp.where(absent, xp.full_like(candidates.agreed, -xp.inf), candidates.agreed)
    once = xp.where(candidates.repeated, xp.full_like(agreed, -xp.inf), agreed)
    others = (_verdict(scores[model], null[model], candidates, model) for model in range(1, scores.shape[0]))
    verdicts = stacked([Verdict.of(identity), *others, Verdict.of(once, rows)])

    blind = _flat_blocks(queries, memory, verdicts)
    densities = _densities(queries, verdicts, null, xp.zeros_like(blind))
    best = xp.argmax(_densities(queries, verdicts, null, blind), axis=0)
    price = math.log(queries.pictures.shape[1]) / 2
    mixture = candidates.replaced + verdicts.top[-1] - OF_AGREEMENT * price  # the density that agreement is
    pixels = densities[best, each]
    allowed = _may_answer(queries, memory, verdicts, best, mixture > pixels)
    heard = _heard(verdicts.odds, mixture > pixels + FAR_BETTER * queries.pictures.shape[1])
    model = xp.argmax(xp.where(allowed, heard, xp.full_like(heard, -xp.inf)), axis=0)
    answer = verdicts.leader[model, each]

    by_pass = xp.clip(model, None, scores.shape[0] - 1)
    chosen = scores[by_pass, each]
    chosen -= null[by_pass, each][:, None]
    chosen[model == 0] = identity[model == 0]
    by_agreement = model == scores.shape[0]
    chosen[by_agreement] = _of_agreement(identity[by_agreement], rows[by_agreement], agreed[by_agreement])
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


def _of_agreement(identity: Array, rows: Array, agreed: Array) -> Array:
    """The ratios of agreement for all memories, (Q, M), from those of its shortlist `rows` (Q, S): the others count as unrelated,
    but what identity (Q, M) leaves out."""
    xp = namespace(identity)
    ratios = xp.where(identity == -xp.inf, identity, xp.zeros_like(identity))
    ratios[xp.arange(rows.shape[0], device=rows.device)[:, None], rows] = agreed
    return ratios


def _verdict(scores: Array, null: Array, candidates: Candidates, model: int) -> Verdict:
    """What a model says by its log-likelihoods (Q, M) and those of "unrelated", (Q,)."""
    if candidates.best is None:
        return Verdict.of(scores - null[:, None])
    best = candidates.best[:, model]
    return Verdict.of_best(namespace(scores).take_along_axis(scores, best, axis=1) - null[:, None], best)


def _flat_blocks(queries: PreparedQueries, memory: MemoryStatistics, verdicts: Verdict) -> Array:
    """The finest blocks that are flat in the query and in the best memories of all densities: bool (Q, b).

    Every memory explains them to the last level, so that they say nothing but that they are flat; and a model with a noise level
    of its own for each would be credited for it.
    """
    xp = namespace(verdicts.top)
    finest = queries.levels[-1]
    leaders = verdicts.leader[: len(queries.parameters)]
    return (finest.variances < FLAT) & xp.all(memory.spreads(leaders, finest.sizes) < FLAT, axis=1).T


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


def _heard(odds: Array, far_better: Array) -> Array:
    """The log-odds as they compete, (K, Q): agreement's count more where it is by far the better density and tells enough.

    Args:
        odds: of all models, agreement last, (K, Q).
        far_better: than the best of the others, (Q,).
    """
    xp = namespace(odds)
    agreement = odds[-1:]
    counts_more = far_better & (agreement > TELLING)
    return xp.concat([odds[:-1], xp.where(counts_more, OVERSTATED * agreement, agreement)], axis=0)


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

"""The facts about a choice that a confidence is made of.

Log-likelihood ratios x enter as s(x) = sign(x) ln(1 + |x|); log-odds, their sum and ratios against "unrelated" as 0 where negative.
For a choice of model k, with m_k its log-odds,

    log-odds     s(m_k)
    lead         the same less the spread of its unsuccessful proposals
    kept         the log-odds that a value of the query agrees with the answer's, ln(pi / (1 - pi))
    explained    s of the best density's likelihood ratio against its own "unrelated"
    consensus    the share of the models whose best memory is the answer
    support      s of the sum of the models' log-odds, negative for those that have another answer
    one a model  s of its log-odds, with the sign turned where it has another answer
    three a kind of answer (white noise; blocks; bands; agreement): 1, N and s(m_k) where the answer is of that kind, else 0; so
                 each kind has weights of its own
    unknown      G

with the nulls of `unknown`,

    N = s(L_k(top) - p_k ln(d)/2 - L0),   G = s(L_affine 1x1(top) - p ln(d)/2 - g).

Where agreement answers, N is that of the best of identity and the affine models.
"""

from __future__ import annotations

from dataclasses import dataclass

from uhop_cli.arrays.library import Array, namespace
from uhop_cli.evidence.verdicts import Verdict

FIRST = ("log-odds", "lead", "kept", "explained", "consensus", "support")
KINDS = ("of white noise", "of blocks", "of bands", "of agreement")
ABOUT_A_KIND = ("", ", N", ", log-odds")


def names(models: tuple[str, ...]) -> tuple[str, ...]:
    """The names of the facts, in their order, where these models compete."""
    return (*FIRST, *models, *(kind + about for kind in KINDS for about in ABOUT_A_KIND), "unknown")


@dataclass(frozen=True)
class Outcome:
    """What was chosen, and on what grounds.

    Attributes:
        verdicts: of all models, (K, Q).
        densities: penalised log-likelihoods of identity, the affine models and bands, (D, Q).
        model: that answers, (Q,).
        best: the best density, (Q,).
        kept: pi of the answer, (Q,).
        powers: L0, (Q,).
        spectrum: g, (Q,).
    """

    verdicts: Verdict
    densities: Array
    model: Array
    best: Array
    kept: Array
    powers: Array
    spectrum: Array

    @property
    def density(self) -> Array:
        """The density that speaks for the answering model: itself, or for agreement the best one of the pixels. (Q,)"""
        xp = namespace(self.densities)
        pixels = xp.argmax(self.densities[: self.densities.shape[0] - 1], axis=0)
        return xp.where(self.model < self.densities.shape[0], self.model, pixels)


def facts(outcome: Outcome) -> Array:
    """The facts about Q choices, (Q, F), in the order of `names`."""
    verdicts, model = outcome.verdicts, outcome.model
    xp = namespace(outcome.kept)
    each = xp.arange(outcome.kept.shape[0], device=outcome.kept.device)
    leads = verdicts.leader == verdicts.leader[model, each]
    odds, log_odds = verdicts.odds, signed_log(xp.clip(verdicts.odds[model, each], 0, None))
    bands = outcome.densities.shape[0] - 1
    kind = xp.where(model <= 1, 0, xp.where(model == bands, 2, xp.where(model == verdicts.top.shape[0] - 1, 3, 1)))
    known = signed_log(outcome.densities[outcome.density, each] - outcome.powers)
    zero = xp.zeros_like(known)
    of_kind = [kind == index for index in range(len(KINDS))]
    return xp.stack(
        [
            log_odds,
            log_odds - xp.log1p(verdicts.spread[model, each]),
            xp.log(outcome.kept / (1 - outcome.kept)),
            xp.log1p(xp.clip(verdicts.top[outcome.best, each], 0, None)),
            xp.mean(xp.astype(leads, xp.float32), axis=0),
            xp.log1p(xp.clip(xp.sum(xp.where(leads, odds, -odds), axis=0), 0, None)),
            *(xp.where(leads, 1.0, -1.0) * xp.log1p(xp.clip(odds, 0, None))),
            *(xp.where(here, fact, zero) for here in of_kind for fact in (zero + 1, known, log_odds)),
            signed_log(outcome.densities[1] - outcome.spectrum),
        ],
        axis=1,
    )


def signed_log(x: Array) -> Array:
    """s(x) = sign(x) ln(1 + |x|)."""
    xp = namespace(x)
    return xp.sign(x) * xp.log1p(xp.abs(x))

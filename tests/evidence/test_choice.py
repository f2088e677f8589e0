"""Who answers: every branch of the choice, with likelihoods made so that the outcome can be told by hand.

Scores are `unrelated` plus the ratios of the case, so that each model's top, leader and log-odds are the numbers written here.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from uhop_cli.evidence.bands import BandGrid, quantised
from uhop_cli.evidence.blocks import BlockGrid
from uhop_cli.evidence.choice import OF_AGREEMENT, Choice, choose
from uhop_cli.evidence.facts import names, signed_log
from uhop_cli.evidence.likelihoods import unrelated
from uhop_cli.evidence.memory_statistics import MemoryStatistics
from uhop_cli.evidence.pixelwise.candidates import Candidates
from uhop_cli.evidence.prepared import PreparedQueries, prepare
from uhop_cli.evidence.unknown import Spectrum
from uhop_cli.retrieval.distances import ROUNDING

SHAPE, SIZE = (16, 16, 1), 256
RNG = np.random.default_rng(0)
STORED = RNG.random((3, SIZE)).astype(np.float32)
PRICE = math.log(SIZE) / 2
MODELS = ("identity", "affine 1x1", "affine 2x2", "affine 4x4", "bands", "kernel 0", "kernel 1", "agreement")
PARAMETERS = {"identity": 1, "affine 1x1": 3, "affine 2x2": 12, "affine 4x4": 48, "bands": 18}
BEST = 1000.0  # penalised log-likelihood of the best density; the others have 50 less


def statistics(stored: np.ndarray, opacity: np.ndarray | None = None) -> MemoryStatistics:
    grid, bands = BlockGrid.of(SHAPE), BandGrid(SHAPE)
    norms, codes = np.ones((3, 2), np.float32), quantised(bands, bands.coefficients(stored))
    return MemoryStatistics.of(grid, *grid.sums(stored), norms, *codes, opacity)


def query(picture: np.ndarray) -> PreparedQueries:
    spectrum = Spectrum.of(np.ones(SIZE - 1, np.float32), 1)
    probes, norms = np.zeros((2, 1, SIZE), np.float32), np.ones((2, 1), np.float32)
    return prepare(BlockGrid.of(SHAPE), spectrum, picture[None], probes=probes, norms=norms, dims=(SIZE, SIZE))


def case(
    best: str,
    odds: dict[str, float],
    leaders: dict[str, int] | None = None,
    *,
    by_pass: float = 0.0,
    replaced: float = -1e6,
    picture: np.ndarray = STORED[0],
    stored: np.ndarray = STORED,
    penalised: dict[str, float] | None = None,
    opacity: np.ndarray | None = None,
) -> tuple[str, Choice]:
    """Who answers where `best` is the best density.

    Args:
        best: the best density.
        odds: log-odds of the models, 1 where none are given.
        leaders: the row that each model prefers, 0 where none is given.
        by_pass: what the pass gives identity for the second memory, too much.
        replaced: L of the query if every value is replaced.
        picture, stored: the query and the memories.
        penalised: likelihoods of the densities less their parameters, where they are not `BEST` and `BEST` - 50.
        opacity: `opacity_sums` of the memories, where pictures have transparency.
    """
    asked = query(picture)
    assert asked.models == MODELS
    null = unrelated(asked)[:, 0]
    scores = np.empty((7, 1, 3), np.float32)
    agreed = np.empty(3, np.float32)
    for index, model in enumerate(MODELS):
        top = 1e4
        if model in PARAMETERS:
            level = (penalised or {}).get(model, BEST if model == best else BEST - 50)
            top = level + PARAMETERS[model] * PRICE - null[index]
        ratios = np.full(3, top - odds.get(model, 1.0))
        ratios[(leaders or {}).get(model, 0)] = top
        if model == "agreement":
            agreed[:] = ratios
        else:
            scores[index, 0] = ratios + null[index]
    listed = Candidates(
        rows=np.array([[0, 1, 2]]),
        repeated=np.zeros((1, 3), np.bool_),
        exact=scores[0].copy(),
        agreed=agreed[None],
        kept=np.array([[0.5, 0.25, 0.75]], np.float32),
        replaced=np.array([replaced], np.float32),
    )
    scores[0, 0, 1] += by_pass
    choice = choose(asked, statistics(stored, opacity), scores, np.ones((1, 3), np.float32), listed)
    return MODELS[int(choice.model[0])], choice


def test_in_white_noise_identity_or_affine_and_agreement_alone() -> None:
    many = {"affine 2x2": 900, "affine 4x4": 900, "bands": 900, "kernel 0": 900, "kernel 1": 900}
    for best, other in (("identity", "affine 1x1"), ("affine 1x1", "identity")):
        assert case(best, {best: 10, "agreement": 9, other: 900, **many})[0] == best
        assert case(best, {best: 10, "agreement": 11, other: 900, **many})[0] == "agreement"


def test_bands_answer_alone_unless_agreement_is_the_better_density() -> None:
    many = {"identity": 900, "affine 1x1": 900, "affine 2x2": 900, "affine 4x4": 900, "kernel 0": 900, "kernel 1": 900}
    odds = {"bands": 10, "agreement": 11, **many}
    level = BEST - 1e4 + OF_AGREEMENT * PRICE  # agreement has the ratio 1e4
    assert case("bands", odds, replaced=level - 1)[0] == "bands"
    assert case("bands", odds, replaced=level + 1)[0] == "agreement"
    assert case("bands", {**odds, "agreement": 9}, replaced=level + 1)[0] == "bands"
    assert OF_AGREEMENT == 65


def test_agreement_counts_eightfold_where_it_is_by_far_the_better_density_and_tells_enough() -> None:
    level = BEST - 1e4 + OF_AGREEMENT * PRICE + SIZE  # agreement has the ratio 1e4, and is better by a nat a value
    for best in ("identity", "affine 2x2", "bands"):
        assert case(best, {best: 79, "agreement": 10}, replaced=level + 1)[0] == "agreement"
        assert case(best, {best: 81, "agreement": 10}, replaced=level + 1)[0] == best
        assert case(best, {best: 11, "agreement": 10}, replaced=level - 1)[0] == best
        assert case(best, {best: 9, "agreement": 4.9}, replaced=level + 1)[0] == best
        answer, choice = case(best, {best: 9, "agreement": 5.1}, replaced=level + 1)
        assert answer == "agreement"
        assert choice.log_odds[0] == pytest.approx(5.1, abs=0.01)  # what it says of itself stays what it is


def test_where_memories_have_opacity_all_affine_models_compete_with_the_finest() -> None:
    many = {"identity": 900, "kernel 0": 900, "kernel 1": 900}
    odds = {"affine 1x1": 11, "affine 2x2": 12, "affine 4x4": 10, "bands": 9, "agreement": 8, **many}
    opacity = np.zeros((3, 4, 4), np.float32)  # sums over 2 x 2 blocks of 64 pixels, of which the first memory has 32 clear
    opacity[:, 2] = 32
    assert case("affine 4x4", odds)[0] == "affine 4x4"
    assert case("affine 4x4", odds, opacity=opacity)[0] == "affine 4x4"  # all of them are opaque
    opacity[0] = 32
    assert case("affine 4x4", odds, opacity=opacity)[0] == "affine 2x2"
    assert case("affine 4x4", {**odds, "affine 1x1": 13}, opacity=opacity)[0] == "affine 1x1"
    assert case("affine 2x2", {**odds, "affine 1x1": 13}, opacity=opacity)[0] == "affine 2x2"
    assert case("bands", {**odds, "affine 1x1": 13}, opacity=opacity)[0] == "bands"


def test_two_by_two_blocks_compete_with_bands_and_agreement() -> None:
    many = {"identity": 900, "affine 1x1": 900, "affine 4x4": 900, "kernel 0": 900, "kernel 1": 900}
    assert case("affine 2x2", {"affine 2x2": 10, "bands": 9, "agreement": 8, **many})[0] == "affine 2x2"
    assert case("affine 2x2", {"affine 2x2": 10, "bands": 11, "agreement": 8, **many})[0] == "bands"
    assert case("affine 2x2", {"affine 2x2": 10, "bands": 11, "agreement": 12, **many})[0] == "agreement"


def test_so_do_the_finest_blocks_and_the_kernels_never_answer() -> None:
    odds = {"affine 4x4": 10, "bands": 11, "agreement": 12, "kernel 0": 900, "kernel 1": 900, "identity": 900, "affine 2x2": 900}
    assert case("affine 4x4", odds)[0] == "agreement"
    assert case("affine 4x4", {**odds, "agreement": 1})[0] == "bands"
    answer, choice = case("affine 4x4", {**odds, "agreement": 1, "bands": 1}, {"affine 4x4": 2})
    assert answer == "affine 4x4"
    assert choice.scores[0].argmax() == 2
    assert choice.log_odds[0] == pytest.approx(10, abs=0.01)


def test_a_parameter_costs_half_the_logarithm_of_the_values() -> None:
    others = dict.fromkeys(PARAMETERS, BEST - 50) | {"identity": BEST}
    assert case("identity", {"agreement": 0}, penalised=others | {"affine 1x1": BEST + 1})[0] == "affine 1x1"
    assert case("identity", {"agreement": 0}, penalised=others | {"affine 1x1": BEST - 1})[0] == "identity"


def test_what_is_known_counts_from_the_querys_own_powers() -> None:
    """L0 has all 18 parameters of the bands but the gains, one for each of the 8."""
    asked = query(STORED[0])
    assert len(asked.bands.sizes) == 8
    of_powers = unrelated(asked)[MODELS.index("bands"), 0] - 10 * PRICE
    answered, choice = case("bands", {"bands": 900})
    assert answered == "bands"
    found = dict(zip(names(MODELS), choice.facts[0], strict=True))
    assert found["of bands, N"] == pytest.approx(math.log1p(BEST - of_powers), rel=1e-5)
    assert found["of blocks, N"] == 0


def test_the_facts_are_those_of_the_answer() -> None:
    """It is the third memory, of which 3/4 of the values are kept, with the log-odds 10 and no spread among wrong memories."""
    answered, choice = case("affine 2x2", {"affine 2x2": 10, "agreement": 2}, {"affine 2x2": 2})
    assert answered == "affine 2x2"
    found = dict(zip(names(MODELS), choice.facts[0], strict=True))
    assert found["kept"] == pytest.approx(math.log(3), rel=1e-5)
    assert found["log-odds"] == found["of blocks, log-odds"] == pytest.approx(math.log1p(10), abs=1e-3)
    assert found["consensus"] == pytest.approx(1 / 8)
    top = BEST + 12 * PRICE - unrelated(query(STORED[0]))[MODELS.index("affine 2x2"), 0]
    assert found["explained"] == pytest.approx(math.log1p(top), rel=1e-5)
    stranger = query(STORED[0]).unknown[0]
    assert found["unknown"] == pytest.approx(math.log1p(BEST - 50 - stranger), rel=1e-4)


def test_weights_are_shares_of_likelihoods() -> None:
    answered, choice = case("identity", {"identity": math.log(2), "agreement": 0})
    assert answered == "identity"
    np.testing.assert_allclose(choice.weights, [[0.5, 0.25, 0.25]], atol=1e-3)


def test_identity_counts_by_its_own_residual_not_by_that_of_the_pass() -> None:
    _, choice = case("identity", {"identity": 10, "agreement": 0}, by_pass=15)
    assert choice.scores[0].argmax() == 0
    assert choice.log_odds[0] == pytest.approx(10, abs=0.01)


def test_a_picture_of_one_colour_is_told_by_its_distance() -> None:
    flat = np.full(SIZE, 0.5, np.float32)
    assert case("bands", {"bands": 900, "agreement": 900}, picture=flat)[0] == "identity"


def test_flat_blocks_say_nothing() -> None:
    # Fifteen of sixteen blocks are black in the query and in all memories: affine 4x4 explains them to the last level, 240 values
    # at ln(1/q)/2 each. Without them it loses that and 45 parameters; the others lose 15/16 of what they have.
    picture, stored = STORED[0].copy(), STORED.copy()
    for values in (picture[None], stored):
        values.reshape(-1, 16, 16)[:, 4:] = 0
        values.reshape(-1, 16, 16)[:, :, 4:] = 0
    credit = 240 / 2 * math.log(1 / ROUNDING)
    left = (BEST + PARAMETERS["bands"] * PRICE) / 16 - PARAMETERS["bands"] * math.log(16) / 2  # of bands
    even = left + credit + 3 * math.log(16) / 2 - 48 * PRICE  # affine 4x4 that has as much left
    odds = {"bands": 10, "affine 4x4": 20, "agreement": 0}
    low = {"identity": -9e3, "affine 1x1": -9e3, "affine 2x2": -9e3, "bands": BEST}
    arguments = {"picture": picture, "stored": stored}
    answered, choice = case("bands", odds, penalised=low | {"affine 4x4": even - 2}, **arguments)
    assert answered == "bands"
    # What is known of the picture counts with them, as they are in the null too.
    of_powers = unrelated(query(picture))[MODELS.index("bands"), 0] - 10 * PRICE
    assert choice.facts[0, names(MODELS).index("of bands, N")] == pytest.approx(signed_log(BEST - of_powers), rel=1e-5)
    assert case("bands", odds, penalised=low | {"affine 4x4": even + 2}, **arguments)[0] == "affine 4x4"
    # A memory with something in these blocks: they count.
    other = stored.copy()
    other[0] = STORED[0]
    assert even - 2 > BEST
    assert case("bands", odds, penalised=low | {"affine 4x4": even - 2}, picture=picture, stored=other)[0] == "affine 4x4"


def test_agreement_scores_its_shortlist_only_and_what_is_left_out_stays_out() -> None:
    answer, choice = case("identity", {"agreement": 900}, {"agreement": 1})
    assert answer == "agreement"
    np.testing.assert_allclose(choice.scores, [[1e4 - 900, 1e4, 1e4 - 900]])
    asked = query(STORED[0])
    null = unrelated(asked)
    scores = np.repeat(null[:, :, None], 3, axis=2).astype(np.float32) + np.array([5, 9, 7], np.float32)
    cosine = np.ones((1, 3), np.float32)
    scores[:, 0, 1], cosine[0, 1] = -np.inf, -np.inf
    listed = Candidates(
        rows=np.array([[1, 2, 2]]),
        repeated=np.array([[False, False, True]]),
        exact=scores[0, :, [1, 2, 2]].T,
        agreed=np.array([[900, 800, 800]], np.float32),
        kept=np.array([[0.9, 0.8, 0.8]], np.float32),
        replaced=np.zeros(1, np.float32),
    )
    choice = choose(asked, statistics(STORED), scores, cosine, replace(listed, exact=scores[0][:, [1, 2, 2]]))
    assert choice.scores[0].argmax() == 2
    assert choice.log_odds[0] == pytest.approx(800)  # the repeat is no runner-up
    assert choice.scores[0, 1] == -np.inf

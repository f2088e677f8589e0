"""The guarantees are what iterating the dynamics finds: exact storage both ways, certified radii that hold and are sharp."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from uhop_cli.errors import SettingsError
from uhop_cli.guarantees.margins import Certified, guarantees, one_hot_margin
from uhop_cli.retrieval.entmax import entmax
from uhop_cli.retrieval.similarity import SIMILARITIES
from uhop_cli.retrieval.states import metastable_sizes, settled, size_table, size_threshold

Array = NDArray[Any]
KINDS: list[Certified] = ["kernel", "dot", "l2-squared", "kernel-cosine", "cosine"]
ALL = pytest.mark.parametrize("kind", KINDS)


def case(seed: int, kind: str, count: int = 12, dim: int = 9) -> tuple[Array, Array | None]:
    rng = np.random.default_rng(seed)
    weight = rng.normal(size=(int(rng.integers(5, 14)), dim)) if kind.startswith("kernel") else None
    return (rng.random((count, dim)) if seed % 2 else rng.normal(size=(count, dim))), weight


def weights_of(kind: str, queries: Array, patterns: Array, weight: Array | None, beta: float, alpha: float) -> Array:
    found: Array = entmax(beta * SIMILARITIES[kind](queries, patterns, weight=weight), alpha)
    return found


def telling_beta(kind: Certified, patterns: Array, weight: Array | None, alpha: float) -> float:
    """A beta at which about half of the memories are exactly stored."""
    margins = guarantees(patterns, weight, similarity=kind, beta=1.0, alpha=alpha).margins
    good = np.sort(margins[margins > 0])
    return float(1 / ((alpha - 1) * (good[len(good) // 2] * 0.999 if len(good) else 1.0)))


@ALL
@pytest.mark.parametrize("alpha", [1.25, 1.5, 2.0])
def test_exactly_stored_agrees_with_iterating_both_ways(kind: Certified, alpha: float) -> None:
    stored = lost = 0
    for seed in range(12):
        patterns, weight = case(seed, kind)
        beta = telling_beta(kind, patterns, weight, alpha)
        found = guarantees(patterns, weight, similarity=kind, beta=beta, alpha=alpha)
        state = patterns
        kept = np.ones(len(patterns), bool)
        for _ in range(4):
            p = weights_of(kind, state, patterns, weight, beta, alpha)
            kept &= np.all((p > 0) == np.eye(len(p), dtype=bool), axis=1)
            state = p @ patterns
        np.testing.assert_array_equal(found.exact, kept)
        np.testing.assert_allclose(state[found.exact], patterns[found.exact])
        assert found.exact_share == kept.mean()
        stored, lost = stored + kept.sum(), lost + (~kept).sum()
    assert stored > 10
    assert lost > 10


def directions(kind: str, patterns: Array, weight: Array | None, mu: int) -> Array:
    """Noise of length 1: random, and against every rival: the gradients of the gaps, which are the worst there are."""
    rng = np.random.default_rng(99)
    lift = np.eye(patterns.shape[1]) if weight is None else weight
    z = patterns @ lift.T
    if kind.endswith("cosine"):
        z = z / np.linalg.norm(z, axis=1, keepdims=True)
    against = np.delete((z - z[mu]) @ lift, mu, axis=0)
    q = np.concatenate([against, against + 0.1 * rng.normal(size=against.shape), rng.normal(size=(20, patterns.shape[1]))])
    unit: Array = q / np.linalg.norm(q, axis=1, keepdims=True)
    return unit


@ALL
@pytest.mark.parametrize("alpha", [1.25, 2.0, np.inf])
def test_nothing_inside_a_certified_radius_fails_and_just_outside_some_do(kind: Certified, alpha: float) -> None:
    tried = failed_outside = certified = 0
    for seed in range(12):
        patterns, weight = case(seed, kind)
        beta = 1.0 if np.isinf(alpha) else 2 * telling_beta(kind, patterns, weight, alpha)
        found = guarantees(patterns, weight, similarity=kind, beta=beta, alpha=alpha)
        if np.isinf(alpha):
            np.testing.assert_array_equal(found.exact_radii, found.argmax_radii)
        for mu in np.flatnonzero(found.exact_radii > 0):
            q = directions(kind, patterns, weight, int(mu))
            certified += 1
            for share, inside in ((0.999, True), (1.001, False)):
                queries = patterns[mu] + share * found.exact_radii[mu] * q
                p = weights_of(kind, queries, patterns, weight, beta, alpha)
                right = np.all((p > 0) == (np.arange(len(patterns)) == mu), axis=1)  # p == 1 would round
                if inside:
                    tried += len(q)
                    assert right.all()
                else:
                    failed_outside += not right.all()
    assert tried > 500
    if kind in ("kernel", "dot", "l2-squared") or np.isinf(alpha):
        assert failed_outside == certified  # sharp: for every memory the worst direction fails
    else:
        assert failed_outside < certified  # with normalised features and t > 0 it is a lower bound


@ALL
def test_the_largest_score_stays_right_inside_the_argmax_radius(kind: Certified) -> None:
    changed = 0
    for seed in range(12):
        patterns, weight = case(seed, kind)
        found = guarantees(patterns, weight, similarity=kind, beta=1.0, alpha=2.0)
        for mu in np.flatnonzero(found.argmax_radii > 0):
            q = directions(kind, patterns, weight, int(mu)) * found.argmax_radii[mu]
            inside = SIMILARITIES[kind](patterns[mu] + 0.999 * q, patterns, weight=weight)
            assert np.all(inside.argmax(axis=1) == mu)
            outside = SIMILARITIES[kind](patterns[mu] + 1.001 * q, patterns, weight=weight)
            changed += np.any(outside.argmax(axis=1) != mu)
            assert np.any(outside.argmax(axis=1) != mu)
    assert changed > 50


@ALL
def test_margins_rivals_and_distances_pair_by_pair(kind: Certified) -> None:
    patterns, weight = case(3, kind)
    found = guarantees(patterns, weight, similarity=kind, beta=2.0, alpha=1.5)
    scores = SIMILARITIES[kind](patterns, patterns, weight=weight)
    others = scores - np.diag(np.full(12, np.inf))
    np.testing.assert_allclose(found.margins, np.diagonal(scores) - others.max(axis=1), atol=1e-12)
    np.testing.assert_array_equal(found.rivals, others.argmax(axis=1))
    z = patterns if weight is None else patterns @ weight.T
    pairs = [(i, j) for i in range(12) for j in range(i)]
    f = z / np.linalg.norm(z, axis=1, keepdims=True) if kind.endswith("cosine") else z
    assert found.feature_radius == pytest.approx(min(np.linalg.norm(f[i] - f[j]) for i, j in pairs) / 2)
    cosines = [1 - z[i] @ z[j] / np.linalg.norm(z[i]) / np.linalg.norm(z[j]) for i, j in pairs]
    assert found.cosine_distances == pytest.approx((np.mean(cosines), min(cosines), max(cosines)))
    assert found.threshold == 1
    smallest = found.margins.min()
    assert found.beta_exact == (pytest.approx(2 / smallest) if smallest > 0 else np.inf)
    trace = 9 if weight is None else np.sum(weight**2)
    assert found.effective_beta == pytest.approx(2 * trace / 9)


@ALL
def test_blocks_and_subsets_do_not_show(kind: Certified, monkeypatch: pytest.MonkeyPatch) -> None:
    patterns, weight = case(4, kind)
    whole = guarantees(patterns, weight, similarity=kind, beta=3.0, alpha=2.0)
    some = guarantees(patterns, weight, similarity=kind, beta=3.0, alpha=2.0, memories=np.array([7, 2]))
    monkeypatch.setattr("uhop_cli.guarantees.pairs.BLOCK_ROWS", 2)
    parts = guarantees(patterns, weight, similarity=kind, beta=3.0, alpha=2.0)
    for name in ("margins", "rivals", "exact", "exact_radii", "argmax_radii"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), atol=1e-12)
        np.testing.assert_allclose(getattr(some, name), getattr(whole, name)[[7, 2]], atol=1e-12)
    assert parts.cosine_distances == pytest.approx(whole.cosine_distances)
    assert parts.feature_radius == pytest.approx(whole.feature_radius)


@ALL
def test_float32_gives_nearly_the_same_and_never_more(kind: Certified) -> None:
    patterns, weight = case(5, kind)
    small = patterns.astype(np.float32)
    weight32 = None if weight is None else weight.astype(np.float32)
    rough = guarantees(small, weight32, similarity=kind, beta=20.0, alpha=2.0)
    exact = guarantees(
        small.astype(float), None if weight32 is None else weight32.astype(float), similarity=kind, beta=20.0, alpha=2.0
    )
    assert rough.margins.dtype == np.float32
    for name in ("exact_radii", "argmax_radii"):
        mine, full = getattr(rough, name), getattr(exact, name)
        assert np.all(mine <= full * (1 + 1e-6))
        np.testing.assert_allclose(mine, full, rtol=2e-2, atol=1e-3)


def test_known_values() -> None:
    """Two unit vectors at 60 degrees under sparsemax with beta 4: margin 1/2, threshold 1/4, gradient length 1."""
    x = np.array([[1.0, 0], [0.5, 0.75**0.5]])
    found = guarantees(x, similarity="dot", beta=4.0, alpha=2.0)
    np.testing.assert_allclose(found.margins, 0.5)
    np.testing.assert_allclose(found.exact_radii, 0.25)
    np.testing.assert_allclose(found.argmax_radii, 0.5)
    assert found.exact.all()
    assert found.beta_exact == pytest.approx(2)
    assert found.feature_radius == pytest.approx(0.5)
    np.testing.assert_allclose(guarantees(x, similarity="l2-squared", beta=4.0, alpha=2.0).exact_radii, 0.375)


def test_softmax_stores_nothing_exactly() -> None:
    patterns, _ = case(6, "dot")
    found = guarantees(patterns, similarity="l2-squared", beta=1e3, alpha=1.0)
    assert found.threshold == np.inf
    assert not found.exact.any()
    assert not found.exact_radii.any()
    assert found.argmax_radii.all()
    assert found.beta_exact == np.inf


@ALL
def test_duplicates_zero_images_and_single_memories_are_defined(kind: Certified) -> None:
    patterns, weight = case(7, kind)
    patterns[3] = patterns[8]
    patterns[5] = 0
    found = guarantees(patterns, weight, similarity=kind, beta=1e6, alpha=2.0)
    assert np.all(found.margins[[3, 8]] <= 1e-9)
    assert not found.exact[[3, 8]].any()
    assert not found.argmax_radii[[3, 8]].any()
    assert found.beta_exact > 1e12
    assert np.all(np.isfinite(found.exact_radii))
    if kind != "l2-squared":  # nothing is like a zero image, not even itself; for a distance it is a point as any other
        assert found.margins[5] <= 0
        assert not found.exact[5]
    alone = guarantees(patterns[:1], weight, similarity=kind, beta=1.0, alpha=2.0)
    assert alone.exact.all()
    assert alone.exact_radii[0] == np.inf
    assert alone.rivals[0] == -1


def test_the_printed_sufficient_condition_is_not_sufficient() -> None:
    """U-Hop eq. E.9 asks K(mu, q) - max K(nu, q) >= -1 of noise q. Orthonormal features, margin 1 = threshold, left side -0.6."""
    x = np.eye(2)
    found = guarantees(x, similarity="dot", beta=1.0, alpha=2.0)
    assert found.exact.all()
    q = np.array([-0.3, 0.3])
    np.testing.assert_allclose(weights_of("dot", (x[0] + q)[None], x, None, 1.0, 2.0), [[0.7, 0.3]])
    # the right condition is K(xi_mu - xi_nu, q) >= -slack, with slack 0 here: any noise towards the other memory breaks it
    assert found.exact_radii[0] == 0


def test_with_beta_one_and_sparsemax_at_most_two_d_unit_memories_are_exact() -> None:
    """All margins 1 - cos >= 1 need M <= 2D: the cross-polytope just does it, one more vector cannot."""
    cross = np.concatenate([np.eye(5), -np.eye(5)])
    assert guarantees(cross, similarity="dot", beta=1.0, alpha=2.0).exact.all()
    more = np.concatenate([cross, np.full((1, 5), 5**-0.5)])
    assert not guarantees(more, similarity="dot", beta=1.0, alpha=2.0).exact.all()


def test_threshold() -> None:
    assert [one_hot_margin(2.0, alpha) for alpha in (1.0, 1.25, 1.5, 2.0, np.inf)] == [np.inf, 2.0, 1.0, 0.5, 0.0]


def test_what_makes_no_sense_is_refused() -> None:
    x = np.eye(3)
    with pytest.raises(SettingsError, match="no guarantees"):
        guarantees(x, similarity="l1")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="weight"):
        guarantees(x, similarity="kernel")
    with pytest.raises(SettingsError, match="weight"):
        guarantees(x, x, similarity="dot")
    with pytest.raises(SettingsError, match="beta"):
        guarantees(x, x, beta=0.0)
    with pytest.raises(SettingsError, match="patterns"):
        guarantees(np.zeros((0, 3)), similarity="dot")


ROWS = np.array(
    [
        [0.98, 0.01, 0.005, 0.005] + [0.0] * 196,
        [0.5, 0.3, 0.2, 0] + [0.0] * 196,
        [0.005] * 200,
        [0.02] + [0.98 / 199] * 199,
        [0, 0, 0, 1] + [0.0] * 196,
    ]
)


def test_dense_states() -> None:
    kinds, sizes = settled(ROWS)
    # of the fourth row one weight shows, and 98% of the picture comes from elsewhere
    np.testing.assert_array_equal(kinds, ["memory", "metastable", "diffuse", "diffuse", "memory"])
    np.testing.assert_array_equal(sizes, [1, 3, 0, 1, 1])


def test_sparse_states_count_every_weight() -> None:
    kinds, sizes = settled(ROWS, size_threshold(2.0))
    np.testing.assert_array_equal(kinds, ["metastable", "metastable", "diffuse", "diffuse", "memory"])
    np.testing.assert_array_equal(sizes, [4, 3, 200, 200, 1])


def test_thresholds_of_the_protocol() -> None:
    assert [size_threshold(alpha) for alpha in (1.0, 1.5, 2.0, None)] == [0.01, 0.0, 0.0, 0.01]


def test_the_table_has_a_place_for_every_state() -> None:
    sizes = metastable_sizes(np.concatenate([ROWS, np.full((1, 200), 1 / 200)]), 0.004)
    table = size_table(sizes)
    assert list(table) == [str(size) for size in range(11)] + [">10"]
    assert sum(table.values()) == 6
    assert (table["4"], table["3"], table["1"], table[">10"], table["0"]) == (1, 1, 1, 3, 0)
    assert size_table(metastable_sizes(ROWS))["0"] == 1


def test_torch_rows_settle_alike() -> None:
    torch = pytest.importorskip("torch")
    for mine, theirs in zip(settled(ROWS), settled(torch.from_numpy(ROWS)), strict=True):
        np.testing.assert_array_equal(mine, theirs)

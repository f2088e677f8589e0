"""The laws of every separation loss: value, pair weights and bound, by finite differences, autograd and numbers worked by hand."""

import math

import numpy as np
import pytest

from uhop_cli.errors import SettingsError
from uhop_cli.kernel.gram_step import gradient_of, point_at
from uhop_cli.kernel.losses import LOSSES, AverageLoss, MaxLoss, OrthogonalLoss, SeparationLoss, TemperatureLoss

EVERY = [AverageLoss(), AverageLoss(t=20.0), MaxLoss(), TemperatureLoss(), TemperatureLoss(tau=0.02), OrthogonalLoss()]
every_loss = pytest.mark.parametrize("loss", EVERY, ids=repr)


def features(memories: int, dim: int, seed: int = 0) -> np.ndarray:
    """Features that lie in one half-space, as those of images do, and are not normalised."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((memories, dim)) + 0.8


def cosines(z: np.ndarray) -> np.ndarray:
    unit = z / np.linalg.norm(z, axis=-1, keepdims=True)
    return unit @ np.swapaxes(unit, -1, -2)


def simplex(memories: int) -> np.ndarray:
    return np.eye(memories) - 1 / memories


def test_every_registered_loss_is_under_these_laws() -> None:
    assert {type(loss) for loss in EVERY} == set(LOSSES.values())
    assert all(LOSSES[name].name == name for name in LOSSES)


@every_loss
def test_laws(loss: SeparationLoss) -> None:
    z = features(9, 5)
    c = cosines(z)
    value, weights = loss.measure(c.copy())
    assert np.isfinite(value)

    # S is symmetric with a zero diagonal, and the diagonal of C plays no part
    assert np.array_equal(weights, weights.T)
    assert not np.diagonal(weights).any()
    assert loss.measure(c + 3 * np.eye(9))[0] == value

    # S is the derivative by C_ij of an unordered pair: central differences
    for i, j in [(0, 1), (2, 7), tuple(sorted(divmod(int(np.argmax(np.triu(c, 1))), 9)))]:
        step = np.zeros_like(c)
        step[i, j] = step[j, i] = 1e-6
        slope = (loss.measure(c + step)[0] - loss.measure(c - step)[0]) / 2e-6
        assert slope == pytest.approx(weights[i, j], rel=1e-5, abs=1e-8)

    # the loss belongs to the set of memories, not to their order or to the scale of their features
    order = np.random.default_rng(1).permutation(9)
    shuffled_value, shuffled_weights = loss.measure(c[np.ix_(order, order)])
    assert shuffled_value == pytest.approx(value, abs=1e-13)
    np.testing.assert_allclose(shuffled_weights, weights[np.ix_(order, order)], atol=1e-12)

    # sets side by side are sets one by one, in their own precision
    both = np.stack([c, cosines(features(9, 5, seed=2))])
    values, stacked = loss.measure(both.copy())
    assert values[0] == pytest.approx(value, abs=1e-13)
    np.testing.assert_allclose(stacked[0], weights, atol=1e-12)
    assert all(part.dtype == np.float32 for part in loss.measure(both.astype(np.float32)))

    # constant scores: all pairs count alike, whatever the sharpness
    flat = np.full((4, 4), 0.5)
    assert loss.measure(flat)[1][0, 1] == pytest.approx(loss.measure(flat)[1][2, 3])


@pytest.mark.parametrize(
    ("loss", "total"), [(AverageLoss(t=3.0), 6.0), (MaxLoss(t=3.0), 6.0), (TemperatureLoss(tau=0.3), 1.0)], ids=repr
)
def test_weights_are_normalised_over_unordered_pairs(loss: SeparationLoss, total: float) -> None:
    assert np.triu(loss.measure(cosines(features(7, 4)))[1]).sum() == pytest.approx(total)


@every_loss
@pytest.mark.parametrize("dim", [2, 3, 4, 6, 11, 12, 40])
def test_nothing_goes_below_the_bound(loss: SeparationLoss, dim: int) -> None:
    bound = loss.bound(12, dim)
    assert bound >= loss.bound(12) - 1e-12  # fewer dimensions leave less room
    assert loss.bound(12, 400) == loss.bound(12)
    for seed in range(5):
        for z in (features(12, dim, seed), np.random.default_rng(seed).standard_normal((12, dim))):
            assert loss.measure(cosines(z))[0] >= bound - 1e-12


@pytest.mark.parametrize("memories", [2, 3, 10])
@pytest.mark.parametrize("loss", [AverageLoss(), AverageLoss(t=20.0), MaxLoss(), TemperatureLoss(0.05)], ids=repr)
def test_the_simplex_reaches_the_bound(loss: SeparationLoss, memories: int) -> None:
    assert loss.measure(cosines(simplex(memories)))[0] == pytest.approx(loss.bound(memories, memories - 1), abs=1e-12)


@pytest.mark.parametrize("loss", [AverageLoss(), AverageLoss(t=0.1), MaxLoss(), TemperatureLoss(0.05)], ids=repr)
def test_the_cross_polytope_reaches_the_bound_of_half_as_many_dimensions(loss: SeparationLoss) -> None:
    polytope = np.concatenate([np.eye(5), -np.eye(5)])
    assert loss.measure(cosines(polytope))[0] == pytest.approx(loss.bound(10, 5), abs=1e-12)


def test_orthogonal_and_equiangular_features_reach_the_bound_of_the_orthogonal_loss() -> None:
    loss = OrthogonalLoss()
    assert loss.measure(np.eye(6))[0] == pytest.approx(loss.bound(6, 6)) == pytest.approx(-4.0)
    golden = (1 + math.sqrt(5)) / 2  # the six diagonals of the icosahedron
    lines = np.array([[0, 1, golden], [0, -1, golden], [1, golden, 0], [-1, golden, 0], [golden, 0, 1], [golden, 0, -1]])
    assert loss.measure(cosines(lines))[0] == pytest.approx(loss.bound(6, 3)) == pytest.approx(-4 * (1 - 1 / 5))


def test_numbers_worked_by_hand() -> None:
    assert AverageLoss().bound(10) == pytest.approx(-4.4444, abs=5e-5)
    assert AverageLoss().bound(100) == pytest.approx(-4.0404, abs=5e-5)
    assert AverageLoss().bound(500) == pytest.approx(-4.0080, abs=5e-5)
    three = np.array([[1, 0.5, 0], [0.5, 1, -0.5], [0, -0.5, 1]])
    total = math.exp(-0.5) + math.exp(-1.0) + math.exp(-1.5)
    value, weights = AverageLoss(t=0.5).measure(three.copy())
    assert value == pytest.approx(math.log(total / 3))
    assert weights[0, 1] == pytest.approx(math.exp(-0.5) / total)
    assert MaxLoss().measure(three.copy())[0] == pytest.approx(-2.0)
    assert MaxLoss().measure(three.copy())[1].tolist() == [[0, 4, 0], [4, 0, 0], [0, 0, 0]]
    assert TemperatureLoss(tau=1.0).measure(three.copy())[0] == pytest.approx(1 + math.log(total / 3))
    assert OrthogonalLoss().measure(three.copy())[0] == pytest.approx(math.log((2 * math.exp(-3) + math.exp(-4)) / 3))
    assert OrthogonalLoss().measure(three.copy())[1][1, 2] == pytest.approx(-4 * math.exp(-3) / (2 * math.exp(-3) + math.exp(-4)))


def test_pairs_that_are_equally_close_share_the_weight_of_the_max_loss() -> None:
    weights = MaxLoss(t=1.0).measure(np.full((4, 4), 0.25))[1]
    np.testing.assert_allclose(weights, (1 - np.eye(4)) / 3)


@pytest.mark.parametrize("loss", [AverageLoss(t=1e4), TemperatureLoss(tau=1e-4), OrthogonalLoss(t=1e4)], ids=repr)
def test_extreme_sharpness_stays_finite_in_single_precision(loss: SeparationLoss) -> None:
    c = cosines(features(50, 20)).astype(np.float32)
    value, weights = loss.measure(c.copy())
    assert np.isfinite(value)
    assert np.isfinite(weights).all()
    assert np.abs(weights).sum() > 0


def test_a_falling_temperature_tends_to_the_largest_cosine() -> None:
    loss = TemperatureLoss(tau=0.01, start=1.0)
    assert [loss.at(f).tau for f in (0.0, 0.5, 1.0)] == pytest.approx([1.0, 0.1, 0.01])
    c = cosines(features(8, 5))
    closest = np.max(c - 2 * np.eye(8))
    for fraction in (0.0, 0.5, 1.0):
        now = loss.at(fraction)
        assert closest - now.tau * math.log(28) <= now.measure(c.copy())[0] <= closest
    assert AverageLoss().at(0.5) == AverageLoss()


@pytest.mark.parametrize("broken", [0.0, -1.0, math.inf, math.nan])
def test_a_sharpness_that_makes_no_sense_is_refused(broken: float) -> None:
    for build in (AverageLoss, MaxLoss, OrthogonalLoss, TemperatureLoss, lambda tau: TemperatureLoss(0.1, start=tau)):
        with pytest.raises(SettingsError, match="positive"):
            build(broken)


@every_loss
def test_value_and_gradient_are_those_of_autograd(loss: SeparationLoss) -> None:
    torch = pytest.importorskip("torch")
    z = torch.tensor(features(12, 7), requires_grad=True)
    squares = torch.pdist(torch.nn.functional.normalize(z, dim=1)).square()
    match loss:
        case AverageLoss(t=t):
            expected = torch.exp(-t * squares).mean().log()
        case MaxLoss(t=t):
            expected = (-t * squares).max()
        case TemperatureLoss(tau=tau):
            expected = tau * torch.exp((1 - squares / 2) / tau).mean().log()
        case OrthogonalLoss(t=t):
            expected = torch.exp(2 * t * ((1 - squares / 2).square() - 1)).mean().log()
    expected.backward()
    point = point_at(z.detach().numpy(), loss)
    assert point.loss == pytest.approx(expected.item(), abs=1e-12)
    np.testing.assert_allclose(gradient_of(point), z.grad.numpy(), atol=1e-12)

"""Descent in the span of the memories is descent on W: against autograd, side by side, in mini-batches, and at its edges."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from uhop_cli.errors import SettingsError
from uhop_cli.kernel.feature_map import initial_weight
from uhop_cli.kernel.gradient import Descent, GradientSettings, descend
from uhop_cli.kernel.gram_step import point_at
from uhop_cli.kernel.losses import AverageLoss, MaxLoss, OrthogonalLoss, SeparationLoss, TemperatureLoss
from uhop_cli.progress import Progress

LOSSES = [AverageLoss(), MaxLoss(), TemperatureLoss(tau=0.1), TemperatureLoss(tau=0.05, start=1.0), OrthogonalLoss()]
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=repr)


def problem(memories: int, dim: int, feature_dim: int, seed: int = 0, dtype: Any = np.float64) -> tuple[np.ndarray, np.ndarray]:
    """Patterns in [0, 1] and a gaussian W0."""
    rng = np.random.default_rng(seed)
    return rng.random((memories, dim)).astype(dtype), initial_weight("gaussian", feature_dim, dim, rng, dtype)


def autograd_change(patterns: np.ndarray, weight: np.ndarray, loss: SeparationLoss, steps: int, rate: float) -> np.ndarray:
    """W - W0 after plain SGD on W, as anyone would write it with torch."""
    torch = pytest.importorskip("torch")
    x, w = torch.from_numpy(patterns), torch.from_numpy(weight.copy()).requires_grad_()
    optimiser = torch.optim.SGD([w], lr=rate)
    for k in range(steps):
        now = loss.at((k + 1) / steps)
        squares = torch.pdist(torch.nn.functional.normalize(x @ w.T, dim=1)).square()
        match now:
            case AverageLoss(t=t):
                value = torch.exp(-t * squares).mean().log()
            case MaxLoss(t=t):
                value = (-t * squares).max()
            case TemperatureLoss(tau=tau):
                value = tau * torch.exp((1 - squares / 2) / tau).mean().log()
            case OrthogonalLoss(t=t):
                value = torch.exp(2 * t * ((1 - squares / 2).square() - 1)).mean().log()
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
    return w.detach().numpy() - weight


@every_loss
@pytest.mark.parametrize(("memories", "dim", "feature_dim"), [(50, 80, 96), (50, 80, 20), (50, 30, 64), (50, 30, 12)])
def test_the_change_of_w_is_that_of_autograd(memories: int, dim: int, feature_dim: int, loss: SeparationLoss) -> None:
    patterns, weight = problem(memories, dim, feature_dim)
    settings = GradientSettings(loss=loss, iterations=30, learning_rate=1.0)
    expected = autograd_change(patterns, weight, loss, 30, 1.0)
    size = np.linalg.norm(expected)
    assert size > 1e-3 * np.linalg.norm(weight)
    double = descend(patterns, weight, settings)
    assert np.linalg.norm(double.weight - weight - expected) <= 1e-9 * size
    single = descend(patterns.astype(np.float32), weight.astype(np.float32), settings)
    assert single.weight.dtype == np.float32
    assert np.linalg.norm(single.weight - weight.astype(np.float32) - expected) <= 1e-3 * size


@pytest.mark.parametrize("loss", [AverageLoss(), MaxLoss(), TemperatureLoss(tau=0.1), OrthogonalLoss()], ids=repr)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_with_the_rate_left_to_it_the_loss_falls_at_every_step(loss: SeparationLoss, dtype: Any) -> None:
    patterns, weight = problem(30, 50, 40, dtype=dtype)
    seen: list[Progress] = []
    result = descend(patterns, weight, GradientSettings(loss=loss, iterations=60), progress=seen.append)
    taken = int(result.steps)
    assert taken >= 10
    assert (np.diff(result.losses[: taken + 1]) < 0).all()
    assert taken == 60 or result.stalled
    assert result.bound == loss.bound(30, 40)
    assert [(step.done, step.total) for step in seen] == [(step, 60) for step in range(1, len(seen) + 1)]
    assert seen[-1].note == f"loss {float(result.loss_final):.4f}, bound {result.bound:.4f}"


def test_the_search_costs_little_more_than_one_trial_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[SeparationLoss] = []
    monkeypatch.setattr("uhop_cli.kernel.gram_step.point_at", lambda z, loss: (tried.append(loss), point_at(z, loss))[1])
    patterns, weight = problem(30, 50, 40)
    result = descend(patterns, weight, GradientSettings(iterations=100))
    assert result.steps == 100
    assert len(tried) < 150


def test_the_rate_found_does_not_depend_on_the_scale_of_w() -> None:
    patterns, weight = problem(20, 30, 25)
    plain, scaled = (descend(patterns, s * weight, GradientSettings(iterations=20)) for s in (1.0, 64.0))
    np.testing.assert_allclose(scaled.losses, plain.losses, rtol=1e-9)
    np.testing.assert_allclose(scaled.weight, 64.0 * plain.weight, rtol=1e-7)


def test_it_stops_within_the_tolerance_of_the_bound() -> None:
    patterns, weight = problem(20, 64, 64)
    result = descend(patterns, weight, GradientSettings(tolerance=0.05))
    assert 0 < result.steps < 1000
    assert not result.stalled
    assert result.losses[-1] <= 0.95 * result.bound < result.losses[-2]


def test_an_annealed_run_is_not_stopped_by_the_bound_of_a_high_temperature() -> None:
    patterns, weight = problem(20, 64, 64)
    result = descend(patterns, weight, GradientSettings(loss=TemperatureLoss(0.05, start=100.0), iterations=80, tolerance=0.5))
    assert result.steps == 80


@pytest.mark.parametrize("rate", [2.0, "auto"])
@pytest.mark.parametrize("shared", [True, False])
def test_sets_side_by_side_are_sets_one_by_one(rate: Any, shared: bool) -> None:
    pairs = [problem(24, 40, 32, seed) for seed in range(4)]
    patterns, weights = np.stack([p for p, _ in pairs]), np.stack([w for _, w in pairs])
    patterns[2, 5] = patterns[2, 6] = patterns[2, 7]  # of one set the bound is out of reach, others stop before it
    weights = weights[0] if shared else weights
    settings = GradientSettings(iterations=120, learning_rate=rate, tolerance=0.1)
    together = descend(patterns, weights, settings)
    alone = [descend(patterns[k], weights if shared else weights[k], settings) for k in range(4)]
    assert together.weight.shape == (4, 32, 40)
    assert together.steps.tolist() == [int(one.steps) for one in alone]
    for k, one in enumerate(alone):
        np.testing.assert_allclose(together.weight[k], one.weight, atol=1e-9)
        np.testing.assert_allclose(together.losses[k, : len(one.losses)], one.losses, atol=1e-12)
        assert together.learning_rate[k] == pytest.approx(float(one.learning_rate))


def test_many_sets_are_learned_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    patterns, weight = np.stack([problem(10, 12, 8, seed)[0] for seed in range(5)]), problem(10, 12, 8)[1]
    settings = GradientSettings(iterations=50, tolerance=0.3)
    whole = descend(patterns, weight, settings)
    monkeypatch.setattr("uhop_cli.kernel.gradient.GROUP", 200)
    parts = descend(patterns, weight, settings)
    np.testing.assert_allclose(parts.weight, whole.weight, atol=1e-10)
    np.testing.assert_allclose(parts.losses, whole.losses, atol=1e-12)
    assert parts.steps.tolist() == whole.steps.tolist()


@pytest.mark.parametrize("rate", [1.0, "auto"])
def test_mini_batches_converge(rate: Any) -> None:
    patterns, weight = problem(120, 128, 128, dtype=np.float32)
    settings = GradientSettings(iterations=300, learning_rate=rate, batch_size=30)
    result = descend(patterns, weight, settings, seed=3)
    assert result.losses.shape == (301,)
    assert result.loss_final < 0.9 * result.bound < 0.5 * result.loss_initial
    assert result.weight.dtype == np.float32
    again = descend(patterns, weight, settings, seed=3)
    assert np.array_equal(again.weight, result.weight)
    assert not np.array_equal(descend(patterns, weight, settings, seed=4).weight, result.weight)
    early = descend(patterns, weight, replace(settings, tolerance=0.3))
    assert 0 < early.steps < 300
    assert early.loss_final < 0.65 * early.bound


def test_a_mini_batch_moves_w_by_the_gradient_of_its_own_pairs() -> None:
    patterns, weight = problem(30, 40, 35)
    result = descend(patterns, weight, GradientSettings(iterations=1, learning_rate=1.0, batch_size=8), seed=1)
    change = result.weight - weight
    used = np.linalg.lstsq(patterns.T, change.T)[0]  # how far each memory takes part in the change
    rows = np.flatnonzero(np.abs(used).max(axis=1) > 1e-9)
    assert len(rows) == 8
    alone = descend(patterns[rows], weight, GradientSettings(iterations=1, learning_rate=1.0))
    np.testing.assert_allclose(result.weight, alone.weight, atol=1e-12)


def test_mini_batches_are_annealed_step_by_step() -> None:
    """The first loss of a run of two steps is that of its first batch at half the way, sqrt(start tau)."""
    patterns, weight = problem(30, 40, 35)
    settings = GradientSettings(iterations=2, learning_rate=1.0, batch_size=8)
    falling = descend(patterns, weight, replace(settings, loss=TemperatureLoss(0.04, start=1.0)), seed=1)
    halfway = descend(patterns, weight, replace(settings, loss=TemperatureLoss(0.2)), seed=1)
    np.testing.assert_allclose(falling.losses[:2], halfway.losses[:2], rtol=1e-12)
    assert falling.bound == TemperatureLoss(0.04).bound(30, 35)


def test_large_sets_go_by_mini_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uhop_cli.kernel.gradient.FULL_BATCH", 50)
    monkeypatch.setattr("uhop_cli.kernel.gradient.BATCH", 20)
    patterns, weight = problem(60, 12, 12)
    settings = GradientSettings(iterations=40)
    result = descend(patterns, weight, settings)
    assert result.loss_final < result.loss_initial
    assert not np.array_equal(result.weight, descend(patterns, weight, replace(settings, batch_size=60)).weight)
    with pytest.raises(SettingsError, match="one memory set at a time"):
        descend(patterns[None], weight, settings)


def test_the_published_schedule_is_worth_three_and_a_half_steps() -> None:
    settings = GradientSettings(iterations=40, learning_rate=1.0, schedule="published")
    assert settings.rates is not None
    rates = [settings.rates(k) for k in range(40)]
    assert rates[:5] == pytest.approx([1, 1, 1 / math.sqrt(2), 1 / math.sqrt(6), 1 / math.sqrt(24)])
    assert sum(rates) == pytest.approx(3.4695, abs=5e-5)
    patterns, weight = problem(12, 20, 20)
    stepwise = weight
    for k in range(6):
        stepwise = descend(patterns, stepwise, GradientSettings(iterations=1, learning_rate=rates[k])).weight
    np.testing.assert_allclose(descend(patterns, weight, replace(settings, iterations=6)).weight, stepwise, atol=1e-10)


def test_a_negative_rate_raises_the_loss() -> None:
    patterns, weight = problem(12, 20, 20)
    result = descend(patterns, weight, GradientSettings(iterations=5, learning_rate=-1.0))
    assert (np.diff(result.losses) > 0).all()


@every_loss
@pytest.mark.parametrize("rate", [1.0, "auto"])
def test_zero_images_duplicates_and_opposites_do_no_harm(loss: SeparationLoss, rate: Any) -> None:
    patterns, weight = problem(10, 16, 16, dtype=np.float32)
    patterns[1] = 0
    patterns[3] = patterns[2]
    patterns[4] = 0.5 * patterns[5]
    result = descend(patterns, weight, GradientSettings(loss=loss, iterations=30, learning_rate=rate))
    assert np.isfinite(result.weight).all()
    assert np.isfinite(result.losses).all()
    features = patterns @ result.weight.T
    np.testing.assert_allclose(features[3], features[2], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("memories", [0, 1])
@pytest.mark.parametrize("sets", [(), (3,)])
def test_fewer_than_two_memories_leave_w_as_it_is(memories: int, sets: tuple[int, ...]) -> None:
    patterns, weight = np.ones((*sets, memories, 6)), problem(2, 6, 4)[1]
    result = descend(patterns, weight, GradientSettings())
    assert result.weight.shape == (*sets, 4, 6)
    assert np.array_equal(np.broadcast_to(weight, result.weight.shape), result.weight)
    assert np.isnan(result.loss_final).all()
    assert not result.steps.any()


def test_no_iterations_leave_w_as_it_is() -> None:
    patterns, weight = problem(8, 6, 4)
    for settings in (GradientSettings(iterations=0), GradientSettings(iterations=0, batch_size=3)):
        result = descend(patterns, weight, settings)
        assert np.array_equal(result.weight, weight)
        assert result.losses.shape == (1,)
        assert result.loss_final == result.loss_initial


def test_all_equal_memories_stall_at_once() -> None:
    weight = problem(2, 6, 4)[1]
    result = descend(np.full((5, 6), 0.5), weight, GradientSettings())
    assert result.stalled
    assert result.loss_final == pytest.approx(0.0)
    np.testing.assert_allclose(result.weight, weight, atol=1e-9)


@pytest.mark.parametrize(
    "broken",
    [
        {"iterations": -1},
        {"learning_rate": 0.0},
        {"learning_rate": math.nan},
        {"schedule": "published"},
        {"batch_size": 1},
        {"tolerance": 1.0},
        {"tolerance": -0.1},
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        GradientSettings(**broken)


@pytest.mark.parametrize(("patterns", "weight"), [((5, 6), (4, 7)), ((6,), (4, 6)), ((5, 6), (2, 4, 6))], ids=str)
def test_shapes_that_do_not_fit_are_refused(patterns: tuple[int, ...], weight: tuple[int, ...]) -> None:
    with pytest.raises(SettingsError, match="fit"):
        descend(np.ones(patterns), np.ones(weight), GradientSettings())


@pytest.mark.parametrize("batch_size", [None, 10])
@pytest.mark.parametrize("rate", [1.0, "auto"])
def test_torch_takes_the_same_steps(batch_size: int | None, rate: Any) -> None:
    torch = pytest.importorskip("torch")
    patterns, weight = problem(20, 30, 25)
    settings = GradientSettings(iterations=25, learning_rate=rate, batch_size=batch_size)
    here: Descent = descend(patterns, weight, settings)
    there = descend(torch.from_numpy(patterns), torch.from_numpy(weight), settings)
    assert isinstance(there.weight, torch.Tensor)
    np.testing.assert_allclose(there.weight.numpy(), here.weight, atol=1e-8)
    np.testing.assert_allclose(there.losses, here.losses, atol=1e-10)
    sets = descend(
        torch.from_numpy(np.stack([patterns, patterns[::-1]])), torch.from_numpy(weight), replace(settings, batch_size=None)
    )
    np.testing.assert_allclose(sets.losses[0], sets.losses[1], atol=1e-10)

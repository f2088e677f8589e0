"""Ways to get W: where they start, what they learn from and when their runs can be continued."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.experiments.methods.learners import Learner, at_rate, learn, start
from uhop_cli.kernel.gradient import GradientSettings, descend
from uhop_cli.kernel.losses import AverageLoss, MaxLoss, TemperatureLoss

PATTERNS = np.random.default_rng(0).random((1, 8, 6), dtype=np.float32)


def test_w0_comes_from_the_seed_and_the_repeat() -> None:
    weight = start(3, 2, 2, 3)
    np.testing.assert_array_equal(weight, np.random.default_rng([3, 2, 1]).standard_normal((2, 3), dtype=np.float32))
    assert not np.array_equal(weight, start(2, 3, 2, 3))


def test_the_losses_have_the_settings_of_the_paper() -> None:
    assert Learner("average").separation_loss == AverageLoss(2.0)
    assert Learner("max").separation_loss == MaxLoss(2.0)
    assert Learner("temperature").separation_loss == TemperatureLoss(0.01, start=1.0)


@pytest.mark.parametrize(
    ("learner", "whether"),
    [
        (Learner(rate=1.0), True),
        (Learner(rate="auto"), False),
        (Learner(rate=1.0, schedule="published"), False),
        (Learner(rate=None), False),
    ],
)
def test_only_steps_that_do_not_know_their_number_can_go_on(learner: Learner, whether: bool) -> None:
    assert learner.resumable is whether


def test_half_learns_from_the_first_half_alone() -> None:
    weight = start(0, 0, 4, 6)[None]
    found = learn(PATTERNS, weight, Learner(half=True), 5)
    settings = GradientSettings(loss=AverageLoss(2.0), iterations=5, learning_rate=1.0, schedule="constant")
    np.testing.assert_allclose(found, descend(PATTERNS[:, :4], weight, settings).weight, rtol=1e-5)
    assert not np.allclose(found, learn(PATTERNS, weight, Learner(), 5), rtol=1e-3)


def test_w_stays_where_nothing_is_learned() -> None:
    weight = start(0, 0, 4, 6)[None]
    for patterns, learner, steps in (
        (PATTERNS, Learner(rate=None), 5),
        (PATTERNS, Learner(), 0),
        (PATTERNS[:, :3], Learner(half=True), 5),
    ):
        assert learn(patterns, weight, learner, steps) is weight
    assert not np.array_equal(learn(PATTERNS[:, :2], weight, Learner(), 5), weight)


def test_the_published_schedule_ends_after_40_steps() -> None:
    weight = start(0, 0, 4, 6)[None]
    learner = Learner(rate=1.0, schedule="published")
    np.testing.assert_array_equal(learn(PATTERNS, weight, learner, 1000), learn(PATTERNS, weight, learner, 40))
    assert not np.array_equal(learn(PATTERNS, weight, learner, 2), learn(PATTERNS, weight, learner, 1))
    assert at_rate(learner, 3.0) == Learner(rate=3.0, schedule="published")

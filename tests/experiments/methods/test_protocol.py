"""The tuned protocol on scores worked by hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from uhop_cli.corruption.corruption import parse
from uhop_cli.experiments.data.datasets import Dataset
from uhop_cli.experiments.methods.protocol import BETAS, Setting, Tuning, has_beta, separate, tune
from uhop_cli.experiments.methods.task import MemorySet, Task

# From the largest to the median of a row: 6, 3 and 3, in the mean 4. The largest of a column are others: 10, 13 and 5.
SCORES = np.array([[8.0, 2.0, 1.0], [10.0, 13.0, 1.0], [1.0, 2.0, 5.0]], np.float32)


@dataclass(frozen=True)
class Given:
    """A rule whose scores are given, times its option."""

    factors: tuple[float, ...] = (1.0,)

    def options(self, tuned: bool) -> tuple[float, ...]:
        return self.factors if tuned else self.factors[:1]

    def scores(self, task: Task, states: np.ndarray | None, option: float) -> np.ndarray:
        return np.asarray(np.float32(option) * SCORES)


@pytest.fixture
def task(dataset: Dataset) -> Task:
    return Task.damage(MemorySet(dataset.vectors(np.arange(3)), dataset.spec), parse("mask:0.5"), 0)


def test_beta_counts_in_logits_between_the_best_memory_and_the_median_one(task: Task) -> None:
    found = tune(Given(), "softmax", task)
    assert found.beta * 4 in [pytest.approx(beta) for beta in BETAS]
    errors = {beta: task.error_of_weights(separate("softmax")(np.float32(beta / 4) * SCORES, task)).mean() for beta in BETAS}
    assert found.beta * 4 == pytest.approx(next(beta for beta in BETAS if round(errors[beta], 3) == 0))
    assert tune(Given(), "argmax", task).beta == 1  # it has none: the factor is the spread itself


def test_of_options_alike_the_first_and_of_others_the_better_one(task: Task) -> None:
    assert tune(Given((2.0, 1.0)), "softmax", task).option == 2
    assert tune(Given((-1.0, 1.0)), "softmax", task).option == 1


def test_a_beta_that_the_condition_prescribes_goes_before_the_protocols(task: Task) -> None:
    asked: list[Task] = []

    def tuning_task(task: Task) -> Task:
        asked.append(task)
        return task

    prescribed = Task(task.memories, task.queries, task.visible, task.corruption, task.seed, beta=7.0)
    assert Tuning("paper", tuning_task).setting(Given((3.0, 1.0)), "softmax", task) == Setting(3.0, 1.0)
    assert Tuning("paper", tuning_task).setting(Given((3.0, 1.0)), "softmax", prescribed) == Setting(3.0, 7.0)
    tuning = Tuning("tuned", tuning_task)
    assert tuning.setting(Given(), "softmax", prescribed) == Setting(1.0, 7.0)
    assert not asked
    assert tuning.setting(Given((-1.0, 1.0)), "softmax", prescribed) == Setting(1.0, 7.0)
    assert tuning.setting(Given((-1.0, 1.0)), "softmax", task) == tune(Given((-1.0, 1.0)), "softmax", task)
    assert len(asked) == 1  # found once


def test_separations_of_the_comparison(task: Task) -> None:
    assert separate("none")(SCORES, task) is SCORES
    np.testing.assert_array_equal(separate("top-k:34%")(SCORES, task) > 0, [[1, 1, 0], [1, 1, 0], [0, 1, 1]])  # ceil(1.02) = 2
    np.testing.assert_array_equal(separate("top-k:20%")(SCORES, task), np.eye(3))
    assert [has_beta(name) for name in ("softmax", "top-k:20%", "none", "argmax", "polynomial:3")] == [
        True,
        True,
        False,
        False,
        False,
    ]

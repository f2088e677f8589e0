"""The published variants, each against its formula written out."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.corruption.corruption import parse
from uhop_cli.experiments.data.datasets import Dataset
from uhop_cli.experiments.methods.learners import Learner, start
from uhop_cli.experiments.methods.protocol import Prediction, Tuning
from uhop_cli.experiments.methods.registry import METHODS
from uhop_cli.experiments.methods.task import MemorySet, Task

SIZE, SEED = 20, 5
TUNER = Tuning("paper", lambda task: task)


def softmax(logits: np.ndarray) -> np.ndarray:
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


@pytest.fixture
def task(dataset: Dataset) -> Task:
    """Half masked, with an own random W for every learner, as if it were learned."""
    memories = MemorySet(dataset.vectors(np.arange(SIZE)), dataset.spec)
    for method in METHODS.values():
        for learner in method.learners:
            memories.weights.setdefault(learner, start(0, len(memories.weights), 30, dataset.spec.dim))
    return Task.damage(memories, parse("mask:0.5"), SEED)


def answer(task: Task, name: str) -> Prediction:
    return METHODS[name].answer(task, TUNER)


def test_a_mask_doubles_what_it_leaves(task: Task) -> None:
    doubled, x = task.as_published.queries, task.memories.patterns
    assert np.isclose(doubled, 2 * x, atol=1e-6).mean() == pytest.approx(0.5, abs=0.05)
    assert (np.isclose(doubled, 2 * x, atol=1e-6) | (doubled == 0)).all()


def test_the_models_without_a_kernel(task: Task) -> None:
    q, x = task.as_published.queries.astype(float), task.memories.patterns.astype(float)
    dots = q @ x.T
    np.testing.assert_allclose(answer(task, "published:mhn").weights, softmax(dots), rtol=1e-3)
    squares = np.square(q[:, None] - x[None]).sum(axis=2)
    np.testing.assert_allclose(answer(task, "published:l2").weights, softmax(np.sqrt(squares)), rtol=1e-3)
    absolute = np.abs(q[:, None] - x[None]).sum(axis=2)
    np.testing.assert_allclose(answer(task, "published:l1").weights, softmax(absolute), rtol=1e-3)
    np.testing.assert_allclose(answer(task, "published:beta").pictures, softmax(dots) @ x, rtol=1e-3)
    np.testing.assert_allclose(answer(task, "published:poly10").pictures, dots**10 @ x, rtol=1e-3)


def test_left_out_logits_are_0(task: Task) -> None:
    dots = task.as_published.queries.astype(float) @ task.memories.patterns.astype(float).T / 100  # so that 0 is no small logit
    scaled = Task.damage(MemorySet(task.memories.patterns / 10, task.memories.spec), task.corruption, SEED)
    largest = dots >= np.sort(dots, axis=1)[:, -4, None]  # 0.2 * 20 memories
    np.testing.assert_allclose(answer(scaled, "published:top-k").weights, softmax(np.where(largest, dots, 0)), rtol=1e-3)
    kept = np.random.default_rng([SEED, 2]).random(dots.shape) < 0.5
    np.testing.assert_allclose(answer(scaled, "published:random-mask").weights, softmax(np.where(kept, 2 * dots, 0)), rtol=1e-3)


PLAIN = Learner("average", 1.0)


@pytest.mark.parametrize(
    ("name", "learner", "normalised", "doubled"),
    [
        ("published:uhop", Learner("average", 1.0, "published", half=True), False, True),
        ("published:uhop-max", Learner("max", 10.0, half=True), False, True),
        ("only:decay", Learner("average", 1.0, "published"), True, False),
        ("only:half", Learner("average", 1.0, half=True), True, False),
        ("only:raw-w", PLAIN, False, False),
        ("only:dropout", PLAIN, True, True),
        ("only:max", Learner("max", 10.0), True, False),
    ],
)
def test_one_deviation_at_a_time(task: Task, name: str, learner: Learner, normalised: bool, doubled: bool) -> None:
    assert METHODS[name].learners == (learner,)
    weight = task.memories.weights[learner].astype(float)
    if normalised:
        weight = weight / np.linalg.norm(weight, axis=1, keepdims=True)
    queries = task.as_published.queries if doubled else task.queries
    expected = softmax((queries @ weight.T) @ (task.memories.patterns @ weight.T).T)
    np.testing.assert_allclose(answer(task, name).weights, expected, rtol=0.02, atol=1e-6)

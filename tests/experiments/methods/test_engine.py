"""What bench measures as `uhop` is what `retrieve` and `uhop query` answer: the same memory, and the same weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import uhop_cli
from uhop_cli.corruption.corruption import parse
from uhop_cli.experiments.bench import Bench
from uhop_cli.experiments.config import Config
from uhop_cli.experiments.data.datasets import Dataset
from uhop_cli.experiments.grids.catalogue import EXPERIMENTS, methods_of
from uhop_cli.experiments.methods import engine, task
from uhop_cli.experiments.methods.protocol import Prediction, Tuning
from uhop_cli.experiments.methods.registry import METHODS
from uhop_cli.experiments.methods.task import MemorySet, Task
from uhop_cli.experiments.results.journal import Journal
from uhop_cli.querying.answer import Answer
from uhop_cli.querying.restorer import Restorer
from uhop_cli.querying.settings import RetrievalSettings
from uhop_cli.storing.store import store

SIZE = 24
DAMAGES = ("mask:0.5", "noise-abs:2", "noise:0.5", "half:bottom", "brightness:0.4", "blur:2")
each = pytest.mark.parametrize("label", DAMAGES)


@pytest.fixture(scope="module")
def memories(dataset: Dataset) -> MemorySet:
    return MemorySet(dataset.vectors(np.arange(SIZE)), dataset.spec)


@pytest.fixture(scope="module")
def learned(dataset: Dataset) -> uhop_cli.Memory:
    """What a user makes of the same pictures, self-test and all."""
    return uhop_cli.learn(dataset.pixels[:SIZE])


def asked(method: str, memories: MemorySet, label: str, **settings: int) -> tuple[Task, Prediction]:
    def tuning(task: Task) -> Task:
        raise AssertionError("nothing of the default answer is tuned")

    made = Task.damage(memories, parse(label), 3, **settings)
    return made, METHODS[method].answer(made, Tuning("tuned", tuning))


def weights_of(prediction: Prediction) -> np.ndarray:
    assert prediction.weights is not None
    return prediction.weights


@each
def test_bench_and_retrieve_give_the_same_weights(memories: MemorySet, learned: uhop_cli.Memory, label: str) -> None:
    made, prediction = asked("uhop", memories, label)
    answer = uhop_cli.retrieve(learned, made.queries)
    np.testing.assert_allclose(weights_of(prediction), answer.weights, atol=1e-6)
    assert (weights_of(prediction).argmax(axis=1) == answer.weights.argmax(axis=1)).all()


@each
def test_told_the_mask_it_is_the_answer_with_known_values(memories: MemorySet, learned: uhop_cli.Memory, label: str) -> None:
    made, prediction = asked("uhop-visible", memories, label)
    answer = uhop_cli.retrieve(learned, made.queries, visible=made.visible)
    np.testing.assert_allclose(weights_of(prediction), answer.weights, atol=1e-6)
    if made.visible is None:
        np.testing.assert_array_equal(weights_of(prediction), weights_of(asked("uhop", memories, label)[1]))


def test_knowing_the_mask_makes_the_difference_where_little_is_left(memories: MemorySet) -> None:
    label = "corner:0.15:noise"  # one pixel in its corner, the rest is noise
    told, untold = (weights_of(asked(name, memories, label)[1]) for name in ("uhop-visible", "uhop"))
    right = [np.mean(weights.argmax(axis=1) == np.arange(SIZE)) for weights in (told, untold)]
    assert right[0] > right[1] + 0.2


@pytest.fixture(scope="module")
def restorer(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Restorer:
    folder = tmp_path_factory.mktemp("pictures")
    for index in range(SIZE):
        Image.fromarray(dataset.pixels[index]).save(folder / f"{index}.png")
    store([folder], folder / "m.safetensors")
    return Restorer(folder / "m.safetensors")


@each
def test_pictures_of_the_queries_find_what_bench_finds(memories: MemorySet, restorer: Restorer, label: str, tmp_path: Path) -> None:
    made = Task.damage(memories, parse(label), 3)
    pixels = np.rint(np.clip(made.queries, 0, 1) * 255).astype(np.uint8)
    made = replace(made, queries=pixels.reshape(SIZE, -1) / np.float32(255))
    found = weights_of(METHODS["uhop"].answer(made, Tuning("tuned", lambda task: task)))
    for index in range(SIZE):
        path = tmp_path / f"query-{index}.png"
        Image.fromarray(pixels[index].reshape(memories.spec.shape)).save(path)
        match = restorer.restore(path).answer.matches[0]
        assert match.name == f"{found[index].argmax()}.png"
        assert match.weight == pytest.approx(found[index].max(), abs=1e-6)


def test_it_goes_on_to_a_fixed_point_unless_the_condition_says_how_many_steps(
    memories: MemorySet, learned: uhop_cli.Memory
) -> None:
    label = "noise-abs:2"  # far from any memory: the first step does not decide
    made, free = asked("uhop", memories, label)
    assert free.steps is None
    assert free.beta is None
    _, one = asked("uhop", memories, label, steps=1)
    assert one.steps == 1
    expected = uhop_cli.retrieve(learned, made.queries, settings=RetrievalSettings(steps=1))
    np.testing.assert_allclose(weights_of(one), expected.weights, atol=1e-6)
    assert not np.allclose(weights_of(one), weights_of(free), atol=1e-3)


def test_a_picture_that_is_there_twice_is_stored_once_and_has_its_weight_in_two_places(dataset: Dataset) -> None:
    rows = np.array([0, 1, 2, 1, 3, 1])
    memories = MemorySet(dataset.vectors(rows), dataset.spec)
    assert len(memories.stored) == 4
    weights = weights_of(asked("uhop", memories, "noise:0.1")[1])
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
    for copy in (1, 3, 5):
        np.testing.assert_allclose(weights[copy], [0, 1 / 3, 0, 1 / 3, 0, 1 / 3], atol=1e-3)
    np.testing.assert_allclose(weights[4], [0, 0, 0, 0, 1, 0], atol=1e-3)


def test_weights_of_a_shortlist_are_put_where_they_belong(memories: MemorySet, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.array([[5, 2], [0, 7]])

    def shortlisted(*arguments: object, **settings: object) -> Answer:
        answer = uhop_cli.retrieve(memories.stored, memories.patterns[:2])
        return replace(answer, weights=np.array([[0.75, 0.25], [0.5, 0.5]], np.float32), rows=rows)

    monkeypatch.setattr(engine, "retrieve", shortlisted)
    expected = np.zeros((2, SIZE))
    expected[0, [5, 2]] = 0.75, 0.25
    expected[1, [0, 7]] = 0.5
    np.testing.assert_array_equal(weights_of(asked("uhop", memories, "noise:0")[1]), expected)


def test_a_memory_set_is_stored_once_for_all_its_cells(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def counted(*arguments: object, **settings: object) -> uhop_cli.Memory:
        made.append(settings)
        return uhop_cli.learn(*arguments, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(task, "learn", counted)
    config = Config(experiments=("noise",), methods=("uhop", "uhop-visible"), sizes=(8,), levels=(0.0, 0.3, 1.0), repeats=2)
    bench = Bench(config, dataset, Journal(None, {}))
    bench.run(EXPERIMENTS["noise"], methods_of(EXPERIMENTS["noise"], config))
    assert len(bench.journal.rows) == 12
    assert made == [{"self_test": False}] * 2
    assert all(row["beta"] is None and row["rho"] is None and row["steps"] is None for row in bench.journal.rows)

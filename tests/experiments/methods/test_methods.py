"""Laws that every registered method keeps, and what the single ones are made of."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.corruption.corruption import SUITE, Corruption, parse
from uhop_cli.errors import SettingsError
from uhop_cli.evidence.agreement import agreement, value_density
from uhop_cli.experiments.data.datasets import Dataset
from uhop_cli.experiments.methods.learners import learn, start
from uhop_cli.experiments.methods.protocol import Answer, ProtocolName, Settings, separate
from uhop_cli.experiments.methods.registry import METHODS, Method, select
from uhop_cli.experiments.methods.rules import (
    ClosedForm,
    Either,
    Kept,
    Linear,
    RandomFeatures,
    Visible,
    named,
    random_directions,
    unit,
)
from uhop_cli.experiments.methods.task import Memories, Task
from uhop_cli.retrieval.fixed_size import LinearMemory, RandomFeatureMemory

SIZE = 20
CASES = [(method, protocol) for method in METHODS.values() for protocol in ("paper", "tuned")]


def make_task(
    dataset: Dataset, label: str = "mask:0.5", repeat: int = 0, methods: list[Method] | None = None, **settings: object
) -> Task:
    rows = np.random.default_rng(repeat).permutation(len(dataset))[:SIZE]
    memories = Memories(dataset.vectors(rows), dataset.spec)
    for method in methods or []:
        for learner in (*method.learners, *method.tuned_learners):
            weight = start(0, repeat, learner.feature_dim or dataset.spec.dim, dataset.spec.dim)
            memories.weights[learner] = learn(memories.patterns[None], weight[None], learner, 10)[0]
    return Task.damage(memories, parse(label), repeat, **settings)


def answer(
    dataset: Dataset, method: Method, protocol: ProtocolName, label: str = "mask:0.5", **settings: object
) -> tuple[Task, Answer]:
    tuner = Settings(protocol, lambda task: make_task(dataset, label, 99, [method]))
    task = make_task(dataset, label, methods=[method], **settings)
    return task, method.answer(task, tuner)


@pytest.mark.parametrize(("method", "protocol"), CASES, ids=lambda value: getattr(value, "name", value))
def test_every_method_answers_with_weights_on_the_simplex_or_with_finite_pictures(
    dataset: Dataset, method: Method, protocol: ProtocolName
) -> None:
    for label in ("mask:0.5", "noise:0.3"):  # the latter leaves values below 0 and above 1
        task, result = answer(dataset, method, protocol, label)
        if result.weights is not None:
            assert result.weights.shape == (SIZE, SIZE)
            assert (result.weights >= 0).all()
            assert np.allclose(result.weights.sum(axis=1), 1, atol=1e-4)
        else:
            assert result.pictures is not None
            assert result.pictures.shape == task.queries.shape
            assert np.isfinite(result.pictures).all()


@pytest.mark.parametrize("method", METHODS.values(), ids=lambda method: method.name)
def test_a_clean_query_is_restored_by_what_claims_to_retrieve(dataset: Dataset, method: Method) -> None:
    """At a high beta; the exceptions are what the science says of them."""
    fail = {
        "mean-image", "linear", "random-features", "random-mask", "denseam-10",  # no beta, or memories left out at random
        "mhn", "sparse-mhn", "top-k",  # the dot product prefers bright memories
        "published:l2", "published:l1", "published:poly10", "published:beta", "published:mhn", "published:sparse-mhn",
        "published:top-k", "published:random-mask",
    }  # fmt: skip
    _, result = answer(dataset, method, "paper", "noise:0", beta=1e4)
    if result.weights is None:
        assert method.name in ("query", "published:poly10", "published:beta")
        return
    accuracy = np.mean(np.argmax(result.weights, axis=1) == np.arange(SIZE))
    if method.name not in fail and not method.name.startswith("khm"):
        assert accuracy > 0.9
    if method.name in ("published:l2", "published:l1"):
        assert accuracy == 0  # the farthest memory wins


def test_the_error_of_weights_is_that_of_the_picture(dataset: Dataset) -> None:
    task = make_task(dataset)
    weights = np.random.default_rng(0).dirichlet(np.ones(SIZE), SIZE).astype(np.float32)
    pictures = weights @ task.memories.patterns
    expected = np.square(np.clip(pictures, 0, 1).astype(np.float64) - task.memories.patterns).sum(axis=1)
    assert np.allclose(task.error_of_weights(weights), expected, rtol=1e-4)
    assert np.allclose(task.error_of_pictures(pictures), expected, rtol=1e-4)
    assert task.error_of_weights(np.eye(SIZE, dtype=np.float32)).max() == 0


@pytest.mark.parametrize(
    "corruption",
    [
        *SUITE,
        *(Corruption(kind, level) for kind in ("noise", "noise-abs", "noise-clamped", "noise-norm") for level in (0, 0.3, 1, 3)),
    ],
    ids=lambda corruption: corruption.label,
)
def test_nothing_beats_the_ceiling(dataset: Dataset, corruption: Corruption) -> None:
    """In the mean over many draws; what the ceiling gives where the corruption is not known is nothing."""
    names = ("uhop", "cosine", "l2-squared", "l1-mhn", "mean-image", "query", "denseam-10")
    differences = []
    for repeat in range(8):
        task = make_task(dataset, corruption.label, repeat)
        tuner = Settings("tuned", lambda task, label=corruption.label: make_task(dataset, label, 99))
        best = METHODS["ceiling"].answer(task, tuner)
        if best.weights is None:
            assert corruption.kind not in ("mask", "half", "noise", "noise-abs", "noise-clamped", "noise-norm")
            return
        ceiling = task.error_of_weights(best.weights).mean()
        for name in names:
            result = METHODS[name].answer(task, tuner)
            error = task.error_of_pictures(result.pictures) if result.weights is None else task.error_of_weights(result.weights)
            differences.append((name, float(error.mean() - ceiling)))
    for name in names:
        mine = np.array([difference for other, difference in differences if other == name])
        assert mine.mean() > -3 * mine.std() / len(mine) ** 0.5 - 1e-6, name


def test_the_tabulated_likelihood_is_the_exact_one(dataset: Dataset) -> None:
    from math import erfc

    from uhop_cli.experiments.methods.ceiling import log_likelihood

    def density(x: np.ndarray, sigma: float) -> np.ndarray:
        return np.exp(-x * x / (2 * sigma**2)) / (sigma * np.sqrt(2 * np.pi))

    tail = np.vectorize(lambda z: erfc(z / 2**0.5) / 2)
    for sigma in (0.2, 1.0, 2.0):
        task = make_task(dataset, f"noise-abs:{sigma}")
        found = log_likelihood(task)
        x, xi = task.queries[:, None, :].astype(float), task.memories.patterns[None].astype(float)
        inside = density(x - xi, sigma) + density(x + xi, sigma)
        outside = tail((1 - xi) / sigma) + tail((1 + xi) / sigma)
        exact = np.log(np.where(x < 1, inside, outside)).sum(axis=2)
        assert found is not None
        difference = found - exact
        assert np.abs(difference - difference.mean(axis=1, keepdims=True)).max() < 0.05


def test_tuning_takes_the_rule_that_suits_the_damage(dataset: Dataset) -> None:
    both, kernel = METHODS["uhop"], METHODS["uhop-kernel"]
    for label, setting in (("values:0.7", "sharpness"), ("noise:0.5", "rho")):
        task, found = answer(dataset, both, "tuned", label)
        assert list(found.options) == [setting]
        _, alone = answer(dataset, kernel, "tuned", label)
        assert list(alone.options) == ["rho"]
        assert found.weights is not None
        if setting == "rho":
            np.testing.assert_array_equal(found.weights, alone.weights)
        else:
            rule = Kept()
            expected = separate("softmax")(np.float32(found.beta) * rule.scores(task, None, found.options[setting]), task)
            np.testing.assert_array_equal(found.weights, expected)


def test_what_a_rule_was_set_to_is_named() -> None:
    assert named(ClosedForm(), 0.1) == {"rho": 0.1}
    assert named(Visible(ClosedForm()), 0.1) == {"rho": 0.1}
    assert named(Either((ClosedForm(), Kept())), (Kept(), 3.0)) == {"sharpness": 3.0}
    assert named(Linear(), None) == {}
    both = Either((ClosedForm(), Kept()))
    assert both.options(True) == tuple((rule, option) for rule in both.rules for option in rule.options(True))
    assert [rule for rule, _ in both.options(False)] == [ClosedForm()]


def test_the_fixed_size_models_are_those_of_the_engine(dataset: Dataset) -> None:
    task = make_task(dataset, "noise:0.3")
    linear = LinearMemory(dataset.spec.dim)
    linear.write(task.memories.patterns)
    weights = separate("share")(Linear().scores(task, None, None), task)
    assert np.allclose(weights @ task.memories.patterns, linear.read(task.queries), atol=1e-4)

    memory = RandomFeatureMemory(dataset.spec.dim, features=dataset.spec.dim)
    memory.omegas = random_directions(dataset.spec.dim).astype(np.float64)
    scores = RandomFeatures().scores(task, None, None)
    lifted = np.exp(memory.exponents(unit(task.memories.patterns)))
    expected = np.exp(memory.exponents(unit(task.queries))) @ lifted.T
    assert np.allclose(separate("share")(scores, task), expected / expected.sum(axis=1, keepdims=True), atol=1e-4)


def test_methods_are_chosen_by_name_and_by_protocol() -> None:
    names = [method.name for method in select((), "paper")]
    assert not {"uhop-visible", "uhop-agreement"} & set(names)
    assert not any(name.startswith("published") for name in names)
    assert {"query", "mean-image", "l2-squared", "cosine", "untrained", "ceiling"} <= set(names)
    assert all(method.role == "published" for method in select(("published",), "paper"))
    assert {"published:uhop", "uhop"} <= {method.name for method in select(("all",), "paper")}
    assert len(select(("quirks",), "paper")) == 5
    assert [method.name for method in select(("mhn", "cosine"), "tuned")] == ["mhn", "cosine"]
    with pytest.raises(SettingsError, match="unknown method"):
        select(("mhm",), "paper")


def test_every_method_says_what_it_is_in_one_line() -> None:
    for method in METHODS.values():
        assert 10 < len(method.description) < 130
        assert "\n" not in method.description


def test_kept_values_decide_among_what_the_kernels_propose(dataset: Dataset) -> None:
    task = make_task(dataset)
    exact, coarse = (Kept(proposals=SIZE).scores(task, None, sharpness) for sharpness in (9.0, 1.0))
    assert (exact.argmax(axis=1) == np.arange(SIZE)).all()
    assert not np.allclose(exact, coarse)
    density = value_density(task.queries[:1])[0]
    expected = [agreement(density, np.square(row - task.queries[0]), 9.0)[0] for row in task.memories.patterns]
    np.testing.assert_allclose(exact[0], expected, rtol=1e-4, atol=1e-4)
    few = Kept(proposals=1).scores(task, None, 9.0)
    assert (np.sort(few, axis=1)[:, -1] == exact.max(axis=1)).all()
    assert (few.argmax(axis=1) == exact.argmax(axis=1)).all()
    assert Kept().options(tuned=False) == (1.0,)

"""Laws that every registered method keeps, and what the single ones are made of."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from uhop_cli.corruption.corruption import SUITE, Corruption, parse
from uhop_cli.errors import SettingsError
from uhop_cli.experiments.data.datasets import Dataset
from uhop_cli.experiments.methods.learners import learn, start
from uhop_cli.experiments.methods.protocol import Prediction, ProtocolName, Retrieval, Tuning
from uhop_cli.experiments.methods.registry import METHODS, Method, select
from uhop_cli.experiments.methods.rules import BySimilarity, ClosedForm, Kernel, Linear, RandomFeatures, Rule, named
from uhop_cli.experiments.methods.task import MemorySet, Task
from uhop_cli.kernel.closed_form import RHO_GRID
from uhop_cli.retrieval.fixed_size import FixedSizeMemory, LinearMemory, RandomFeatureMemory

SIZE = 20
CASES = [(method, protocol) for method in METHODS.values() for protocol in ("paper", "tuned")]


def make_task(
    dataset: Dataset, label: str = "mask:0.5", repeat: int = 0, methods: list[Method] | None = None, **settings: object
) -> Task:
    rows = np.random.default_rng(repeat).permutation(len(dataset))[:SIZE]
    memories = MemorySet(dataset.vectors(rows), dataset.spec)
    for method in methods or []:
        for learner in (*method.learners, *method.tuned_learners):
            weight = start(0, repeat, learner.feature_dim or dataset.spec.dim, dataset.spec.dim)
            memories.weights[learner] = learn(memories.patterns[None], weight[None], learner, 10)[0]
    return Task.damage(memories, parse(label), repeat, **settings)


def answer(
    dataset: Dataset, method: Method, protocol: ProtocolName, label: str = "mask:0.5", **settings: object
) -> tuple[Task, Prediction]:
    tuner = Tuning(protocol, lambda task: make_task(dataset, label, 99, [method]))
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
        tuner = Tuning("tuned", lambda task, label=corruption.label: make_task(dataset, label, 99))
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


@pytest.mark.parametrize("kind", ["noise-abs", "noise-clamped"])
@pytest.mark.parametrize("sigma", [0.2, 1.0, 2.0])
def test_the_tabulated_likelihood_is_the_exact_one(dataset: Dataset, kind: str, sigma: float) -> None:
    from math import erfc

    from uhop_cli.experiments.methods.ceiling import log_likelihood

    def density(x: np.ndarray) -> np.ndarray:
        return np.exp(-x * x / (2 * sigma**2)) / (sigma * np.sqrt(2 * np.pi))

    tail = np.vectorize(lambda z: erfc(z / 2**0.5) / 2)  # P(N(0, 1) >= z)
    task = make_task(dataset, f"{kind}:{sigma}")
    found = log_likelihood(task)
    x, xi = task.queries[:, None, :].astype(float), task.memories.patterns[None].astype(float)
    if kind == "noise-abs":
        values = np.where(x < 1, density(x - xi) + density(x + xi), tail((1 - xi) / sigma) + tail((1 + xi) / sigma))
    else:
        values = np.where(x <= 0, tail(xi / sigma), np.where(x < 1, density(x - xi), tail((1 - xi) / sigma)))
    exact = np.log(values).sum(axis=2)
    assert found is not None
    difference = found - exact
    assert np.abs(difference - difference.mean(axis=1, keepdims=True)).max() < 0.05


def test_the_likelihood_of_plain_noise_and_of_visible_values_is_gaussian(dataset: Dataset) -> None:
    from uhop_cli.experiments.methods.ceiling import log_likelihood

    for label, sigma in (("noise:0.3", 0.3), ("noise-norm:3", 3 / 243**0.5), ("mask:0.5", 1e-4)):  # d = 9 * 9 * 3 = 243
        task = make_task(dataset, label)
        kept = np.ones(task.queries.shape) if task.visible is None else task.visible
        differences = (task.queries[:, None].astype(float) - task.memories.patterns[None]) * kept[:, None]
        found = log_likelihood(task)
        assert found is not None
        np.testing.assert_allclose(found, np.square(differences).sum(axis=2) / (-2 * sigma**2), rtol=1e-3, atol=1e-2)
    assert log_likelihood(make_task(dataset, "noise:0.3", held_out=True)) is None


def test_what_a_rule_was_set_to_is_named() -> None:
    assert named(ClosedForm(), 0.1) == {"rho": 0.1}
    assert named(Linear(), None) == {}


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("rho", RHO_GRID)
def test_the_closed_form_is_the_cosine_of_regularised_whitening(dataset: Dataset, rho: float) -> None:
    """With the singular values of the memories written out: W = diag(s / (s^2 + 10 rho mean s^2)) V^T."""
    task = make_task(dataset, "noise:0.3")
    _, s, basis = np.linalg.svd(task.memories.patterns.astype(np.float64), full_matrices=False)
    weight = (s / (s**2 + 10 * rho * np.mean(s**2)))[:, None] * basis
    for states in (None, task.memories.patterns[::-1] * np.float32(0.7)):
        pictures = task.queries if states is None else states
        expected = unit(pictures @ weight.T) @ unit(task.memories.patterns @ weight.T).T
        np.testing.assert_allclose(ClosedForm().scores(task, states, rho), expected, atol=2e-4)
    assert ClosedForm().options(tuned=True) == RHO_GRID
    assert ClosedForm().options(tuned=False) == (0.01,)


def test_the_kernels_of_a_learned_w(dataset: Dataset) -> None:
    task = make_task(dataset, methods=[METHODS["uhop"]])
    (learner,) = METHODS["uhop"].learners
    weight, memories = task.memories.weights[learner].astype(np.float64), task.memories.patterns
    raw = (task.queries @ weight.T) @ (memories @ weight.T).T
    rows = (task.queries @ unit(weight).T) @ (memories @ unit(weight).T).T
    length = np.square(memories).sum() / np.square(memories @ weight.T).sum()
    expected = {
        "raw": raw,
        "rows": rows,
        "unit": unit(task.queries @ weight.T) @ unit(memories @ weight.T).T,
        "matched": raw * length,
    }
    for scale, scores in expected.items():
        np.testing.assert_allclose(Kernel(learner, scale).scores(task, None, None), scores, rtol=1e-3, err_msg=scale)  # type: ignore[arg-type]
    swapped = np.ascontiguousarray(task.queries[::-1])
    np.testing.assert_allclose(Kernel(learner, "raw").scores(task, swapped, None), raw[::-1], rtol=1e-3)


@pytest.mark.parametrize(
    ("rule", "model", "picture"),
    [
        (Linear(), LinearMemory, lambda rows: rows),
        (RandomFeatures(), lambda dim: RandomFeatureMemory(dim, features=dim, orthogonal=False), unit),
    ],
    ids=["linear", "random features"],
)
def test_the_weights_of_the_fixed_size_models_give_what_they_read_out(
    dataset: Dataset, rule: Rule, model: Callable[[int], FixedSizeMemory], picture: Callable[[np.ndarray], np.ndarray]
) -> None:
    task = make_task(dataset, "noise:0.3")
    memory = model(dataset.spec.dim)
    memory.write(picture(task.memories.patterns))
    answered = Retrieval(rule, "none")(task, Tuning("tuned", lambda task: make_task(dataset, "noise:0.3", 99))).weights
    assert answered is not None
    np.testing.assert_allclose(answered @ picture(task.memories.patterns), memory.read(picture(task.queries)), atol=1e-4)
    states = np.ascontiguousarray(task.queries[::-1])
    np.testing.assert_allclose(rule.scores(task, states, None), answered[::-1], atol=1e-6)


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_t_steps_go_through_the_picture_that_is_read_out(dataset: Dataset, steps: int) -> None:
    task = make_task(dataset, "noise:0.3", steps=steps, beta=3.0)
    tuner = Tuning("tuned", lambda task: task)
    result = Retrieval(BySimilarity("cosine"), "softmax")(task, tuner)
    state = task.queries
    for _ in range(steps):
        logits = 3 * unit(state) @ unit(task.memories.patterns).T
        expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        state = expected @ task.memories.patterns
    assert result.steps == steps
    assert result.beta == 3.0
    assert result.weights is not None
    np.testing.assert_allclose(result.weights, expected, rtol=1e-4)


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

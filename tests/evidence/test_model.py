"""The pass over all memories and the dynamics of the choice by evidence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from uhop_cli.api import learn
from uhop_cli.arrays.device import Device
from uhop_cli.arrays.library import to_numpy
from uhop_cli.evidence import model as model_module
from uhop_cli.evidence.choice import choose
from uhop_cli.evidence.likelihoods import inner_products, log_likelihoods, veiled_products
from uhop_cli.evidence.model import EvidenceModel
from uhop_cli.evidence.pixelwise import candidates as candidates_module
from uhop_cli.evidence.verdicts import PROPOSALS
from uhop_cli.memory.memory import Memory
from uhop_cli.querying.retriever import Retriever
from uhop_cli.retrieval import pattern_matrix as matrix_module
from uhop_cli.retrieval.distances import ROUNDING
from uhop_cli.retrieval.dynamics import run

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (40, 8, 8, 3), dtype=np.uint8)
X = (IMAGES.reshape(40, -1) / 255).astype(np.float32)
MEMORY = learn(IMAGES)
OPACITY = np.full((40, 8, 8), 255, np.uint8)
OPACITY[1::3] = RNG.choice(np.array([0, 255], np.uint8), (13, 8, 8))
TRANSPARENT = replace(MEMORY, opacity=OPACITY)


@pytest.fixture(params=["cpu", "torch-cpu"])
def retriever(request: pytest.FixtureRequest) -> Retriever:
    if request.param != "cpu":
        pytest.importorskip("torch")
    return Retriever(MEMORY, device=Device(request.param))


@pytest.mark.parametrize("queries", [1, 5, 20])
@pytest.mark.parametrize("memory", [MEMORY, TRANSPARENT], ids=["opaque", "transparent"])
def test_chunks_and_threads_change_nothing(queries: int, memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = X[:queries] + RNG.normal(0, 0.1, (queries, X.shape[1])).astype(np.float32)
    engine = Retriever(memory).strategy.engine
    query = engine.prepare(rows)
    assert (query.channel_sums is not None) == (memory is TRANSPARENT)
    products = inner_products(query, X, engine.statistics.codes)
    if memory is TRANSPARENT:
        products = products._replace(veiled=veiled_products(query, (OPACITY[1::3] / 255).reshape(13, 64).astype(np.float32)))
    whole, cosine = log_likelihoods(query, products, engine.statistics)
    monkeypatch.setattr(matrix_module, "THIN_CHUNK_BYTES", 4 * X.shape[1] * 7)
    monkeypatch.setattr(matrix_module, "THREADS_WORTH", 1)
    monkeypatch.setattr(model_module, "FEW_TOGETHER", 17)
    monkeypatch.setattr(model_module, "MANY_TOGETHER", 17)
    scores, cosines = engine.scan(query)
    np.testing.assert_allclose(scores, whole, rtol=1e-3, atol=0.05)
    np.testing.assert_allclose(cosines, cosine, atol=1e-5)


def test_a_shortlist_in_parts_and_queries_one_by_one_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Retriever(MEMORY).strategy.engine
    rows = X[:6] + RNG.normal(0, 0.1, (6, X.shape[1])).astype(np.float32)
    query = engine.prepare(rows)
    scores, cosines = engine.scan(query)
    whole = engine.candidates(query, scores, cosines)
    choice = choose(query, engine.statistics, scores, cosines, whole)
    monkeypatch.setattr(candidates_module, "LOOKED_AT", 3 * X.shape[1])
    listed = engine.candidates(query, scores, cosines)
    np.testing.assert_allclose(listed.agreed, whole.agreed, rtol=1e-5)
    np.testing.assert_allclose(listed.exact, whole.exact, rtol=1e-6)
    for place in range(6):
        one = slice(place, place + 1)
        alone = choose(query.part(one), engine.statistics, scores[:, one], cosines[one], listed.part(one))
        np.testing.assert_allclose(alone.facts[0], choice.facts[place], rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(alone.scores[0], choice.scores[place], rtol=1e-4, atol=1e-3)
        assert alone.model[0] == choice.model[place]


def test_what_each_model_ranked_first_need_not_be_found_again(retriever: Retriever) -> None:
    engine = retriever.strategy.engine
    query = engine.prepare(X[:10] + RNG.normal(0, 0.2, (10, X.shape[1])).astype(np.float32))
    scores, cosines = engine.scan(query)
    listed = engine.candidates(query, scores, cosines)
    assert listed.best.shape == (10, len(query.models) - 1, PROPOSALS)
    np.testing.assert_array_equal(to_numpy(listed.best[:, :, 0]), to_numpy(scores).argmax(axis=2).T)
    known = choose(query, engine.statistics, scores, cosines, listed)
    found = choose(query, engine.statistics, scores, cosines, replace(listed, best=None))
    for name in ("model", "scores", "log_odds", "facts"):
        np.testing.assert_allclose(to_numpy(getattr(known, name)), to_numpy(getattr(found, name)), rtol=1e-5)
    # It is taken as it is told: in the memories that are told here no model finds the right one, but agreement.
    wrong = np.broadcast_to(np.arange(20, 20 + PROPOSALS), listed.best.shape).copy()
    told = choose(query, engine.statistics, scores, cosines, replace(listed, best=retriever.device.put(wrong)))
    assert not set(to_numpy(told.model).tolist()) & set(range(1, len(query.models) - 1))


def test_a_memory_left_out_is_never_the_answer(retriever: Retriever) -> None:
    engine = retriever.strategy.engine
    query = engine.prepare(X[:10])
    scores, cosines = engine.scan(query)
    listed = engine.candidates(query, scores, cosines)
    assert (to_numpy(choose(query, engine.statistics, scores, cosines, listed).scores).argmax(axis=1) == np.arange(10)).all()
    scores[:, np.arange(10), np.arange(10)] = -np.inf
    cosines[np.arange(10), np.arange(10)] = -np.inf
    choice = choose(query, engine.statistics, scores, cosines, replace(listed, best=None))
    best = to_numpy(choice.scores).argmax(axis=1)
    assert (best != np.arange(10)).all()
    assert np.isfinite(to_numpy(choice.facts)).all()


@pytest.mark.parametrize("sigma", [0.05, 0.3, 3.0])
def test_energy_never_rises_from_the_first_read_out_on(retriever: Retriever, sigma: float) -> None:
    rows = X[:12] + RNG.normal(0, sigma, (12, X.shape[1])).astype(np.float32)
    engine, put = retriever.strategy.engine, retriever.device.put
    model = EvidenceModel(engine, engine.prepare(rows))
    # Started from a mixture instead of the read-out, so that there is a way to go; right in the middle it would stand still.
    state = put(0.52 * X[:12] + 0.48 * X[12:24])
    energies = []
    for _ in range(8):
        evaluation = model.evaluate(state)
        energies.append(to_numpy(evaluation.energy))
        state = model.advance(state, evaluation.weights, retriever.X.read_out(evaluation.weights))
    assert model.monotone
    steps = np.diff(np.array(energies), axis=0)
    assert steps.max() <= 1e-3 * np.abs(energies).max()
    assert np.array(energies)[-1].mean() < np.array(energies)[0].mean() - 1


def test_a_step_is_the_equation(retriever: Retriever) -> None:
    """Nearly half way between two memories, of which the nearer one is about e times as likely."""
    engine, put = retriever.strategy.engine, retriever.device.put
    model = EvidenceModel(engine, engine.prepare(X[:1]))
    state = (0.5013 * X[0] + 0.4987 * X[1])[None]
    residual = ((state.astype(float) - X) ** 2).mean(axis=1) + ROUNDING
    likelihood = -X.shape[1] / 2 * np.log(residual)
    shares = np.exp(likelihood - likelihood.max()) / residual
    found = model.evaluate(put(state))
    np.testing.assert_allclose(to_numpy(found.weights)[0], shares / shares.sum(), atol=2e-4)
    assert 2.5 < shares[0] / shares[1] < 3
    np.testing.assert_allclose(to_numpy(found.scores)[0], likelihood, rtol=1e-4)
    assert to_numpy(found.energy)[0] == pytest.approx(-np.logaddexp.reduce(likelihood), rel=1e-4)


def test_the_first_step_is_the_posterior_and_the_run_settles(retriever: Retriever) -> None:
    damaged = X[:12].copy()
    damaged[:, : X.shape[1] // 2] = 0.7
    engine, put = retriever.strategy.engine, retriever.device.put
    model = EvidenceModel(engine, engine.prepare(damaged))
    first = model.evaluate(None)
    np.testing.assert_allclose(to_numpy(first.weights), to_numpy(model.choice.weights), atol=1e-6)
    trajectory = run(model, retriever.X, put(damaged))
    assert trajectory.converged.all()
    np.testing.assert_array_equal(to_numpy(trajectory.weights).argmax(axis=1), np.arange(12))
    np.testing.assert_allclose(trajectory.pictures[-1], X[:12], atol=1e-4)

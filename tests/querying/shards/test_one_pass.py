"""A pass over the memories of one shard, against its definition: totals, claims, and what is read out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uhop_cli.arrays.device import CPU, Device
from uhop_cli.arrays.types import Float32
from uhop_cli.querying.shards.messages import Asked
from uhop_cli.querying.shards.one_pass import Pass, log_total, window
from uhop_cli.retrieval.models import LinearModel
from uhop_cli.retrieval.pattern_matrix import pattern_matrix
from uhop_cli.retrieval.separation import Separation

FIRST = 15  # row of the whole memory that the shard's first one is
ROWS = np.random.default_rng(0).random((40, 6), np.float32)
STATES = np.random.default_rng(1).random((5, 6), np.float32)
WEIGHT = np.random.default_rng(2).standard_normal((3, 6)).astype(np.float32)
LENGTHS = np.linspace(1, 2, 40, dtype=np.float32)
BETA = 7.0


def _pass(
    scores: Float32,
    kind: Any = "similarity",
    separation: str = "softmax",
    model: LinearModel | None = None,
    device: Device = CPU,
) -> Pass:
    asked = Asked(kind=kind, queries=STATES, state=STATES, beta=BETA, separation=separation)
    return Pass(asked, device.put(scores), pattern_matrix(ROWS, device), FIRST, model)


@pytest.fixture(params=["cpu", "torch-cpu"])
def device(request: pytest.FixtureRequest) -> Device:
    if request.param != "cpu":
        pytest.importorskip("torch")
    return Device(request.param)


def _logits(kind: str) -> np.ndarray:
    factor = {"similarity": BETA, "visible": 1.0, "identity": 1 + 2 / 6}[kind]
    return factor * (STATES @ ROWS.T).astype(np.float64)


@pytest.mark.parametrize("kind", ["similarity", "visible", "identity"])
def test_parts_of_a_softmax(kind: str) -> None:
    scores, logits = STATES @ ROWS.T, _logits(kind)
    told = _pass(scores, kind).attended()
    np.testing.assert_allclose(told.total, np.logaddexp.reduce(logits, axis=1), rtol=1e-5)
    np.testing.assert_array_equal(told.rows, np.argsort(-scores, axis=1, kind="stable") + FIRST)
    np.testing.assert_array_equal(told.scores, np.take_along_axis(scores, told.rows - FIRST, axis=1))
    if kind == "identity":
        np.testing.assert_allclose(told.energy, np.logaddexp.reduce(scores.astype(np.float64), axis=1), rtol=1e-5)
    else:
        assert told.energy is None


@pytest.mark.parametrize("kind", ["similarity", "visible", "identity"])
def test_who_has_less_than_is_asked_for_reads_nothing_out(kind: str, device: Device) -> None:
    logits = _logits(kind)
    one = _pass(STATES @ ROWS.T, kind, device=device)
    read = one.gathered(one.attended().total + np.array([0, 1e-9, 0, -1, np.inf]))
    assert read.places.tolist() == [0, 2, 3]
    weights = np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
    np.testing.assert_allclose(read.picture, weights[read.places] @ ROWS, atol=1e-5)
    assert read.target is None
    assert one.gathered(np.full(5, np.inf)).picture.shape == (0, 6)


def test_a_map_of_features_is_told_where_it_goes(device: Device) -> None:
    """sum_mu p_mu W xi_mu / n_mu: three values, where the picture has six."""
    X, put = pattern_matrix(ROWS, device), device.put
    model = LinearModel(X, Separation.parse("softmax"), BETA, weight=put(WEIGHT), norms=put(LENGTHS))
    one = _pass(STATES @ ROWS.T, model=model, device=device)
    logits = _logits("similarity")
    weights = np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
    np.testing.assert_allclose(one.gathered(np.full(5, -np.inf)).target, (weights / LENGTHS) @ ROWS @ WEIGHT.T, atol=1e-4)
    given_weights = one.read([np.array([FIRST + 39, FIRST])] * 5, [np.array([0.25, 0.5], np.float32)] * 5)
    expected = (0.25 / LENGTHS[39] * ROWS[39] + 0.5 / LENGTHS[0] * ROWS[0]) @ WEIGHT.T
    np.testing.assert_allclose(given_weights.target, np.tile(expected, (5, 1)), atol=1e-5)


def test_what_goes_by_its_picture_is_told_nothing_more() -> None:
    model = LinearModel(pattern_matrix(ROWS), Separation.parse("softmax"), BETA)
    assert _pass(STATES @ ROWS.T, model=model).gathered(np.full(5, -np.inf)).target is None


def test_memories_of_other_shards_and_without_weight_are_not_read_out(device: Device) -> None:
    rows = [np.array([14, 15, 54, 55]), np.array([14, 55]), np.array([20]), np.array([], np.int64), np.array([20, 54])]
    weights = [np.array(values, np.float32) for values in ([9, 0.25, 0.75, 9], [9, 9], [0], [], [0, 1])]
    read = _pass(STATES @ ROWS.T, device=device).read(rows, weights)
    assert read.places.tolist() == [0, 4]
    np.testing.assert_allclose(read.picture, [0.25 * ROWS[0] + 0.75 * ROWS[39], ROWS[39]], rtol=1e-6)


@settings(deadline=None)
@given(
    st.sampled_from(["sparsemax", "entmax:1.5", "entmax:1.2", "entmax:4", "argmax"]),
    st.lists(st.lists(st.floats(-3, 3, width=32), min_size=1, max_size=6), min_size=1, max_size=4),
)
def test_what_is_far_below_the_largest_of_its_shard_has_no_weight(label: str, shards: list[list[float]]) -> None:
    separation = Separation.parse(label)
    whole = np.concatenate(shards).astype(np.float64)
    kept = np.concatenate([np.array(part) >= max(part) - window(separation) for part in shards])
    weights = separation(whole[None])[0]
    assert not weights[~kept].any()
    np.testing.assert_allclose(separation(whole[kept][None])[0], weights[kept], atol=1e-9)


@pytest.mark.parametrize(("separation", "reach"), [("sparsemax", 1 / BETA), ("entmax:1.5", 2 / BETA), ("argmax", 0.0)])
def test_claims_hold_the_support_and_little_more(separation: str, reach: float) -> None:
    scores = STATES @ ROWS.T
    claims = _pass(scores, separation=separation).claims()
    for line, rows, values in zip(scores, claims.rows, claims.scores, strict=True):
        assert set(np.flatnonzero(line >= line.max() - reach + 1e-6) + FIRST) <= set(rows)
        assert set(rows) <= set(np.flatnonzero(line >= line.max() - reach - 1e-6) + FIRST)
        np.testing.assert_array_equal(values, line[rows - FIRST])


def test_claims_of_the_k_largest() -> None:
    scores = STATES @ ROWS.T
    claims = _pass(scores, separation="top-k:3").claims()
    np.testing.assert_array_equal(claims.rows, np.sort(np.argsort(-scores, axis=1)[:, :3], axis=1) + FIRST)


def test_totals_are_known_better_than_float32_knows_them() -> None:
    """e^-4000 + e^-4000.0005: in float32 numbers of that size are half a thousandth apart."""
    logits = np.array([[-4000.0, -4000.0005], [-np.inf, -np.inf], [-np.inf, 3.0]], np.float32)
    expected = float(logits[0, 0]) + math.log1p(math.exp(float(logits[0, 1]) - float(logits[0, 0])))
    totals = log_total(logits)
    assert totals[0] == pytest.approx(expected, abs=1e-6)
    assert totals[1] == -np.inf
    assert totals[2] == 3

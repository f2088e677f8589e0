"""Every fact of the confidence, worked by hand, for one choice of each kind."""

from __future__ import annotations

import math

import numpy as np
import pytest

from uhop_cli.arrays.device import Device
from uhop_cli.arrays.library import to_numpy
from uhop_cli.evidence.facts import Outcome, facts, names, signed_log
from uhop_cli.evidence.verdicts import Verdict

MODELS = ("identity", "affine 1x1", "affine 2x2", "bands", "kernel 0", "agreement")
# Five queries, answered by affine 1x1, affine 2x2, bands, agreement and identity; the last though nothing is better than unrelated.
TOP = [
    [100, 10, 10, 1, -8],
    [120, 20, 5, 2, 1],
    [90, 300, 15, -3, 2],
    [80, 30, 400, 3, 3],
    [60, 50, 20, 4, 4],
    [70, 40, 30, 600, 5],
]
LEADER = [[7, 1, 3, 0, 5], [7, 1, 2, 5, 0], [7, 4, 3, 0, 1], [8, 4, 3, 1, 2], [7, 4, 2, 2, 3], [9, 2, 3, 6, 4]]
ODDS = [[10, -1, 2, 1, -4], [30, 3, 1, 2, 1], [5, 40, 4, -2, 2], [6, 7, 80, 3, 3], [20, 50, 9, 4, 4], [3, 8, 11, 90, 5]]
SPREAD = [[1, 1, 1, 1, 2], [4, 1, 1, 1, 1], [1, 5, 1, 1, 1], [1, 1, 6, 1, 1], [1, 1, 1, 1, 1], [1, 1, 1, 7, 1]]
DENSITIES = [[50, 10, 20, 30, 15], [90, 20, 10, 40, 12], [10, 30, 5, 20, 11], [20, 15, 60, 10, 14]]


@pytest.fixture(params=["cpu", "torch-cpu"])
def found(request: pytest.FixtureRequest) -> dict[str, list[float]]:
    if request.param != "cpu":
        pytest.importorskip("torch")
    put = Device(request.param).put
    parts = [put(np.array(values, np.float32)) for values in (TOP, ODDS, SPREAD)]
    outcome = Outcome(
        verdicts=Verdict(parts[0], put(np.array(LEADER)), parts[1], parts[0], put(np.array(LEADER)), parts[2]),
        densities=put(np.array(DENSITIES, np.float32)),
        model=put(np.array([1, 2, 3, 5, 0])),
        best=put(np.array([1, 2, 3, 1, 0])),
        kept=put(np.array([0.8, 0.5, 0.2, 0.9, 0.6], np.float32)),
        powers=put(np.array([40, 35, 61, 38, 12], np.float32)),
        spectrum=put(np.array([80, 25, 10, 41, 7], np.float32)),
    )
    columns = to_numpy(facts(outcome)).T.tolist()
    return dict(zip(names(MODELS), columns, strict=True))


def logs(*values: float) -> list[float]:
    """s of each value."""
    return [math.copysign(math.log1p(abs(value)), value) for value in values]


def test_about_the_choice(found: dict[str, list[float]]) -> None:
    assert found["log-odds"] == pytest.approx(logs(30, 40, 80, 90, 0), rel=1e-5)
    lead = [m - s for m, s in zip(logs(30, 40, 80, 90, 0), logs(4, 5, 6, 7, 2), strict=True)]
    assert found["lead"] == pytest.approx(lead, rel=1e-5)
    assert found["kept"] == pytest.approx([math.log(4), 0, -math.log(4), math.log(9), math.log(1.5)], abs=1e-5)
    assert found["explained"] == pytest.approx(logs(120, 300, 400, 2, 0), rel=1e-5)
    assert found["consensus"] == pytest.approx([4 / 6, 3 / 6, 4 / 6, 1 / 6, 1 / 6], rel=1e-5)
    # 10 + 30 + 5 - 6 + 20 - 3;  1 - 3 + 40 + 7 + 50 - 8;  2 - 1 + 4 + 80 - 9 + 11;  -1 - 2 + 2 - 3 - 4 + 90;  -4 - 15 < 0
    assert found["support"] == pytest.approx(logs(56, 87, 87, 82, 0), rel=1e-5)


def test_about_each_model(found: dict[str, list[float]]) -> None:
    assert found["identity"] == pytest.approx(logs(10, 0, 2, -1, 0), abs=1e-5)
    assert found["affine 1x1"] == pytest.approx(logs(30, -3, -1, -2, -1), rel=1e-5)
    assert found["affine 2x2"] == pytest.approx(logs(5, 40, 4, 0, -2), abs=1e-5)
    assert found["bands"] == pytest.approx(logs(-6, 7, 80, -3, -3), rel=1e-5)
    assert found["kernel 0"] == pytest.approx(logs(20, 50, -9, -4, -4), rel=1e-5)
    assert found["agreement"] == pytest.approx(logs(-3, -8, 11, 90, -5), rel=1e-5)


def test_about_each_kind(found: dict[str, list[float]]) -> None:
    # N: 90 - 40 of the model itself; 30 - 35; 60 - 61; 40 - 38 of affine 1x1, the best of the pixels' models; 15 - 12.
    known, odds = np.array(logs(50, -5, -1, 2, 3)), np.array(logs(30, 40, 80, 90, 0))
    kinds = np.array(["white noise", "blocks", "bands", "agreement", "white noise"])
    for kind in kinds:
        here = kinds == kind
        assert found[f"of {kind}"] == here.tolist()
        assert found[f"of {kind}, N"] == pytest.approx(here * known, rel=1e-5)
        assert found[f"of {kind}, log-odds"] == pytest.approx(here * odds, rel=1e-5)


def test_about_the_unknown(found: dict[str, list[float]]) -> None:
    assert found["unknown"] == pytest.approx(logs(10, -5, 0, -1, 5), abs=1e-5)


def test_signed_logarithm() -> None:
    np.testing.assert_allclose(signed_log(np.array([-math.e + 1, 0, math.e - 1])), [-1, 0, 1], atol=1e-12)

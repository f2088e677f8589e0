"""The nets as methods: nothing is trained twice, nothing of the test rows reaches them, and the control is the better one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from uhop_cli.experiments.forecasts import nets
from uhop_cli.experiments.forecasts.config import ForecastConfig
from uhop_cli.experiments.forecasts.run import KEY, run
from uhop_cli.experiments.results.journal import Journal
from uhop_cli.experiments.surroundings import Surroundings
from uhop_cli.forecasting.scores import Errors
from uhop_cli.forecasting.series import Series

pytestmark = pytest.mark.usefixtures("few_windows")


def test_linear_is_the_better_one_on_validation(short: Series, quick: ForecastConfig) -> None:
    study = nets.Study(short, quick, Surroundings(), 24, 6)
    models = {name: study.case.fit(name) for name in ("linear-raw", "linear-centred")}
    better = study.case.better(models)
    expected = Errors.of(models[better](study.case.test.past), study.case.test.future)
    assert study.outcome("linear", 0).chosen == {"base": better}
    assert np.array_equal(study.outcome("linear", 5).errors.squared, expected.squared)


def test_a_resumed_run_is_the_run(short: Series, quick: ForecastConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = replace(quick, methods=("stanhop", "tune-and-play"))
    with Journal(tmp_path, {}, key=KEY) as journal:
        run(short, wanted, journal, Surroundings(tmp_path))
    rows = (tmp_path / "rows.jsonl").read_bytes()
    assert {file.name for file in (tmp_path / "nets").iterdir()} == {
        f"{name}-24-6-0.safetensors" for name in ("stanhop", "tune-and-play", "tune-none", "tune-permuted")
    }
    monkeypatch.setattr("uhop_cli.nn.stanhop.training._epoch", lambda *rest: pytest.fail("trained again"))
    for kept in (1, 2, 3, 5):
        (tmp_path / "rows.jsonl").write_bytes(b"".join(rows.splitlines(keepends=True)[:kept]))
        with Journal(tmp_path, {}, resume=True, key=KEY) as journal:
            run(short, wanted, journal, Surroundings(tmp_path))
        assert (tmp_path / "rows.jsonl").read_bytes() == rows


def test_nothing_of_the_test_rows_reaches_a_net(short: Series, quick: ForecastConfig) -> None:
    """The law of leakage for what is trained: other test rows, the same forecasts of the windows before them."""
    values = short.values.copy()
    values[-40:] += 5.0
    other = Series(short.name, short.columns, values, season=24)
    first, second = (nets.Study(series, quick, Surroundings(), 24, 6) for series in (short, other))
    for method in ("stanhop-alternation", "tune-and-play", "plug-and-play"):
        one, two = (study.outcome(method, 0).errors.squared for study in (first, second))
        untouched = 40 - 6 + 1  # windows of which no row was changed
        assert np.array_equal(one[:untouched], two[:untouched])
        assert not np.array_equal(one, two)

"""The example of CONTRIBUTING.md, as it stands there: a method and an experiment, run side by side with the others."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

from uhop_cli.experiments.bench import Bench
from uhop_cli.experiments.config import Config
from uhop_cli.experiments.data.datasets import Dataset
from uhop_cli.experiments.grids.catalogue import EXPERIMENTS, methods_of
from uhop_cli.experiments.methods.registry import METHODS
from uhop_cli.experiments.results.journal import Journal

PAGE = Path(__file__).parents[2] / "CONTRIBUTING.md"


def test_the_example_runs(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    source = PAGE.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    module = types.ModuleType("example")
    monkeypatch.setitem(sys.modules, "example", module)
    try:
        exec(compile(source, str(PAGE), "exec"), module.__dict__)
        config = Config(experiments=("blurs",), methods=("centred", "cosine"), repeats=2, sizes=(10,))
        bench = Bench(config, dataset, Journal(None, {}))
        bench.run(EXPERIMENTS["blurs"], methods_of(EXPERIMENTS["blurs"], config))
        found = {(row["method"], row["x"]) for row in bench.journal.rows}
        assert found == {(method, radius) for method in ("centred", "cosine") for radius in (1, 2, 4)}
        assert all(row["sse"] >= 0 for row in bench.journal.rows)
    finally:
        METHODS.pop("centred", None)
        EXPERIMENTS.pop("blurs", None)

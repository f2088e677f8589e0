"""Running experiments: pairing, determinism, going on after a kill."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from uhop_cli.arrays.threads import blas_libraries
from uhop_cli.errors import OutputError, SettingsError
from uhop_cli.experiments.bench import Bench
from uhop_cli.experiments.config import Config
from uhop_cli.experiments.data.datasets import Dataset
from uhop_cli.experiments.grids.catalogue import EXPERIMENTS, methods_of, select
from uhop_cli.experiments.results.journal import ROWS, Journal
from uhop_cli.progress import Progress

SMALL = {"sizes": (8,), "levels": (0.0, 0.5), "repeats": 2, "iterations": 3}


class Killed(Exception):
    """Stands for a kill: raised inside the run, after some rows."""


def go(
    config: Config, dataset: Dataset, folder: Path | None = None, *, resume: bool = False, kill_after: int | None = None
) -> Journal:
    with Journal(folder, config.to_json(dataset), resume=resume) as journal:
        cells = 0

        def progress(state: Progress) -> None:
            nonlocal cells
            cells += 1
            if kill_after is not None and cells > kill_after:
                raise Killed

        bench = Bench(config, dataset, journal, progress)
        for experiment in select(config.experiments):
            bench.run(experiment, methods_of(experiment, config))
    return journal


@pytest.mark.parametrize("protocol", ["paper", "tuned"])
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_gives_a_row_for_each_method_condition_and_repeat(dataset: Dataset, name: str, protocol: str) -> None:
    config = Config(experiments=(name,), protocol=protocol, **SMALL)  # type: ignore[arg-type]
    rows = go(config, dataset).rows
    experiment = EXPERIMENTS[name]
    conditions, methods = experiment.conditions(config, dataset), methods_of(experiment, config)
    assert len(rows) == len(conditions) * len(methods) * 2
    json.dumps(rows, allow_nan=False)
    if name != "metastable":
        assert any(row["sse"] is not None for row in rows)
    else:
        assert all(abs(sum(row["sizes"]) - 1) < 1e-6 for row in rows)


def test_methods_share_memories_and_queries_and_sets_are_nested(dataset: Dataset) -> None:
    config = Config(**SMALL)  # type: ignore[arg-type]
    bench = Bench(config, dataset, Journal(None, {}))
    small, large = bench.sets.memories(5, 1), bench.sets.memories(9, 1)
    assert np.array_equal(small.patterns, large.patterns[:5])
    assert not np.array_equal(bench.sets.memories(5, 0).patterns, small.patterns)
    condition = EXPERIMENTS["capacity"].conditions(config, dataset)[0]
    assert np.array_equal(bench.sets.task(condition, small, 1).queries, bench.sets.task(condition, large, 1).queries[:5])


def test_a_row_does_not_depend_on_what_else_is_computed(dataset: Dataset) -> None:
    def errors(config: Config) -> dict[tuple[object, ...], object]:
        rows = [row for row in go(config, dataset).rows if row["method"] in ("cosine", "uhop") and row["x"] in (8, 0.5)]
        return {(row["experiment"], row["method"], row["repeat"]): row["sse"] for row in rows}

    alone = Config(methods=("cosine", "uhop"), protocol="paper", **{**SMALL, "levels": (0.5,)})  # type: ignore[arg-type]
    among = Config(protocol="paper", **SMALL)  # type: ignore[arg-type]
    assert errors(alone) == errors(among)
    assert len(errors(alone)) == 8


@pytest.mark.parametrize("protocol", ["paper", "tuned"])
@pytest.mark.parametrize("cut", [0, 5])
def test_a_killed_run_that_goes_on_gives_the_same_bytes(dataset: Dataset, tmp_path: Path, protocol: str, cut: int) -> None:
    config = Config(experiments=("capacity", "noise", "iterations"), protocol=protocol, **SMALL)  # type: ignore[arg-type]
    whole = tmp_path / "whole"
    go(config, dataset, whole)
    expected = (whole / ROWS).read_bytes()
    for kill_after in (0, 1, 3, 6):
        folder = tmp_path / f"killed-{kill_after}"
        with pytest.raises(Killed):
            go(config, dataset, folder, kill_after=kill_after)
        path = folder / ROWS
        present = path.read_bytes()
        assert expected.startswith(present)
        assert len(present) < len(expected)
        path.write_bytes(present[: len(present) - cut])  # a last line that was cut short
        go(config, dataset, folder, resume=True)
        assert path.read_bytes() == expected


def test_rows_are_made_with_one_thread_of_blas(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that they are the same whatever the number of cores."""
    repeats, seen = Bench._repeats, []

    def noted(bench: Bench, *given: Any) -> None:
        seen.extend(library["num_threads"] for library in blas_libraries())
        repeats(bench, *given)

    monkeypatch.setattr(Bench, "_repeats", noted)
    go(Config(experiments=("capacity",), **SMALL), dataset)  # type: ignore[arg-type]
    assert set(seen) == {1}


@pytest.mark.parametrize("protocol", ["paper", "tuned"])
def test_the_device_changes_no_row(dataset: Dataset, protocol: str) -> None:
    """torch on the CPU stands for a GPU: Stage I, the engine and the similarities run there."""
    settings = {"experiments": ("noise", "iterations"), "protocol": protocol, **SMALL}
    here, there = (go(Config(**settings, device=device), dataset).rows for device in ("cpu", "torch-cpu"))  # type: ignore[arg-type]
    assert len(here) == len(there)
    for row, other in zip(here, there, strict=True):
        assert row.keys() == other.keys()
        for name, value in row.items():
            if isinstance(value, float) and name not in ("beta",):
                assert other[name] == pytest.approx(value, rel=1e-4, abs=1e-4), (row["method"], name)


def test_another_configuration_is_refused(dataset: Dataset, tmp_path: Path) -> None:
    config = Config(experiments=("capacity",), methods=("cosine",), **SMALL)  # type: ignore[arg-type]
    go(config, dataset, tmp_path)
    with pytest.raises(OutputError, match="there already"):
        go(config, dataset, tmp_path)
    other = Config(experiments=("capacity",), methods=("cosine",), seed=1, **SMALL)  # type: ignore[arg-type]
    with pytest.raises(OutputError, match="another configuration"):
        go(other, dataset, tmp_path, resume=True)
    before = (tmp_path / ROWS).read_bytes()
    assert len(go(config, dataset, tmp_path, resume=True).rows) == 2
    assert (tmp_path / ROWS).read_bytes() == before


def test_a_damaged_journal_is_told(dataset: Dataset, tmp_path: Path) -> None:
    config = Config(experiments=("capacity",), methods=("cosine",), **SMALL)  # type: ignore[arg-type]
    go(config, dataset, tmp_path)
    with (tmp_path / ROWS).open("a") as file:
        file.write("{}\n")
    with pytest.raises(OutputError, match="damaged"):
        go(config, dataset, tmp_path, resume=True)


def test_settings_that_make_no_sense_are_refused(dataset: Dataset) -> None:
    for bad in ({"sizes": (1,)}, {"levels": (-1.0,)}, {"repeats": 0}, {"iterations": -1}):
        with pytest.raises(SettingsError):
            Config(**bad)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="too few"):
        Config(sizes=(1000,)).memory_sizes(dataset)
    assert Config().memory_sizes(dataset) == (10, 20, 30, 50, 60)  # of a small set also all of it
    with pytest.raises(SettingsError, match="unknown experiment"):
        select(("capasity",))

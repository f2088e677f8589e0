"""A run whose parts are done elsewhere has the rows of one that does them itself."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from uhop_cli.arrays import threads
from uhop_cli.errors import DatasetError
from uhop_cli.experiments import elsewhere
from uhop_cli.experiments.bench import Bench
from uhop_cli.experiments.config import Config
from uhop_cli.experiments.data.datasets import Dataset, load
from uhop_cli.experiments.elsewhere import Elsewhere, Place
from uhop_cli.experiments.grids.catalogue import methods_of, select
from uhop_cli.experiments.results.journal import Journal
from uhop_cli.progress import Progress

CONFIG = Config(
    experiments=("capacity", "noise"), sizes=(8,), levels=(0.0, 0.5), repeats=3, iterations=3,
    methods=("cosine", "uhop", "uhop-gradient"),
)  # fmt: skip


class Client:
    """Runs every task at once, from what a process would be sent."""

    status = "running"

    def nthreads(self) -> dict[str, int]:
        return {"a": 1}

    def submit(self, function: Any, *arguments: Any, pure: bool) -> Any:
        result = pickle.loads(pickle.dumps(function(*pickle.loads(pickle.dumps(arguments)))))
        return type(
            "Future",
            (),
            {
                "result": lambda self, timeout: result,
                "add_done_callback": lambda self, told: told(self),
                "cancel": lambda self: None,
            },
        )()


@pytest.fixture
def place(tmp_path: Path, dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr(threads, "_shared", [])
    np.save(tmp_path / "set.npy", dataset.pixels)
    elsewhere._dataset.cache_clear()
    return Place(str(tmp_path / "set.npy"), None, load(str(tmp_path / "set.npy"), None).digest, None)


def _run(place: Place, folder: Path | None, there: bool, *, resume: bool = False) -> tuple[Journal, list[Progress]]:
    data, told = load(place.dataset, None), list[Progress]()
    with Journal(folder, CONFIG.to_json(data), resume=resume) as journal:
        bench = Bench(CONFIG, data, journal, told.append)
        experiments = select(CONFIG.experiments)
        if there:
            Elsewhere(Client(), place).run(bench, experiments)
        for experiment in experiments if not there else ():
            bench.run(experiment, methods_of(experiment, CONFIG))
    return journal, told


def test_the_rows_are_the_same_in_the_same_order(place: Place, tmp_path: Path) -> None:
    _run(place, tmp_path / "here", there=False)
    journal, told = _run(place, tmp_path / "there", there=True)
    assert (tmp_path / "there" / "rows.jsonl").read_bytes() == (tmp_path / "here" / "rows.jsonl").read_bytes()
    assert len(journal.seconds) == len(journal.rows)
    assert (told[-1].done, told[-1].total) == (len(journal.rows) // 3, len(journal.rows) // 3)


def test_what_is_there_already_is_not_done_again(place: Place, tmp_path: Path) -> None:
    _run(place, tmp_path / "here", there=False)
    whole = (tmp_path / "here" / "rows.jsonl").read_bytes()
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "rows.jsonl").write_bytes(b"".join(whole.splitlines(keepends=True)[:5]))
    journal, _ = _run(place, tmp_path / "part", there=True, resume=True)
    assert sorted((tmp_path / "part" / "rows.jsonl").read_bytes().splitlines()) == sorted(whole.splitlines())
    assert len(journal.seconds) == len(journal.rows) - 4


def test_another_data_set_on_a_worker_is_refused(place: Place) -> None:
    with pytest.raises(DatasetError, match="another data set of that name"):
        _run(replace(place, digest="0" * 64), None, there=True)

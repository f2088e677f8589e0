"""Parts of a run done on a cluster: a worker makes the rows of a part as the run itself would, and sends them back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from uhop_cli.cluster.tasks import in_order
from uhop_cli.errors import DatasetError
from uhop_cli.experiments.bench import Bench
from uhop_cli.experiments.config import Config
from uhop_cli.experiments.data.datasets import Dataset, load
from uhop_cli.experiments.grids.catalogue import EXPERIMENTS, methods_of
from uhop_cli.experiments.grids.experiment import Experiment
from uhop_cli.experiments.plugin import load_plugin
from uhop_cli.experiments.results.journal import Journal, Key, Row


@dataclass(frozen=True)
class Place:
    """Where a worker finds what a run is about.

    Attributes:
        dataset, data_dir: as `datasets.load` takes them.
        digest: of the data set, which is to be the same everywhere.
        plugin: a Python file that is run first, or None.
    """

    dataset: str
    data_dir: Path | None
    digest: str
    plugin: Path | None


@dataclass(frozen=True)
class Piece:
    """One part of an experiment, by its number, and the rows of it that are there already."""

    place: Place
    config: Config
    experiment: str
    number: int
    done: frozenset[Key]


@dataclass(frozen=True)
class Elsewhere:
    """A cluster, and where its workers find what a run is about.

    Attributes:
        client: of the cluster.
        place: see there.
    """

    client: Any
    place: Place

    def run(self, bench: Bench, experiments: Sequence[Experiment]) -> None:
        """Has the parts of all experiments done; their rows come into the journal in the order of a run without a cluster.

        Raises:
            ClusterError: the cluster is gone.
            DatasetError: a worker has another data set under that name.
        """
        pieces, cells = [], []
        for experiment in experiments:
            methods = methods_of(experiment, bench.config)
            parts = bench.parts(experiment, methods)
            for number, part in enumerate(parts):
                done = frozenset(key for key in bench.keys(part, methods) if key in bench.journal)
                pieces.append(Piece(self.place, bench.config, experiment.name, number, done))
                cells.append(len(part.conditions) * len(part.repeats))
        bench.begin(sum(cells))
        for count, (rows, seconds) in zip(cells, in_order(self.client, rows_of, pieces), strict=True):
            bench.journal.append(rows, seconds)
            bench.report(count)


def rows_of(piece: Piece) -> tuple[list[Row], list[float]]:
    """The rows of a piece that are not there yet, and their seconds: what runs on a worker."""
    if piece.place.plugin is not None:
        _plugged(piece.place.plugin)
    dataset = _dataset(piece.place)
    with Journal(None, {}, done=piece.done) as journal:
        bench = Bench(piece.config, dataset, journal)
        experiment = EXPERIMENTS[piece.experiment]
        methods = methods_of(experiment, piece.config)
        bench.run_parts(bench.parts(experiment, methods)[piece.number : piece.number + 1], methods)
    return journal.rows, [journal.seconds[journal.key_of(row)] for row in journal.rows]


@lru_cache(4)
def _dataset(place: Place) -> Dataset:
    dataset = load(place.dataset, place.data_dir)
    if dataset.digest != place.digest:
        raise DatasetError(f"{place.dataset}: a worker finds another data set of that name", "have all see the same --data-dir")
    return dataset


@lru_cache
def _plugged(path: Path) -> str:
    return load_plugin(path)

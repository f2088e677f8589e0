"""The part of `uhop bench` that runs on time series: experiments forecast, sudden-event and fresh-event."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from uhop_cli.cli.families.shown import show
from uhop_cli.cli.output import Output
from uhop_cli.cli.report.bench import Pages

NAMES = ("forecast", "sudden-event", "fresh-event")
ON_EVENTS = NAMES[1:]


def wanted(experiments: Sequence[str], dataset: str) -> tuple[str, ...]:
    """The experiments on time series among those asked for, which are all of them or none; 'all' of a series means `NAMES`.

    Raises:
        BadParameter: some are on time series and some are not.
    """
    if "all" in experiments and is_series(dataset):
        return NAMES
    some = [name in NAMES for name in experiments]
    if any(some) and not all(some):
        raise typer.BadParameter("experiments on time series and on pictures need different data sets: run them apart")
    return tuple(experiments) if any(some) else ()


def is_series(dataset: str) -> bool:
    """Whether the name is that of a published series or of a file that is read as one."""
    from uhop_cli.experiments.forecasts.data import FILES, SUFFIXES

    return dataset in FILES or Path(dataset).suffix.lower() in SUFFIXES


def bench(
    output: Output,
    *,
    experiments: tuple[str, ...],
    dataset: str,
    data_dir: Path | None,
    out: Path | None,
    resume: bool,
    pages: Pages,
    device: str,
    refused: Sequence[str],
    options: dict[str, Any],
) -> None:
    """Runs the experiments and prints their tables; `options` are fields of `ForecastConfig`, None and empty where not given.

    Raises:
        BadParameter: an option of `refused`, or one that would do nothing.
    """
    for name in refused:
        raise typer.BadParameter(f"{name} means nothing on time series")
    for name in ("horizons", "look_backs"):
        if options[name] and "forecast" not in experiments:
            raise typer.BadParameter(f"--{name.replace('_', '-')} is for --experiment forecast")
    if options["stored"] and "forecast" in experiments and len(experiments) > 1:
        raise typer.BadParameter("--sizes are windows in one of the experiments and events in the others: run them apart")
    if len(options["stored"]) > 1 and "forecast" in experiments:
        raise typer.BadParameter("--sizes is one number of stored windows in --experiment forecast")
    from uhop_cli.experiments.data.datasets import data_folders
    from uhop_cli.experiments.forecasts import figures, net_rows
    from uhop_cli.experiments.forecasts.config import ForecastConfig
    from uhop_cli.experiments.forecasts.data import load_series
    from uhop_cli.experiments.forecasts.run import FORECASTS, KEY
    from uhop_cli.experiments.results.journal import Journal
    from uhop_cli.experiments.surroundings import Surroundings

    given = {name: value for name, value in options.items() if value is not None and value != ()}
    config = ForecastConfig(tuple(dict.fromkeys(experiments)), **given)
    random = set(config.experiments) & set(ON_EVENTS) or net_rows.wanted(config)
    if config.repeats is not None and not random:
        raise typer.BadParameter("--repeats is for events and for nets: the methods asked for have no random draws")
    series = load_series(dataset, data_folders(data_dir))
    for warning in series.warnings:
        output.warn(warning)
    record = config.to_json(series)
    with Journal(out, record, resume=resume, key=KEY) as journal, output.progress() as progress:
        FORECASTS.run(series, config, journal, Surroundings(out, device, progress))
    show(
        FORECASTS,
        config.experiments,
        journal,
        record,
        output=output,
        out=out,
        draw=lambda folder: figures.draw(folder, journal.rows, series, config),
        pages=pages,
    )

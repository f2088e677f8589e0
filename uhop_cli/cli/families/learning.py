"""The part of `uhop bench` that learns from labelled data: experiments classify, expressiveness and mil."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from uhop_cli.cli.families.shown import show
from uhop_cli.cli.output import Output
from uhop_cli.cli.report.bench import Pages

NAMES = ("classify", "expressiveness", "mil")


def wanted(experiments: Sequence[str]) -> tuple[str, ...]:
    """The experiments of this kind among those asked for, which are all of them or none.

    Raises:
        BadParameter: some learn from labelled data and some do not.
    """
    some = [name in NAMES for name in experiments]
    if (any(some) and not all(some)) or ("mil" in experiments and len(set(experiments)) > 1):
        raise typer.BadParameter("classify and expressiveness, mil, and all other experiments need different data: run them apart")
    return tuple(dict.fromkeys(experiments)) if any(some) else ()


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
    """Runs the experiments and prints their tables; `options` are fields of `LearningConfig`, None and empty where not given.

    Raises:
        BadParameter: an option of `refused`, or one that would do nothing.
    """
    for name in refused:
        raise typer.BadParameter(f"{name} means nothing where labelled data are learned from")
    if experiments == ("mil",):
        for name in ("sizes", "epochs", "width", "rate"):
            if options[name]:
                raise typer.BadParameter("--train-size, --sizes, --epochs, --width and --rate mean nothing in --experiment mil")
    elif len(options["sizes"]) > 1 and "classify" in experiments:
        raise typer.BadParameter("--sizes are for --experiment expressiveness; classify takes one --train-size")

    from uhop_cli.experiments.learning import figures
    from uhop_cli.experiments.learning.config import LearningConfig
    from uhop_cli.experiments.learning.data import load
    from uhop_cli.experiments.learning.run import KEY, LEARNING
    from uhop_cli.experiments.results.family import check_methods
    from uhop_cli.experiments.results.journal import Journal
    from uhop_cli.experiments.surroundings import Surroundings

    config = LearningConfig(experiments, **{name: value for name, value in options.items() if value is not None and value != ()})
    check_methods([LEARNING.experiments[name] for name in experiments], config.methods)
    with output.progress() as progress:
        data, about, warnings = load(experiments, dataset, data_dir, progress)
    for warning in warnings:
        output.warn(warning)
    record = config.to_json(about)
    with Journal(out, record, resume=resume, key=KEY) as journal, output.progress() as progress:
        LEARNING.run(data, config, journal, Surroundings(out, device, progress))
    show(
        LEARNING,
        experiments,
        journal,
        record,
        output=output,
        out=out,
        draw=lambda folder: figures.draw(folder, journal.rows, str(about["dataset"])),
        pages=pages,
    )

"""`uhop bench`: sweeps memory size, noise and more over all methods, and prints tables of the sum-of-squares error."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from uhop_cli.cli import options
from uhop_cli.cli.families import forecasts, learning
from uhop_cli.cli.help import examples
from uhop_cli.cli.output import Output
from uhop_cli.cli.report.bench import Pages
from uhop_cli.cli.screen.bench import show
from uhop_cli.cluster.connection import check, connected
from uhop_cli.progress import started

if TYPE_CHECKING:
    from uhop_cli.experiments.bench import Bench
    from uhop_cli.experiments.config import Config
    from uhop_cli.experiments.data.datasets import Dataset
    from uhop_cli.experiments.elsewhere import Elsewhere

EXAMPLES = examples(
    ("uhop bench", "the sample pictures, offline, under a minute"),
    ("uhop bench --dataset cifar10 --out results/", "tables, report and figures"),
    ("uhop bench --dataset mnist --protocol paper", "the settings of the U-Hop paper"),
    ("uhop bench --methods uhop,cosine,published", "beside the quirks of the published code"),
    ("uhop bench --experiment forecast --dataset etth1", "time series; also sudden-event, fresh-event"),
    ("uhop bench --experiment classify --dataset cifar10", "layers that learn; also expressiveness, mil"),
    ("uhop bench --plugin FILE --report mine.html", "your own methods, and a page to read"),
    ("uhop bench --list", "data sets, methods, experiments"),
)


def _names(values: list[str] | None) -> tuple[str, ...]:
    return tuple(name.strip() for value in values or [] for name in value.split(",") if name.strip())


def _numbers(values: list[str] | None, what: str) -> tuple[float, ...]:
    try:
        return tuple(float(name) for name in _names(values))
    except ValueError:
        raise typer.BadParameter(f"{what} are numbers, separated by commas") from None


def _given(options: Mapping[str, object]) -> list[str]:
    """The names of the options that have a value."""
    return [name for name, value in options.items() if value is not None and value != ()]


def bench(
    context: typer.Context,
    dataset: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            autocompletion=options.of(options.dataset_names),
            help="One of --list, or a folder, .npy, .csv or .npz; sample comes with uhop.",
        ),
    ] = "sample",
    data_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where data sets lie; also UHOP_DATA_DIR, then the cache.")
    ] = None,
    experiment: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            autocompletion=options.of(options.experiment_names, several=True),
            help="Which to run, or all (of the pictures, or of a series). By default capacity and noise.",
        ),
    ] = None,
    methods: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            autocompletion=options.of(options.method_names, several=True),
            help="Which to compare; also all, published, quirks.",
        ),
    ] = None,
    sizes: Annotated[list[str] | None, typer.Option(metavar="M", help="Memory sizes; training samples of expressiveness.")] = None,
    levels: Annotated[list[str] | None, typer.Option(metavar="S", help="Noise levels.")] = None,
    repeats: Annotated[
        int | None, typer.Option(min=1, metavar="R", help="Memory sets: 5, or 20 as in the paper; seeds of nets: 3, or 5.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A trial where nets are trained: fewer seeds, less data.")] = False,
    horizons: Annotated[list[str] | None, typer.Option(metavar="H", help="Of forecasts: 96,192,336,720.")] = None,
    look_backs: Annotated[list[str] | None, typer.Option(metavar="L", help="Of forecasts: 96,336.")] = None,
    train_size: Annotated[int | None, typer.Option(min=10, metavar="N", help="Training samples of classify: 10,000.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, metavar="E", help="Of nets on pictures: 15.")] = None,
    width: Annotated[int | None, typer.Option(min=4, metavar="D", help="Of nets on pictures: 128.")] = None,
    rate: Annotated[
        float | None, typer.Option(min=0, metavar="R", help="Of nets on pictures; else chosen for each method.")
    ] = None,
    iterations: Annotated[int | None, typer.Option(min=0, metavar="N", help="Of Stage I by gradient descent.")] = None,
    protocol: Annotated[
        Literal["paper", "tuned"], typer.Option(help="The paper's settings, or each method at its best.")
    ] = "tuned",
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Write rows, report and figures there.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the rows in --out.")] = False,
    report: Annotated[Path | None, typer.Option(metavar="FILE.html", help="Write tables and figures as one page.")] = None,
    table: Annotated[str | None, typer.Option("--csv", metavar="FILE|-", help="Write the rows as a table.")] = None,
    plugin: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Run this Python file first: it registers methods and experiments.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="With --report, --csv: replace files that are in the way.")] = False,
    listing: Annotated[bool, typer.Option("--list", help="Name data sets, methods and experiments.")] = False,
    device: options.DeviceName = "auto",
    cluster: options.Cluster = None,
    seed: options.Seed = 0,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Compare methods of retrieval, forecasting and learning, each with its controls."""
    output = Output(json=as_json, quiet=quiet, binary=table == "-")
    wanted = Pages(report, table, force)
    wanted.check(json=as_json, quiet=quiet)
    if resume and out is None:
        raise typer.BadParameter("--resume goes on with a run that was written to --out DIR")
    whole = _numbers(sizes, "--sizes")
    if not all(size.is_integer() for size in whole):
        raise typer.BadParameter("--sizes are whole numbers")
    noise = _numbers(levels, "--levels")
    ahead, back = _numbers(horizons, "--horizons"), _numbers(look_backs, "--look-backs")
    for name, numbers in (("--horizons", ahead), ("--look-backs", back)):
        if not all(number.is_integer() for number in numbers):
            raise typer.BadParameter(f"{name} are whole numbers")

    from uhop_cli.experiments.config import Config
    from uhop_cli.experiments.data.datasets import load

    plugged = None
    if plugin is not None:
        from uhop_cli.experiments.plugin import load_plugin

        plugged = load_plugin(plugin)
    if listing:
        _list(output)
        return
    of_pictures: dict[str, object] = {"--levels": levels, "--iterations": iterations, "--plugin": plugin}
    source = context.get_parameter_source("cluster")
    of_pictures["--cluster"] = cluster if source is not None and source.name == "COMMANDLINE" else None
    of_pictures["--protocol"] = None if protocol == "tuned" else protocol
    of_series: dict[str, object] = {"--horizons": ahead, "--look-backs": back}
    nets: dict[str, object] = {"epochs": epochs, "width": width, "rate": rate}
    of_nets: dict[str, object] = {"--train-size": train_size, **{f"--{name}": value for name, value in nets.items()}}
    place: dict[str, Any] = {"dataset": dataset, "data_dir": data_dir, "out": out, "resume": resume, "pages": wanted}
    shared = {"methods": _names(methods), "repeats": repeats, "seed": seed, "quick": quick or None}
    counts = tuple(int(size) for size in whole)
    learned = learning.wanted(_names(experiment))
    if learned:
        if train_size is not None and (whole or learned != ("classify",)):
            raise typer.BadParameter("--train-size is for --experiment classify; expressiveness has --sizes")
        nets["sizes"] = counts if train_size is None else (train_size,)
        refused = _given(of_pictures | of_series)
        learning.bench(output, experiments=learned, device=device, refused=refused, options=shared | nets, **place)
        return
    for name in _given(of_nets):
        raise typer.BadParameter(f"{name} is for --experiment classify and expressiveness")
    on_series = forecasts.wanted(_names(experiment), dataset)
    if on_series:
        windows = {"look_backs": tuple(map(int, back)), "horizons": tuple(map(int, ahead)), "stored": counts}
        refused = _given(of_pictures)
        forecasts.bench(output, experiments=on_series, device=device, refused=refused, options=shared | windows, **place)
        return
    for name in _given(of_series):
        raise typer.BadParameter(f"{name} is for --experiment forecast")
    if quick:
        raise typer.BadParameter("--quick is for experiments that train nets")
    if "all" in _names(experiment):
        named = ", ".join((*forecasts.NAMES, *learning.NAMES))
        output.note(f"experiments on time series, and those that learn, are asked for by name: {named}")
    if cluster is not None:
        check(cluster)
    config = Config(
        experiments=_names(experiment) or ("capacity", "noise"),
        sizes=counts,
        levels=noise,
        methods=_names(methods),
        repeats=repeats,
        iterations=iterations,
        protocol=protocol,
        seed=seed,
        device=device,
    )
    with output.progress() as progress:
        data = load(dataset, data_dir, progress)
    for warning in data.warnings:
        output.warn(warning)
    if cluster is None:
        _run(config, data, out, resume, output, wanted, plugged)
        return
    from uhop_cli.experiments.elsewhere import Elsewhere, Place

    found = Place(dataset, None if data_dir is None else data_dir.absolute(), data.digest, plugin)
    _run(config, data, out, resume, output, wanted, plugged, Elsewhere(context.with_resource(connected(cluster)), found))


def _run(
    config: Config,
    data: Dataset,
    out: Path | None,
    resume: bool,
    output: Output,
    wanted: Pages,
    plugged: str | None,
    elsewhere: Elsewhere | None = None,
) -> None:
    from uhop_cli.experiments.bench import Bench
    from uhop_cli.experiments.grids.catalogue import methods_of, select
    from uhop_cli.experiments.results import report
    from uhop_cli.experiments.results.journal import Journal
    from uhop_cli.experiments.results.statistics import summarise
    from uhop_cli.experiments.results.verdicts import verdicts

    chosen = [(experiment, methods_of(experiment, config)) for experiment in select(config.experiments)]
    record = config.to_json(data) | ({} if plugged is None else {"plugin": plugged})
    with Journal(out, record, resume=resume) as journal, output.progress() as progress:
        bench = Bench(config, data, journal, progress)
        if elsewhere is not None:
            elsewhere.run(bench, [experiment for experiment, _ in chosen])
        for experiment, methods in chosen if elsewhere is None else ():
            bench.run(experiment, methods)
    for experiment, _ in chosen:
        show(experiment.name, journal, output)
    output.line("c control   ^ ceiling: nothing can be better   p with published quirks")
    output.line("* best of its column   ! no better than the mean image")
    output.line("± standard deviation over repeats")
    with tempfile.TemporaryDirectory(prefix="uhop-bench-") as spare:
        folder = out or Path(spare)
        with output.progress() as progress:
            started(progress, "draw")
            figures = _figures(folder, bench, output) if out is not None or wanted.report is not None else []
        if out is not None:
            _write(out, bench, record, figures, output)
        wanted.of_pictures(bench, record, folder, figures)
    for sentence in verdicts([summarise(journal.rows, experiment.name) for experiment, _ in chosen]):
        output.paragraph(sentence)
    output.document(report.document(journal, record))


def _figures(out: Path, bench: Bench, output: Output) -> list[str]:
    """Draws the figures and contact sheets; returns their names."""
    from uhop_cli.experiments.bench import pictures
    from uhop_cli.experiments.grids.catalogue import methods_of, select
    from uhop_cli.experiments.results import contact_sheets, plots

    figures: list[str] = []
    for experiment in select(bench.config.experiments):
        if plots.available():
            figures += plots.draw(out, bench.journal.rows, experiment, bench.dataset.name)
        condition = contact_sheets.shown(experiment.conditions(bench.config, bench.dataset))
        if condition is not None:
            answers = pictures(bench, condition, methods_of(experiment, bench.config), contact_sheets.PICTURES)
            figures += contact_sheets.draw(out, bench.dataset.spec, experiment, condition, answers)
    if not plots.available():
        output.note("no figures without matplotlib: pip install 'uhop-cli[plot]'")
    return figures


def _write(out: Path, bench: Bench, record: dict[str, object], figures: list[str], output: Output) -> None:
    from uhop_cli.experiments.results import report
    from uhop_cli.files.names import escape

    report.write(out, bench.journal, record, [name for name in figures if name.endswith(".png")])
    output.line(f"written to {escape(out)}: report.md, rows.csv, rows.json, {len(figures)} pictures")
    output.essential(escape(out / "report.md"))


def _list(output: Output) -> None:
    from uhop_cli.experiments.data.bags import BAGS
    from uhop_cli.experiments.data.published import PUBLISHED, TINY_IMAGENET
    from uhop_cli.experiments.forecasts.data import FILES
    from uhop_cli.experiments.forecasts.run import EXPERIMENTS as FORECASTS
    from uhop_cli.experiments.grids.catalogue import EXPERIMENTS
    from uhop_cli.experiments.learning.run import EXPERIMENTS as LEARNING
    from uhop_cli.experiments.methods.registry import METHODS

    families = [*FORECASTS.values(), *LEARNING.values()]
    sets = [("sample", "35 drawn pictures, part of the installation"), *((one.name, one.description) for one in PUBLISHED.values())]
    sets += [(name, description) for name, (_, description) in FILES.items()]
    sets += [(TINY_IMAGENET.name, TINY_IMAGENET.description), *BAGS.items()]
    methods: list[tuple[str, str, str]] = [(method.name, method.role, method.description) for method in METHODS.values()]
    experiments = [(one.name, one.figure, one.question) for one in EXPERIMENTS.values()]
    experiments += [(one.name, "-", one.question) for one in families]
    methods += [(name, one.name, words) for one in families for name, words in one.methods.items()]
    output.table(["data set", "what"], sets, left=[0, 1])
    output.line()
    output.table(["experiment", "figure", "question"], experiments, left=[0, 1, 2])
    output.line()
    output.table(["method", "kind", "what"], methods, left=[0, 1, 2])
    output.document(
        {
            "schema": "uhop.bench-list/1",
            "datasets": [name for name, _ in sets],
            "experiments": [name for name, *_ in experiments],
            "methods": [name for name, *_ in methods],
        }
    )

"""Statistics, report and figures."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from uhop_cli.experiments.bench import Bench, pictures
from uhop_cli.experiments.config import Config
from uhop_cli.experiments.data.datasets import Dataset
from uhop_cli.experiments.grids.catalogue import EXPERIMENTS, methods_of
from uhop_cli.experiments.methods.registry import METHODS
from uhop_cli.experiments.results import contact_sheets as sheet
from uhop_cli.experiments.results import plots, report
from uhop_cli.experiments.results.journal import Journal
from uhop_cli.experiments.results.statistics import Cell, paired, rank_correlation, role, student_quantile, summarise


def row(method: str, repeat: int, sse: float, x: int = 10) -> dict[str, object]:
    return {"experiment": "capacity", "method": method, "repeat": repeat, "x": x, "sse": sse, "accuracy": None, "loss": None}


def test_students_quantile_is_the_known_one() -> None:
    stats = pytest.importorskip("scipy.stats")
    for freedom in (1, 2, 9, 19, 100):
        assert student_quantile(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-6)


def test_the_interval_is_that_of_the_paired_difference() -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    these, those = rng.random(12), rng.random(12)
    mean, half = paired(dict(enumerate(these)), dict(enumerate(those)))
    interval = stats.ttest_rel(these, those).confidence_interval(0.95)
    assert (mean - half, mean + half) == pytest.approx((interval.low, interval.high))
    assert paired({0: 3.0}, {0: 1.0}) == (2.0, 0.0)


def test_a_table_knows_the_best_and_the_best_control() -> None:
    rows = [row(m, r, v + r) for m, v in (("uhop", 2.0), ("mean-image", 9.0), ("cosine", 4.0), ("ceiling", 0.0)) for r in (0, 1)]
    table = summarise(rows, "capacity")
    assert [table.cells[m, 10].best for m in table.methods] == [True, False, False, False]  # the ceiling is no contestant
    assert table.cells["uhop", 10].difference == pytest.approx(-2.0)  # against cosine, the better control
    assert table.cells["cosine", 10].difference is None
    assert table.cells["uhop", 10].mean == 2.5


def test_who_does_not_beat_the_mean_image_is_named() -> None:
    rows = [row(m, r, v) for m, v in (("uhop", 9.0), ("mhn", 8.9), ("mean-image", 9.0), ("ceiling", 9.0)) for r in (0, 1)]
    table = summarise(rows, "capacity")
    assert [table.cells[m, 10].idle for m in table.methods] == [True, False, False, False]
    tied = summarise([row(m, 0, 9.0) for m in ("uhop", "mean-image")], "capacity")
    assert [tied.cells[m, 10].best for m in tied.methods] == [False, True]
    config = {"settings": {"protocol": "tuned", "seed": 0}, "dataset": "x", "images": 1, "shape": [1], "digest": "", "files": {}}
    config |= {"repeats": 1, "iterations": 1, "version": ""}
    text = report.markdown([{**one, "rate": None} for one in rows], config)
    assert "no better than the mean image at any of them" in text
    assert "| uhop | 9.00±0 ! |" in text
    assert "1 repeat, " in text


def test_errors_that_are_shown_as_nothing_are_all_the_best() -> None:
    table = summarise([row("uhop", 0, 0.0), row("mhn", 0, 5e-7), row("cosine", 0, 2e-6)], "capacity")
    assert [table.cells[m, 10].best for m in table.methods] == [True, True, False]


@pytest.mark.parametrize(
    ("mean", "deviation", "text"),
    [
        (8.3, 2.31, "8.30±2.31"),
        (44.2, 3.94, "44.2±3.9"),
        (100, 50, "100±50"),
        (266.0, 0.17, "266±0.2"),
        (0.00999, 0.0115, "0.0100±0.0115"),
        (0.00071, 0.0003, "0.0007±0.0003"),
        (278.0, 3e-6, "278±0"),
        (1e-5, 2e-6, "1e-05±2e-06"),
        (1e-9, 0, "0±0"),
    ],
)
def test_means_and_deviations_are_written_alike(mean: float, deviation: float, text: str) -> None:
    assert report.cell_text(Cell(mean, deviation, 2), "sse") == text
    assert report.cell_text(Cell(mean, 0.0, 1), "sse") == text.partition("±")[0]  # one repeat has no deviation


def test_ranks_correlate_as_spearman_says() -> None:
    stats = pytest.importorskip("scipy.stats")
    xs, ys = np.random.default_rng(0).integers(0, 6, (2, 20)).tolist()
    assert rank_correlation(xs, ys) == pytest.approx(stats.spearmanr(xs, ys).statistic)
    assert rank_correlation([1, 1], [1, 2]) is None
    assert rank_correlation([], []) is None


def test_no_panel_has_too_many_curves_and_each_has_the_controls(dataset: Dataset) -> None:
    few = ["uhop", "mhn", "mean-image", "ceiling"]
    assert plots._panels(few) == [("", few)]
    everyone = [method.name for method in methods_of(EXPERIMENTS["capacity"], Config(methods=("all", "quirks"), protocol="paper"))]
    panels = plots._panels(everyone)
    assert [title for title, _ in panels] == list(plots.PANELS)
    assert {method for _, methods in panels for method in methods} == set(everyone)
    for _, methods in panels:
        assert {"mean-image", "cosine", "ceiling"} <= set(methods)
        looks = {(look["color"], look["marker"]) for look in map(plots._look, methods)}
        assert len(looks) == len(methods)  # no two look the same


def test_controls_are_dashed_and_learned_kernels_solid() -> None:
    assert {role(method): plots._look(method)["linestyle"] for method in METHODS}.items() >= {"control": "--", "uhop": "-"}.items()
    assert all(plots._look(method)["color"] in plots.GREYS for method in METHODS if role(method) == "control")


@pytest.fixture(scope="module")
def bench(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> tuple[Bench, Path]:
    folder = tmp_path_factory.mktemp("out")
    config = Config(experiments=("capacity", "loss-vs-error", "corruptions", "metastable"), sizes=(6, 9), repeats=2, iterations=2)
    with Journal(folder, config.to_json(dataset)) as journal:
        bench = Bench(config, dataset, journal)
        for name in config.experiments:
            bench.run(EXPERIMENTS[name], methods_of(EXPERIMENTS[name], config))
    return bench, folder


def test_csv_and_json_carry_every_row(bench: tuple[Bench, Path], dataset: Dataset) -> None:
    run, folder = bench
    report.write(folder, run.journal, run.config.to_json(dataset))
    document = json.loads((folder / "rows.json").read_text())
    assert document["schema"] == "uhop.bench/1"
    assert document["config"]["digest"] == dataset.digest
    assert len(document["rows"]) == len(run.journal.rows)
    wanted = {"experiment", "dataset", "method", "memory_size", "corruption", "level", "iterations", "repeat", "seed", "sse"}
    wanted |= {"accuracy", "seconds"}
    assert all(wanted <= set(one) and one["seconds"] >= 0 for one in document["rows"])
    with (folder / "rows.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(run.journal.rows)
    assert "seconds" not in lines[0]
    assert float(lines[0]["sse"]) == run.journal.rows[0]["sse"]
    text = (folder / "report.md").read_text()
    assert "## capacity" in text
    assert "| c | mean-image |" in text
    assert "best control" in text
    assert "above 10" in text  # the table of metastable states, diffuse and large ones included
    assert "| uhop-average-1 | rate above 0 |" in text
    assert "Sum-of-squares error against memories" in text


def test_the_report_shows_figures_and_contact_sheets(bench: tuple[Bench, Path], dataset: Dataset) -> None:
    run, folder = bench
    figures = ["capacity.png", "capacity-uhop.png", "capacity-mean-image.png"]
    report.write(folder, run.journal, run.config.to_json(dataset), figures)
    text = (folder / "report.md").read_text()
    assert all(text.count(f"({name})") == 1 for name in figures)
    assert "query | retrieved | truth" in text


def test_what_a_method_learned_is_told_once(bench: tuple[Bench, Path]) -> None:
    run, _ = bench
    (_, _, body), *_ = [table for table in report.details(run.journal.rows, "corruptions") if table[1][1] == "at"]
    assert [line[:2] for line in body] == [["uhop-gradient", "all"], ["untrained", "all"]]  # whatever the damage


def test_figures_are_drawn_and_are_the_same_each_time(bench: tuple[Bench, Path]) -> None:
    pytest.importorskip("matplotlib")
    run, folder = bench
    for name in ("capacity", "loss-vs-error", "corruptions"):
        assert plots.draw(folder, run.journal.rows, EXPERIMENTS[name], "generated") == [f"{name}.png", f"{name}.svg"]
    first = (folder / "capacity.svg").read_bytes()
    plots.draw(folder, run.journal.rows, EXPERIMENTS["capacity"], "generated")
    assert (folder / "capacity.svg").read_bytes() == first
    assert plots.draw(folder, run.journal.rows, EXPERIMENTS["metastable"], "generated") == []  # nothing has an error there


def test_the_contact_sheet_shows_query_answer_and_truth(bench: tuple[Bench, Path]) -> None:
    from PIL import Image

    run, folder = bench
    methods = methods_of(EXPERIMENTS["capacity"], run.config)
    experiment, spec = EXPERIMENTS["capacity"], run.dataset.spec
    condition = sheet.shown(experiment.conditions(run.config, run.dataset))
    assert condition is not None
    names = sheet.draw(folder, spec, experiment, condition, pictures(run, condition, methods, sheet.PICTURES))
    assert len(names) == len(methods)
    with Image.open(folder / "capacity-ceiling.png") as picture:
        pixels = np.asarray(picture)
    zoom = sheet.LEAST_SIDE // 9
    size, step = 9 * zoom, 9 * zoom + sheet.GAP
    top = len(pixels) - (9 * step + sheet.GAP) + sheet.GAP  # nine rows under the heads
    query, retrieved, truth = (pixels[top : top + size, left : left + size] for left in (2 + step * i for i in range(3)))
    assert np.array_equal(retrieved, truth)  # the ceiling restores a half-masked picture
    assert not np.array_equal(query, truth)
    assert (pixels[: top - sheet.GAP] < 128).any(axis=(1, 2)).sum() > sheet.LINE  # words above them
    assert sheet.shown(EXPERIMENTS["metastable"].conditions(run.config, run.dataset)) is None  # its queries are not stored


def test_margins_lie_between_the_bounds_of_codes_in_their_figure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No error is drawn there: the dimension is asked for what it does to the margin."""
    figures = pytest.importorskip("matplotlib.figure")
    row = {"experiment": "feature-dim", "method": "khm-unit", "repeat": 0, "sse": None, "protocol": "paper"}
    bounds = {"margin_lower": 0.2, "margin_upper": 0.7}
    rows = [{**row, "x": x, "margin": margin, **bounds} for x, margin in ((2, 0.3), (4, 0.5))]
    drawn: dict[str, list[float]] = {}

    def saved(figure: Any, path: Path, **_: object) -> None:
        (axes,) = figure.axes
        assert axes.get_ylabel() == plots.LABELS["margin"]
        drawn.update({line.get_label(): list(line.get_ydata()) for line in axes.lines if len(line.get_ydata())})

    monkeypatch.setattr(figures.Figure, "savefig", saved)
    assert plots.draw(tmp_path, rows, EXPERIMENTS["feature-dim"], "generated") == ["feature-dim.png", "feature-dim.svg"]
    assert drawn["a code exists with"] == [0.2, 0.2]
    assert drawn["no code exceeds"] == [0.7, 0.7]
    assert [0.3, 0.5] in drawn.values()

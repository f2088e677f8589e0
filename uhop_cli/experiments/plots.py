"""Rows -> figures, PNG and SVG, in the style of a paper: one panel, bands of one standard deviation, controls dashed and grey."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from uhop_cli.experiments.config import Experiment
from uhop_cli.experiments.journal import Row
from uhop_cli.experiments.statistics import Summary, role, summarise

# Okabe and Ito's palette, which people with any colour vision tell apart; markers tell what is left.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8A6D00")
GREYS = ("#000000", "#555555", "#888888")
MARKERS = "osD^vPX<>"
CONTROL_MARKERS = "x+1234|_"  # of lines only, so that no control looks like a method
CEILING_MARKER = "*"
ROOM = 0.06  # of the height, above the largest error and below 0, so that no marker is cut
STYLES = {
    "uhop": ("-", 2.0),
    "baseline": ("-", 0.8),
    "published": ("-.", 1.0),
    "quirk": ("-.", 1.0),
    "control": ("--", 1.2),
    "ceiling": (":", 2.0),
}
INCHES = (7.0, 4.2)
FEW = 8  # curves up to which each has its band; beyond, only the learned kernels have one
COLUMN = 20  # names in one column of the legend


def available() -> bool:
    """Whether matplotlib is there."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return False
    return True


def draw(folder: Path, rows: Sequence[Row], experiment: Experiment, dataset: str) -> list[str]:
    """Draws an experiment; returns the names of the files."""
    own = [row for row in rows if row["experiment"] == experiment.name and row["sse"] is not None]
    if not own:
        return []
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"font.size": 9, "svg.hashsalt": "uhop", "svg.fonttype": "none"}):
        columns = 1 + len({row["method"] for row in own}) // COLUMN
        figure = Figure(figsize=(INCHES[0] + 1.8 * (columns - 1), INCHES[1]), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        if experiment.name == "loss-vs-error":
            _scatter(axes, own)
        else:
            _curves(axes, summarise(own, experiment.name), experiment)
        axes.set_xlabel(experiment.axis)
        axes.set_ylabel("sum-of-squares error")
        axes.set_title(f"{dataset}: {experiment.name}", loc="left")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25, linewidth=0.5)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=7, ncols=columns)
        names = [f"{experiment.name}.png", f"{experiment.name}.svg"]
        for name in names:
            figure.savefig(folder / name, dpi=200, metadata={"Date": None} if name.endswith("svg") else {"Software": "uhop"})
    return names


def _curves(axes: Any, table: Summary, experiment: Experiment) -> None:
    words = any(isinstance(column, str) for column in table.columns)
    places = list(range(len(table.columns))) if words else list(table.columns)
    drawn: dict[str, int] = {}  # of each role
    for method in table.methods:
        found = [(x, table.cells[method, c]) for x, c in zip(places, table.columns, strict=True) if (method, c) in table.cells]
        if not found:
            continue
        kind = role(method)
        index = drawn[kind] = drawn.get(kind, -1) + 1
        palette = GREYS if kind in ("control", "ceiling") else COLOURS
        colour, marker = palette[index % len(palette)], _marker(kind, index)
        style, width = STYLES[kind]
        xs, means = [x for x, _ in found], [cell.mean for _, cell in found]
        look = {"color": colour, "marker": marker, "linewidth": width, "markersize": 4, "clip_on": False, "zorder": 3}
        if kind in ("baseline", "published", "quirk"):
            look["markerfacecolor"] = "none"  # the learned kernels alone are solid
        axes.plot(xs, means, linestyle="none" if words else style, label=method, **look)
        for part in _series(table.columns) if words else ():  # one line for each memory size
            line = [(x, mean) for x, mean in zip(xs, means, strict=True) if x in part]
            axes.plot([x for x, _ in line], [y for _, y in line], color=colour, linestyle=style, linewidth=width, label="_line")
        if not words and (len(table.methods) <= FEW or kind == "uhop"):
            low = [max(0.0, cell.mean - cell.deviation) for _, cell in found]
            axes.fill_between(xs, low, [cell.mean + cell.deviation for _, cell in found], color=colour, alpha=0.12, linewidth=0)
    if words:
        axes.set_xticks(places, [str(column) for column in table.columns], rotation=60, ha="right", fontsize=6)
    elif experiment.log:
        axes.set_xscale("log")
        axes.set_xticks(places, [format(place, "g") for place in places])
        axes.minorticks_off()
    # Errors span from exact retrieval to nothing at all; below 1 the scale is linear, so that 0 can be shown.
    axes.set_yscale("symlog", linthresh=1.0)
    top = max((cell.mean for cell in table.cells.values()), default=1.0)
    axes.set_ylim(bottom=-ROOM, top=max(1.0, top) ** (1 + ROOM) * (1 + ROOM))


def _marker(kind: str, index: int) -> str:
    """Markers of controls are lines, the ceiling's is a star, all others are shapes."""
    if kind == "ceiling":
        return CEILING_MARKER
    if kind == "control":
        return CONTROL_MARKERS[index % len(CONTROL_MARKERS)]
    return MARKERS[(index + 3 * (kind == "baseline")) % len(MARKERS)]


def _series(columns: Sequence[Any]) -> list[range]:
    """The places of columns 'M=.. N=..' that have one M; nothing where columns are no such series."""
    sizes = [str(column).partition(" N=") for column in columns]
    if not all(separator for _, separator, _ in sizes):
        return []
    starts = [place for place, (size, _, _) in enumerate(sizes) if place == 0 or size != sizes[place - 1][0]]
    return [range(start, stop) for start, stop in zip(starts, [*starts[1:], len(columns)], strict=True)]


def _scatter(axes: Any, rows: Sequence[Row]) -> None:
    for index, method in enumerate(dict.fromkeys(row["method"] for row in rows)):
        own = [row for row in rows if row["method"] == method and row["loss"] is not None]
        rising = [row for row in own if (row["rate"] or 0) > 0]
        falling = [row for row in own if (row["rate"] or 0) <= 0]
        for some, marker, note in ((rising, "o", "rate above 0"), (falling, "x", "rate below 0: the loss rises")):
            xs, ys = [row["loss"] for row in some], [row["sse"] for row in some]
            axes.scatter(xs, ys, s=12, marker=marker, color=COLOURS[index], label=f"{method}, {note}", linewidths=0.8)
    axes.set_ylim(bottom=0, top=(1 + ROOM) * max(row["sse"] for row in rows))

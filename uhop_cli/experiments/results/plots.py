"""Rows -> figures, PNG and SVG, in the style of a paper: shaded standard deviations, controls dashed and grey, the ceiling dotted.

Up to `MANY` methods share one panel. More get a panel for each kind of method, with the controls and the ceiling in each, so that
no panel has more hues than people can tell apart.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from math import floor, log10
from pathlib import Path
from typing import Any

from uhop_cli.experiments.grids.experiment import Experiment
from uhop_cli.experiments.methods.registry import METHODS
from uhop_cli.experiments.results.journal import Row
from uhop_cli.experiments.results.statistics import Cell, Summary, role, summarise

# Okabe and Ito's palette, which people with any colour vision tell apart; markers tell what is left.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8A6D00")
GREYS = ("#000000", "#555555", "#888888")
MARKERS = "osD^vPX<>"
CONTROL_MARKERS = "x+1234|_"  # of lines only, so that no control looks like a method
CEILING_MARKER = "*"
STYLES = {
    "uhop": ("-", 2.0),
    "baseline": ("-", 0.8),
    "published": ("-.", 1.0),
    "quirk": ("-.", 1.0),
    "control": ("--", 1.0),
    "ceiling": (":", 1.6),
}
REFERENCES = ("control", "ceiling")  # what every panel shows
PANELS = {
    "learned kernels": "uhop",
    "other models": "baseline",
    "as published": "published",
    "one quirk of the published code": "quirk",
}
MANY = 10  # curves that one panel holds
PANEL_INCHES = (5.0, 2.9)
LEFT, RIGHT, ABOVE, BELOW, BETWEEN = 0.75, 0.2, 0.75, 0.55, 0.3  # inches around and between the panels
WORDS_BELOW, WORD_INCHES = 0.65, 0.42  # what words on the axis need more than numbers: below the panel; width of each
COLUMN = 18  # names in one column of the legend
COLUMN_INCHES = 1.6
FLOOR = 1e-3  # errors below it are drawn as 0: the square of eight grey levels in one value of the picture
LINEAR = 0.5  # the height of the linear part of the scale, around 0, in decades
ROOM = 0.06  # of the height, above the largest error and below 0, so that no marker is cut
DODGE = 0.8  # the share of a word's place on the axis that the methods' markers are spread over
FEW_TICKS = 7
FEW, SHADES = 6, (0.12, 0.06)  # bands are fainter where more than a few lie on one another
LINE = 95  # letters of the caption
LABELS = {"sse": "sum-of-squares error (values 0 to 1)", "margin": "smallest 1 - cos of two memories"}
BOUNDS = (("margin_upper", "no code exceeds", ":"), ("margin_lower", "a code exists with", "--"))


def available() -> bool:
    """Whether matplotlib is there."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return False
    return True


def draw(folder: Path, rows: Sequence[Row], experiment: Experiment, dataset: str) -> list[str]:
    """Draws an experiment; returns the names of the files."""
    own = [row for row in rows if row["experiment"] == experiment.name and row[experiment.measure] is not None]
    if not own:
        return []
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"font.size": 9, "svg.hashsalt": "uhop", "svg.fonttype": "none"}):
        figure = Figure()
        FigureCanvasAgg(figure)
        if experiment.name == "loss-vs-error":
            axes = _scatter(figure, own)
        elif experiment.measure == "margin":
            axes = _margins(figure, own, experiment)
        else:
            axes = _curves(figure, summarise(own, experiment.name), experiment)
        axes[-1].set_xlabel(experiment.axis)
        for panel in axes:
            panel.spines[["top", "right"]].set_visible(False)
            panel.grid(alpha=0.25, linewidth=0.5)
            panel.set_ylabel(LABELS[experiment.measure])
        caption = _caption(own, experiment, dataset)
        figure.text(0.1 / figure.get_figwidth(), 1 - 0.08 / figure.get_figheight(), caption, va="top", fontsize=8)
        names = [f"{experiment.name}.png", f"{experiment.name}.svg"]
        for name in names:
            figure.savefig(folder / name, dpi=200, metadata={"Date": None} if name.endswith("svg") else {"Software": "uhop"})
    return names


def _caption(rows: Sequence[Row], experiment: Experiment, dataset: str) -> str:
    """What a reader needs who sees the figure alone."""
    count = len({row["repeat"] for row in rows})
    sets = "one memory set" if count == 1 else f"mean of {count} memory sets ± one standard deviation"
    if experiment.name == "loss-vs-error":
        sets = f"{count} runs"
    return "\n".join(
        [f"{dataset}: {experiment.name}, {rows[0]['protocol']} protocol, {sets}", *textwrap.wrap(experiment.question, LINE)]
    )


def _subplots(figure: Any, count: int, *, columns: int, across: float = 0, below: float = BELOW) -> list[Any]:
    """Panels above one another, on a figure of the size that they, the caption and a legend at their right need."""
    across = max(across, PANEL_INCHES[0])
    width, height = LEFT + across + COLUMN_INCHES * columns + RIGHT, ABOVE + (PANEL_INCHES[1] + BETWEEN) * count - BETWEEN + below
    figure.set_size_inches(width, height)
    figure.subplots_adjust(
        left=LEFT / width,
        right=(LEFT + across) / width,
        top=1 - ABOVE / height,
        bottom=below / height,
        hspace=BETWEEN / PANEL_INCHES[1],
    )
    return list(figure.subplots(count, 1, sharex=True, sharey=True, squeeze=False)[:, 0])


def _curves(figure: Any, table: Summary, experiment: Experiment) -> list[Any]:
    panels = _panels(table.methods)
    columns = 1 + max((len(methods) - 1) // COLUMN for _, methods in panels)
    across, below = (WORD_INCHES * len(table.columns), BELOW + WORDS_BELOW) if _words(table.columns) else (0, BELOW)
    axes = _subplots(figure, len(panels), across=across, columns=columns, below=below)
    for (title, methods), panel in zip(panels, axes, strict=True):
        _panel(panel, table, methods)
        panel.set_title(title, loc="left", fontsize=9)
        panel.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=7, ncols=columns, handlelength=3)
    _across(axes[-1], table, experiment)
    _upright(axes[0], table)
    return axes


def _margins(figure: Any, rows: Sequence[Row], experiment: Experiment) -> list[Any]:
    """Smallest margins, between what a spherical code is known to reach and what none can."""
    table, axes = summarise(rows, experiment.name, "margin"), _subplots(figure, 1, columns=1)
    _panel(axes[0], table, table.methods)
    for name, label, style in BOUNDS:
        bound = {row["x"]: row[name] for row in rows}
        axes[0].plot(list(bound), list(bound.values()), color=GREYS[1], linestyle=style, label=label)
    axes[0].legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=7, handlelength=3)
    _across(axes[0], table, experiment)
    axes[0].set_ylim(bottom=0)
    return axes


def _panels(methods: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Title and methods of each panel; controls and ceiling last."""
    ordered = sorted(methods, key=lambda method: role(method) in REFERENCES)
    titled = [
        (title, [method for method in ordered if role(method) in (kind, *REFERENCES)])
        for title, kind in PANELS.items()
        if any(role(method) == kind for method in methods)
    ]
    return [("", ordered)] if len(methods) <= MANY or len(titled) < 2 else titled


def _panel(axes: Any, table: Summary, methods: Sequence[str]) -> None:
    words = _words(table.columns)
    shade = SHADES[sum(role(method) not in REFERENCES for method in methods) > FEW]
    series = _series(table.columns) if words else [range(len(table.columns))]
    for index, method in enumerate(methods):
        shift = 0.0 if series else DODGE * ((index + 0.5) / len(methods) - 0.5)
        places = [place + shift for place in range(len(table.columns))] if words else list(table.columns)
        look, band = _look(method), shade if role(method) not in REFERENCES else 0.0
        for part in series or [range(place, place + 1) for place in range(len(places))]:
            found = [(places[place], cell) for place in part if (cell := table.cells.get((method, table.columns[place])))]
            if found:
                _line(axes, found, look, band, bool(series))
        shown = {name: value for name, value in look.items() if series or name != "linestyle"}
        axes.plot([], [], label=method, **({} if series else {"linestyle": "none"}), **shown)
    if not series:
        for place in range(1, len(table.columns), 2):
            axes.axvspan(place - 0.5, place + 0.5, color="#000000", alpha=0.04, linewidth=0)


def _line(axes: Any, found: list[tuple[Any, Cell]], look: dict[str, Any], shade: float, connected: bool) -> None:
    """Means, with their standard deviations shaded where lines connect them, else as thin lines."""
    xs, means = [x for x, _ in found], [cell.mean for _, cell in found]
    axes.plot(xs, means, **look)
    if not shade:
        return
    low, high = [max(0.0, cell.mean - cell.deviation) for _, cell in found], [cell.mean + cell.deviation for _, cell in found]
    if connected:
        axes.fill_between(xs, low, high, color=look["color"], alpha=shade, linewidth=0)
    else:
        axes.vlines(xs, low, high, color=look["color"], linewidth=0.6)


def _look(method: str) -> dict[str, Any]:
    """How a method is drawn: the same in every figure, by its place among those of its role in the registry."""
    kind = role(method)
    same = [one.name for one in METHODS.values() if one.role == kind]
    index = same.index(method) if method in same else len(same)
    style, width = STYLES[kind]
    look = {"linestyle": style, "linewidth": width, "markersize": 4, "clip_on": False, "zorder": 3}
    if kind in REFERENCES:
        marker = CEILING_MARKER if kind == "ceiling" else CONTROL_MARKERS[index % len(CONTROL_MARKERS)]
        return {**look, "color": GREYS[index % len(GREYS)], "marker": marker, "markersize": 5, "zorder": 2.5}
    if kind == "uhop":
        return {**look, "color": COLOURS[index % len(COLOURS)], "marker": MARKERS[index % len(MARKERS)]}
    index += 6  # beside the first learned kernels, the first of the others have other hues and shapes
    return {
        **look,
        "color": COLOURS[index % len(COLOURS)],
        "marker": MARKERS[index % len(MARKERS)],
        "markerfacecolor": "none",  # the learned kernels alone are solid
    }


def _across(axes: Any, table: Summary, experiment: Experiment) -> None:
    columns = list(table.columns)
    if _words(columns):
        axes.set_xticks(range(len(columns)), [str(column) for column in columns], rotation=50, ha="right", fontsize=7)
        axes.set_xlim(-0.5, len(columns) - 0.5)
    elif experiment.log:
        axes.set_xscale("log")
        axes.set_xticks(columns, [format(column, "g") for column in columns])
        axes.minorticks_off()
    elif len(columns) <= FEW_TICKS:
        axes.set_xticks(columns, [format(column, "g") for column in columns])


def _upright(axes: Any, table: Summary) -> None:
    """Errors span from exact retrieval to nothing at all: logarithmic down to the smallest that matters, linear from there to 0."""
    means = [cell.mean for cell in table.cells.values()]
    least = min((mean for mean in means if mean >= FLOOR), default=1.0)
    threshold = 10.0 ** floor(log10(least))
    axes.set_yscale("symlog", linthresh=threshold, linscale=LINEAR, subs=range(2, 10))
    decades = log10(max(10 * threshold, *means) / threshold)
    axes.set_ylim(bottom=-threshold * ROOM * decades, top=threshold * 10 ** (decades * (1 + ROOM)))


def _words(columns: Sequence[Any]) -> bool:
    return any(isinstance(column, str) for column in columns)


def _series(columns: Sequence[Any]) -> list[range]:
    """The places of columns 'M=.. N=..' that have one M; nothing where columns are no such series."""
    sizes = [str(column).partition(" N=") for column in columns]
    if not all(separator for _, separator, _ in sizes):
        return []
    starts = [place for place, (size, _, _) in enumerate(sizes) if place == 0 or size != sizes[place - 1][0]]
    return [range(start, stop) for start, stop in zip(starts, [*starts[1:], len(columns)], strict=True)]


def _scatter(figure: Any, rows: Sequence[Row]) -> list[Any]:
    axes = _subplots(figure, 1, columns=1)[0]
    marks = (("o", "rate above 0"), ("x", "rate below 0, loss rises"))
    learned = [row for row in rows if row["loss"] is not None and role(row["method"]) not in REFERENCES]
    for index, method in enumerate(dict.fromkeys(row["method"] for row in learned)):
        colour = COLOURS[index % len(COLOURS)]
        axes.plot([], [], color=colour, linewidth=4, label=method)
        for rises, (marker, _) in enumerate(marks):
            own = [row for row in learned if row["method"] == method and ((row["rate"] or 0) <= 0) == bool(rises)]
            xs, ys = [row["loss"] for row in own], [row["sse"] for row in own]
            axes.scatter(xs, ys, s=12, marker=marker, color=colour, linewidths=0.8)
    for marker, note in marks:
        axes.plot([], [], color=GREYS[0], linestyle="none", marker=marker, markersize=4, label=note)
    axes.set_ylim(bottom=0, top=(1 + ROOM) * max((row["sse"] for row in learned), default=0.0) or 1.0)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=7)
    return [axes]

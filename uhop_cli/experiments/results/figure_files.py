"""A figure of matplotlib as PNG and SVG, the same bytes for the same rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

INCHES = (7.0, 3.2)


def saved(folder: Path, name: str, paint: Callable[[Any], None], inches: tuple[float, float] = INCHES) -> list[str]:
    """Writes what `paint` draws on an empty figure; returns the names of the files."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"font.size": 9, "svg.hashsalt": "uhop", "svg.fonttype": "none"}):
        figure = Figure(figsize=inches, layout="constrained")
        FigureCanvasAgg(figure)
        paint(figure)
        for suffix in ("png", "svg"):
            metadata = {"Date": None} if suffix == "svg" else {"Software": "uhop"}
            figure.savefig(folder / f"{name}.{suffix}", dpi=200, metadata=metadata)
    return [f"{name}.png", f"{name}.svg"]

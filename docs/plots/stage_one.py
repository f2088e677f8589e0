"""Draws the figures of docs/stage-one.md from docs/figures/stage_one.json, which `tests/acceptance/stage_one.py all --json` writes.

python docs/plots/stage_one.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

FIGURES = Path(__file__).resolve().parent.parent / "figures"
STYLE = {
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.figsize": (6.4, 3.6),
    "font.size": 9,
    "legend.frameon": False,
    "svg.fonttype": "none",  # text stays text: small files
    "svg.hashsalt": "uhop",  # the same figures give the same bytes
}


def save(figure: Any, name: str) -> None:
    figure.tight_layout()
    figure.savefig(FIGURES / f"{name}.svg", metadata={"Date": None})
    plt.close(figure)


def solvers(figures: dict[str, Any]) -> None:
    """Loss against seconds at M = 500, d = 3072."""
    five = figures["five_percent"]
    figure, axes = plt.subplots()
    for name, curve in five["curves"].items():
        seconds, losses, _ = zip(*curve, strict=True)
        axes.plot(seconds, losses, label=name, linewidth=1.5)
    for name, marker in (("closed form, rho 1e-9", "o"), ("closed form, rho 1e-9, features centred", "s")):
        row = five["rows"][name]
        axes.plot(row["seconds"], row["loss"], marker, label=name, markersize=5, color="black", fillstyle="none")
    axes.axhline(five["bound"], color="grey", linewidth=0.8, linestyle=":")
    axes.axhline(0.95 * five["bound"], color="grey", linewidth=0.8, linestyle="--")
    axes.annotate("bound", (1, five["bound"]), xycoords=("axes fraction", "data"), ha="right", va="top", color="grey")
    axes.annotate("within 5%", (1, 0.95 * five["bound"]), xycoords=("axes fraction", "data"), ha="right", va="bottom", color="grey")
    axes.set(xscale="log", xlabel="seconds", ylabel="average separation loss")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2, fontsize=8)
    save(figure, "stage_one_solvers")


def iterations(figures: dict[str, Any]) -> None:
    """Sum-of-squares error against N on MNIST, constant rate and published schedule."""
    figure, axes = plt.subplots()
    for prefix, label in (("mnist, rate 1, N=", "constant rate 1"), ("mnist, published schedule, N=", "published schedule")):
        points = sorted((int(name.removeprefix(prefix)), row) for name, row in figures["paper"].items() if name.startswith(prefix))
        steps, errors = [n for n, _ in points if n], [row["error"] for n, row in points if n]
        spread = [row["error_std"] / 20**0.5 for n, row in points if n]
        axes.errorbar(steps, errors, yerr=spread, label=label, marker="o", markersize=4, linewidth=1.5, capsize=2)
    untrained = figures["paper"]["mnist, rate 1, N=0"]["error"]
    axes.axhline(untrained, color="grey", linewidth=0.8, linestyle=":", label="untrained W")
    axes.set(xscale="log", yscale="log", xlabel="N, steps of Stage I", ylabel="sum-of-squares error")
    axes.legend()
    save(figure, "stage_one_iterations")


def main() -> None:
    figures = json.loads((FIGURES / "stage_one.json").read_text(encoding="utf-8"))
    with plt.rc_context(STYLE):
        solvers(figures)
        iterations(figures)


if __name__ == "__main__":
    main()

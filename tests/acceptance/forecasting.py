"""Prints what the controls, the memories and the nets reach, beside what is promised.

    python tests/acceptance/forecasting.py controls|memory|events|net|tune|all [--dataset etth1] [--data-dir ~/data] [--keep DIR]

Each figure is printed when it is there. The series are looked for in DIR/timeseries; one that is missing is named and skipped. Nets
are kept in --keep: a run that was killed goes on there, and `tune` begins from the nets of `net`. The exit status is 1 if a promise
is missed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from uhop_cli.errors import DatasetError
from uhop_cli.experiments.forecasts import forecast, net_rows, nets, sudden_event
from uhop_cli.experiments.forecasts.case import Case
from uhop_cli.experiments.forecasts.config import LOOK_BACKS, ForecastConfig
from uhop_cli.experiments.forecasts.data import load_series
from uhop_cli.experiments.forecasts.run import EXPERIMENTS
from uhop_cli.experiments.surroundings import Surroundings
from uhop_cli.forecasting.leakage import admissible
from uhop_cli.forecasting.memory import ForecastMemory, MemorySettings
from uhop_cli.forecasting.series import Series
from uhop_cli.forecasting.windows import Windows

# MSE of the linear forecaster at horizons 96, 192, 336 and 720: centred on ETT, raw on WTH.
LINEAR = {
    ("etth1", 96): (0.383, 0.434, 0.476, 0.470),
    ("etth1", 336): (0.370, 0.403, 0.428, 0.434),
    ("ettm1", 96): (0.351, 0.389, 0.422, 0.483),
    ("ettm1", 336): (0.301, 0.336, 0.370, 0.426),
    ("wth", 96): (0.508, 0.556, 0.570, 0.603),
    ("wth", 336): (0.479, 0.517, 0.533, 0.580),
}
ARM = {"etth1": "linear-centred", "ettm1": "linear-centred", "wth": "linear-raw"}
MEMORY = {"etth1": 0.376, "ettm1": 0.325, "wth": 0.506}  # MSE at look-back and horizon 96, at most
SECONDS = 120  # for all controls of ETTh1
FRESH_SEED = 100  # of the draws of fresh shapes
CONTROLS = tuple(name for name in forecast.OWN if name != "memory")
NETS = ("stanhop", "stanhop-kernel", "stanhop-alternation")
TUNED = ("tune-none", "plug-and-play", "tune-and-play", "tune-permuted")
MINUTES = {"net": 60, "tune": 45}  # of two free cores


class Promises:
    """Prints figures and remembers what was missed."""

    def __init__(self) -> None:
        self.missed = 0

    def tell(self, words: str, held: bool | None = None) -> None:
        """One line; `held` None only reports."""
        self.missed += held is False
        print(f"{'     ' if held is None else 'holds' if held else 'MISSED'} {words}", flush=True)


def rows(series: Series, config: ForecastConfig, surroundings: Surroundings | None = None) -> Iterator[dict[str, Any]]:
    """The rows of a run, each look-back and horizon, or each draw, as soon as it is done."""
    for name in config.experiments:
        for part in EXPERIMENTS[name].rows(series, config, set(), surroundings or Surroundings()):
            for row, _ in part:
                yield row


def controls(found: dict[str, Series], promises: Promises, keep: Path | None) -> None:
    """All controls of ETTh1 in two minutes; the linear forecaster at its known errors in every cell."""
    for name, series in found.items():
        began, used = time.perf_counter(), time.process_time()
        cells: dict[tuple[int, int, str], dict[str, Any]] = {}
        for row in rows(series, ForecastConfig(("forecast",), CONTROLS)):
            look_back, horizon, method, metrics = row["look_back"], row["horizon"], row["method"], row["metrics"]
            cells[look_back, horizon, method] = metrics
            promises.tell(f"{name} {look_back} -> {horizon}: {method} MSE {metrics['mse']:.4f} MAE {metrics['mae']:.4f}")
        seconds, used = time.perf_counter() - began, time.process_time() - used
        words = f"{name}: all controls in {seconds:.0f} s, {used:.0f} s of processors"
        # What takes fewer seconds of all processors together takes no longer where nothing else runs.
        held = min(seconds, used) <= SECONDS if name == "etth1" else None
        promises.tell(words + (f" (at most {SECONDS} on two free cores)" if name == "etth1" else ""), held)
        if name == "etth1":
            windows = cells[96, 96, "last-value"]["windows"]
            promises.tell(f"etth1: {windows} test windows at horizon 96 (2785)", windows == 2785)
        for look_back in LOOK_BACKS:
            for horizon, known in zip((96, 192, 336, 720), LINEAR[name, look_back], strict=True):
                mse = cells[look_back, horizon, ARM[name]]["mse"]
                words = f"{name} {look_back} -> {horizon}: {ARM[name]} {mse:.4f} (within .002 of {known:.3f})"
                promises.tell(words, abs(mse - known) <= 0.002 + 5e-4)  # the known figure has three digits


def memory(found: dict[str, Series], promises: Promises, keep: Path | None) -> None:
    """The memory of windows at look-back 96, horizon 96, and where a longer look-back leaves nothing to win."""
    for name, series in found.items():
        for row in rows(series, ForecastConfig(("forecast",), ("memory",), horizons=(96, 336) if name == "etth1" else (96,))):
            cell, metrics = (row["look_back"], row["horizon"]), row["metrics"]
            interval = f"[{metrics['low']:+.4f}, {metrics['high']:+.4f}]"
            words = f"{name} {cell[0]} -> {cell[1]}: MSE {metrics['mse']:.4f}, less base {metrics['difference']:+.4f} {interval}"
            words += f", {row['chosen']}"
            if cell == (96, 96):
                promises.tell(f"{words} (at most {MEMORY[name]})", metrics["mse"] <= MEMORY[name])
                if name != "wth":
                    promises.tell(f"{name} 96 -> 96: the interval lies below 0", metrics["high"] < 0)
            elif name == "etth1":
                promises.tell(f"{words} (no harm: not wholly above 0)", metrics["low"] <= 0)
            else:
                promises.tell(words)
    if "etth1" in found:
        _laws(found["etth1"], promises)


def _laws(series: Series, promises: Promises) -> None:
    """On the real series: weight 0, and a store that knows the future of every query."""
    case = Case.of(series, 96, 96)
    model = case.fit("linear-raw")
    settings = MemorySettings(96, 96, beta=10.0, weight=0.6, read_out="residual")
    few = Windows(case.test.past[:64], case.test.future[:64], case.test.starts[:64])
    honest = ForecastMemory(settings).store(case.train.sample(2000), model)
    knowing = honest.store(Windows(case.test.past[:400], case.test.future[:400], case.test.starts[:400]), model)
    prediction = model(few.past)
    plain = honest.with_settings(weight=0.0).correct(few.past, prediction, few.starts)
    promises.tell("weight 0 is the model bit for bit", plain.tobytes() == prediction.tobytes())
    assert not admissible(case.test.starts[:400], few.starts, 96, 96).any()
    same = np.array_equal(honest.correct(few.past, prediction, few.starts), knowing.correct(few.past, prediction, few.starts))
    promises.tell("a store that holds the queries' own futures changes no figure", same)


def events(found: dict[str, Series], promises: Promises, keep: Path | None) -> None:
    """Sudden events in ETTh1, five draws: of the shapes that the promises are about, and of fresh ones, which are only reported."""
    if "etth1" not in found:
        return
    _events(found["etth1"], ForecastConfig((sudden_event.NAME,)), promises, promised=True)
    _events(found["etth1"], ForecastConfig((sudden_event.FRESH,), seed=FRESH_SEED), promises, promised=False)


def _events(series: Series, config: ForecastConfig, promises: Promises, *, promised: bool) -> None:
    journal = []
    for row in rows(series, config):
        journal.append(row)
        if row["stored"] == 3:
            promises.tell(f"{row['experiment']}, draw {row['seed']}, 3 stored, {row['method']}: {row['metrics']['mse']:.3f}")
    means: dict[tuple[str, int, str], float] = {}
    for method in sudden_event.METHODS:
        for size in (0, 1, 3, 10):
            own = [row["metrics"] for row in journal if (row["method"], row["stored"]) == (method, size)]
            for metric in own[0]:
                means[method, size, metric] = float(np.mean([metrics[metric] for metrics in own]))
            promises.tell(f"{size:2} stored, {method}: MSE after an event {means[method, size, 'mse']:.3f}")
    frozen, refit, calm = means["frozen", 3, "mse"], means["refit", 3, "mse"], means["frozen", 3, "calm"]
    ungated, gated = means["memory-ungated", 3, "mse"], means["memory", 3, "mse"]
    cost = means["memory", 3, "calm"] / calm
    for words, ratio, most in (
        ("no gate: {:.3f} of frozen", ungated / frozen, 0.65),
        ("no gate: {:.3f} of refit", ungated / refit, 0.8),
        ("gate: {:.3f} of frozen", gated / frozen, 0.75),
        ("gate: calm windows {:.4f} of frozen", cost, 1.03),
    ):
        promises.tell(f"3 stored, {words.format(ratio)} (at most {most})", ratio <= most if promised else None)
    none = all(
        means[method, 0, metric] == means["frozen", 0, metric]
        for method in ("memory", "memory-ungated")
        for metric in ("mse", "calm")
    )
    promises.tell("nothing stored: equal to frozen", none)
    for size in (3, 10):
        for gate in sudden_event.GATES:
            gain, price = means["memory", size, f"gain_at_{gate:g}"], means["memory", size, f"cost_at_{gate:g}"]
            promises.tell(f"{size:2} stored, gate {gate:g}: {gain:.3f} of frozen after events, {price:.4f} in calm")


def net(found: dict[str, Series], promises: Promises, keep: Path | None) -> None:
    """STanHop-Net, with Phi, and with Algorithm 2, ETTh1 96 -> 96, three seeds, beside the linear forecaster and its memory."""
    if "etth1" not in found:
        return
    _gradients(found["etth1"], promises)
    for row in rows(found["etth1"], ForecastConfig(("forecast",), ("linear-raw", "memory"), look_backs=(96,), horizons=(96,))):
        promises.tell(f"etth1 96 -> 96: {row['method']} MSE {row['metrics']['mse']:.4f}")
    _nets(found["etth1"], "net", NETS, promises, keep)


def tune(found: dict[str, Series], promises: Promises, keep: Path | None) -> None:
    """Tune-and-Play from these nets against its controls: the same net trained as long without a memory, Plug-and-Play on it, and
    permuted futures."""
    if "etth1" in found:
        _nets(found["etth1"], "tune", TUNED, promises, keep)


def _nets(series: Series, part: str, methods: tuple[str, ...], promises: Promises, keep: Path | None) -> None:
    began, used = time.perf_counter(), time.process_time()
    config = ForecastConfig(("forecast",), methods, look_backs=(96,), horizons=(96,))
    for row in rows(series, config, Surroundings(keep, "cpu")):
        method, metrics = row["method"], row["metrics"]
        if row["seed"] is not None:
            promises.tell(f"{method}, seed {row['seed']}: MSE {metrics['mse']:.4f} MAE {metrics['mae']:.4f}, {row['chosen']}")
            continue
        promises.tell(f"{method}, mean of {metrics['seeds']} seeds: MSE {metrics['mse']:.4f}, spread {metrics['spread']:.4f}")
        for control in net_rows.CONTROLS[method]:
            low, high = metrics[f"less_{control}_low"], metrics[f"less_{control}_high"]
            words = f"{method} less {control}: {metrics[f'less_{control}']:+.4f} [{low:+.4f}, {high:+.4f}]"
            promises.tell(f"{words}, below in {metrics[f'seeds_below_{control}']} of {metrics['seeds']} seeds")
    seconds, used = time.perf_counter() - began, time.process_time() - used
    words = f"{part}: {used / 60:.0f} processor minutes (at most {MINUTES[part]} on two free cores)"
    promises.tell(words, min(seconds, used) <= 60 * MINUTES[part])  # nets that were there already take none


def _gradients(series: Series, promises: Promises) -> None:
    """One backward pass on real windows through every arm."""
    import torch

    from uhop_cli.nn.stanhop import NetSettings, STanHopNet, TuneAndPlay
    from uhop_cli.nn.training import seeded

    case = Case.of(series, 96, 96)
    past, starts = torch.tensor(case.train.past[-64:], dtype=torch.float32), case.train.starts[-64:]
    for kernel in (False, True):
        settings = NetSettings(look_back=96, horizon=96, series=past.shape[2], patch=nets.PATCH, kernel=kernel, standardise=True)
        plain = seeded(0, lambda settings=settings: STanHopNet(settings))
        tuned = seeded(0, lambda plain=plain: TuneAndPlay(plain, case.train.sample(200)))
        plain(past).square().mean().backward()
        without = [name for name, parameter in plain.named_parameters() if not _moved(parameter)]
        plain.zero_grad()
        tuned(past, starts, "apart").square().mean().backward()
        without += [name for name, parameter in tuned.named_parameters() if not _moved(parameter)]
        promises.tell(f"every parameter gets a gradient, kernel {kernel}: without one {without}", not without)


def _moved(parameter: Any) -> bool:
    return parameter.grad is not None and bool(parameter.grad.abs().sum() > 0)


def main() -> int:
    """Print the figures; 1 if a promise is missed."""
    parts = {"controls": controls, "memory": memory, "events": events, "net": net, "tune": tune}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=[*parts, "all"])
    parser.add_argument("--data-dir", type=Path, default=Path(os.environ.get("UHOP_DATA_DIR", ".")))
    parser.add_argument("--dataset", choices=list(ARM), help="one of them; by default all")
    parser.add_argument("--keep", type=Path, help="a folder for the nets and the state of their training")
    arguments = parser.parse_args()
    found: dict[str, Series] = {}
    for name in [arguments.dataset] if arguments.dataset else ARM:
        try:
            found[name] = load_series(name, [arguments.data_dir])
        except DatasetError as error:
            print(f"skipped: {error.message}")
    promises = Promises()
    for name, part in parts.items():
        if arguments.part in (name, "all"):
            part(found, promises, arguments.keep)
    print(f"{promises.missed} promises missed")
    return int(promises.missed > 0)


if __name__ == "__main__":
    sys.exit(main())

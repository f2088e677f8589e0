"""Tables and sentences of the nets, from rows made by hand."""

from __future__ import annotations

from typing import Any

from uhop_cli.experiments.forecasts import net_tables, tables


def row(method: str, seed: int | None, mse: float, **less: tuple[float, float, float]) -> dict[str, Any]:
    metrics: dict[str, Any] = {"mse": mse, "mae": mse / 2, "windows": 9}
    for control, (mean, low, high) in less.items():
        metrics |= {f"less_{control}": mean, f"less_{control}_low": low, f"less_{control}_high": high}
        metrics[f"seeds_below_{control}"] = int(mean < 0)
    place = {"experiment": "forecast", "method": method, "look_back": 96, "horizon": 24, "stored": None, "seed": seed}
    chosen = {} if seed is None else {"chosen": {"epoch": 3, "validation": 0.5}}
    return place | {"metrics": metrics | ({"seeds": 1} if seed is None else {})} | chosen


ROWS = [
    row("linear-raw", 0, 0.25),
    row("stanhop", 0, 0.5, linear=(0.25, 0.2, 0.3)),
    row("stanhop-kernel", 0, 0.375, linear=(0.125, 0.1, 0.2), stanhop=(-0.125, -0.2, -0.1)),
    row("stanhop", None, 0.5, linear=(0.25, 0.2, 0.3)),
    row("stanhop-kernel", None, 0.375, linear=(0.125, -0.1, 0.2), stanhop=(-0.125, -0.2, -0.1)),
]


def test_one_row_a_method_and_the_seeds_apart() -> None:
    assert [one["method"] for one in net_tables.without_seeds(ROWS)] == ["linear-raw", "stanhop", "stanhop-kernel"]
    errors, differences, seeds = tables.tables(ROWS, "forecast")
    assert errors[2] == [["linear-raw", "0.2500 / 0.1250"], ["stanhop", "0.5000 / 0.2500"], ["stanhop-kernel", "0.3750 / 0.1875"]]
    assert differences[2] == [
        ["96 -> 24", "stanhop less linear", "+0.2500", "[+0.2000, +0.3000]", "0 of 1"],
        ["96 -> 24", "stanhop-kernel less linear", "+0.1250", "[-0.1000, +0.2000]", "0 of 1"],
        ["96 -> 24", "stanhop-kernel less stanhop", "-0.1250", "[-0.2000, -0.1000]", "1 of 1"],
    ]
    assert [line[1:3] for line in seeds[2]] == [["stanhop", "0"], ["stanhop-kernel", "0"]]
    assert net_tables.tables(ROWS[:1]) == []


def test_sentences_say_what_the_interval_vouches_for() -> None:
    assert tables.sentences(ROWS, "forecast") == [
        "smallest MSE of 1 look-backs and horizons: linear-raw in 1",
        "96 -> 24: stanhop is worse than linear, +0.2500 [+0.2000, +0.3000]",
        "96 -> 24: stanhop-kernel does not surely differ from linear, +0.1250 [-0.1000, +0.2000]",
        "96 -> 24: stanhop-kernel beats stanhop, -0.1250 [-0.2000, -0.1000]",
    ]

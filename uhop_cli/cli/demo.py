"""`uhop demo`: the sample memory, damaged pictures and the restored ones; offline, a few seconds."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from uhop_cli.cli import options
from uhop_cli.cli.help import examples
from uhop_cli.cli.output import Output, number
from uhop_cli.experiments.data.samples import sample_data

if TYPE_CHECKING:
    from uhop_cli.querying.restoration import Restoration

EXAMPLES = examples(
    ("uhop demo", "a terminal with colours shows the pictures"),
    ("uhop demo -q", "only how many are right"),
)
LARGEST_ROW = 5  # pictures


def demo(
    device: options.DeviceName = "auto",
    seed: options.Seed = 0,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Store the sample pictures and restore their damaged copies."""
    output = Output(quiet=quiet)
    samples = sample_data()

    from uhop_cli.querying.restorer import Restorer
    from uhop_cli.querying.settings import QuerySettings
    from uhop_cli.storing.settings import StoreSettings
    from uhop_cli.storing.store import store

    with tempfile.TemporaryDirectory(prefix="uhop-demo-") as folder:
        memory = Path(folder) / "sample.safetensors"
        with output.progress() as progress:
            report = store([samples / "images"], memory, StoreSettings(seed=seed, device=device), progress=progress)
        output.line(f"{report.stored} sample pictures stored in {report.seconds:.1f} s; their damaged copies, restored:")
        restorer = Restorer(memory, QuerySettings(seed=seed, device=device))
        results = [restorer.restore(path) for path in sorted((samples / "damaged").iterdir())]
        if output.colour:
            _show(results, output)
    right = [_original(result) == _found(result) for result in results]
    rows = [
        (_original(result), _damage(result), _found(result), number(result.answer.confidence, ".1%"), "yes" if good else "no")
        for result, good in zip(results, right, strict=True)
    ]
    output.line()
    output.table(["picture", "damage", "found", "confidence", "right"], rows, left=[0, 1, 2, 4])
    output.line(f"{sum(right)} of {len(right)} right. Your own pictures: uhop store FOLDER, then uhop query DAMAGED_IMAGE")
    output.essential(f"{sum(right)} of {len(right)}")


def _show(results: list[Restoration], output: Output) -> None:
    """The damaged pictures, and below them the restored ones, as many in a row as there is room for."""
    from uhop_cli.cli.pictures import side_by_side

    console = output.console()
    if console is None:
        return
    together = max(1, min(LARGEST_ROW, console.width // 16))
    for start in range(0, len(results), together):
        part = results[start : start + together]
        output.line()
        console.print(side_by_side([(_damage(result), result.pictures.damaged) for result in part], console.width))
        console.print(side_by_side([(_found(result), result.pictures.state) for result in part], console.width))


def _original(result: Restoration) -> str:
    return Path(result.query).stem.split("_")[0]


def _damage(result: Restoration) -> str:
    return Path(result.query).stem.split("_")[1]


def _found(result: Restoration) -> str:
    return Path(result.match.name).stem if result.match else "-"

"""`uhop demo`: the sample memory, damaged pictures and the restored ones; offline, a few seconds."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uhop_cli.cli import options, query_targets
from uhop_cli.cli.help import examples
from uhop_cli.cli.layout import GAP, styled
from uhop_cli.cli.output import Output
from uhop_cli.cli.screen import words
from uhop_cli.experiments.data.samples import sample_data
from uhop_cli.files.names import escape
from uhop_cli.progress import started

if TYPE_CHECKING:
    from uhop_cli.querying.restoration import Restoration
    from uhop_cli.querying.restorer import Restorer

EXAMPLES = examples(
    ("uhop demo", "a terminal with colours shows the pictures"),
    ("uhop demo -q", "only how many are right"),
)
LARGEST_ROW = 5  # pictures
WIDEST = 32  # columns that one of them takes


def demo(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="Keep the memory and the restored pictures there.")
    ] = None,
    device: options.DeviceName = "auto",
    seed: options.Seed = 0,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Store the sample pictures and restore their damaged copies."""
    screen = Output(quiet=quiet, verbose=verbose)
    samples = sample_data()

    from uhop_cli.querying.restorer import Restorer
    from uhop_cli.querying.settings import QuerySettings
    from uhop_cli.storing.settings import StoreSettings
    from uhop_cli.storing.store import store

    with tempfile.TemporaryDirectory(prefix="uhop-demo-") as folder:
        if output is not None:
            output.mkdir(parents=True, exist_ok=True)
        memory = (output or Path(folder)) / "sample.safetensors"
        settings = StoreSettings(seed=seed, device=device)
        with screen.progress() as progress:
            report = store([samples / "images"], memory, settings, force=output is not None, progress=progress)
        screen.line(f"{report.stored} sample pictures stored in {report.seconds:.1f} s; their damaged copies, restored:")
        restorer = Restorer(memory, QuerySettings(seed=seed, device=device))
        with screen.progress() as progress:
            started(progress, "restore")
            results = [restorer.restore(path) for path in sorted((samples / "damaged").iterdir())]
        if output is not None:
            _write(results, output, restorer)
        if screen.colour:
            _show(results, screen)
    _tell(results, screen)
    if output is not None:
        screen.line(f"The restored pictures and the memory are in {escape(output)}.")
    right = sum(_original(result) == _found(result) for result in results)
    screen.paragraph(f"{right} of {len(results)} right. Your own pictures: uhop store FOLDER, then uhop query DAMAGED_IMAGE")
    screen.essential(f"{right} of {len(results)}")


def _tell(results: list[Restoration], screen: Output) -> None:
    heads = ["picture", "damage", "found", "how sure", "right"] + (["kernel", "steps"] if screen.verbose else [])
    rows = []
    for result in results:
        sure = words.sureness(result.answer.words, result.answer.confidence)
        right = "yes" if _original(result) == _found(result) else "no"
        physics = [result.answer.kernel, str(result.answer.steps)] if screen.verbose else []
        rows.append([_original(result), _damage(result), styled(_found(result), sure.style), sure, right, *physics])
    screen.line()
    screen.table(heads, rows, left=range(len(heads) - screen.verbose))
    screen.line()


def _write(results: list[Restoration], folder: Path, restorer: Restorer) -> None:
    for result in results:
        place = query_targets.target(Path(result.query), result.pictures.suffix, str(folder), folder=True)
        if result.match:
            query_targets.write(place, query_targets.content(result.pictures), force=False, memory=restorer.memory)


def _show(results: list[Restoration], screen: Output) -> None:
    """The damaged pictures, and below them the restored ones, as many in a row as there is room for."""
    from uhop_cli.cli.screen.pictures import Picture, side_by_side

    console = screen.console()
    if console is None:
        return
    together = max(1, min(LARGEST_ROW, console.width // 16))
    for start in range(0, len(results), together):
        part = results[start : start + together]
        screen.line()
        for pictures in (
            [Picture(_damage(result), result.pictures.damaged) for result in part],
            [Picture(_found(result), result.pictures.state) for result in part],
        ):
            console.print(side_by_side(pictures, min(console.width, len(part) * (WIDEST + GAP)), WIDEST // 2))


def _original(result: Restoration) -> str:
    return Path(result.query).stem.split("_")[0]


def _damage(result: Restoration) -> str:
    return Path(result.query).stem.split("_")[1]


def _found(result: Restoration) -> str:
    return Path(result.match.name).stem if result.match else "-"

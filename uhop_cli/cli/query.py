"""`uhop query`: restore and identify."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from uhop_cli.cli import options
from uhop_cli.cli.help import ORDER, examples
from uhop_cli.cli.output import Output, bytes_in_words, counted
from uhop_cli.cli.query_run import Session, Sink, View
from uhop_cli.cli.query_targets import check_folder
from uhop_cli.cli.report.asked import Reports
from uhop_cli.cli.standard_input import read_picture
from uhop_cli.cluster.for_memory import check_use, workers_for
from uhop_cli.errors import ImageError, SettingsError
from uhop_cli.files.names import escape
from uhop_cli.images.discover import Found, Skipped, look_through
from uhop_cli.memory.file.index import is_index, located
from uhop_cli.memory.file.shards import read_header
from uhop_cli.progress import started as started_on

if TYPE_CHECKING:
    from uhop_cli.corruption.corruption import Corruption

EXAMPLES = examples(
    ("uhop query corrupted.png", "writes corrupted.retrieved.png"),
    ("uhop query photo.png --mask 0.5 --steps 3 --show", "damages it first"),
    ("uhop query torn.png", "transparent pixels are known to be missing"),
    ("uhop query screenshot.png -v", "where in it the picture is, and how sure"),
    ("uhop query damaged/ -o restored/", "all images of a folder"),
    ("uhop query damaged/ --report review.html", "a page to look through, the doubtful first"),
    ("cat x.png | uhop query - -o - > restored.png", "in a pipe"),
)
SHOWN = 12  # up to this many queries their pictures are shown unasked

_damage = partial(typer.Option, rich_help_panel="Damage first, in this order")
_missing = partial(typer.Option, rich_help_panel="What is missing")
_dynamics = partial(typer.Option, rich_help_panel="Retrieval")
_output = partial(typer.Option, rich_help_panel="Output")
_review = partial(typer.Option, rich_help_panel="Review")


def list_corruptions(wanted: bool) -> None:
    """Prints the kinds of damage, and stops."""
    if wanted:
        from uhop_cli.corruption.corruption import KINDS

        def word(level: float | str | None) -> str:
            return f"{level:g}" if isinstance(level, int | float) else level or ""

        rows = [
            (kind.name, word(kind.default), ", ".join(map(word, kind.levels)), kind.description, kind.acts_on)
            for kind in KINDS.values()
        ]
        Output().table(["kind", "default", "levels", "what it does", "acts on"], rows, left=[0, 1, 2, 3, 4])
        raise typer.Exit


def query(
    context: typer.Context,
    images: Annotated[
        list[Path] | None,
        typer.Argument(metavar="IMAGE", callback=options.existing, help="Images, folders of images, or - for standard input."),
    ] = None,
    files_from: options.FilesFrom = None,
    memory: options.MemoryFile = options.DEFAULT_MEMORY,
    originals: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the stored images are now.", rich_help_panel="Memory")
    ] = None,
    verify: Annotated[
        Literal["auto", "never"],
        typer.Option(help="Compare the best matches with their originals, at higher resolution.", rich_help_panel="Memory"),
    ] = "auto",
    frames: Annotated[
        Literal["auto", "same", "all"],
        typer.Option(
            help="Crops, borders, screenshots, mirror images, turns: auto: where the picture as it is is not found; same: never.",
            rich_help_panel="Memory",
        ),
    ] = "auto",
    mask: Annotated[list[float] | None, _damage(metavar="F", min=0, max=1, help="Set each pixel to 0 with probability F.")] = None,
    noise: Annotated[list[float] | None, _damage(metavar="SIGMA", min=0, help="Add Gaussian noise.")] = None,
    corrupt: Annotated[
        list[str] | None,
        _damage(
            metavar="KIND[:LEVEL]",
            autocompletion=options.of(options.corruption_names),
            help="Any other damage, such as half:bottom.",
        ),
    ] = None,
    listing: Annotated[
        bool,
        _damage("--list-corruptions", is_eager=True, callback=list_corruptions, help="List the kinds of damage, and stop."),
    ] = False,
    known_mask: Annotated[bool, _missing("--known-mask", help="Use the mask that was just applied.")] = False,
    mask_file: Annotated[Path | None, _missing(metavar="FILE", help="A picture that is white where IMAGE is missing.")] = None,
    alpha: Annotated[
        Literal["auto", "missing", "blend"],
        _missing(help="What transparency means; auto: missing, where the stored images are opaque."),
    ] = "auto",
    steps: Annotated[
        str, _dynamics(metavar="T|auto", callback=options.count_or_auto, help="auto: to a fixed point, at most 10.")
    ] = "auto",
    beta: Annotated[str, _dynamics(metavar="auto|X", callback=options.number_or_auto, help="Inverse temperature.")] = "auto",
    separation: Annotated[
        str,
        _dynamics(
            metavar="NAME",
            callback=options.separation,
            autocompletion=options.of(options.separation_names),
            help="softmax, sparsemax, entmax:A, top-k:K or argmax.",
        ),
    ] = "softmax",
    similarity: Annotated[
        Literal["auto", "kernel", "dot", "cosine", "l2", "l2-squared", "l1"],
        _dynamics(help="auto: by evidence, with the learned kernels; kernel: the plain U-Hop model."),
    ] = "auto",
    top: Annotated[int, _dynamics(metavar="K", min=1, help="Matches listed.")] = 5,
    min_confidence: Annotated[float, _dynamics(metavar="P", min=0, max=1, help="Below it, nothing stored fits.")] = 0.5,
    truth: Annotated[Path | None, _dynamics(metavar="FILE", help="The undamaged picture, to measure the error.")] = None,
    output: Annotated[
        str | None,
        _output("--output", "-o", metavar="FILE|DIR/|-", help="Where the picture goes.  [default: beside IMAGE]"),
    ] = None,
    no_output: Annotated[bool, _output("--no-output", help="Write no picture.")] = False,
    compare: Annotated[Path | None, _output(metavar="FILE", help="Write a strip of query, each step, and match.")] = None,
    states: Annotated[Path | None, _output(metavar="FILE.npz", help="Write state, weights and energy of each step.")] = None,
    show: Annotated[
        bool | None, _output("--show/--no-show", help="Show pictures in the terminal.  [default: if it has colours]")
    ] = None,
    force: Annotated[bool, _output("--force", help="Replace files that are in the way.")] = False,
    report: Annotated[Path | None, _review(metavar="FILE.html", help="Write a page with all pictures, the doubtful first.")] = None,
    table: Annotated[
        str | None, _review("--csv", metavar="FILE|-", help="Write the answers as a table, one line for each image.")
    ] = None,
    strict: Annotated[bool, _review("--strict", help="Exit with 1 where an image is not found.")] = False,
    print0: Annotated[bool, _review("--print0", "-0", help="With -q: end paths with null characters, as xargs -0 reads.")] = False,
    device: options.DeviceName = "auto",
    cluster: options.Cluster = None,
    seed: options.Seed = 0,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Restore damaged images and name their originals."""
    started = time.perf_counter()
    images = [*(images or []), *(options.listed(files_from) if files_from else [])]
    folder = len(images) > 1 or any(path.is_dir() for path in images)
    sink = Sink(not no_output, output, compare, states, force, folder)
    wanted = Reports(report, table, strict, force)
    screen = Output(json=as_json, quiet=quiet, verbose=verbose, binary=sink.stdout or table == "-", end="\0" if print0 else "\n")
    _check(images, sink, as_json)
    wanted.check(images=sink.stdout, json=as_json, quiet=quiet, print0=print0)
    options.existing([path for path in (mask_file, truth, originals) if path])
    read_header(memory)  # refuses what is no memory file before anything heavy is loaded
    named = context.get_parameter_source("cluster")
    if cluster is not None and named is not None and named.name == "ENVIRONMENT" and not is_index(located(memory)):
        cluster = None  # it is for what has shards
    if cluster is not None:
        check_use(cluster, memory)
    found = _found(images, screen)
    if len(found) > 1 and (states or sink.stdout):
        raise SettingsError(f"one image, not {len(found)}, can go to {'--states' if states else 'standard output'}")
    stdin = read_picture() if found == [None] else None

    from uhop_cli.querying.restorer import Restorer
    from uhop_cli.querying.settings import QuerySettings, RetrievalSettings

    settings = QuerySettings(
        damage=_damages(context, mask, noise, corrupt),
        known_mask=known_mask, mask_file=mask_file, alpha=alpha, truth=truth, top=top, min_confidence=min_confidence,
        originals=originals, verify=verify, frames=frames, trace=compare is not None, seed=seed, device=device,
        retrieval=RetrievalSettings(steps, beta, separation, similarity),  # type: ignore[arg-type]  # their checks convert
    )  # fmt: skip
    with screen.progress() as progress:
        started_on(progress, "load")
        workers = None if cluster is None else context.with_resource(workers_for(memory, cluster, device))
        restorer = Restorer(memory, settings, expected=len(found), asker=None if workers is None else workers.asker)
    if device == "auto" and restorer.device.kind != "cpu":
        screen.note(f"running on {restorer.device.kind}")
    if show and os.environ.get("NO_COLOR"):
        screen.note("NO_COLOR is set: no pictures are shown")
        show = False
    show = screen.colour and len(found) <= SHOWN if show is None else show
    listed = context.get_parameter_source("top")
    view = View(screen, show, len(found) == 1 or verbose, listed is not None and listed.name != "DEFAULT")
    session = Session(restorer, sink, view, stdin, wanted.review(restorer, len(found)))
    session.run(found)
    document = session.finish(images, started)
    if workers is not None and screen.verbose:
        told = max(1, len(session.told))
        traffic = workers.traffic
        sent, received, proposed = (bytes_in_words(part // told) for part in (traffic.sent, traffic.received, traffic.proposals))
        who = f"{counted(workers.count, 'worker')}, {counted(workers.shards, 'shard')}"
        screen.line(f"cluster: {who}; {sent} a query to them, {received} back, {proposed} of it proposals")
    with screen.progress() as progress:
        started_on(progress, "report")
        wanted.write(document, session.review)
    if report is not None:
        screen.line(f"to look through: {escape(report)}")
    if session.failed or wanted.fail(document):
        raise typer.Exit(1)


def _check(images: Sequence[Path], sink: Sink, as_json: bool) -> None:
    """Refuses what contradicts itself."""
    if not images:
        raise typer.BadParameter("name images, or folders of images", param_hint="IMAGE...")
    if sink.stdout and as_json:
        raise typer.BadParameter("standard output carries either the picture or the JSON document", param_hint="--output, --json")
    if sink.stdout and sys.stdout.isatty():
        raise typer.BadParameter("the picture would go to the terminal; use a pipe, or name a file", param_hint="--output")
    if not sink.pictures and sink.output is not None:
        raise typer.BadParameter("either write the picture or don't", param_hint="--output, --no-output")
    if sink.folder and sink.output is not None and not sink.stdout:
        check_folder(Path(sink.output))
    if any(str(path) == "-" for path in images):
        if len(images) > 1:
            raise typer.BadParameter("standard input goes alone", param_hint="IMAGE...")
        if sink.pictures and sink.output is None:
            raise typer.BadParameter("standard input needs --output or --no-output", param_hint="IMAGE...")


def _found(images: Sequence[Path], screen: Output) -> list[Found | Skipped | None]:
    """The image files to restore, and those that cannot be taken, in order; None stands for standard input."""
    if str(images[0]) == "-":
        return [None]
    found: list[Found | Skipped | None] = []
    for item in look_through(images):
        if isinstance(item, Found) or not item.ignored:
            found.append(item)
        elif screen.verbose:
            screen.warn(f"skipped {item.shown}: {item.why}")
    if not found:
        raise ImageError("no images found", "name image files, or a folder that holds some")
    return found


def _damages(
    context: typer.Context, mask: list[float] | None, noise: list[float] | None, corrupt: list[str] | None
) -> tuple[Corruption, ...]:
    """The damages in the order in which they were given."""
    from uhop_cli.corruption.corruption import Corruption, parse

    waiting: dict[str, Iterator[Corruption]] = {
        "mask": (Corruption("mask", level) for level in mask or []),
        "noise": (Corruption("noise", level) for level in noise or []),
        "corrupt": (parse(text) for text in corrupt or []),
    }
    return tuple(next(waiting[name]) for name in context.meta[ORDER] if name in waiting)

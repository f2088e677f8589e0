"""`uhop query`: restore and identify."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from uhop_cli.cli import files, options
from uhop_cli.cli.help import ORDER, examples
from uhop_cli.cli.output import Output, complain, number
from uhop_cli.errors import ImageError, OutputError, SettingsError, UhopError
from uhop_cli.images.discover import Found, Skipped, discover, escape
from uhop_cli.memory.header import read_header

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from uhop_cli.images.corrupt import Corruption
    from uhop_cli.memory.restore import Query, Restoration, Restorer

EXAMPLES = examples(
    ("uhop query corrupted.png", "writes corrupted.retrieved.png"),
    ("uhop query photo.png --mask 0.5 --steps 3 --show", "damages it first"),
    ("uhop query torn.png", "transparent pixels are known to be missing"),
    ("uhop query damaged/ -o restored/", "all images of a folder"),
    ("cat x.png | uhop query - -o - > restored.png", "in a pipe"),
)
TOGETHER = 64  # queries that are answered in one go; the originals that are handed out are in memory meanwhile
SHOWN = 12  # up to this many queries their pictures are shown unasked

_damage = partial(typer.Option, rich_help_panel="Damage first, in this order")
_missing = partial(typer.Option, rich_help_panel="What is missing")
_dynamics = partial(typer.Option, rich_help_panel="Retrieval")
_output = partial(typer.Option, rich_help_panel="Output")


@dataclass(frozen=True)
class Sink:
    """What is written, and where.

    Attributes:
        pictures: whether restored pictures are written.
        output: file or folder for them, None for beside the query, `-` for standard output.
        compare, states: files for the strip and for the arrays.
        force: replace what is in the way.
    """

    pictures: bool
    output: Path | None
    compare: Path | None
    states: Path | None
    force: bool

    @property
    def stdout(self) -> bool:
        """Whether the picture goes to standard output."""
        return self.pictures and self.output is not None and str(self.output) == "-"


def list_corruptions(wanted: bool) -> None:
    """Prints the kinds of damage, and stops."""
    if wanted:
        from uhop_cli.images.corrupt import KINDS

        def word(level: float | str | None) -> str:
            return f"{level:g}" if isinstance(level, int | float) else level or ""

        rows = [(kind.name, word(kind.default), ", ".join(map(word, kind.levels)), kind.description) for kind in KINDS.values()]
        Output().table(["kind", "default", "levels", "what it does"], rows, left=[0, 1, 2, 3])
        raise typer.Exit


def query(
    context: typer.Context,
    images: Annotated[
        list[Path],
        typer.Argument(metavar="IMAGE", callback=options.existing, help="Images, folders of images, or - for standard input."),
    ],
    memory: options.MemoryFile = options.DEFAULT_MEMORY,
    originals: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the stored images are now.", rich_help_panel="Memory")
    ] = None,
    mask: Annotated[list[float] | None, _damage(metavar="F", min=0, max=1, help="Set each pixel to 0 with probability F.")] = None,
    noise: Annotated[list[float] | None, _damage(metavar="SIGMA", min=0, help="Add Gaussian noise.")] = None,
    corrupt: Annotated[list[str] | None, _damage(metavar="KIND[:LEVEL]", help="Any other damage, such as half:bottom.")] = None,
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
        _dynamics(metavar="NAME", callback=options.separation, help="softmax, sparsemax, entmax:A, top-k:K or argmax."),
    ] = "softmax",
    similarity: Annotated[
        Literal["auto", "kernel", "dot", "cosine", "l2", "l1"],
        _dynamics(help="auto: by evidence, with the learned kernels; kernel: the plain U-Hop model."),
    ] = "auto",
    top: Annotated[int, _dynamics(metavar="K", min=1, help="Matches listed.")] = 5,
    min_confidence: Annotated[float, _dynamics(metavar="P", min=0, max=1, help="Below it, nothing stored fits.")] = 0.5,
    truth: Annotated[Path | None, _dynamics(metavar="FILE", help="The undamaged picture, to measure the error.")] = None,
    output: Annotated[
        Path | None,
        _output("--output", "-o", metavar="FILE|DIR|-", help="Where the picture goes.  [default: beside IMAGE]"),
    ] = None,
    no_output: Annotated[bool, _output("--no-output", help="Write no picture.")] = False,
    compare: Annotated[Path | None, _output(metavar="FILE", help="Write a strip of query, each step, and match.")] = None,
    states: Annotated[Path | None, _output(metavar="FILE.npz", help="Write state, weights and energy of each step.")] = None,
    show: Annotated[
        bool | None, _output("--show/--no-show", help="Show pictures in the terminal.  [default: if it has colours]")
    ] = None,
    force: Annotated[bool, _output("--force", help="Replace files that are in the way.")] = False,
    device: options.DeviceName = "auto",
    seed: options.Seed = 0,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Restore damaged images and name their originals."""
    started = time.perf_counter()
    sink = Sink(not no_output, output, compare, states, force)
    screen = Output(json=as_json, quiet=quiet, verbose=verbose, binary=sink.stdout)
    _check(images, sink, as_json)
    options.existing([path for path in (mask_file, truth, originals) if path])
    read_header(memory)  # refuses what is no memory file before anything heavy is loaded
    found = _found(images, screen)
    if len(found) > 1 and (states or sink.stdout):
        raise SettingsError(f"one image, not {len(found)}, can go to {'--states' if states else 'standard output'}")

    from uhop_cli.memory.restore import QuerySettings, Restorer
    from uhop_cli.memory.retriever import RetrievalSettings

    settings = QuerySettings(
        damage=_damages(context, mask, noise, corrupt),
        known_mask=known_mask, mask_file=mask_file, alpha=alpha, truth=truth, top=top, min_confidence=min_confidence,
        originals=originals, trace=compare is not None, seed=seed, device=device,
        retrieval=RetrievalSettings(steps, beta, separation, similarity),  # type: ignore[arg-type]  # their checks convert
    )  # fmt: skip
    restorer = Restorer(memory, settings)
    if device == "auto" and restorer.device.kind != "cpu":
        screen.note(f"running on {restorer.device.kind}")
    if show and os.environ.get("NO_COLOR"):
        screen.note("NO_COLOR is set: no pictures are shown")
        show = False
    show = screen.colour and len(found) <= SHOWN if show is None else show
    session = _Session(restorer, sink, screen, show, detailed=len(found) == 1 or verbose)
    session.run(found)
    session.finish(images, found, started)


def _check(images: Sequence[Path], sink: Sink, as_json: bool) -> None:
    """Refuses what contradicts itself."""
    if sink.stdout and as_json:
        raise typer.BadParameter("standard output carries either the picture or the JSON document", param_hint="--output, --json")
    if sink.stdout and sys.stdout.isatty():
        raise typer.BadParameter("the picture would go to the terminal; use a pipe, or name a file", param_hint="--output")
    if not sink.pictures and sink.output is not None:
        raise typer.BadParameter("either write the picture or don't", param_hint="--output, --no-output")
    if any(str(path) == "-" for path in images):
        if len(images) > 1:
            raise typer.BadParameter("standard input goes alone", param_hint="IMAGE...")
        if sink.pictures and sink.output is None:
            raise typer.BadParameter("standard input needs --output or --no-output", param_hint="IMAGE...")


def _found(images: Sequence[Path], screen: Output) -> list[Found | None]:
    """The image files to restore; None stands for standard input."""
    if str(images[0]) == "-":
        return [None]
    skipped: list[Skipped] = []
    found = discover(images, on_skip=skipped.append)
    for item in skipped:
        if screen.verbose or not item.ignored:
            screen.warn(f"skipped {item.shown}: {item.reason}" + (f"; {item.hint}" if item.hint else ""))
    if not found:
        raise ImageError("no images found", "name image files, or a folder that holds some")
    return list(found)


def _damages(
    context: typer.Context, mask: list[float] | None, noise: list[float] | None, corrupt: list[str] | None
) -> tuple[Corruption, ...]:
    """The damages in the order in which they were given."""
    from uhop_cli.images.corrupt import Corruption, parse

    waiting: dict[str, Iterator[Corruption]] = {
        "mask": (Corruption("mask", level) for level in mask or []),
        "noise": (Corruption("noise", level) for level in noise or []),
        "corrupt": (parse(text) for text in corrupt or []),
    }
    return tuple(next(waiting[name]) for name in context.meta[ORDER] if name in waiting)


class _Session:
    """One run over all queries: answers them in batches, writes and prints, and goes on where one fails."""

    def __init__(self, restorer: Restorer, sink: Sink, screen: Output, show: bool, *, detailed: bool) -> None:
        self.restorer, self.sink, self.screen, self.show, self.detailed = restorer, sink, screen, show, detailed
        self.several = False
        self.results: list[dict[str, Any]] = []
        self.failed: list[dict[str, str]] = []
        self.strips: list[list[Any]] = []
        self.places: set[str] = set()

    def run(self, found: Sequence[Found | None]) -> None:
        """Answers all queries: decoded on all cores, answered together, written on all cores, told in order."""
        from concurrent.futures import ThreadPoolExecutor

        from uhop_cli.memory.needs import decoding_threads
        from uhop_cli.memory.settings import Progress

        self.several = len(found) > 1
        with self.screen.progress() as progress, ThreadPoolExecutor(decoding_threads()) as pool:
            for start in range(0, len(found), TOGETHER):
                self._batch(found[start : start + TOGETHER], pool)
                if progress and self.several:
                    progress(Progress("restore", min(start + TOGETHER, len(found)), len(found)))

    def _batch(self, found: Sequence[Found | None], pool: Executor) -> None:
        paths, queries = [], []
        for item, query in zip(found, pool.map(self._prepare, found), strict=True):
            if isinstance(query, ImageError):
                self._fail("-" if item is None else item.shown, query)
            else:
                paths.append(None if item is None else item.path)
                queries.append(query)
        results = self.restorer.answer(queries) if queries else []
        places = [self._place(path, result) for path, result in zip(paths, results, strict=True)]
        for result, written in zip(results, pool.map(self._write, places, results), strict=True):
            self._take(result, written)

    def _prepare(self, item: Found | None) -> Query | ImageError:
        try:
            return self.restorer.prepare(_standard_input(), "-") if item is None else self.restorer.prepare(item.path)
        except ImageError as error:
            return error

    def _place(self, path: Path | None, result: Restoration) -> Path | OutputError | None:
        """The file that the answer goes to, None for standard output or none; a number tells it from those of this run."""
        if not self.sink.pictures or not result.match or self.sink.stdout:
            return None
        try:
            place = first = files.target(path, result.suffix, self.sink.output, several=self.several)
        except OutputError as error:
            return error
        stem, dot, rest = first.name.rpartition(".retrieved.")
        copies = count(2)
        while os.path.abspath(place) in self.places:
            place = first.with_name(f"{stem}-{next(copies)}{dot}{rest}")
        self.places.add(os.path.abspath(place))
        return place

    def _write(self, place: Path | OutputError | None, result: Restoration) -> str | OutputError | None:
        """Writes an answer; the place where it is."""
        from uhop_cli.images.encode import to_png

        if isinstance(place, OutputError):
            return place
        if place is None and not (self.sink.stdout and result.match):
            return None
        data = to_png(result.state) if result.original is None else result.original
        if place is None:
            sys.stdout.buffer.write(data)
            return "-"
        try:
            files.write(place, data, force=self.sink.force, memory=self.restorer.memory)
        except OutputError as error:
            return error
        if place.suffix.lower() != result.suffix.lower():
            self.screen.note(f"{escape(place)} holds the original's bytes, which are of a {escape(result.suffix)} file")
        return escape(place)

    def _take(self, result: Restoration, written: str | OutputError | None) -> None:
        """Notes and prints an answer."""
        if isinstance(written, OutputError):
            self._fail(result.query, written)
            written = None
        if self.sink.states:
            try:
                files.write(self.sink.states, archive(result), force=self.sink.force)
            except OutputError as error:
                self._fail(result.query, error)
        if self.sink.compare:
            self.strips.append(self._strip(result))
        self.results.append(result.to_json(written))
        self.screen.essential(result.match.path if result.match else "")
        if self.detailed:
            print_result(result, written, self.screen)
        if self.show:
            self._picture(result)

    def _strip(self, result: Restoration) -> list[Any]:
        match = [self.restorer.memory.patterns[result.match.row]] if result.match else []
        return [result.damaged, *(result.pictures or (result.state,)), *match]

    def _picture(self, result: Restoration) -> None:
        from uhop_cli.cli.pictures import side_by_side

        console = self.screen.console(colour=True)
        if console is not None:
            pictures = [("query", result.damaged), ("restored", result.state)]
            pictures += [("match", self.restorer.memory.patterns[result.match.row])] if result.match else []
            self.screen.line()
            console.print(side_by_side(pictures, console.width))

    def _fail(self, name: str, error: UhopError) -> None:
        self.failed.append({"path": name, "reason": error.message})
        complain(error.message, error.hint)

    def finish(self, images: Sequence[Path], found: Sequence[Found | None], started: float) -> None:
        """Writes the strip, prints what is left to print, and leaves with the exit code."""
        from uhop_cli.memory.restore import query_document

        if self.sink.compare and self.strips:
            from uhop_cli.images.encode import contact_sheet, to_png

            files.write(self.sink.compare, to_png(contact_sheet(self.strips, zoom=2)), force=self.sink.force)
        document = query_document(self.restorer, self.results, started)
        document["config"]["images"] = [escape(path) for path in images]
        document["skipped"] = self.failed
        self.screen.document(document)
        if not self.detailed and self.results:
            print_summary(self.results, self.screen)
        if self.several:
            self.screen.line(f"{len(self.results)} of {len(found)} answered in {time.perf_counter() - started:.2f} s")
        if self.failed:
            raise typer.Exit(1)


def _standard_input() -> bytes:
    """What comes through standard input, as much of it as may be in a file."""
    from uhop_cli.images.decode import MAX_FILE_BYTES

    data = sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise ImageError(f"standard input: larger than {MAX_FILE_BYTES >> 20} MiB", "save it as a smaller JPEG or PNG")
    return data


def archive(result: Restoration) -> bytes:
    """The arrays of `--states` as a NumPy archive that is known as uhop's."""
    import numpy as np

    buffer = BytesIO()
    arrays: dict[str, Any] = {files.STATES: np.array(1), **result.arrays}
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def print_result(result: Restoration, written: str | None, screen: Output) -> None:
    """One answer with all that is known about it."""
    sure = "" if result.confidence is None else f", confidence {result.confidence:.1%}"
    match = f"{result.match.name}{sure}" if result.match else f"nothing stored fits; nearest is {result.matches[0].name}{sure}"
    facts = [("query", result.query), ("match", match)]
    stop = "converged" if result.converged else "not converged"
    facts.append(("retrieval", f"{result.steps} step{'s' * (result.steps != 1)}, {stop}, kernel {result.kernel}"))
    if result.energy:
        facts.append(("energy", " -> ".join(number(value, ".5g") for value in result.energy)))
    facts.append(("settled in", settled_in_words(result.settled, result.metastable_size)))
    if result.inside_radius is not None:
        place = "inside" if result.inside_radius else "outside"
        facts.append(("certified", f"the query lies {place} the radius within which this match is certain"))
    if result.sse is not None:
        facts.append(("error", f"{result.sse:.4g} (of the query: {number(result.sse_query, '.4g')}), sum of squares"))
    if written:
        what = "the original file" if result.output_kind == "original" else "the retrieved state"
        facts.append(("output", f"{written}, {what}" if written != "-" else what))
    screen.facts(facts)
    screen.line()
    rows = [
        (str(match.rank), number(match.weight, ".4f"), number(match.similarity, ".4g"), ", ".join(match.names))
        for match in result.matches
    ]
    screen.table(["rank", "weight", "similarity", "name"], rows, left=[3])


def print_summary(results: Sequence[dict[str, Any]], screen: Output) -> None:
    """One line for each of several answers, without the folders that all names share."""
    place, queries = without_shared_folder([result["query"] for result in results])
    stored, matches = without_shared_folder([result["matches"][0]["name"] for result in results])
    rows = []
    for result, query, match in zip(results, queries, matches, strict=True):
        found = match if result["match"] else f"(nothing fits; nearest {match})"
        rows.append((query, found, number(result["confidence"], ".1%"), str(result["steps"]), result["output_kind"] or "-"))
    screen.facts([("queries in", place), ("matches in", stored)])
    screen.line()
    screen.table(["query", "match", "confidence", "steps", "output"], rows, left=[0, 1, 4])
    screen.line()


def without_shared_folder(names: Sequence[str]) -> tuple[str, list[str]]:
    """The folder that all names share, and what is left of them."""
    folders = [os.path.dirname(name) for name in names]
    mixed = len({os.path.isabs(name) for name in names}) > 1
    shared = "" if mixed else os.path.commonpath(folders)
    return shared or ".", [os.path.relpath(name, shared) if shared else name for name in names]


def settled_in_words(settled: str, size: int) -> str:
    """What the dynamics came to rest in."""
    if settled == "memory":
        return "one memory"
    return f"a metastable state of {size} memories" if settled == "metastable" else "no memory in particular (diffuse)"

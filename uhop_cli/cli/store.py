"""`uhop store`: learn Phi on images, save W and the memories."""

from __future__ import annotations

from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from uhop_cli.cli import options
from uhop_cli.cli.help import examples
from uhop_cli.cli.output import Output, bytes_in_words, counted, duration_in_words, number
from uhop_cli.cli.screen import words
from uhop_cli.errors import OutputError, SettingsError
from uhop_cli.files.names import escape
from uhop_cli.memory.file.index import is_index, located
from uhop_cli.progress import started

if TYPE_CHECKING:
    from uhop_cli.storing.passes.passes import Crew
    from uhop_cli.storing.report import StoreReport
    from uhop_cli.storing.settings import StoreSettings

EXAMPLES = examples(
    ("uhop store ./images", "writes uhop.safetensors"),
    ("uhop store ./images -m pets.safetensors --size 64", "names the file, sets the size"),
    ("uhop store more/ -m pets.safetensors --add", "adds; unchanged files are recognised"),
    ("uhop store -m pets.safetensors --remove cat.png", "takes an image out"),
)
_memory = partial(typer.Option, rich_help_panel="Memory")
_pattern = partial(typer.Option, rich_help_panel="Pattern")
_learning = partial(typer.Option, rich_help_panel="Learning")
SHOWN = 5  # skipped files and duplicates that are named without -v


def store(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH", callback=options.existing, help="Images, folders of images, and .npy arrays (M, H, W[, C])."
        ),
    ] = None,
    memory: options.MemoryFile = options.DEFAULT_MEMORY,
    files_from: Annotated[
        Path | None,
        _memory(metavar="FILE", help="Read paths from FILE, or from standard input for -."),
    ] = None,
    add: Annotated[bool, _memory("--add", help="Add to the file; changed images are replaced.")] = False,
    prune: Annotated[bool, _memory("--prune", help="With --add: drop images that are gone.")] = False,
    reread: Annotated[bool, _memory("--reread", help="With --add: read all files, whatever their sizes and times say.")] = False,
    keep_kernel: Annotated[bool, _memory("--keep-kernel", help="With --add, --remove: don't learn again.")] = False,
    remove: Annotated[list[str] | None, _memory(metavar="NAME", help="Take an image out; repeatable.")] = None,
    force: Annotated[bool, _memory("--force", help="Replace an existing file.")] = False,
    shards: Annotated[
        str | None,
        _memory(metavar="N|auto", callback=options.shards, help="Write N files and an index; auto: files of at most 8 GiB."),
    ] = None,
    embed: Annotated[bool, _memory("--embed", help="Keep the images' own bytes inside the file.")] = False,
    strict: Annotated[bool, _memory("--strict", help="Stop at an image that can't be read.")] = False,
    damaged: Annotated[bool, _memory("--damaged", help="Store files that are cut short, as far as they go.")] = False,
    pages: Annotated[
        Literal["first", "all"], _memory(help="all: each page of a TIFF, each frame of an animation, as FILE#2 and so on.")
    ] = "first",
    dry_run: Annotated[bool, _memory("--dry-run", help="Only say what would be stored, and how big.")] = False,
    size: Annotated[str, _pattern(metavar="auto|N|WxH", callback=options.size, help="Pixels of a pattern.")] = "auto",
    color: Annotated[Literal["auto", "rgb", "gray"], _pattern(help="auto: grey if all images are.")] = "auto",
    background: Annotated[
        str,
        _pattern(metavar="COLOUR", callback=options.background, help="What transparency is laid on: grey, black, white, #rrggbb."),
    ] = "grey",
    solver: Annotated[Literal["auto", "closed-form", "gradient"], _learning(help="How the kernel is learned.")] = "auto",
    iterations: Annotated[int | None, _learning(min=0, metavar="N", help="Steps of the gradient solver.")] = None,
    learning_rate: Annotated[
        str,
        _learning(metavar="auto|X", callback=options.number_or_auto, help="auto: the loss falls at every step."),
    ] = "auto",
    loss: Annotated[Literal["average", "max", "temperature"], _learning(help="The separation loss.")] = "average",
    t: Annotated[float, _learning(metavar="X", help="Sharpness of the separation loss.")] = 2.0,
    feature_dim: Annotated[str, _learning(metavar="auto|D", callback=options.count_or_auto, help="Number of features.")] = "auto",
    init: Annotated[
        Literal["gaussian", "orthogonal", "identity"],
        _learning(help="First W of the gradient solver."),
    ] = "gaussian",
    regularization: Annotated[
        str,
        _learning(metavar="auto|X", callback=options.number_or_auto, help="rho of the closed form; auto: by self-test."),
    ] = "auto",
    batch_size: Annotated[int | None, _learning(min=2, metavar="B", help="Images in a step of the gradient solver.")] = None,
    protocol: Annotated[Literal["paper"] | None, _learning(help="Learn as the paper does.")] = None,
    self_test: Annotated[
        Literal["auto", "full", "off"],
        _learning(help="Damaged copies, near-duplicates: auto: some, full: all near-duplicates, off: no confidence."),
    ] = "auto",
    local: Annotated[
        Literal["auto", "on", "off"],
        _memory(help="Describe the pictures locally, so that crops are found; auto: up to 20,000 of 100 pixels or more."),
    ] = "auto",
    device: options.DeviceName = "auto",
    cluster: options.Cluster = None,
    seed: options.Seed = 0,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Learn a kernel on images and store them as a memory file."""
    output = Output(json=as_json, quiet=quiet, verbose=verbose)
    if reread and not add:
        raise typer.BadParameter("it needs --add", param_hint="--reread")
    if remove and shards:
        raise typer.BadParameter("a memory keeps its shards when images are taken out", param_hint="--remove, --shards")
    _check(paths, files_from, remove, memory, add=add, prune=prune, keep_kernel=keep_kernel, force=force, dry_run=dry_run)
    wanted = [*(paths or []), *(options.listed(files_from) if files_from else [])]
    if files_from and not wanted:
        raise typer.BadParameter("it names no path", param_hint="--files-from")
    crew = None if cluster is None else _crew(context, cluster, remove=bool(remove), in_shards=shards or is_index(located(memory)))
    settings = _settings(context, memory if add and located(memory).exists() else None)

    from uhop_cli.storing import store as build

    with output.progress() as progress:
        started(progress, "find")
        if remove:
            report = build.remove(memory, remove, keep_kernel=keep_kernel, progress=progress)
        else:
            report = build.store(
                wanted, memory, settings,
                add=add, prune=prune, keep_kernel=keep_kernel, reread=reread, force=force, dry_run=dry_run,
                shards=shards,  # type: ignore[arg-type]  # its check converts
                crew=crew, progress=progress,
            )  # fmt: skip
    source = context.get_parameter_source("memory")
    _print(report, output, memory, default=source is None or source.name in ("DEFAULT", "ENVIRONMENT"))


def _crew(context: typer.Context, address: str, *, remove: bool, in_shards: object) -> Crew | None:
    """The workers of a cluster; None where that of the environment has nothing to do, as a memory is to be one file.

    Raises:
        SettingsError: that of the command line would have nothing to do.
    """
    source = context.get_parameter_source("cluster")
    asked = source is not None and source.name == "COMMANDLINE"
    if remove or not in_shards:
        if asked:
            raise SettingsError(
                "--cluster does nothing with --remove" if remove else "a cluster stores a memory in shards, and this is one file",
                "leave it out" if remove else "add --shards N",
            )
        return None
    from uhop_cli.cluster.connection import check, connected
    from uhop_cli.cluster.tasks import Tasks

    check(address)
    return Tasks(context.with_resource(connected(address)))


def _check(
    paths: list[Path] | None,
    files_from: Path | None,
    remove: list[str] | None,
    memory: Path,
    *,
    add: bool,
    prune: bool,
    keep_kernel: bool,
    force: bool,
    dry_run: bool,
) -> None:
    """Refuses what contradicts itself, and a file in the way, before anything heavy is loaded."""
    if remove and (paths or files_from or add or dry_run):
        raise typer.BadParameter("it goes without PATH, --add and --dry-run", param_hint="--remove")
    if not (paths or files_from or remove):
        raise typer.BadParameter("name images, or folders of images", param_hint="PATH...")
    if add and force:
        raise typer.BadParameter("either add to the file or replace it", param_hint="--add, --force")
    if prune and not add:
        raise typer.BadParameter("it needs --add", param_hint="--prune")
    if keep_kernel and not (add or remove):
        raise typer.BadParameter("it needs --add or --remove", param_hint="--keep-kernel")
    if located(memory).is_file() and not (add or force or remove):
        raise OutputError(f"{escape(located(memory))}: exists already", "use --add to add to it, or --force to replace it")


def _settings(context: typer.Context, memory: Path | None) -> StoreSettings:
    """The settings given, over those of the memory that is added to, over the defaults.

    Raises:
        SettingsError: a pattern is asked for that is not the memory's.
    """
    from uhop_cli.storing.settings import StoreSettings

    values = context.params
    given = {
        field.name: values[field.name]
        for field in fields(StoreSettings)
        if (source := context.get_parameter_source(field.name)) is not None and source.name != "DEFAULT"
    }
    base = StoreSettings()
    if memory is not None:
        from uhop_cli.memory.file.shards import read_header
        from uhop_cli.storing.record import settings_of

        header = read_header(memory)
        base = settings_of(header.record)
        pattern = header.pattern
        sizes = {"auto", f"{pattern['width']}x{pattern['height']}"}
        if pattern["width"] == pattern["height"]:
            sizes.add(str(pattern["width"]))
        colour = {"auto", "gray" if pattern["channels"] == 1 else "rgb"}
        if given.get("size", "auto").lower() not in sizes or given.get("color", "auto") not in colour:
            raise SettingsError(
                f"{escape(memory)} holds patterns of {pattern_in_words(pattern)}",
                "leave out --size and --color, or store anew with --force",
            )
    return base.changed(given)


def pattern_in_words(pattern: Any) -> str:
    """Size and colour of a pattern, from its JSON form."""
    return f"{pattern['width']} x {pattern['height']} {'grey' if pattern['channels'] == 1 else 'RGB'}"


def _print(report: StoreReport, output: Output, memory: Path, *, default: bool) -> None:
    """Prints the report; `default`: the memory need not be named to be found again."""
    document = report.to_json()
    for skipped in document["skipped"] if output.verbose else document["skipped"][:SHOWN]:
        output.warn(f"skipped {skipped['path']}: {skipped['reason']}")
    if len(document["skipped"]) > SHOWN and not output.verbose:
        output.warn(f"{counted(len(document['skipped']) - SHOWN, 'more file')} skipped; -v names all")
    for note in report.notes:
        output.note(note)
    output.document(document)
    output.essential(escape(report.memory))
    if not (report.written or report.dry_run):
        output.line(f"nothing new: {counted(report.stored, 'image')} in {escape(report.memory)}")
        return
    facts: list[tuple[str, str]] = [("would store" if report.dry_run else "stored", _stored_in_words(report, document))]
    if report.duplicates:
        groups = f"{counted(len(report.duplicates), 'group')} of files with equal patterns"
        facts.append(("duplicates", f"{groups}, {report.identical} of them equal byte for byte"))
    if report.near:
        facts.append(("near", words.near(report.near, len(report.near_duplicates), report.near_unseen)))
    facts.append(("pattern", f"{pattern_in_words(document['pattern'])} ({report.pattern.dim} values)"))
    if output.verbose and not report.dry_run:
        facts += _learning_in_words(document)
    size = f"{'about ' if report.dry_run else ''}{bytes_in_words(report.bytes)}"
    expected = report.seconds_expected
    took = f"{report.seconds:.1f} s" if expected is None else f"about {duration_in_words(expected)}"
    facts.append(("memory", f"{escape(report.memory)}, {size}{words.shards(report.shards)}, {took}"))
    if local := report.local:
        cost = f", {local['seconds']:.1f} s of a core" if local["seconds"] else ""
        facts.append(("described", f"{counted(local['pictures'], 'picture')} for crops, {bytes_in_words(local['bytes'])}{cost}"))
    if conclusion := words.self_test(report.self_test):
        facts.append(("self-test", conclusion))
    output.facts(facts)
    if output.verbose:
        print_self_test(report.self_test, output)
        for group in report.duplicates:
            output.line("equal: " + ", ".join(group))
    if not report.dry_run:
        output.line(words.next_query(None if default else memory))


def _stored_in_words(report: StoreReport, document: dict[str, Any]) -> str:
    counts = [counted(report.stored, "image")]
    counts += [f"{report.patterns:,} distinct"] if report.patterns != report.stored else []
    changes = [f"{value:,} {name}" for name in ("added", "changed", "unchanged", "renamed", "removed") if (value := document[name])]
    if changes and changes != [f"{report.stored:,} added"]:
        counts += changes
    return ", ".join([*counts, *([f"{len(report.skipped):,} skipped"] if report.skipped else [])])


def _learning_in_words(document: dict[str, Any]) -> list[tuple[str, str]]:
    stage1, separation = document["stage1"], document["separation"]
    parts = [str(stage1.get("solver", "kept"))]
    if stage1.get("iterations"):
        parts.append(counted(stage1["iterations"], "iteration"))
    if stage1.get("rho") is not None:
        parts.append(f"rho {number(stage1['rho'])}")
    if stage1.get("loss_final") is not None:
        parts.append(f"loss {number(stage1['loss_initial'], '.4g')} -> {number(stage1['loss_final'], '.4g')}")
    if stage1.get("loss_bound") is not None:
        parts.append(f"bound {number(stage1['loss_bound'], '.4g')}")
    return [
        ("kernel", ", ".join(parts)),
        ("separation", f"R_Phi {number(separation.get('r_phi'))}, smallest margin {number(separation.get('margin_min'))}"),
        ("beta", number(document["beta"])),
    ]


def print_self_test(rows: Any, output: Output) -> None:
    """The table of the self-test: how often the right memory is found from a damaged copy of it."""
    if rows:
        output.line()
        shares = {"right": "accuracy", "unlearned": "accuracy_unlearned"}
        if any(row.get("shortlisted") is not None for row in rows):
            shares["on the shortlist"] = "shortlisted"
        output.table(
            ["damage", "copies", *shares, "squared error"],
            [
                [
                    _label(row),
                    number(row.get("queries"), ","),
                    *(number(row.get(key), ".1%") for key in shares.values()),
                    number(row.get("sse")),
                ]
                for row in rows
            ],
            left=[0],
            title="Self-test: damaged copies of stored images; beside them cosine, which learns nothing",
        )


def _label(row: Any) -> str:
    level = row.get("level")
    return str(row["corruption"]) if level is None else f"{row['corruption']}:{level}"

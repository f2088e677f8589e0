"""`uhop info`: what is in a memory file, and is it whole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from uhop_cli.cli import options
from uhop_cli.cli.help import examples
from uhop_cli.cli.layout import styled
from uhop_cli.cli.output import Output, bytes_in_words, counted, number
from uhop_cli.cli.screen import guarantees, words
from uhop_cli.cli.store import pattern_in_words, print_self_test
from uhop_cli.files.names import escape
from uhop_cli.memory.file.header import Header
from uhop_cli.memory.file.shards import read_header, shard_count
from uhop_cli.progress import started

if TYPE_CHECKING:
    from uhop_cli.memory.memory import Memory

EXAMPLES = examples(
    ("uhop info pets.safetensors", "what it holds, from its header"),
    ("uhop info pets.safetensors --list", "the stored images by name"),
    ("uhop info pets.safetensors --verify", "reads it all and checks it"),
    ("uhop info pets.safetensors --export out/", "the memories as PNG files"),
)


def info(
    context: typer.Context,
    given: Annotated[Path | None, typer.Argument(metavar="FILE", help="The memory file.")] = None,
    memory: options.MemoryFile = options.DEFAULT_MEMORY,
    entries: Annotated[bool, typer.Option("--list", help="Name the stored images.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Read all of the file and check it.")] = False,
    near: Annotated[
        bool, typer.Option("--near-duplicates", help="Pictures that are nearly alike, and whether they are one.")
    ] = False,
    guaranteed: Annotated[bool, typer.Option("--guarantees", help="Margins, certified radii and bounds of the kernel.")] = False,
    export: Annotated[Path | None, typer.Option(metavar="DIR", help="Write the memories to DIR as PNG files.")] = None,
    force: Annotated[bool, typer.Option("--force", help="With --export: replace files that are in the way.")] = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Say what a memory file holds, and whether it is whole."""
    output = Output(json=as_json, quiet=quiet, verbose=verbose)
    source = context.get_parameter_source("memory")
    if given is not None and source is not None and source.name == "COMMANDLINE":
        raise typer.BadParameter("the memory file is named twice", param_hint="FILE, --memory")
    file = memory if given is None else given
    header = read_header(file)
    document = describe(file, header)
    if entries or verify or near or guaranteed or export:
        stored = _load(file, output, verify=verify)
        document["verified"] = verify
        if entries:
            document["entries"] = _entries(stored)
        if near:
            document["near_duplicates"] = _near_duplicates(stored, file, output)
        if guaranteed:
            from uhop_cli.querying.certificate import promises

            with output.progress() as progress:
                started(progress, "guarantees")
                document["guarantees"] = promises(stored)
        if export:
            document["exported"] = [escape(path) for path in _export(stored, export, output, force=force)]
    output.document(document)
    output.essential(escape(file))
    output.facts(_facts(file, header, document, output))
    if guaranteed:
        guarantees.show(document["guarantees"], output)
    elif verbose:
        print_self_test(_self_test(header), output)
    if near:
        said = {True: "one picture", False: "two pictures", None: "not known"}
        pairs = [(*pair["names"], said[pair["verified"]]) for pair in document["near_duplicates"]]
        output.table(["nearly alike", "and", "originals"], pairs, left=[0, 1, 2])
    if entries:
        rows = [(str(entry["row"]), entry["name"], bytes_in_words(entry["size"])) for entry in document["entries"]]
        output.table(["row", "name", "size"], rows, left=[1])


def describe(file: Path, header: Header) -> dict[str, Any]:
    """The document `uhop.info/1`, as far as the header tells."""
    return {
        "schema": "uhop.info/1",
        "config": header.record.get("settings"),
        "memory": escape(file),
        "files": header.files,
        "patterns": header.patterns,
        "pattern": dict(header.pattern),
        "feature_dim": header.feature_dim,
        "rhos": list(header.rhos),
        "chosen": header.chosen,
        "beta": header.beta,
        "embedded": header.embedded,
        "local_descriptors": header.described,
        "bytes": header.file_size,
        "shards": shard_count(file),
        **{key: header.record.get(key) for key in ("stage1", "separation", "self_test", "tested", "seed", "versions")},
    }


def _load(file: Path, output: Output, *, verify: bool) -> Memory:
    from uhop_cli.memory.file import reader as memory_file

    with output.progress() as progress:
        started(progress, "read")
        return memory_file.verify(file, progress) if verify else memory_file.load(file)


def _export(memory: Memory, folder: Path, output: Output, *, force: bool) -> Sequence[Path]:
    from uhop_cli.memory.export import export

    with output.progress() as progress:
        return export(memory, folder, force=force, progress=progress)


def _entries(memory: Memory) -> list[dict[str, Any]]:
    stored = memory.entries
    columns = zip(stored.names(), stored.name_entry.tolist(), stored.sizes.tolist(), stored.digests, strict=True)
    return [{"name": escape(name), "row": row, "size": size, "sha256": bytes(digest).hex()} for name, row, size, digest in columns]


def _near_duplicates(memory: Memory, file: Path, output: Output) -> list[dict[str, Any]]:
    """The pairs, after those that nobody has looked at were compared with their originals."""
    from uhop_cli.memory.originals import OriginalFiles
    from uhop_cli.storing.near_duplicates import looked_at, propose

    with output.progress() as progress:
        found = propose(memory, progress) if memory.near is None else memory.near
        found = looked_at(found, memory, OriginalFiles(memory, file), progress=progress)
    said = {1: True, 0: False, -1: None}
    return [
        {"names": [escape(memory.name(row)) for row in pair], "verified": said[verified]}
        for pair, verified in zip(found.pairs.tolist(), found.verified.tolist(), strict=True)
    ]


def _facts(file: Path, header: Header, document: dict[str, Any], output: Output) -> list[tuple[str, str]]:
    holds = [counted(header.files, "image")] + ([f"{header.patterns:,} distinct"] if header.patterns != header.files else [])
    facts: list[tuple[str, str]] = [
        ("memory", f"{escape(file)}, {bytes_in_words(header.file_size)}{words.shards(document['shards'])}"),
        ("holds", ", ".join(holds) + (", with their own bytes" if header.embedded else "")),
        ("pattern", pattern_in_words(header.pattern)),
    ]
    if header.described:
        facts.append(("described", f"{counted(header.described, 'local descriptor')}, for crops"))
    if conclusion := words.self_test(_self_test(header)):
        facts.append(("self-test", conclusion))
    if output.verbose:
        facts += _physics(header, document)
    if document.get("verified"):
        facts.append(("verified", styled("whole: every tensor is what was written", "found")))
    if "exported" in document:
        facts.append(("exported", counted(len(document["exported"]), "picture")))
    return facts


def _physics(header: Header, document: dict[str, Any]) -> list[tuple[str, str]]:
    """Kernel, beta, separation, versions."""
    stage1, separation, versions = (_dict(document[key]) for key in ("stage1", "separation", "versions"))
    rho = f", rho {header.rhos[header.chosen]:.3g}" if header.rhos else ""
    facts = [
        ("kernel", f"{escape(str(stage1.get('solver')))}, {header.feature_dim} features{rho}"),
        ("beta", number(header.beta)),
    ]
    if all(isinstance(separation.get(key), float) for key in ("r_phi", "margin_min")):
        facts.append(("separation", f"R_Phi {separation['r_phi']:.3g}, smallest margin {separation['margin_min']:.3g}"))
    if versions:
        facts.append(("written by", ", ".join(f"{escape(str(name))} {escape(str(value))}" for name, value in versions.items())))
    return facts


# A record is somebody's claim: of its values, only what has the expected form is printed.
def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _self_test(header: Header) -> list[dict[str, Any]]:
    return [row for row in _list(header.record.get("self_test")) if _is_self_test(row)]


def _is_self_test(row: Any) -> bool:
    if not isinstance(row, dict) or "corruption" not in row or not isinstance(row.get("queries", 0), int):
        return False
    shares = [row.get(key) for key in ("accuracy", "accuracy_unlearned", "shortlisted")]
    return isinstance(row.get("sse"), float | int | None) and all(
        share is None or (isinstance(share, float | int) and 0 <= share <= 1) for share in shares
    )

"""Options that several commands share, checks of values that need no array library, so that a wrong one is told at once, and what
the shell completes values with."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from uhop_cli.errors import ImageError
from uhop_cli.files.names import escape
from uhop_cli.files.normal_forms import on_disk

DEFAULT_MEMORY = Path("uhop.safetensors")

_SIZE = re.compile(r"auto|[0-9]{1,4}([xX][0-9]{1,4})?")
_BACKGROUND = re.compile(r"grey|gray|black|white|#[0-9a-f]{6}", re.IGNORECASE)
_SEPARATION = re.compile(r"softmax|sparsemax|argmax|entmax:[0-9.]+|top-k:[0-9]+")
_DEVICE = re.compile(r"auto|cpu|mps|cuda(:[0-9]{1,3})?")


def device(value: str) -> str:
    """Checks `--device`; whether the device is there is found when it is used."""
    return _matching(_DEVICE, value, "give auto, cpu, cuda, cuda:N or mps")


def size(value: str) -> str:
    """Checks `--size`."""
    return _matching(_SIZE, value, "give auto, one number such as 64, or WxH such as 64x48")


def background(value: str) -> str:
    """Checks `--background`."""
    return _matching(_BACKGROUND, value, "give grey, black, white or #rrggbb")


def separation(value: str) -> str:
    """Checks `--separation`."""
    return _matching(_SEPARATION, value, "give softmax, sparsemax, entmax:A, top-k:K or argmax")


def number_or_auto(value: str) -> str | float:
    """'auto', or a number that is not negative."""
    if value == "auto":
        return value
    try:
        result = float(value)
    except ValueError:
        result = -1
    if not 0 <= result < float("inf"):
        raise typer.BadParameter(f"{value!r} is neither 'auto' nor a number")
    return result


def count_or_auto(value: str) -> str | int:
    """'auto', or a whole number from 1."""
    if value == "auto":
        return value
    if not (value.isascii() and value.isdecimal() and len(value) < 10 and int(value) > 0):
        raise typer.BadParameter(f"{value!r} is neither 'auto' nor a whole number from 1")
    return int(value)


def shards(value: str | None) -> str | int | None:
    """None, 'auto', or a whole number from 1."""
    return None if value is None else count_or_auto(value)


def existing(paths: list[Path] | None) -> list[Path] | None:
    """Checks that paths are there, a name in another Unicode form (NFC, NFD) being the same name; `-` is standard input.

    Raises:
        ImageError: one is not.
    """
    found = [path if str(path) == "-" else on_disk(path) for path in paths or []]
    for path in found:
        if str(path) != "-" and not os.path.lexists(path):
            raise ImageError(f"{escape(path)}: no such file or folder", "check the path")
    return paths and found


def listed(source: Path) -> list[Path]:
    """The paths in a file or, for `-`, in standard input: one a line, or separated by null characters if there are any.

    Raises:
        ImageError: the list cannot be read, or names a path that is not there.
    """
    try:
        data = sys.stdin.buffer.read() if str(source) == "-" else source.read_bytes()
    except OSError as error:
        raise ImageError(f"{escape(source)}: {error.strerror}", "give a file that lists paths, or - for standard input") from None
    names = data.split(b"\0") if b"\0" in data else data.splitlines()
    return existing([Path(os.fsdecode(name)) for name in names if name]) or []


def of(names: Callable[[], Iterable[str]], *, several: bool = False) -> Callable[[str], list[str]]:
    """A completion from names, which are looked up only when somebody asks for it.

    Args:
        names: all there are.
        several: whether the value is a list, separated by commas, of which the last one is completed.
    """

    def complete(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",") if several else ("", "", incomplete)
        return [f"{before}{comma}{name}" for name in names() if name.startswith(last)]

    return complete


def corruption_names() -> Iterator[str]:
    """What `--corrupt` takes: each kind, and each with its levels."""
    from uhop_cli.corruption.corruption import KINDS

    for kind in KINDS.values():
        yield kind.name
        yield from (f"{kind.name}:{level if isinstance(level, str) else format(level, 'g')}" for level in kind.levels)


def separation_names() -> list[str]:
    """What `--separation` takes, with usual parameters."""
    return ["softmax", "sparsemax", "entmax:1.5", "top-k:5", "argmax"]


def method_names() -> list[str]:
    """What `--methods` takes."""
    from uhop_cli.experiments.forecasts.run import EXPERIMENTS as ON_SERIES
    from uhop_cli.experiments.grids import catalogue  # noqa: F401 -- fills the registry
    from uhop_cli.experiments.learning.run import EXPERIMENTS as LEARNING
    from uhop_cli.experiments.methods.registry import GROUPS, METHODS

    families = (*ON_SERIES.values(), *LEARNING.values())
    return [*METHODS, *GROUPS, *dict.fromkeys(name for one in families for name in one.methods)]


def experiment_names() -> list[str]:
    """What `--experiment` takes."""
    from uhop_cli.experiments.forecasts.run import EXPERIMENTS as ON_SERIES
    from uhop_cli.experiments.grids.catalogue import EXPERIMENTS
    from uhop_cli.experiments.learning.run import EXPERIMENTS as LEARNING

    return [*EXPERIMENTS, *ON_SERIES, *LEARNING, "all"]


def dataset_names() -> list[str]:
    """What `--dataset` takes: those that are known, and the folders and files here."""
    from uhop_cli.experiments.data.bags import BAGS
    from uhop_cli.experiments.data.published import PUBLISHED, TINY_IMAGENET
    from uhop_cli.experiments.forecasts.data import FILES

    here = [name + "/" * os.path.isdir(name) for name in sorted(os.listdir()) if not name.startswith(".")]
    known = ["sample", *PUBLISHED, TINY_IMAGENET.name, *FILES, *BAGS]
    return [*known, *(name for name in here if name.endswith(("/", ".npy", ".csv", ".npz")))]


def _matching(pattern: re.Pattern[str], value: str, hint: str) -> str:
    if not pattern.fullmatch(value):
        raise typer.BadParameter(f"{value!r}; {hint}")
    return value


MemoryFile = Annotated[
    Path, typer.Option("--memory", "-m", metavar="FILE", envvar="UHOP_MEMORY", help="The memory file.", rich_help_panel="Memory")
]
DeviceName = Annotated[
    str, typer.Option(metavar="NAME", envvar="UHOP_DEVICE", callback=device, help="auto, cpu, cuda, cuda:N or mps.")
]
FilesFrom = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Read paths from FILE, or from standard input for -: one a line, or null-separated."),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS|local:N", envvar="UHOP_CLUSTER", help="Have the workers of a Dask cluster do it, or N of this machine."
    ),
]
Seed = Annotated[int, typer.Option(min=0, metavar="N", help="Of everything random.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only the essential, no progress.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Tell how it came about: kernel, energy, similarity and the like.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]

"""Where results are written: names beside the query, and what may be replaced."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from uhop_cli.errors import OutputError
from uhop_cli.files.names import escape
from uhop_cli.images.formats.signatures import SUFFIXES
from uhop_cli.images.own_mark import is_own_output

if TYPE_CHECKING:
    from uhop_cli.memory.memory import Memory
    from uhop_cli.querying.restoration import Pictures

ALIASES = {
    ".apng": ".png", ".jpeg": ".jpg", ".jpe": ".jpg", ".jfif": ".jpg", ".mpo": ".jpg", ".dib": ".bmp", ".tiff": ".tif",
    ".heif": ".heic", ".hif": ".heic", ".j2k": ".jp2", ".j2c": ".jp2", ".jpc": ".jp2", ".jpf": ".jp2", ".jpx": ".jp2",
    ".icb": ".tga", ".vda": ".tga", ".vst": ".tga", ".pgm": ".ppm", ".pbm": ".ppm", ".pnm": ".ppm",
}  # fmt: skip
STATES = "uhop.states"  # the first member of a --states archive, by which it is known again
_FOLDER = "-o names a folder where IMAGE is one, or there are several images"


def target(query: Path | None, suffix: str, output: str | None, *, folder: bool) -> Path:
    """The file that a restored picture goes to: `<stem>.retrieved<suffix>` beside the query or in the folder `output`, or `output`.

    Args:
        query: its path; None for standard input.
        suffix: of the picture, with its dot.
        output: a file or a folder. With a slash at its end or with `folder` it is a folder, which is made where it is missing. A
            file whose name promises another kind than PNG, where PNG is what is written, gets the suffix `.png`.

    Raises:
        OutputError: the folder cannot be made.
    """
    name = f"{'stdin' if query is None else query.stem}.retrieved{suffix}"
    if output is None:
        return (query or Path()).parent / name
    path = Path(output)
    if not (folder or path.is_dir() or output.endswith(("/", os.sep))):
        return path.with_suffix(".png") if suffix == ".png" and kind_of(path) not in (None, ".png") else path
    check_folder(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{escape(path)}: {error.strerror}", _FOLDER) from None
    return path / name


def check_folder(path: Path) -> None:
    """Refuses what is there already and is no folder.

    Raises:
        OutputError: so it is.
    """
    if os.path.lexists(path) and not path.is_dir():
        raise OutputError(f"{escape(path)}: a file, not a folder", _FOLDER)


def kind_of(path: Path) -> str | None:
    """The kind of picture that a name promises, as the suffix that it mostly has; None where it promises none."""
    suffix = path.suffix.lower()
    return ALIASES.get(suffix, suffix) if suffix in SUFFIXES else None


def content(pictures: Pictures) -> bytes:
    """The bytes of an answer's picture: the original file's, else the retrieved pattern as PNG."""
    from uhop_cli.images.encode import to_png

    return to_png(pictures.state) if pictures.original is None else pictures.original


def write(path: Path, data: bytes, *, force: bool, memory: Memory | None = None) -> None:
    """Writes a result, whole or not at all.

    What uhop wrote before is replaced: a marked PNG, an archive of `--states`, or a copy of an original that is in `memory`.

    Raises:
        OutputError: something else is in the way, or the file cannot be written.
    """
    from uhop_cli.files.atomic import AtomicFile

    if not force and os.path.lexists(path) and not _replaceable(path, data, memory):
        raise OutputError(
            f"{escape(path)}: exists, and uhop did not write it", "--force replaces it; or name another place with -o"
        )
    with AtomicFile(path) as file:
        file.write(data, 0)
        file.commit(durable=False)  # it can be made again


def _replaceable(path: Path, data: bytes, memory: Memory | None) -> bool:
    if is_own_output(path):
        return True
    if not path.is_file():
        return False
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(64).find(STATES.encode()) > 0:
            return True
        file.seek(0)
        if size == len(data) and file.read() == data:
            return True
        if memory is None or ".retrieved." not in path.name or not (memory.entries.sizes == size).any():
            return False
        file.seek(0)
        digest = hashlib.sha256(file.read()).digest()
    return any(memory.entries.digest(index) == digest for index in (memory.entries.sizes == size).nonzero()[0])

"""One version of a memory in shards takes the place of another; what a run that is killed meanwhile leaves is removed by the next.

Shards take their names one after the other, and so are old ones removed: a process that is killed in between leaves whole memory
files that no index names. So it is noted before which shards come and which go, in a file of the form of an index,
`NAME.safetensors.index.json.pending`, which is removed last. Of the shards that stand there the index names the new ones if it has
been replaced, and the old ones if it has not; whatever it does not name is left over.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from uhop_cli.errors import MemoryFileError, OutputError
from uhop_cli.files.atomic import AtomicFile
from uhop_cli.files.names import escape
from uhop_cli.memory.file.index import Index, ShardPlace, index_of, read_index
from uhop_cli.memory.file.shards import opened

PENDING = ".pending"


def index_behind(path: str | Path) -> Path:
    """The index that a memory called `path` has if it is in shards, wherever a link to it leads: shards lie beside that."""
    return Path(os.path.realpath(index_of(path)))


@contextmanager
def replaced(path: Path, new: Sequence[ShardPlace]) -> Iterator[None]:
    """The block puts new shards and their index in the place of those at `path`; then the old ones are removed.

    Args:
        path: of the index, no link.
        new: shards that take their names within the block; none if the index goes.

    Raises:
        OutputError: the note cannot be written, or something else has its name.
    """
    clean_up(path)
    note = Path(f"{path}{PENDING}")
    if os.path.lexists(note) and not _shards_of(note):
        raise OutputError(f"{escape(note)}: in the way of the note that a store makes", "move it elsewhere")
    with AtomicFile(note) as file:
        file.write(Index(note, (*_shards_of(path), *new), None).text().encode(), 0)
        file.commit()
    try:
        yield
    finally:
        clean_up(path)


def retire(path: Path) -> None:
    """Removes an index and the shards that it names; what is no index stays."""
    if _shards_of(path):
        with replaced(path, ()):
            path.unlink()


def clean_up(path: Path) -> None:
    """Removes what a replacement of the index at `path` leaves over: shards that are noted and that it does not name.

    Nothing else is removed: a file that has not the size, the counts and the checksum that are noted is somebody else's.
    """
    note = Path(f"{path}{PENDING}")
    try:
        noted = read_index(note)
        named = {shard.file for shard in read_index(path).shards} if os.path.lexists(path) else set()
    except MemoryFileError:  # there is no note, or it is none; or nobody knows what the index names
        return
    try:
        for number, shard in enumerate(noted.shards):
            if shard.file not in named and _is_there(noted, number):
                noted.place(number).unlink()
        note.unlink()
    except OSError:  # a file that is in use elsewhere: the next store tries again
        return


def _shards_of(path: Path) -> tuple[ShardPlace, ...]:
    """Those that the index at `path` names; what is no index names nothing of ours."""
    try:
        return read_index(path).shards
    except MemoryFileError:
        return ()


def _is_there(index: Index, number: int) -> bool:
    try:
        with opened(index, number):
            return True
    except MemoryFileError:
        return False

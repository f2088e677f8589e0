"""What a `uhop store` that was killed had decoded already, for the next run of it.

Beside the memory file in the making lies a temporary file of records, one for each image file whose pattern has been written: the
sha256 of the image file, the row of its pattern, and a hash of the pattern. Pictures with transparency are not among them: what is
kept of their opacity goes with the run. Both are removed when the run ends, however it ends;
of a run that is killed they stay behind. The next run on the same memory file opens them before it cleans up, reads and hashes
every image as ever, and decodes only those that are not on record. So what it writes is, byte for byte, what it would have
written without.

Nothing in the records is believed: a pattern counts only if it has the hash, and both files belong to the user.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays.types import UInt8
from uhop_cli.errors import MemoryFileError
from uhop_cli.files.atomic import AtomicFile, temporary_files
from uhop_cli.files.names import escape
from uhop_cli.files.regular import open_regular
from uhop_cli.files.system import is_users, read_at
from uhop_cli.files.targets import resolve
from uhop_cli.images.patterns import PatternSpec
from uhop_cli.version import __version__

RECORD = np.dtype([("digest", "u1", 32), ("key", "u1", 16), ("row", "<u4")])
HEAD = 4096  # bytes before the first record
SCHEMA = "uhop.partial/2"


def pattern_key(pattern: UInt8) -> bytes:
    """The hash by which equal patterns are known, 16 bytes."""
    return hashlib.blake2b(pattern.tobytes(), digest_size=16).digest()


class Records:
    """The records of a run, for the case that it is killed.

    Args:
        target: the memory file.
        spec: of the patterns.
        patterns: name of the temporary file that they are written to, in the folder of `target`.
        room: bytes of it before the first pattern.
    """

    def __init__(self, target: Path, spec: PatternSpec, patterns: str, room: int) -> None:
        self._file = AtomicFile(target)
        self._head = _head(self._file.path, spec) | {"patterns": patterns, "room": room}
        self._place = HEAD
        self._open: list[tuple[bytes, bytes, int]] = []

    def __enter__(self) -> Records:
        self._file.__enter__()
        try:
            self._file.write(json.dumps(self._head).encode().ljust(HEAD), 0)
        except BaseException:
            self._file.discard()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.discard()  # it never takes the place of anything

    def add(self, digest: bytes, key: bytes, row: int) -> None:
        """Notes an image file; it stands on record from the next `flush` on."""
        self._open.append((digest, key, row))

    def flush(self) -> None:
        """Writes the records; the patterns that they are about have to be written before."""
        if not self._open:
            return
        records = np.zeros(len(self._open), RECORD)
        for name, values in zip(("digest", "key"), zip(*self._open, strict=True), strict=False):
            records[name] = np.frombuffer(b"".join(values), np.uint8).reshape(len(records), -1)
        records["row"] = [row for _, _, row in self._open]
        data = records.tobytes()
        self._file.write(data, self._place)
        self._place += len(data)
        self._open = []


class Recovered:
    """The patterns of a killed run.

    Args:
        spec: of the patterns.
        descriptor: of the file that holds them.
        room: bytes before the first one.
        records: about them.
    """

    def __init__(self, spec: PatternSpec, descriptor: int, room: int, records: NDArray[np.void]) -> None:
        self._spec, self._descriptor, self._room = spec, descriptor, room
        self._at = {record["digest"].tobytes(): record for record in records}
        self.used = 0

    def __enter__(self) -> Recovered:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def __call__(self, digest: bytes) -> UInt8 | None:
        """The pattern of an image file; None where it has to be decoded."""
        record = self._at.get(digest)
        if record is None:
            return None
        data = read_at(self._descriptor, self._spec.dim, self._room + int(record["row"]) * self._spec.dim)
        if len(data) != self._spec.dim:
            return None
        pattern = np.frombuffer(data, np.uint8).reshape(self._spec.shape)
        if pattern_key(pattern) != record["key"].tobytes():
            return None
        self.used += 1
        return pattern


def recover(target: Path, spec: PatternSpec) -> Recovered:
    """What killed runs on the memory file `target` left of patterns like these; nothing, if there were none."""
    best = Recovered(spec, -1, 0, np.zeros(0, RECORD))
    target = resolve(target)
    folder, wanted = target.parent, _head(target, spec)
    for path in temporary_files(folder):
        found = _read(folder, path, wanted)
        if found is not None and len(found[2]) > len(best._at):
            best.__exit__(None, None, None)
            best = Recovered(spec, *found)
        elif found is not None:
            os.close(found[0])
    return best


def _head(target: Path, spec: PatternSpec) -> dict[str, object]:
    """What has to be the same for patterns to be taken over. Another version may decode differently."""
    import PIL

    versions = f"{__version__}, Pillow {PIL.__version__}"
    return {"schema": SCHEMA, "target": os.fsencode(target.name).hex(), "pattern": spec.to_json(), "versions": versions}


def _read(folder: Path, path: Path, wanted: dict[str, object]) -> tuple[int, int, NDArray[np.void]] | None:
    """Descriptor of the patterns, room and records, if the file at `path` holds records like those wanted."""
    with suppress(MemoryFileError, OSError, ValueError, KeyError, TypeError):
        descriptor = _open(path)
        try:
            head = json.loads(read_at(descriptor, HEAD, 0))
            if not isinstance(head, dict) or {name: head.get(name) for name in wanted} != wanted:
                return None
            name, room = head["patterns"], head["room"]
            if name != os.path.basename(name) or not isinstance(room, int) or room < 0:
                return None
            size = (os.fstat(descriptor).st_size - HEAD) // RECORD.itemsize * RECORD.itemsize
            with open(descriptor, "rb", closefd=False) as file:
                file.seek(HEAD)
                records = np.frombuffer(file.read(max(0, size)), RECORD)
        finally:
            os.close(descriptor)
        return _open(folder / name), room, records
    return None


def _open(path: Path) -> int:
    """A descriptor of a regular file, no link, that belongs to the user.

    Raises:
        MemoryFileError: it is none.
    """
    descriptor = open_regular(path, MemoryFileError, follow=False)
    if not is_users(os.fstat(descriptor)):
        os.close(descriptor)
        raise MemoryFileError(f"{escape(path)}: not the user's")
    return descriptor

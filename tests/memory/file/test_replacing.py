"""A run that is killed while one version of a memory in shards takes the place of another leaves nothing that stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from uhop_cli.errors import OutputError
from uhop_cli.files.atomic import AtomicFile, clean
from uhop_cli.memory.file.index import index_of, read_index
from uhop_cli.memory.file.reader import load, save
from uhop_cli.memory.file.replacing import PENDING, clean_up, index_behind, replaced
from uhop_cli.memory.file.shard_writer import Destination, write_shards
from uhop_cli.memory.file.writer import Writer
from uhop_cli.memory.memory import Memory


class KilledError(BaseException):
    """Ends a run where a signal would; what would tidy up afterwards ends likewise."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "m.safetensors"


@pytest.fixture
def versions(make_memory: Any) -> tuple[Memory, Memory]:
    return make_memory(patterns=7, files=7), make_memory(patterns=5, files=5, seed=1)


def _killed_after(steps: int, run: Callable[[], object]) -> bool:
    """Whether a run was killed after so many files had been renamed or removed; it is not if it has no more to do."""
    done = 0

    def step(original: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: Any, **more: Any) -> object:
            nonlocal done
            if done == steps:
                raise KilledError
            done += 1
            return original(*arguments, **more)

        return call

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(AtomicFile, "commit", step(AtomicFile.commit))
        patched.setattr(Path, "unlink", step(Path.unlink))
        try:
            run()
        except KilledError:
            return True
    return False


def _kills(run: Callable[[], object], before: Callable[[], object]) -> Iterator[int]:
    """Kills a run after 0, 1, 2, ... steps, each time in the state that `before` makes, until it comes to its end."""
    for steps in count():
        before()
        if not _killed_after(steps, run):
            return
        yield steps


def _stored(file: Path, memory: Memory, shards: int) -> None:
    with Writer(file) as writer:
        writer.begin(memory.spec)
        writer.append(memory.patterns)
        Destination(file, shards).finish(memory, writer)


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def _emptied(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


@pytest.mark.parametrize(("shards", "then"), [(3, 3), (3, 2), (3, 0), (0, 3)])
def test_whenever_it_is_killed(file: Path, versions: tuple[Memory, Memory], shards: int, then: int) -> None:
    """The memory is the old one or the new one, and after the next clean-up only its files are there."""
    old, new = versions

    def before() -> None:
        _emptied(file.parent)
        _stored(file, old, shards)

    strays, lengths = 0, set()
    for _ in _kills(lambda: _stored(file, new, then), before):
        found = load(file)
        lengths.add(len(found))
        np.testing.assert_array_equal(np.asarray(found.patterns), (old if len(found) == len(old) else new).patterns)
        clean(file.parent)
        left = _names(file.parent)
        clean_up(index_behind(file))
        after = _names(file.parent)
        strays += len(left - after - {f"{index_of(file).name}{PENDING}"})
        index = index_of(file)
        known = {place.file for place in read_index(index).shards} | {index.name} if index.exists() else set()
        assert after - {file.name} == known
        assert len(load(file)) == len(found)
        _stored(file, new, then)
        assert len(load(file)) == len(new)
        assert not [name for name in _names(file.parent) if name.endswith(PENDING)]
    assert lengths == {len(old), len(new)}
    assert strays > 3  # else nothing was shown


def test_what_is_somebody_elses_stays(file: Path, versions: tuple[Memory, Memory]) -> None:
    """Even under a name that is noted: only a file with the checksum that is noted is removed."""
    write_shards(versions[0], file, 3)
    assert _killed_after(3, lambda: write_shards(versions[1], file, 3))  # the note and two shards
    stray, other = (file.parent / f"m.2-0000{number}-of-00003.safetensors" for number in (1, 2))
    save(versions[0], other)
    (file.parent / "m.2-00003-of-00003.safetensors").write_bytes(b"a letter")
    unnoted = file.parent / "m.3-00001-of-00003.safetensors"
    unnoted.write_bytes(stray.read_bytes())
    clean_up(index_behind(file))
    assert not stray.exists()
    assert {other.name, "m.2-00003-of-00003.safetensors", unnoted.name} < _names(file.parent)


def test_where_the_index_cannot_be_read_nothing_is_removed(file: Path, versions: tuple[Memory, Memory]) -> None:
    write_shards(versions[0], file, 3)
    assert _killed_after(3, lambda: write_shards(versions[1], file, 3))
    index_of(file).write_text("{")
    before = _names(file.parent)
    clean_up(index_behind(file))
    assert _names(file.parent) == before


def test_what_cannot_be_removed_now_is_removed_by_the_next(
    file: Path, versions: tuple[Memory, Memory], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_shards(versions[0], file, 2)

    def in_use(self: Path) -> None:
        raise PermissionError

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", in_use)
        write_shards(versions[1], file, 2)
    assert len(_names(file.parent)) == 6
    clean_up(index_behind(file))
    assert len(_names(file.parent)) == 3
    assert len(load(file)) == 5


def test_a_file_in_the_way_of_the_note_is_not_replaced(file: Path, versions: tuple[Memory, Memory]) -> None:
    note = Path(f"{index_of(file)}{PENDING}")
    note.write_text("a letter")
    with pytest.raises(OutputError, match="in the way of the note"), replaced(index_of(file), ()):
        pass
    with pytest.raises(OutputError, match="in the way of the note"):
        write_shards(versions[0], file, 2)
    assert _names(file.parent) == {note.name}
    assert note.read_text() == "a letter"


def test_shards_lie_beside_the_index_that_a_link_leads_to(file: Path, versions: tuple[Memory, Memory], tmp_path: Path) -> None:
    write_shards(versions[0], file, 2)
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "l.safetensors"
    index_of(link).symlink_to(index_of(file))
    write_shards(versions[1], link, 2)
    assert len(load(link)) == len(load(file)) == 5
    assert _names(link.parent) == {index_of(link).name}
    assert _names(tmp_path) == {"elsewhere", index_of(file).name, *(f"m.2-0000{number}-of-00002.safetensors" for number in (1, 2))}

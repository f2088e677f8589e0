"""Names of results, and what may be replaced."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from uhop_cli.cli import query_targets as files
from uhop_cli.errors import OutputError
from uhop_cli.images.encode import to_png
from uhop_cli.memory.file.reader import load

PNG = to_png(np.zeros((2, 2, 3), np.uint8))


def test_the_default_place_is_beside_the_query() -> None:
    assert files.target(Path("a/b.c.jpg"), ".png", None, folder=False) == Path("a/b.c.retrieved.png")
    assert files.target(None, ".png", None, folder=False) == Path("stdin.retrieved.png")


def test_an_output_is_a_file_or_a_folder(tmp_path: Path) -> None:
    query = Path("a/b.jpg")
    assert files.target(query, ".png", str(tmp_path / "out.png"), folder=False) == tmp_path / "out.png"
    assert files.target(query, ".png", str(tmp_path), folder=False) == tmp_path / "b.retrieved.png"
    assert files.target(query, ".jpg", str(tmp_path / "new"), folder=True) == tmp_path / "new" / "b.retrieved.jpg"
    assert (tmp_path / "new").is_dir()
    assert files.target(query, ".png", f"{tmp_path}/more/", folder=False) == tmp_path / "more" / "b.retrieved.png"
    assert (tmp_path / "more").is_dir()
    assert files.target(query, ".png", str(tmp_path / "named.jpg"), folder=True) == tmp_path / "named.jpg" / "b.retrieved.png"
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file"):
        files.target(query, ".png", str(tmp_path / "file"), folder=True)


@pytest.mark.parametrize(
    ("asked", "suffix", "given"),
    [
        ("back.jpg", ".png", "back.png"),
        ("back.JPEG", ".png", "back.png"),
        ("back.png", ".png", "back.png"),
        ("back.PNG", ".png", "back.PNG"),
        ("back", ".png", "back"),
        ("back.v2", ".png", "back.v2"),
        ("back.jpg", ".jpg", "back.jpg"),
    ],
)
def test_a_png_is_not_written_under_the_name_of_another_kind(asked: str, suffix: str, given: str, tmp_path: Path) -> None:
    assert files.target(None, suffix, str(tmp_path / asked), folder=False) == tmp_path / given


def test_own_pictures_are_replaced(tmp_path: Path) -> None:
    path = tmp_path / "x.retrieved.png"
    files.write(path, PNG, force=False)
    other = to_png(np.full((2, 2, 3), 9, np.uint8))
    files.write(path, other, force=False)
    assert path.read_bytes() == other
    assert os.listdir(tmp_path) == [path.name]


def test_foreign_files_are_kept_unless_forced(tmp_path: Path, memory: Path) -> None:
    path = tmp_path / "x.retrieved.png"
    path.write_bytes(b"precious")
    with pytest.raises(OutputError, match="did not write it") as caught:
        files.write(path, PNG, force=False, memory=load(memory))
    assert "--force" in str(caught.value.hint)
    assert path.read_bytes() == b"precious"
    files.write(path, PNG, force=True)
    assert path.read_bytes() == PNG


def test_a_link_to_nowhere_is_something_in_the_way(tmp_path: Path) -> None:
    path = tmp_path / "x.retrieved.png"
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match="did not write it"):
        files.write(path, PNG, force=False)


def test_copies_of_originals_are_replaced_under_their_own_name_only(tmp_path: Path, stored: Path) -> None:
    memory = load(stored / "memory.safetensors")
    first, second = ((stored / "images" / f"picture{index}.png").read_bytes() for index in (0, 1))
    path = tmp_path / "x.retrieved.png"
    files.write(path, first, force=False, memory=memory)
    files.write(path, second, force=False, memory=memory)
    assert path.read_bytes() == second
    other = tmp_path / "mine.png"
    other.write_bytes(first)
    with pytest.raises(OutputError):
        files.write(other, second, force=False, memory=memory)
    files.write(other, first, force=False, memory=memory)  # the same bytes: nothing is lost


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="folder"):
        files.write(tmp_path / "none" / "x.png", PNG, force=False)

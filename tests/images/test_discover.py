"""Discovery: what counts as an image, in which order, under which name."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uhop_cli.errors import ImageError
from uhop_cli.files.names import escape
from uhop_cli.images.discover import discover, natural_key
from uhop_cli.images.encode import to_png

PICTURE = b"\x89PNG\r\n\x1a\n" + b"\0" * 60  # discovery looks no further than the first bytes


def plant(root, *names, data=PICTURE):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def names(root, found):
    return [os.path.relpath(f.path, root) for f in found]


def test_folders_are_searched_in_natural_order(tmp_path):
    plant(tmp_path, "img10.png", "img2.png", "IMG1.PNG", "b/2/x.jpg", "b/10/x.jpg", "a.tiff", "c/z.webp", "c/y.gif")
    expected = ["a.tiff", "b/2/x.jpg", "b/10/x.jpg", "c/y.gif", "c/z.webp", "IMG1.PNG", "img2.png", "img10.png"]
    assert names(tmp_path, discover([tmp_path])) == expected


def test_paths_keep_their_order_and_are_taken_once(tmp_path):
    plant(tmp_path, "a/1.png", "b/1.png")
    given_paths = [tmp_path / "b", str(tmp_path / "a" / "1.png"), tmp_path / "a", tmp_path / "b" / ".." / "b" / "1.png"]
    assert names(tmp_path, discover(given_paths)) == ["b/1.png", "a/1.png"]
    assert discover([]) == []


def test_what_is_left_out_and_why(tmp_path):
    plant(tmp_path, "a.png", ".hidden.png", ".git/b.png", "x.retrieved.png", "named.HEIC", "named.nef", "noname")
    plant(tmp_path, "photo", data=b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    plant(tmp_path, "@eaDir/a.png/thumb.jpg", "#recycle/b.png", "__MACOSX/c.png", "Thumbs.db")
    plant(tmp_path, "table.bin", data=b"\0\0\2" + bytes(9) + b"\x20\0\x10\0\x18\0" + bytes(40))  # might be a TGA
    plant(tmp_path, "shot.nef", data=b"II*\0\x08\0\0\0")
    plant(tmp_path, "page", data=b"<!DOCTYPE html><html>")
    plant(tmp_path, "notes.txt", "empty", data=b"some text")
    plant(tmp_path, "layers.psd", data=b"8BPS\0\1")
    plant(tmp_path, "film.bin", data=b"\0\0\0\x18ftypisom\0\0\0\0isommp42")
    plant(tmp_path, "mine.png", data=to_png(np.zeros((2, 2, 3), np.uint8)))
    skipped = []
    assert names(tmp_path, discover([tmp_path], on_skip=skipped.append)) == ["a.png", "named.HEIC", "named.nef", "noname", "photo"]
    told = {s.path.name: (s.reason, s.ignored, s.hint is not None) for s in skipped}
    assert told == {
        "x.retrieved.png": ("an output of uhop", True, False),
        "mine.png": ("an output of uhop", True, False),
        "notes.txt": ("not a picture", True, False),
        "empty": ("not a picture", True, False),
        "film.bin": ("a video", True, False),
        "page": ("a web page", True, False),
        "table.bin": ("not a picture", True, False),
        "shot.nef": ("camera raw pictures are not read", False, True),
        "layers.psd": ("Photoshop pictures are not read", False, True),
    }


def test_a_file_that_is_named_is_taken_whatever_it_is_called(tmp_path):
    plant(tmp_path, ".hidden.png", "x.retrieved.png", "data.bin")
    plant(tmp_path, "raw.cr2", data=b"II*\0\x10\0\0\0CR")
    plant(tmp_path, "notes.txt", data=b"text")
    files = [tmp_path / n for n in (".hidden.png", "x.retrieved.png", "data.bin", "notes.txt", "raw.cr2")]
    skipped = []
    assert len(discover(files, on_skip=skipped.append)) == 4
    assert [s.path.name for s in skipped] == ["raw.cr2"]


def test_a_missing_path_is_an_error_of_one_line(tmp_path):
    with pytest.raises(ImageError, match="no such file or folder") as caught:
        discover([tmp_path / "not\nthere\x1b[31m"])
    assert caught.value.message.isprintable()
    with pytest.raises(ImageError, match="no valid path"):
        discover(["null\0byte"])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipes_are_passed_over_in_folders_and_refused_by_name(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    skipped = []
    assert discover([tmp_path], on_skip=skipped.append) == []
    assert skipped[0].reason == "neither a file nor a folder"
    with pytest.raises(ImageError, match="neither a file nor a folder"):
        discover([tmp_path / "pipe.png"])


def test_links_are_followed_once_and_broken_ones_named(tmp_path):
    plant(tmp_path, "a/1.png")
    try:
        (tmp_path / "a" / "up").symlink_to(tmp_path, target_is_directory=True)
        (tmp_path / "b").symlink_to(tmp_path / "a", target_is_directory=True)
        (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
        (tmp_path / "self.png").symlink_to(tmp_path / "self.png")
        (tmp_path / "link.png").symlink_to(tmp_path / "a" / "1.png")
    except OSError:
        pytest.skip("no links here")
    skipped = []
    assert names(tmp_path, discover([tmp_path], on_skip=skipped.append)) == ["a/1.png", "link.png"]
    assert {s.path.name: s.reason for s in skipped} == {"gone.png": "a broken link", "self.png": "a broken link"}
    assert not any(s.ignored for s in skipped)


def test_deep_nesting(tmp_path):
    here, path = os.getcwd(), tmp_path
    try:
        os.chdir(tmp_path)
        for _ in range(300):
            os.mkdir("d")
            os.chdir("d")
        with open("x.png", "wb") as file:
            file.write(PICTURE)
    finally:
        os.chdir(here)
    assert len(discover([path])) == 1


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    plant(tmp_path, "a/1.png", "b/2.png")
    listdir = os.listdir

    def deny(path):
        if os.fspath(path).endswith("a"):
            raise PermissionError(13, "Permission denied")
        return listdir(path)

    monkeypatch.setattr(os, "listdir", deny)
    skipped = []
    assert names(tmp_path, discover([tmp_path], on_skip=skipped.append)) == ["b/2.png"]
    assert skipped[0].reason == "no permission to read it"


@pytest.mark.skipif(sys.platform != "linux", reason="needs names that are not UTF-8")
def test_names_that_are_not_utf8(tmp_path):
    name = os.path.join(os.fsencode(tmp_path), b"caf\xe9\n\x1b[31m.png")
    with open(name, "wb") as file:
        file.write(PICTURE)
    (found,) = discover([tmp_path])
    assert os.fsencode(found.path) == name
    assert found.shown.endswith(r"caf\xe9\n\x1b[31m.png")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain café 画像.png", "plain café 画像.png"),
        ("a\nb\tc\rd", r"a\nb\tc\rd"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x7f\x9b31m", r"\x7f\u009b31m"),
        ("abc\u202egnp.exe", r"abc\u202egnp.exe"),
        ("\udcff\udc80", r"\xff\x80"),
        ("\ud800", r"\ud800"),
        ("\U000e0041", r"\U000e0041"),
        ("👩\u200d💻", "👩\u200d💻"),
        (b"caf\xe9", r"caf\xe9"),
        ("", ""),
    ],
)
def test_escape(name, shown):
    assert escape(name) == shown


@given(st.text(st.characters(codec=None, exclude_characters="\u200c\u200d")))
def test_what_is_escaped_can_be_printed(name):
    shown = escape(name)
    assert shown.isprintable()
    shown.encode("utf-8")


@given(st.lists(st.text(max_size=8), unique=True))
def test_natural_order_is_an_order(texts):
    ordered = sorted(texts, key=natural_key)
    backwards = ordered[::-1]
    assert sorted(backwards, key=natural_key) == ordered
    assert len({natural_key(t) for t in texts}) == len(texts)


def test_discovery_imports_neither_numpy_nor_pillow():
    code = "import sys, uhop_cli.images.discover; print(sorted({'numpy', 'PIL', 'torch'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout.strip() == "[]"

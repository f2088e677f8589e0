"""Names as a memory file has them."""

from __future__ import annotations

import ntpath
import os
from pathlib import Path

import pytest

from uhop_cli.errors import ImageError
from uhop_cli.files import names
from uhop_cli.files.names import page_name, relative_name, split_page


def test_a_name_is_the_way_from_the_memory_file(tmp_path: Path) -> None:
    assert relative_name(tmp_path / "a" / "b.png", tmp_path / "c") == b"../a/b.png"
    assert relative_name(os.fsdecode(b"/x/\xff.png"), "/x") == b"\xff.png"


def test_names_have_slashes_on_every_system_and_stay_on_one_drive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names.os, "path", ntpath)
    monkeypatch.setattr(names.os, "sep", "\\")
    assert relative_name("C:\\pictures\\a\\b.png", "C:\\pictures") == b"a/b.png"
    with pytest.raises(ImageError, match="another drive") as caught:
        relative_name("D:\\b.png", "C:\\pictures")
    assert "-m" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        (b"a/b.tif#2", (b"a/b.tif", 2)),
        (b"b.tif#1000", (b"b.tif", 1000)),
        (b"b.tif", (b"b.tif", 1)),
        (b"b#2", (b"b#2", 1)),
        (b"b.tif#0", (b"b.tif#0", 1)),
        (b"b.tif#02", (b"b.tif#02", 1)),
        (b"b.tif#2.png", (b"b.tif#2.png", 1)),
        (b"a.npy[2]", (b"a.npy[2]", 1)),
        (b"b\nc.tif#2#3", (b"b\nc.tif#2#3", 1)),
    ],
)
def test_a_page_is_told_by_a_number_after_the_suffix(name, meant):
    assert split_page(name) == meant
    if meant[1] > 1:
        assert page_name(*meant) == name
    assert page_name(name, 1) == name

"""Names as a memory file has them."""

from __future__ import annotations

import ntpath
import os
from pathlib import Path

import pytest

from uhop_cli.errors import ImageError
from uhop_cli.files import names
from uhop_cli.files.names import relative_name


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

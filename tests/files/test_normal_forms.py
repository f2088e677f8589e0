"""Names in NFC and NFD."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from uhop_cli.files.normal_forms import normal_form, on_disk


def test_bytes_that_are_not_utf8_stay() -> None:
    assert normal_form(b"a\xff") == os.fsdecode(b"a\xff")
    assert normal_form(unicodedata.normalize("NFD", "é")) == "é"


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_every_part_of_a_path_may_have_another_form(tmp_path: Path, form: str) -> None:
    there = tmp_path / unicodedata.normalize("NFC", "ü") / unicodedata.normalize("NFD", "é.png")
    there.parent.mkdir()
    there.touch()
    asked = tmp_path / unicodedata.normalize(form, "ü") / unicodedata.normalize(form, "é.png")  # type: ignore[arg-type]
    assert os.fsencode(on_disk(asked)) == os.fsencode(there)
    assert on_disk(there) == there
    gone = tmp_path / "ü" / "no é.png"
    assert on_disk(gone) == gone
    assert on_disk(Path("none-é/x.png")) == Path("none-é/x.png")

"""Originals that have gone elsewhere since they were stored."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from uhop_cli.images.own_mark import is_own_output

pytestmark = pytest.mark.usefixtures("wide")


@pytest.fixture
def moved(stored: Path, tmp_path: Path) -> Path:
    """A memory whose pictures are elsewhere: its file."""
    place = tmp_path / "moved" / "memory.safetensors"
    place.parent.mkdir()
    shutil.copy(stored / "memory.safetensors", place)
    return place


def test_an_original_that_is_gone_is_said_to_be(uhop: Any, moved: Path, damaged: Path, tmp_path: Path) -> None:
    ran = uhop("query", damaged, "-m", moved, "-o", tmp_path / "back.jpg")
    assert ran.code == 0
    gone = moved.parent / "images" / "picture3.png"
    warning, hint = ran.err.splitlines()[-2:]
    assert warning == f"warning: {gone} is not where it was; this is the 16 x 16 pattern"
    assert "--originals DIR" in hint
    assert "--embed" in hint
    assert "original file" not in ran.out
    assert "back.png, the 16 x 16 pattern, not the original" in ran.out
    assert not (tmp_path / "back.jpg").exists()
    assert is_own_output(tmp_path / "back.png")
    (result,) = json.loads(uhop("query", damaged, "-m", moved, "--no-output", "--json").out)["results"]
    assert (result["match"]["original"], result["output"], result["output_kind"]) == ("missing", None, None)
    assert "is not where it was" in uhop("query", damaged, "-m", moved, "-q", "--no-output").err
    gone.parent.mkdir()
    gone.write_bytes(b"something else")
    assert f"{gone} has changed since it was stored" in uhop("query", damaged, "-m", moved, "--no-output").err


def test_originals_are_found_anywhere_below_under_any_name(
    uhop: Any, moved: Path, damaged: Path, stored: Path, tmp_path: Path
) -> None:
    deep = tmp_path / "archive" / "2019" / "IMG_0001.png"
    deep.parent.mkdir(parents=True)
    shutil.copy(stored / "images" / "picture3.png", deep)
    line = ("query", damaged, "-m", moved, "--originals", tmp_path / "archive")
    ran = uhop(*line, "-q", "-o", tmp_path / "back.png")
    assert (ran.out, ran.err) == (f"{deep}\n", "")
    assert (tmp_path / "back.png").read_bytes() == deep.read_bytes()
    (result,) = json.loads(uhop(*line, "--no-output", "--json").out)["results"]
    assert (result["match"]["path"], result["match"]["original"]) == (str(deep), "file")
    deep.unlink()
    assert f"hint: no file below {tmp_path / 'archive'}" in uhop(*line, "--no-output").err

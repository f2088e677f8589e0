"""`uhop demo`: every damaged sample picture finds its original."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from uhop_cli.experiments.data.samples import sample_data


def test_all_samples_are_restored(uhop: Any) -> None:
    count = len(list((sample_data() / "damaged").iterdir()))
    ran = uhop("demo")
    assert ran.code == 0, ran.err
    assert f"{count} of {count} right" in ran.out
    assert "cat" in ran.out
    assert "torn" in ran.out


def test_what_is_restored_is_kept_where_it_is_asked_for(uhop: Any, tmp_path: Path) -> None:
    for _ in range(2):
        ran = uhop("demo", "-o", tmp_path / "out", "-v")
        assert ran.code == 0, ran.err
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"sample.safetensors", "cat_torn.retrieved.png"} <= names
    original = sample_data() / "images" / "cat.png"
    assert (tmp_path / "out" / "cat_torn.retrieved.png").read_bytes() == original.read_bytes()
    assert "kernel" in ran.out
    assert " ".join(ran.out.splitlines()[-2:]).endswith("Your own pictures: uhop store FOLDER, then uhop query DAMAGED_IMAGE")

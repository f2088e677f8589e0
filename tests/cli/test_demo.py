"""`uhop demo`: every damaged sample picture finds its original."""

from __future__ import annotations

from typing import Any

from uhop_cli.experiments.data.samples import sample_data


def test_all_samples_are_restored(uhop: Any) -> None:
    count = len(list((sample_data() / "damaged").iterdir()))
    ran = uhop("demo")
    assert ran.code == 0, ran.err
    assert f"{count} of {count} right" in ran.out
    assert "cat" in ran.out
    assert "torn" in ran.out

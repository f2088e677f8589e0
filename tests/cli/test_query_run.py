"""How many queries are answered in one go."""

from __future__ import annotations

from pathlib import Path

import pytest

from uhop_cli.cli import query_run
from uhop_cli.cli.query_run import together
from uhop_cli.images.discover import Found


@pytest.fixture
def waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Found]:
    """Nine queries, of which the seventh is large; at least 2 and at most 5 are answered together."""
    monkeypatch.setattr(query_run, "TOGETHER", (2, 5))
    monkeypatch.setattr(query_run, "SMALL_FILE", 10)
    monkeypatch.setattr(query_run, "ROOM", 1000)
    found = []
    for number in range(9):
        path = tmp_path / f"{number}.png"
        path.write_bytes(b"x" * (11 if number == 6 else 10))
        found.append(Found(path, path.name))
    return found


def test_small_queries_are_answered_together_up_to_a_large_one(waiting: list[Found]) -> None:
    assert together(waiting, 0) == 5
    assert together(waiting[2:], 0) == 4
    assert together(waiting[5:], 0) == 2
    assert together(waiting[6:], 0) == 2
    assert together(waiting[8:], 0) == 1
    (waiting[0].path).unlink()
    assert together(waiting, 0) == 5


def test_originals_that_are_handed_out_have_room(waiting: list[Found]) -> None:
    assert together(waiting, 200) == 5
    assert together(waiting, 250) == 4
    assert together(waiting, 251) == 3
    assert together(waiting, 10_000) == 2


def test_standard_input_may_be_large(waiting: list[Found]) -> None:
    assert together([waiting[0], waiting[1], waiting[2], None, waiting[3]], 0) == 3

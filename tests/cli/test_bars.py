"""Bars appear for whatever takes long, also where a stage tells of nothing but its start."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from uhop_cli.cli import output
from uhop_cli.progress import Progress, started


class Drawn:
    """Stands in for rich's bars."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.last: dict[int, tuple[float, float | None]] = {}
        self.stopped = False
        self.seen = threading.Event()

    def add_task(self, name: str, **_: Any) -> int:
        self.names.append(name)
        return len(self.names) - 1

    def update(self, task: int, *, completed: float, total: float | None, note: str) -> None:
        self.last[task] = completed, total
        self.seen.set()

    def stop(self) -> None:
        self.stopped = True


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    bars = Drawn()
    monkeypatch.setattr(output._Bars, "_open", lambda self: bars)
    return bars


def test_a_stage_that_only_starts_is_drawn(drawn: Drawn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "PATIENCE", 0.01)
    bars = output._Bars()
    started(bars.show, "load")
    assert drawn.seen.wait(30)
    bars.show(Progress("restore", 3, 9))
    bars.show(Progress("restore", 5, 9))
    bars.close()
    assert drawn.names == ["load", "restore"]
    assert drawn.last == {0: (0, None), 1: (5, 9)}
    assert drawn.stopped


def test_what_is_done_before_anyone_gets_impatient_draws_nothing(drawn: Drawn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "PATIENCE", 1000)
    bars = output._Bars()
    bars.show(Progress("read", 1, 2))
    bars.close()
    bars._appear()  # as a timer that fires at the last moment
    assert drawn.names == []
    assert bars.bars is None

"""The entry point: Ctrl-C before a command has begun."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from importlib.abc import MetaPathFinder
from typing import Any

import pytest

from uhop_cli.__main__ import RARELY, main
from uhop_cli.cli import app


@pytest.fixture(autouse=True)
def _as_often_as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    assert gc.get_threshold() == RARELY
    gc.unfreeze()
    gc.set_threshold(*before)


class Interrupted(MetaPathFinder):
    """Ctrl-C at the moment when the command line is imported."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> None:
        if name == "uhop_cli.cli.app":
            raise KeyboardInterrupt


def test_ctrl_c_while_the_command_line_loads_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "uhop_cli.cli.app")
    monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "error: interrupted\n"


def test_ctrl_c_before_the_command_handles_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(arguments: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(app, "run", run)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130


def test_the_exit_code_is_the_commands(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["uhop", "query", "/nowhere/x.png"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert "/nowhere/x.png" in capsys.readouterr().err

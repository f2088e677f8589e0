"""Files of the user's own that register methods and experiments."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from uhop_cli.errors import UhopError
from uhop_cli.experiments.methods.registry import METHODS
from uhop_cli.experiments.plugin import load_plugin

GOOD = """
from uhop_cli.experiments.methods.protocol import Retrieval
from uhop_cli.experiments.methods.registry import Method, register
register(Method("of-a-plugin", "none", "baseline", Retrieval(None)))
"""


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    yield
    METHODS.pop("of-a-plugin", None)


def test_a_plugin_registers_and_is_known_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "p.py").write_text(GOOD)
    assert load_plugin(tmp_path / "p.py") == hashlib.sha256(GOOD.encode()).hexdigest()
    assert "of-a-plugin" in METHODS


@pytest.mark.parametrize(
    ("name", "source", "message"),
    [
        ("p.py", None, "no such file"),
        ("p.txt", GOOD, "not a Python file"),
        ("p.py", "a = 1\n", "registers neither"),
        ("p.py", "a = 1\n1 / 0\n", "p.py, line 2: ZeroDivisionError"),
        ("p.py", "def f(:\n", "SyntaxError"),
        ("p.py", "import no_such_module\n", "line 1: ModuleNotFoundError"),
        ("p.py", "raise SystemExit(3)\n", "SystemExit"),
        ("p.py", GOOD + GOOD, "there is a method 'of-a-plugin' already"),
    ],
)
def test_what_is_wrong_with_a_plugin_is_one_line(tmp_path: Path, name: str, source: str | None, message: str) -> None:
    if source is not None:
        (tmp_path / name).write_text(source)
    with pytest.raises(UhopError, match=message) as caught:
        load_plugin(tmp_path / name)
    assert "\n" not in caught.value.message

"""Help texts and the order of options."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import typer

from uhop_cli.cli.help import ORDER, Command, NotPlain, examples, plain


def test_options_stand_under_their_headings_and_the_common_ones_last(uhop: Any) -> None:
    lines = uhop("store", "--help").out.splitlines()
    headings = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert headings == ["Arguments:", "Memory:", "Pattern:", "Learning:", "Options:"]


@pytest.mark.parametrize("command", ["store", "query", "info", "demo"])
def test_every_command_has_examples_and_fits_the_width(command: str, uhop: Any) -> None:
    lines = uhop(command, "--help").out.splitlines()
    shown = lines.index("  Examples:")
    assert lines[shown + 1].startswith(f"    uhop {command}") or "| uhop" in lines[shown + 1]
    assert max(map(len, lines[:shown])) <= 80


def test_the_order_of_options_is_kept() -> None:
    app = typer.Typer()
    seen: list[str] = []

    @app.command(cls=Command)
    def command(
        context: typer.Context,
        first: Annotated[list[int] | None, typer.Option()] = None,
        second: Annotated[list[int] | None, typer.Option()] = None,
    ) -> None:
        seen.extend(context.meta[ORDER])

    app(["--second", "1", "--first", "2", "--second", "3"], standalone_mode=False)
    assert seen[:3] == ["second", "first", "second"]


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ("auto", str, "auto"),
        (True, bool, True),
        (5, int, 5),
        (0.5, float, 0.5),
        ("same", Literal["auto", "same"], "same"),
        ("no such file", Path, Path("no such file")),
        (Path("a"), Path, Path("a")),
        (("a", "b"), list[Path], [Path("a"), Path("b")]),
        (["a"], list[str], ["a"]),
    ],
)
def test_values_that_nothing_is_to_be_done_about(value: Any, kind: Any, expected: Any) -> None:
    found = plain(value, kind)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "kind"),
    [("5", int), (5, float), ("yes", bool), (True, int), ("other", Literal["auto", "same"]), (1, Literal[1]), ("a", list[str]),
     (["5"], list[int]), ("x", bytes), (b"x", Path)],
)  # fmt: skip
def test_values_that_are_to_be_read_or_checked(value: Any, kind: Any) -> None:
    with pytest.raises(NotPlain):
        plain(value, kind)


def test_a_path_that_may_not_be_read_is_left_to_typer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert plain(str(tmp_path / "none"), Path) == tmp_path / "none"
    with pytest.raises(NotPlain):
        plain(str(tmp_path), Path)


def test_pydantic_is_loaded_where_a_value_is_to_be_read(tmp_path: Path) -> None:
    """A fifth of a second of the start of each command; what is not plain is refused as typer does."""
    script = "import sys; from uhop_cli.cli.app import run; code = run(sys.argv[1:]); print(code, 'pydantic' in sys.modules)"
    for arguments, loaded, code in (
        (["query", tmp_path / "none.png", "--frames", "same", "--json"], False, 1),
        (["query", tmp_path / "none.png", "--top", "3"], True, 1),
        (["query", tmp_path / "none.png", "--frames", "never"], True, 2),
        (["store", "--help"], False, 0),
    ):
        ran = subprocess.run([sys.executable, "-c", script, *map(str, arguments)], capture_output=True, text=True, check=True)
        assert ran.stdout.splitlines()[-1] == f"{code} {loaded}", ran.stderr


def test_examples_are_aligned() -> None:
    assert examples(("a", "one"), ("bcd", "two")).splitlines()[2:] == ["  a    # one", "  bcd  # two"]

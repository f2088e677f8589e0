"""Help texts and the order of options."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
import typer

from uhop_cli.cli.help import ORDER, Command, examples


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


def test_examples_are_aligned() -> None:
    assert examples(("a", "one"), ("bcd", "two")).splitlines()[2:] == ["  a    # one", "  bcd  # two"]

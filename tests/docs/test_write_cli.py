"""docs/cli.md is what the help texts say."""

from __future__ import annotations

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_is_current_and_knows_every_command() -> None:
    from uhop_cli.cli.app import application

    script = runpy.run_path(str(DOCS / "write_cli.py"))
    assert {command[0] for command in script["COMMANDS"] if command} == {info.name for info in application().registered_commands}
    assert (DOCS / "cli.md").read_text(encoding="utf-8") == script["page"](), "run `make docs`"

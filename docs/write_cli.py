"""Writes docs/cli.md from the help texts: `make docs`. A test holds the file to what this script writes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).with_name("cli.md")
COMMANDS = ((), ("store",), ("query",), ("bench",), ("info",), ("demo",), ("env",))

HEAD = """\
# The commands

Written by `make docs` from the help texts; what the commands mean stands in the README.

* **Output.** The result goes to stdout, as a table or, with `--json`, as one JSON document; progress, notes, warnings and errors
  go to stderr. With `-q`, stdout holds the essential only: the memory file's path (`store`), the path of the best match of each
  image, an empty line where nothing fits (`query`). Names are printed in an escaped form where they hold control characters.
* **Exit codes.** 0 done; 1 something could not be done, the rest was; 2 the command line makes no sense; 130 interrupted by
  Ctrl-C, 143 by a TERM signal, with nothing half-written and what existed before intact.
* **Files.** A memory file is never replaced without `--force` or `--add`. Pictures are written to `<stem>.retrieved.<suffix>`
  beside the query, or where `-o` says; what uhop wrote is replaced, anything else only with `--force`.
* **Environment.** `UHOP_MEMORY` is the memory file, `UHOP_DEVICE` the device, `UHOP_CLUSTER` the cluster, `NO_COLOR` turns colours
  and pictures off, `COLUMNS` is the width of what is printed where there is no terminal (80).
"""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *(section(*command) for command in COMMANDS)])


def section(*command: str) -> str:
    """The help text of one command under its heading."""
    environment = {**os.environ, "COLUMNS": "80", "PYTHONUTF8": "1"}
    line = [sys.executable, "-m", "uhop_cli", *command, "--help"]
    text = subprocess.run(line, env=environment, check=True, capture_output=True, text=True, encoding="utf-8").stdout
    return f"## {' '.join(('uhop', *command))}\n\n```text\n{text.rstrip()}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

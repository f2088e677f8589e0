"""The command line: arguments in, output out; one file a command."""

import os

# typer imports pydantic, which would search all installed packages for plug-ins of its own: a tenth of the time that --help takes.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

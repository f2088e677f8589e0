"""The application: its commands, and what happens when something goes wrong."""

from __future__ import annotations

import os
import re
import signal
import sys
from importlib import import_module
from typing import Annotated, Any

import typer

from uhop_cli.cli.help import Command, Commands
from uhop_cli.cli.output import complain
from uhop_cli.errors import OutputError, SettingsError, UhopError
from uhop_cli.version import __version__

INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM
COMMANDS = ("store", "query", "bench", "info", "demo", "env")  # a module each, with the command and its `EXAMPLES`
_EMPTY = re.compile(r"(--[a-z-]+=)?")  # an argument without a value


def application(*names: str) -> typer.Typer:
    """The application with these commands; none: with all. Each takes its time to load, and one is run."""
    app = typer.Typer(
        name="uhop",
        cls=Commands,
        help="Learn a kernel on your images, store them as an associative memory, and get the original back from a damaged copy.",
        epilog="`uhop COMMAND --help` shows the options of a command, with examples.",
        context_settings={"help_option_names": ["-h", "--help"]},
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback(invoke_without_command=True)(top)
    for name in names or COMMANDS:
        module = import_module(f"uhop_cli.cli.{name}")
        app.command(name, cls=Command, epilog=module.EXAMPLES)(getattr(module, name))
    return app


def top(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Say the version and stop.", is_eager=True)] = False,
) -> None:
    if version:
        typer.echo(f"uhop {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def run(arguments: list[str]) -> int:
    """Runs a command line and returns its exit code; errors become two lines, what is wrong and how to cure it."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a name that the terminal's encoding lacks is no reason to stop
    if any(_EMPTY.fullmatch(argument) for argument in arguments):  # as a path it would be the current folder
        complain("an argument is empty", "is a variable of the shell unset?")
        return 2
    stopped: list[int] = []

    def stop(number: int, frame: Any) -> None:
        stopped.append(number)
        raise KeyboardInterrupt  # so that everything half-done is cleared away as on Ctrl-C

    before = signal.signal(signal.SIGTERM, stop)
    try:
        app = application(*(name for name in arguments[:1] if name in COMMANDS))
        code = int(typer.main.get_command(app)(arguments, prog_name="uhop", standalone_mode=False) or 0)
        _flush()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:
        _drop_stdout()
        code = 1
    except Exception as error:
        if "--debug" in arguments:
            raise
        code = _explain(error)
    finally:
        signal.signal(signal.SIGTERM, before)
    if code == INTERRUPTED:
        code = TERMINATED if stopped else code
        complain("interrupted; nothing is half-written")
    return code


def _explain(error: Exception) -> int:
    """Says what went wrong in one line, and how to cure it; returns the exit code."""
    if isinstance(error, UhopError):
        complain(error.message, error.hint or error.cure)
        return 2 if isinstance(error, SettingsError) else 1
    if isinstance(error, typer.TyperException):  # a usage error
        context: Any = getattr(error, "ctx", None)
        command = context.command_path if context else "uhop"
        message = error.format_message().replace("\n", " ").replace("Value error, ", "")
        complain(message, f"{command} --help lists what there is")
        return error.exit_code
    if isinstance(error, MemoryError):
        complain("there is not enough memory", "choose a smaller --size, or fewer images")
    elif isinstance(error, OSError) and error.strerror:
        place = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
        complain(f"{place}{error.strerror}", OutputError.cure)
    else:
        complain(f"unexpected {type(error).__name__}: {error}", "this is a bug; --debug shows where it is")
    return 1


def _flush() -> None:
    """Writes out what is buffered while errors can still be handled."""
    if sys.stdout is not None:
        sys.stdout.flush()


def _drop_stdout() -> None:
    """Nobody reads our output any more: what is still buffered must not fail again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

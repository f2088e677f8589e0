"""How commands parse and explain themselves: options in named groups, plain text (rich would double the time of `--help`).

typer has values checked by pydantic, which takes a fifth of a second to load and to learn what each option takes. Most values are
what they should be from the beginning: a flag, a text, a path, one of a few words, or what is taken where nothing was given. These
are passed on, and typer is asked about the others.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from typer.core import TyperCommand, TyperGroup

OTHERS = "Options"


class Command(TyperCommand):
    """A command whose help lists its options under the headings of their `rich_help_panel`.

    It also notes in `ctx.meta[ORDER]` the names of the options in the order in which they were given, since the damages of
    `uhop query` apply in order.
    """

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Writes the arguments, then each group of options in the order of its first member."""
        groups: dict[str, list[tuple[str, str]]] = {}
        parameter: Any
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                argument = parameter.param_type_name == "argument"
                heading = "Arguments" if argument else getattr(parameter, "rich_help_panel", None) or OTHERS
                groups.setdefault(heading, []).append((parameter.metavar, record[1]) if argument else record)
        common = groups.pop(OTHERS, [])
        for heading, records in [*groups.items(), (OTHERS, common)]:
            with formatter.section(heading):
                formatter.write_dl(records)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parses as usual, keeps the order, and passes values on that nothing is to be done about."""
        _pass_on(self.get_params(ctx))
        _, _, order = self.make_parser(ctx).parse_args(list(args))
        ctx.meta[ORDER] = [parameter.name for parameter in order]
        return super().parse_args(ctx, args)


class Commands(TyperGroup):
    """All commands: what is given before their names is passed on as their own options are."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parses as usual."""
        _pass_on(self.get_params(ctx))
        return super().parse_args(ctx, args)


ORDER = "uhop_cli.order"


def _pass_on(parameters: Sequence[Any]) -> None:
    """Has values passed on that nothing is to be done about."""
    for parameter in parameters:
        if parameter.__dict__.get("_runtime_param", parameters) is None:  # typer makes it when it is asked for it
            parameter._runtime_param = _AsGiven()


class _AsGiven:
    """In the place of what typer checks the values of a parameter with, which is made for those that need it."""

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value that a command is called with."""
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        try:
            return plain(value, param.type_descriptor.annotation)
        except NotPlain:
            param._runtime_param = None
            return param.get_runtime_param().coerce(value, param=param, ctx=ctx)


class NotPlain(Exception):
    """A value has to be read or checked."""


def plain(value: Any, kind: Any) -> Any:
    """A value as an option of some kind takes it, if no more than that has to be said of it.

    Raises:
        NotPlain: more has to be said.
    """
    if get_origin(kind) is list and isinstance(value, list | tuple):
        return [plain(item, get_args(kind)[0]) for item in value]
    if get_origin(kind) is Literal and isinstance(value, str) and value in get_args(kind):
        return value
    if kind is Path and isinstance(value, str | Path) and (os.access(value, os.R_OK) or not os.path.exists(value)):
        return Path(value)
    if type(value) is kind and kind in (str, bool, int, float):  # a number that is one already is a default
        return value
    raise NotPlain


def examples(*lines: tuple[str, str]) -> str:
    """The end of a help text: commands, each with what it does."""
    width = max(len(command) for command, _ in lines)
    return "\n".join(
        ["\b", "Examples:", *(f"  {command:<{width}}  # {what}" if what else f"  {command}" for command, what in lines)]
    )

"""How commands parse and explain themselves: options in named groups, plain text (rich would double the time of `--help`)."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

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
        """Parses as usual, and keeps the order."""
        _, _, order = self.make_parser(ctx).parse_args(list(args))
        ctx.meta[ORDER] = [parameter.name for parameter in order]
        return super().parse_args(ctx, args)


ORDER = "uhop_cli.order"


def examples(*lines: tuple[str, str]) -> str:
    """The end of a help text: commands, each with what it does."""
    width = max(len(command) for command, _ in lines)
    return "\n".join(
        ["\b", "Examples:", *(f"  {command:<{width}}  # {what}" if what else f"  {command}" for command, what in lines)]
    )

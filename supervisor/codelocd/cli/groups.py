"""Groups of commands that import a command only when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

from codelocd.nearest import closest

MODULES = {"exec": "execute"}
"""Modules that cannot have the name of their command."""


class Commands(click.Group):
    """Each command is `command` in the module of its name in `package`.

    `sections` are the titles of the help and the commands below each.
    """

    def __init__(
        self, *, package: str, sections: Mapping[str, Sequence[str]], **options: Any
    ) -> None:
        super().__init__(**options)
        self._package = package
        self._sections = sections

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for names in self._sections.values() for name in names]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module = import_module(f"{self._package}.{MODULES.get(cmd_name, cmd_name)}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does; a command that does not exist is told what was probably meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            close = closest(args[0], self.list_commands(ctx))
            if close is None:
                raise
            what = f'no such command {args[0]!r}; did you mean "{close}"?'
            raise click.UsageError(what, ctx) from None

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Names alone: for a line of help beside each, every command would have to be imported."""
        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [*map(CompletionItem, names), *options]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, self.list_commands(ctx)))
        for title, names in self._sections.items():
            with formatter.section(title):
                formatter.write_dl(
                    [(name.ljust(width), self._summary(ctx, name)) for name in names]
                )

    def _summary(self, ctx: click.Context, name: str) -> str:
        command = self.get_command(ctx, name)
        return command.get_short_help_str(limit=80) if command else ""

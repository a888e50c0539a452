"""The root of the command line: the list of commands, and how arguments are read."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

from codelocd import __version__
from codelocd.cli import exit_codes
from codelocd.cli.commands import completions
from codelocd.cli.exit_codes import ExitCode
from codelocd.cli.options import daemon_options
from codelocd.cli.quick import COMPLETION
from codelocd.core.nearest import closest

PACKAGE = "codelocd.cli.commands"


class Commands(click.Group):
    """Each command is `NAME_command` in a module of `codelocd.cli.commands`.

    `sections` are the titles of the help and the commands below each; `modules` has the modules
    that hold several commands, or cannot have the name of the one that they hold.
    """

    def __init__(
        self,
        *,
        sections: Mapping[str, Sequence[str]],
        modules: Mapping[str, str],
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._sections = sections
        self._modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for names in self._sections.values() for name in names]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module = import_module(f"{PACKAGE}.{self._modules.get(cmd_name, cmd_name)}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
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


SECTIONS = {
    "Run": ("dev", "serve", "check", "run", "runs"),
    "Look": ("ui", "top", "status", "definitions", "show", "logs", "events", "schedules"),
    "Change": ("start", "stop", "restart", "reload", "drain", "apply", "upgrade", "shutdown"),
    "Deploy": ("deploy", "rollback", "releases"),
    "Use": ("call", "exec"),
    "Set up": ("init", "env", "config", "engine", "service", "doctor", "completions"),
}
MODULES = {
    "exec": "execute",
    **dict.fromkeys(SECTIONS["Run"], "run"),
    "run": "run_job",
    "runs": "runs",
    **dict.fromkeys(("status", "definitions", "show", "call"), "look"),
    **dict.fromkeys(("logs", "events"), "history"),
    **dict.fromkeys(SECTIONS["Change"], "change"),
    **dict.fromkeys(SECTIONS["Deploy"], "deploy"),
    "drain": "engine",
}


@click.group(
    cls=Commands,
    sections=SECTIONS,
    modules=MODULES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=True,
)
@click.version_option(__version__, message="codelocd %(version)s")
@daemon_options
def app() -> None:
    """Keep code locations alive: their environments, their runners, their definitions.

    \b
    codelocd init               write a config for this folder, or a small project
    codelocd dev                run the locations of this folder, reload them on save
    codelocd status             how they are
    codelocd show sales         one of them in full, with its last traceback

    Inside a project (the nearest folder upwards that `codelocd dev` would take) commands speak
    to its own daemon, elsewhere to the user's, then to the system's.

    Exit codes: 0 done, 1 what was asked for failed, 2 wrong usage or an invalid config,
    3 no daemon answers, 4 no such location or definition, 75 another daemon uses the same state,
    130 interrupted.

    A terminal gets colours; NO_COLOR=1 takes them away, FORCE_COLOR=1 gives them to a pipe, too.

    Your shell completes commands and names at TAB once it has run what
    `codelocd completions bash` (or zsh, fish) prints.
    """


def run(arguments: Sequence[str]) -> int:
    """Read `arguments` and do what they say; the exit code."""
    if instruction := os.environ.get(COMPLETION):
        return completions.answer(app, instruction)
    try:
        with app.make_context("codelocd", list(arguments)) as context:
            return int(app.invoke(context) or ExitCode.DONE)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return ExitCode.USAGE
    except click.UsageError as error:
        return exit_codes.failed(_usage(error), ExitCode.USAGE)


def _usage(error: click.UsageError) -> str:
    where = error.ctx.command_path if error.ctx else "codelocd"
    what = error.format_message().rstrip(".")
    return what if what.endswith("?") else f"{what}; see `{where} --help`"

"""The command line's frame: which commands there are, and how they are read."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click

from codelocd import __version__
from codelocd.cli import completion, guard
from codelocd.cli.failures import ExitCode
from codelocd.cli.groups import Commands
from codelocd.cli.options import daemon_options
from codelocd.cli.quick import COMPLETION

SECTIONS = {
    "Run": ("dev", "serve", "check"),
    "Look": ("status", "definitions", "show", "logs", "events"),
    "Change": ("start", "stop", "restart", "reload", "apply", "shutdown"),
    "Use": ("call", "exec"),
    "Set up": ("init", "env", "config", "completions"),
}


@click.group(
    cls=Commands,
    package="codelocd.cli.commands",
    sections=SECTIONS,
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
    3 no daemon answers, 4 no such location or definition, 130 interrupted.

    A terminal gets colours; NO_COLOR=1 takes them away, FORCE_COLOR=1 has them elsewhere, too.

    At TAB, a shell completes what `codelocd completions bash` (zsh, fish) has told it.
    """


def run(arguments: Sequence[str]) -> int:
    """Read `arguments` and do what they say; the exit code."""
    if instruction := os.environ.get(COMPLETION):
        return completion.answer(app, instruction)
    try:
        with app.make_context("codelocd", list(arguments)) as context:
            return int(app.invoke(context) or ExitCode.DONE)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return ExitCode.USAGE
    except click.UsageError as error:
        return guard.failed(_usage(error), ExitCode.USAGE)


def _usage(error: click.UsageError) -> str:
    where = error.ctx.command_path if error.ctx else "codelocd"
    what = error.format_message().rstrip(".")
    return what if what.endswith("?") else f"{what}; see `{where} --help`"

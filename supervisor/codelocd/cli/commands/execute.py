"""`codelocd exec`"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence

import click

from codelocd.cli.completion import programs
from codelocd.cli.connection import ask
from codelocd.cli.failures import Failure
from codelocd.cli.options import daemon_options, location_argument
from codelocd.cli.which import Asked


@click.command("exec", context_settings={"ignore_unknown_options": True})
@location_argument
@click.argument(
    "words", metavar="CMD...", nargs=-1, required=True, type=click.UNPROCESSED,
    shell_complete=programs,
)  # fmt: skip
@daemon_options
@click.pass_obj
def command(asked: Asked, location: str, words: tuple[str, ...]) -> None:
    """Run a command as a location's runner would run.

    Its interpreter comes first on the PATH, its variables are set, its working directory is
    the current one, and `codeloc` can be imported.

    \b
    codelocd exec sales -- pytest
    codelocd exec sales -- python -c 'import pandas; print(pandas.__version__)'
    """
    answer = ask(asked, "command", {"location": location})
    _become(words, answer["environment"], answer["working_directory"])


def _become(words: Sequence[str], variables: Mapping[str, str], directory: str) -> None:
    """Replace this process; Failure where the command cannot be run."""
    path = shutil.which(words[0], path=variables.get("PATH"))
    if path is None:
        raise Failure(
            f"{words[0]}: no such command in the location's environment; install it there"
        )
    sys.stdout.flush()
    try:
        os.chdir(directory)
        os.execve(path, list(words), dict(variables))  # noqa: S606 no shell is wanted
    except OSError as error:
        raise Failure(f"{words[0]}: {error.strerror}: {error.filename or path}") from None

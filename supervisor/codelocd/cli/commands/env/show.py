"""`codelocd env show`"""

from __future__ import annotations

import time

import click

from codelocd.cli import output
from codelocd.cli.environments import listed
from codelocd.cli.failures import ExitCode, Failure
from codelocd.cli.options import daemon_options, json_option
from codelocd.cli.which import Asked
from codelocd.render.environments import environment


@click.command("show")
@click.argument("key")
@json_option
@daemon_options
@click.pass_obj
def command(asked: Asked, key: str, as_json: bool) -> None:
    """Show one environment with its packages.

    KEY is its key, the beginning of it, or the name of a location that uses it.

    \b
    codelocd env show sales
    codelocd env show 3f2a --json
    """
    matches = [e for e in listed(asked) if e["key"].startswith(key) or key in e["used_by"]]
    if not matches:
        what = f"no environment {key!r} in the store; `codelocd env list` shows them"
        raise Failure(what, ExitCode.UNKNOWN)
    if len(matches) > 1:
        keys = ", ".join(found["key"][:12] for found in matches)
        raise Failure(f"{key!r} is ambiguous: {keys}", ExitCode.USAGE)
    if as_json:
        output.document(matches[0])
    else:
        output.say(environment(matches[0], time.time(), output.stdout_screen()))

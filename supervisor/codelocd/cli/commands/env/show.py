"""`codelocd env show`"""

from __future__ import annotations

import time

import click

from codelocd.cli import output
from codelocd.cli.completion import environments
from codelocd.cli.local import listed, one_of
from codelocd.cli.options import daemon_options, json_option
from codelocd.cli.which import Asked
from codelocd.render.environments import environment


@click.command("show")
@click.argument("key", shell_complete=environments)
@json_option
@daemon_options
@click.pass_obj
def command(asked: Asked, key: str, as_json: bool) -> None:
    """Show one environment: its packages, who uses it, and which descriptions gave it.

    KEY is its key, the beginning of it, or the name of a location that uses it.

    \b
    codelocd env show sales
    codelocd env show 3f2a --json
    """
    found = one_of(listed(asked), key)
    if as_json:
        output.document(found)
    else:
        output.say(environment(found, time.time(), output.stdout_screen()))

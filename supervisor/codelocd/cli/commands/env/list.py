"""`codelocd env list`"""

from __future__ import annotations

import time

import click

from codelocd.cli import output
from codelocd.cli.local import listed
from codelocd.cli.options import daemon_options, json_option
from codelocd.cli.which import Asked
from codelocd.render.environments import environments


@click.command("list")
@json_option
@daemon_options
@click.pass_obj
def command(asked: Asked, as_json: bool) -> None:
    """List the environments of the store.

    Asks the daemon, who knows which locations use them; where none answers, the store itself.

    \b
    codelocd env list
    codelocd env list --json | jq 'map(.size) | add'
    """
    found = listed(asked)
    if as_json:
        output.document(found)
    else:
        output.say(environments(found, time.time(), output.stdout_screen()))

"""`codelocd definitions`"""

from __future__ import annotations

import click

from codelocd.cli import output
from codelocd.cli.connection import ask
from codelocd.cli.options import daemon_options, json_option, kind_option, locations_argument
from codelocd.cli.status import wanted
from codelocd.cli.which import Asked
from codelocd.render.definitions import definitions


@click.command()
@locations_argument
@kind_option
@json_option
@daemon_options
@click.pass_obj
def command(asked: Asked, locations: tuple[str, ...], kind: str | None, as_json: bool) -> None:
    """List the definitions of all locations, merged.

    Below the table: assets that depend on another location's, and assets that more than one
    location defines.

    \b
    codelocd definitions
    codelocd definitions sales --kind asset
    codelocd definitions --json | jq '.edges'
    """
    parameters = {**wanted(locations), **({"kind": kind} if kind else {})}
    answer = ask(asked, "definitions", parameters)
    if as_json:
        output.document(answer)
    else:
        output.say(definitions(answer, output.stdout_screen()))

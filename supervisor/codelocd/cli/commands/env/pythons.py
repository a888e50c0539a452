"""`codelocd env pythons`"""

from __future__ import annotations

import click

from codelocd.cli import output
from codelocd.cli.local import store
from codelocd.cli.options import daemon_options, json_option
from codelocd.cli.which import Asked
from codelocd.render.text import Cell, Column, table


@click.command("pythons")
@json_option
@daemon_options
@click.pass_obj
def command(asked: Asked, as_json: bool) -> None:
    """List the Pythons of this machine that environments can be built with.

    \b
    codelocd env pythons
    codelocd env pythons --json | jq -r '.[0].executable'
    """
    newest = sorted(store(asked).pythons(), key=lambda python: python.version, reverse=True)
    if as_json:
        output.document([{"version": p.label, "executable": str(p.executable)} for p in newest])
        return
    rows: list[list[Cell]] = [[(p.label, "bold"), str(p.executable)] for p in newest]
    output.say(
        table((Column("VERSION"), Column("EXECUTABLE", least=20)), rows, output.stdout_screen())
    )

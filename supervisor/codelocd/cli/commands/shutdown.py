"""`codelocd shutdown`"""

from __future__ import annotations

import click

from codelocd.cli import output
from codelocd.cli.changing import announce
from codelocd.cli.connection import connect
from codelocd.cli.options import daemon_options
from codelocd.cli.which import Asked


@click.command()
@daemon_options
@click.pass_obj
def command(asked: Asked) -> None:
    """Stop the daemon and everything it runs.

    Returns when it is gone.

    \b
    codelocd shutdown
    codelocd --user shutdown
    """
    with connect(asked) as connection:
        announce(connection)
        pid = connection.call("hello")["pid"]
        connection.until_gone("shutdown")
        output.note(f"stopped {connection.daemon.name} (pid {pid})")

"""`codelocd events`"""

from __future__ import annotations

import click

from codelocd.cli import following
from codelocd.cli.options import daemon_options, stream_options
from codelocd.cli.which import Asked


@click.command()
@stream_options("events")
@daemon_options
@click.pass_obj
def command(asked: Asked, follow: bool, lines: int, as_json: bool) -> None:
    """Show what happened to which location, when and why.

    \b
    codelocd events -n 20
    codelocd events -f --json | jq 'select(.after == "failed")'
    """
    following.events(asked, lines=lines, follow=follow, as_json=as_json)

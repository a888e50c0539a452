"""`codelocd events`"""

from __future__ import annotations

import click

from codelocd.cli import following
from codelocd.cli.options import daemon_options, locations_argument, stream_options
from codelocd.cli.which import Asked


@click.command()
@locations_argument
@stream_options("events")
@daemon_options
@click.pass_obj
def command(
    asked: Asked, locations: tuple[str, ...], follow: bool, lines: int, as_json: bool
) -> None:
    """Show what happened to which location, when and why.

    Without LOCATION also what happened to the daemon itself: that its config changed, or could
    not be applied. Where no daemon runs, it shows what is on disk, and says so; -f needs one.

    \b
    codelocd events -n 20
    codelocd events sales
    codelocd events -f --json | jq 'select(.after == "failed")'
    """
    following.events(asked, locations, lines=lines, follow=follow, as_json=as_json)

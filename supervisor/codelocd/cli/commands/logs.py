"""`codelocd logs`"""

from __future__ import annotations

import click

from codelocd.cli import following
from codelocd.cli.options import daemon_options, locations_argument, stream_options
from codelocd.cli.which import Asked


@click.command()
@locations_argument
@stream_options("lines")
@daemon_options
@click.pass_obj
def command(
    asked: Asked, locations: tuple[str, ...], follow: bool, lines: int, as_json: bool
) -> None:
    """Show what runners printed.

    Where no daemon runs, it shows what is on disk, and says so; -f needs one. Lines of another day
    have their date.

    \b
    codelocd logs sales -n 20
    codelocd logs -f
    codelocd logs --json | jq -r 'select(.stream == "stderr") | .text'
    """
    following.logs(asked, locations, lines=lines, follow=follow, as_json=as_json)

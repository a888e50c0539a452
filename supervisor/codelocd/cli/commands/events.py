"""`codelocd events`"""

from __future__ import annotations

import click

from codelocd.cli import following
from codelocd.cli.options import daemon_options
from codelocd.cli.which import Asked


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes.")
@click.option(
    "-n", "--lines", type=click.IntRange(min=0), default=100, show_default=True, metavar="N",
    help="Begin with the last N events.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document per line.")
@daemon_options
@click.pass_obj
def command(asked: Asked, follow: bool, lines: int, as_json: bool) -> None:
    """Show what happened to which location, when and why.

    \b
    codelocd events -n 20
    codelocd events -f --json | jq 'select(.after == "failed")'
    """
    following.events(asked, lines=lines, follow=follow, as_json=as_json)

"""`codelocd logs`"""

from __future__ import annotations

import click

from codelocd.cli import following
from codelocd.cli.options import daemon_options, locations_argument
from codelocd.cli.which import Asked


@click.command()
@locations_argument
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes.")
@click.option(
    "-n", "--lines", type=click.IntRange(min=0), default=100, show_default=True, metavar="N",
    help="Begin with the last N lines.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document per line.")
@daemon_options
@click.pass_obj
def command(
    asked: Asked, locations: tuple[str, ...], follow: bool, lines: int, as_json: bool
) -> None:
    """Show what runners printed.

    \b
    codelocd logs sales -n 20
    codelocd logs -f
    codelocd logs --json | jq -r 'select(.stream == "stderr") | .text'
    """
    following.logs(asked, locations, lines=lines, follow=follow, as_json=as_json)

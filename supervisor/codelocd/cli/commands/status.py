"""`codelocd status`"""

from __future__ import annotations

import click

from codelocd.cli import status, watching
from codelocd.cli.options import daemon_options, json_option, locations_argument
from codelocd.cli.which import Asked


@click.command()
@locations_argument
@json_option
@click.option(
    "--watch", is_flag=True, help="Look again every second; on a terminal, on a screen of its own."
)
@click.option(
    "--failed", is_flag=True, help="Only those that should serve the newest source and do not."
)
@daemon_options
@click.pass_obj
def command(
    asked: Asked, locations: tuple[str, ...], as_json: bool, watch: bool, failed: bool
) -> int:
    """Show the state of locations.

    A location serves as long as any runner of it answers. `stale` means that what it serves is
    not the newest source, because that did not load: the last column says why. Trouble comes
    first. A terminal gets as many columns as it has room for, a pipe all of them.

    Ends with 1 if a location that is wanted is not serving, or is stale, or if the config has a
    mistake and is therefore not applied: a line below the table says which.

    \b
    codelocd status
    codelocd status --failed
    codelocd status sales --watch
    codelocd status --json | jq -r '.locations[] | select(.stale) | .name'
    """
    if watch:
        return watching.watch(asked, locations, as_json=as_json, only_failed=failed)
    return status.once(asked, locations, as_json=as_json, only_failed=failed)

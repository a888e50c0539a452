"""`codelocd env prune`"""

from __future__ import annotations

import click

from codelocd.cli import output
from codelocd.cli.environments import store
from codelocd.cli.options import daemon_options, json_option
from codelocd.cli.which import Asked
from codelocd.config import quantities
from codelocd.config.mistakes import UnfitError
from codelocd.render.amounts import size
from codelocd.render.text import plural

DAY = 86400.0


def _bytes(_context: click.Context, _option: click.Parameter, text: str | None) -> int | None:
    """A size as the config takes one."""
    try:
        return None if text is None else quantities.size(text)
    except UnfitError as error:
        raise click.BadParameter(f"{text!r} {error.what}; {error.remedy}") from None


@click.command("prune")
@click.option(
    "--idle", "days", type=click.FloatRange(min=0), default=14.0, show_default=True, metavar="DAYS",
    help="Remove what nobody has used for so long.",
)  # fmt: skip
@click.option(
    "--size", "limit", callback=_bytes, metavar="SIZE",
    help="Then remove the longest unused until all take at most so much: 20GiB, 500MB.",
)  # fmt: skip
@json_option
@daemon_options
@click.pass_obj
def command(asked: Asked, days: float, limit: int | None, as_json: bool) -> None:
    """Remove environments that nobody has used for a while.

    One that is in use stays, whatever its age. A daemon does the same by itself, once a day,
    unless its config says `prune = false`.

    \b
    codelocd env prune
    codelocd env prune --idle 0
    codelocd env prune --size 20GiB
    """
    pruned = store(asked).prune(idle=days * DAY, size=limit)
    if as_json:
        output.document({"keys": list(pruned.keys), "freed": pruned.freed})
    else:
        output.say(f"{plural(len(pruned.keys), 'environment')} removed, {size(pruned.freed)} freed")

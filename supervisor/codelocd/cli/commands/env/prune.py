"""`codelocd env prune`"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import click

from codelocd.cli import output
from codelocd.cli.local import store
from codelocd.cli.options import daemon_options, json_option
from codelocd.cli.which import Asked
from codelocd.config import quantities
from codelocd.config.errors import UnfitError
from codelocd.render.environments import prunable, unused
from codelocd.render.text import plural, size

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
    help="Remove what has gone unused for so long.",
)  # fmt: skip
@click.option(
    "--size", "limit", callback=_bytes, metavar="SIZE",
    help="Then remove the longest unused until all take at most so much: 20GiB, 500MB.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what would go and why, and remove nothing.")
@json_option
@daemon_options
@click.pass_obj
def command(asked: Asked, days: float, limit: int | None, dry_run: bool, as_json: bool) -> None:
    """Remove environments that have gone unused for a while.

    Lists them first, each with its size and why it goes. One that is in use stays, whatever its
    age. Copies of the runner and compiled files (bytecode) that have gone unused for so long go
    too; they are made again when they are needed. A daemon does the same by itself, once a
    day, unless its config says `prune = false`.

    \b
    codelocd env prune --dry-run
    codelocd env prune --idle 0
    codelocd env prune --size 20GiB
    """
    shelf, now = store(asked), time.time()
    going, others = shelf.prunable(idle=days * DAY, size=limit), shelf.unused(idle=days * DAY)
    if not as_json:
        _list(going, others, now)
    keys, freed = [each["key"] for each in going], sum(each["own"] for each in going)
    if not dry_run:
        pruned = shelf.prune(idle=days * DAY, size=limit)
        keys, freed = list(pruned.keys), pruned.freed
    if as_json:
        rest = {
            "dry_run": dry_run,
            "environments": [e for e in going if e["key"] in keys],
            "others": others,
        }
        output.document({"keys": keys, "freed": freed, **rest})
    else:
        what = "would be removed" if dry_run else "removed"
        output.say(f"{plural(len(keys), 'environment')} {what}, {size(freed)} freed")


def _list(
    going: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]], now: float
) -> None:
    """Before anything is removed."""
    if going:
        output.say(prunable(going, now, output.stdout_screen()))
    if others:
        output.say(unused(others, now))
    sys.stdout.flush()

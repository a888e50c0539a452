"""`codelocd apply`"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import click

from codelocd.cli import output
from codelocd.cli.changing import announce
from codelocd.cli.connection import connect
from codelocd.cli.options import daemon_options, json_option
from codelocd.cli.which import Asked
from codelocd.render.text import Screen, one_line

STEPS = (
    ("added", "+", "green"),
    ("removed", "-", "red"),
    ("reloaded", "~", "yellow"),
    ("adjusted", "~", "yellow"),
)


@click.command()
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@json_option
@daemon_options
@click.pass_obj
def command(asked: Asked, dry_run: bool, as_json: bool) -> None:
    """Make what runs match the config, as SIGHUP does to a service.

    Prints what changes: locations that are added, removed, reloaded (they get a new runner) and
    adjusted (they go on under other rules). `codelocd dev` does this by itself at each save. A
    config with mistakes changes nothing; apply then ends with 2.

    \b
    codelocd apply --dry-run
    codelocd --system apply
    """
    with connect(asked) as connection:
        if not dry_run:
            announce(connection)
        plan = connection.call("apply", {"dry_run": dry_run}, timeout=None)
    if as_json:
        output.document(plan)
    else:
        lines = list(_lines(plan, output.stdout_screen()))
        output.say("\n".join(lines) or "nothing to change: what runs matches the config")


def _lines(plan: Mapping[str, Sequence[str]], screen: Screen) -> Iterator[str]:
    for step, sign, style in STEPS:
        for name in plan[step]:
            yield screen.paint(f"{sign} {one_line(name)}", style) + f" {step}"

"""`codelocd check`: build and load every location once."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from codelocd.cli import local, output
from codelocd.cli.guard import ExitCode
from codelocd.cli.live_line import LiveLine
from codelocd.cli.options import json_option
from codelocd.cli.targets import target_options
from codelocd.cli.which import Asked
from codelocd.config.targets import Targets
from codelocd.render.location import checked, passed, result, step
from codelocd.render.text import one_line, plural

if TYPE_CHECKING:
    from codelocd.documents.answers import CheckedLocation
    from codelocd.documents.events import BuildStep


@click.command()
@target_options
@json_option
@click.option(
    "--definitions",
    "in_full",
    is_flag=True,
    help="With --json: all definitions, too, as `codelocd definitions --json` lists them.",
)
def check_command(targets: Targets, as_json: bool, in_full: bool) -> int:
    """Build and load every location once, without a daemon, and report every problem.

    Takes the same targets as `codelocd dev`, and prints each result as it comes; on a terminal,
    one line says which environment is being built. Ends with 1 if a location did not load, or if
    two locations define the same asset. Where a config has no locations, it says so and ends
    with 0.

    \b
    codelocd check
    codelocd check -f etl/definitions.py --python 3.12
    codelocd check --json | jq '.locations[] | select(.ok | not)'
    codelocd check --json --definitions | jq .definitions > definitions.json
    """
    if in_full and not as_json:
        raise click.UsageError("--definitions adds to what --json prints: give both")
    from codelocd.daemon import check

    here = local.of_targets(targets, Asked())
    count = plural(len(here.config.own), "location")
    for note in (*here.notes, f"checking {count}"):
        output.note(note)
    screen, live = output.stdout_screen(), LiveLine(sys.stderr)

    def told(found: CheckedLocation) -> None:
        live.clear()
        if not as_json:
            output.say(checked(found, screen))

    def progress(data: BuildStep) -> None:
        live.show(f"{one_line(data['location'])}: {step(data, output.stderr_screen())}")

    with live:
        document = check.run(
            here.config,
            here.paths,
            in_full=in_full,
            told=told,
            progress=progress if live.is_live else None,
        )
    if as_json:
        output.document(document)
    else:
        output.say(result(document, screen))
    return ExitCode.DONE if passed(document) else ExitCode.FAILED

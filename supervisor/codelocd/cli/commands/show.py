"""`codelocd show`"""

from __future__ import annotations

import time

import click

from codelocd.cli import output
from codelocd.cli.connection import ask
from codelocd.cli.guard import NoDaemon
from codelocd.cli.options import daemon_options, definition_argument, json_option, kind_option
from codelocd.cli.which import Asked
from codelocd.render.definitions import definition
from codelocd.render.location import location as page
from codelocd.render.location import page as timing_page


@click.command()
@definition_argument
@kind_option
@click.option("--repository", help="Only in this repository of the location.")
@click.option("--timing", is_flag=True, help="Where the time of the last load went.")
@json_option
@daemon_options
@click.pass_obj
def command(
    asked: Asked,
    location: str,
    kind: str | None,
    repository: str | None,
    timing: bool,
    as_json: bool,
) -> None:
    """Show one location or one definition in full.

    LOCATION shows its state, its environment and why it has that one, its last exit, the
    complete traceback of its problem and its last lines of output. LOCATION/NAME shows one
    definition; an asset's name is its key joined by slashes. An asset comes with the location
    that produces it, and with what is upstream and downstream of it in every location. Where
    several definitions have the name, --kind and --repository choose one. Where no daemon runs, it
    shows what the last one left, and says so.

    \b
    codelocd show sales
    codelocd show sales --timing
    codelocd show sales/mart/orders
    codelocd show sales/refresh --kind job
    """
    name, _, inner = location.partition("/")
    chosen = {"name": inner or None, "kind": kind, "repository": repository}
    if not inner and (kind or repository):
        raise click.UsageError("--kind and --repository need LOCATION/NAME")
    if inner and timing:
        raise click.UsageError("--timing is of a whole LOCATION")
    parameters = {key: value for key, value in chosen.items() if value}
    try:
        answer = ask(asked, "show", {"location": name, **parameters})
    except NoDaemon as failure:
        from codelocd.cli import left  # its imports would slow down every other case

        answer = left.shown(left.by(asked, failure, ()), name, inner, kind, repository)
    if as_json:
        output.document(answer["timing"] if timing else answer)
    elif timing:
        output.say(timing_page(answer))
    elif inner:
        output.say(definition(answer, output.stdout_screen()))
    else:
        output.say(page(answer, time.time(), output.stdout_screen()))

"""Commands that show what there is: `codelocd status definitions show`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import click

from codelocd.cli import output, status
from codelocd.cli.connection import ask
from codelocd.cli.guard import NoDaemon
from codelocd.cli.options import (
    daemon_options,
    definition_argument,
    json_option,
    kind_option,
    locations_argument,
)
from codelocd.cli.status import wanted
from codelocd.cli.which import Asked
from codelocd.render.definitions import definition, definitions
from codelocd.render.location import location as page
from codelocd.render.location import page as timing_page
from codelocd.render.location import stacks as stacks_page


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
def status_command(
    asked: Asked, locations: tuple[str, ...], as_json: bool, watch: bool, failed: bool
) -> int:
    """Show the state of locations.

    A location serves as long as any runner of it answers. `stale` means that what it serves is
    not the newest source, because that did not load: the last column says why. Trouble comes
    first. A terminal gets as many columns as it has room for, a pipe all of them.

    Ends with 1 if a location that is wanted is not serving, or is stale, or if the config has a
    mistake and is therefore not applied: a line below the table says which. Where the daemon is
    stopped, hangs or is dead, it shows what the daemon kept last, says how old that is, and ends
    with 3.

    \b
    codelocd status
    codelocd status --failed
    codelocd status sales --watch
    codelocd status --json | jq -r '.locations[] | select(.stale) | .name'
    """
    if watch:
        from codelocd.cli import watching  # seldom: the others need not wait for its imports

        return watching.watch(asked, locations, as_json=as_json, only_failed=failed)
    return status.once(asked, locations, as_json=as_json, only_failed=failed)


@click.command()
@locations_argument
@kind_option
@json_option
@daemon_options
@click.pass_obj
def definitions_command(
    asked: Asked, locations: tuple[str, ...], kind: str | None, as_json: bool
) -> None:
    """List the definitions of all locations, merged.

    Below the table: assets that depend on another location's, and assets that more than one
    location defines.

    \b
    codelocd definitions
    codelocd definitions sales --kind asset
    codelocd definitions --json | jq '.edges'
    """
    parameters = {**wanted(locations), **({"kind": kind} if kind else {})}
    answer = ask(asked, "definitions", parameters)
    if as_json:
        output.document(answer)
    else:
        output.say(definitions(answer, output.stdout_screen()))


@click.command()
@definition_argument
@kind_option
@click.option("--repository", help="Only in this repository of the location.")
@click.option("--stacks", is_flag=True, help="Where each thread of its runner is right now.")
@click.option("--warm", is_flag=True, help="With --stacks: those of its warm interpreter, too.")
@click.option("--timing", is_flag=True, help="Where the time of the last load went.")
@json_option
@daemon_options
@click.pass_obj
def show_command(
    asked: Asked,
    location: str,
    kind: str | None,
    repository: str | None,
    stacks: bool,
    warm: bool,
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
    codelocd show sales --stacks
    codelocd show sales/mart/orders
    codelocd show sales/refresh --kind job
    """
    name, _, inner = location.partition("/")
    chosen = {"name": inner or None, "kind": kind, "repository": repository}
    if not inner and (kind or repository):
        raise click.UsageError("--kind and --repository need LOCATION/NAME")
    if inner and (timing or stacks):
        raise click.UsageError("--timing and --stacks are of a whole LOCATION")
    if stacks or warm:
        _show_stacks(asked, name, warm=warm, as_json=as_json)
        return
    answer = _answer(asked, name, {key: value for key, value in chosen.items() if value})
    if as_json:
        output.document(answer["timing"] if timing else answer)
    elif timing:
        output.say(timing_page(answer))
    elif inner:
        output.say(definition(answer, output.stdout_screen()))
    else:
        output.say(page(answer, time.time(), output.stdout_screen()))


def _answer(asked: Asked, location: str, chosen: Mapping[str, str]) -> dict[str, Any]:
    """What the daemon shows of it, or what the last one left."""
    try:
        answer: dict[str, Any] = ask(asked, "show", {"location": location, **chosen})
    except NoDaemon as failure:
        from codelocd.cli import left  # its imports would slow down every other case

        kept, inner = left.by(asked, failure, ()), chosen.get("name", "")
        return left.shown(kept, location, inner, chosen.get("kind"), chosen.get("repository"))
    return answer


def _show_stacks(asked: Asked, location: str, *, warm: bool, as_json: bool) -> None:
    answer = ask(asked, "stacks", {"location": location, "warm": warm})
    if as_json:
        output.document(answer)
    else:
        output.say(stacks_page(answer, warm=warm, screen=output.stdout_screen()))

"""`codelocd schedules`: what starts runs by itself, when, and whether it is on."""

from __future__ import annotations

import time
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, Any

import click

from codelocd.cli import output
from codelocd.cli.app import Commands
from codelocd.cli.commands import completions
from codelocd.cli.connection import ask
from codelocd.cli.exit_codes import ExitCode, Failure
from codelocd.cli.options import daemon_options, json_option, locations_argument
from codelocd.cli.status import wanted
from codelocd.cli.which import Asked
from codelocd.render.schedules import schedule, schedules, switched

if TYPE_CHECKING:
    from codelocd.documents.schedules import (
        ScheduleDocument,
        SchedulesDocument,
        ScheduleSwitched,
    )

COMMANDS = ("list", "start", "stop", "show")
TICKS = 20
"""Of one schedule that are shown."""

name_argument = click.argument(
    "name", metavar="LOCATION/NAME", shell_complete=completions.definitions
)
repository_option = click.option("--repository", help="Only in this repository of the location.")


class _ListedByDefault(Commands):
    """Without the name of a command it lists."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not any(each in COMMANDS or each in ("-h", "--help") for each in args):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(
    "schedules",
    cls=_ListedByDefault,
    sections={"Commands": COMMANDS},
    modules=dict.fromkeys(COMMANDS, "schedules"),
)
def schedules_command() -> None:
    """List schedules and sensors, and switch them on and off.

    The daemon of `codelocd serve` ticks those of native definitions, `codelocd dev` with --tick
    alone. What was switched on or off stays so when the daemon ends. Dagster's are listed; its own
    daemon ticks them.

    \b
    codelocd schedules
    codelocd schedules stop sales/every_morning
    codelocd schedules show sales/every_morning
    """


@click.command("list")
@locations_argument
@json_option
@daemon_options
@click.pass_obj
def list_command(asked: Asked, locations: tuple[str, ...], as_json: bool) -> None:
    """List schedules and sensors: when each is due, and what became of its last tick.

    \b
    codelocd schedules
    codelocd schedules list sales --json | jq '.schedules[] | select(.enabled) | .next'
    """
    answer: SchedulesDocument = ask(asked, "schedules", wanted(locations))
    if as_json:
        output.document(answer)
    else:
        output.say(schedules(answer, time.time(), output.stdout_screen()))


@click.command("start")
@name_argument
@repository_option
@json_option
@daemon_options
@click.pass_obj
def start_command(asked: Asked, name: str, repository: str | None, as_json: bool) -> None:
    """Switch a schedule or a sensor on. It counts from now: nothing of before is made up.

    \b
    codelocd schedules start sales/every_morning
    """
    _switch(asked, name, repository, enabled=True, as_json=as_json)


@click.command("stop")
@name_argument
@repository_option
@json_option
@daemon_options
@click.pass_obj
def stop_command(asked: Asked, name: str, repository: str | None, as_json: bool) -> None:
    """Switch a schedule or a sensor off, until it is started again. Its runs go on.

    \b
    codelocd schedules stop sales/every_morning
    """
    _switch(asked, name, repository, enabled=False, as_json=as_json)


@click.command("show")
@name_argument
@repository_option
@json_option
@daemon_options
@click.pass_obj
def show_command(asked: Asked, name: str, repository: str | None, as_json: bool) -> None:
    """Show one schedule: its next times, and its last ticks with their runs.

    Times are those of its time zone.

    \b
    codelocd schedules show sales/every_morning
    """
    place = _place(name, repository)
    answer: SchedulesDocument = ask(
        asked, "schedules", {"locations": [place.pop("location")], **place, "ticks": TICKS}
    )
    if as_json:
        output.document(answer)
    for each in () if as_json else answer["schedules"]:
        output.say(schedule(each, _zone(each), output.stdout_screen()))


def _switch(
    asked: Asked, name: str, repository: str | None, *, enabled: bool, as_json: bool
) -> None:
    answer: ScheduleSwitched = ask(
        asked, "schedule_set", {**_place(name, repository), "enabled": enabled}
    )
    if as_json:
        output.document(answer)
    else:
        output.say(switched(answer["schedule"], time.time()))


def _place(name: str, repository: str | None) -> dict[str, Any]:
    location, sign, rest = name.rpartition("/")
    if not sign:
        raise Failure(f"{name!r} is not LOCATION/NAME", ExitCode.USAGE)
    return {
        "location": location,
        "name": rest,
        **({"repository": repository} if repository else {}),
    }


def _zone(each: ScheduleDocument) -> tzinfo:
    from codelocd.runs.cron import zone_of  # `codelocd --help` imports every command

    try:
        return zone_of(each["timezone"] or "UTC")
    except (LookupError, ValueError, OSError):
        return UTC

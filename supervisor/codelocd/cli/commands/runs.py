"""`codelocd runs`: those that a daemon has carried out, and those that it carries out."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import click
from click.shell_completion import CompletionItem

from codelocd.cli import output, run_attached
from codelocd.cli.actions import announce
from codelocd.cli.app import Commands
from codelocd.cli.commands import completions
from codelocd.cli.connection import ask, connect_patiently, connect_promptly
from codelocd.cli.exit_codes import ExitCode, NoDaemon, SilentDaemon
from codelocd.cli.options import (
    WordChoice,
    daemon_options,
    form_options,
    json_option,
    reading_options,
)
from codelocd.cli.pages import Line, Pages
from codelocd.cli.run_code import written
from codelocd.cli.run_following import FollowedRun, subscribed
from codelocd.cli.run_output import Form
from codelocd.cli.which import Asked
from codelocd.render import journal, run_pages
from codelocd.render.runs import ended
from codelocd.runs.model import RunState

LIMIT = 20
LINES = 100
"""How many runs are listed, and lines of output shown, unless another number is asked for."""
DIGITS = 18
"""Of the number of a run; SQLite has no longer ones."""
COMMANDS = ("list", "show", "logs", "cancel", "retry")
STATES = tuple(state.value for state in RunState)


class RunsGroup(Commands):
    """Without a command it is `list`, and with a number `show`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        completing = ctx.resilient_parsing
        if args and args[0].isdigit():
            args = ["show", *args]
        elif args and args[0].startswith("-") and args[0] not in ctx.help_option_names:
            args = ["list", *args]
        return super().parse_args(ctx, args if args or completing else ["list"])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        options = list_command.shell_complete(ctx, incomplete) if incomplete[:1] == "-" else []
        own = super().shell_complete(ctx, incomplete)
        return [*own, *(each for each in options if each.value not in {o.value for o in own})]


@click.group(
    "runs",
    cls=RunsGroup,
    sections={"Commands": COMMANDS},
    modules=dict.fromkeys(COMMANDS, "runs"),
)
def runs_command() -> None:
    """Look at runs, and cancel or repeat them.

    `codelocd runs` alone lists them, with the options of `codelocd runs list`; `codelocd runs 17`
    shows one. `codelocd run` starts one.
    """


def _number(text: str) -> int:
    """The number of a run."""
    if not (text.isascii() and text.isdigit()) or len(text) > DIGITS:
        raise click.BadParameter(f"{text!r} is no number of a run; `codelocd runs` lists them")
    return int(text)


run_argument = click.argument(
    "number", metavar="RUN", type=_number, shell_complete=completions.runs
)


@click.command("list")
@click.option(
    "--location", "locations", metavar="LOCATION", multiple=True,
    shell_complete=completions.locations, help="Only those of this location. Repeatable.",
)  # fmt: skip
@click.option(
    "--state", "states", type=WordChoice(STATES), multiple=True,
    help="Only those in this state. Repeatable.",
)  # fmt: skip
@click.option(
    "-n", "--limit", type=click.IntRange(min=1), metavar="N", default=LIMIT, show_default=True,
    help="No more than N of them.",
)  # fmt: skip
@click.option("--before", type=_number, metavar="RUN", help="Only those before this one.")
@json_option
@daemon_options
@click.pass_obj
def list_command(
    asked: Asked,
    locations: Sequence[str],
    states: Sequence[str],
    limit: int,
    before: int | None,
    as_json: bool,
) -> None:
    """List runs, the newest first.

    Where no daemon answers, it shows what is on disk, and says so, as `show` and `logs` do.

    \b
    codelocd runs
    codelocd runs --state failed --state lost --location sales
    codelocd runs --json | jq '.runs[] | select(.state == "failed") | .id'
    """
    given = {"locations": list(locations), "states": list(states), "before": before}
    parameters = {name: each for name, each in given.items() if each not in (None, [])}
    answer, silent = _answered(asked, "runs", {**parameters, "limit": limit})
    last = answer["runs"][-1]["id"] if answer["runs"] else 0
    same = [word for each in locations for word in ("--location", each)]
    same += [word for each in states for word in ("--state", each)]
    same += ["-n", str(limit)] if limit != LIMIT else []
    more = f"more: {shlex.join(['codelocd', 'runs', *same, '--before', str(last)])}"
    if as_json:
        output.document(answer)
    else:
        output.say(run_pages.runs(answer, time.time(), output.stdout_screen(), more=more))
    if silent is not None:
        raise silent


def _answered(
    asked: Asked, method: str, params: Mapping[str, Any]
) -> tuple[Any, SilentDaemon | None]:
    """By the daemon, or where none answers by the book that it left, with a word on stderr; and the
    failure of one that is there."""
    try:
        return ask(asked, method, params), None
    except (NoDaemon, SilentDaemon) as failure:
        if params.get("code"):
            raise
        from codelocd.cli.left_runs import LeftRunsOfDaemon  # seldom

        left = LeftRunsOfDaemon(asked, failure).call(method, params)
        return left, failure if isinstance(failure, SilentDaemon) else None


@click.command("show")
@run_argument
@click.option("--code", "with_code", is_flag=True, help="Print the files that it runs, or ran.")
@click.option(
    "-o", "--output", "folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False),
    help="With --code: write them into this folder, which is new or empty.",
)  # fmt: skip
@json_option
@daemon_options
@click.pass_obj
def show_command(
    asked: Asked, number: int, with_code: bool, folder: Path | None, as_json: bool
) -> None:
    """Show one run: its attempts, its steps, and what went wrong.

    With --code the files of the location that it was run with, as they were then: those that
    were loaded, by the bytes. Files of its environment are not among them.

    \b
    codelocd runs show 17
    codelocd runs show 17 --json | jq '.steps[] | select(.state == "failed")'
    codelocd runs show 17 --code -o /tmp/run-17
    """
    if folder is not None and not with_code:
        raise click.UsageError("-o says where the files go: give --code, too")
    wanted = {"id": number, **({"code": True} if with_code else {})}
    answer, silent = _answered(asked, "run_show", wanted)
    screen = output.stdout_screen()
    if folder is not None:
        for path in written(answer["code"], folder):
            output.note(f"wrote {path}")
    elif as_json:
        output.document(answer if with_code else answer["run"])
    elif with_code:
        output.say(run_pages.code(answer["code"], screen))
    else:
        output.say(run_pages.page(answer["run"], time.time(), screen))
    if silent is not None:
        raise silent


@click.command("logs")
@run_argument
@click.option("-f", "--follow", is_flag=True, help="Print what comes, too, until it has ended.")
@click.option(
    "-n", "--lines", type=click.IntRange(min=0), metavar="N", help="Begin with the last N lines."
)
@reading_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document per line.")
@daemon_options
@click.pass_obj
def logs_command(
    asked: Asked,
    /,
    number: int,
    *,
    follow: bool,
    lines: int | None,
    grep: Callable[[str], object] | str | None,
    as_json: bool,
    **narrowed: Any,
) -> None:
    """Show what the code of a run printed.

    Without -n these are the last 100 lines, or with --since, --until, --grep or --stream all that
    there are. With -f it ends when the run does.

    \b
    codelocd runs logs 17
    codelocd runs logs -f 17
    codelocd runs logs 17 --json | jq -r 'select(.stream == "stderr") | .text'
    """
    plain = grep if isinstance(grep, str) else None
    given = {name: each for name, each in narrowed.items() if each is not None}
    followed = FollowedRun(number, lambda: connect_promptly(asked))
    pages = followed.pages
    pages.params = {**pages.params, **given, **({"contains": plain} if plain else {})}
    pages.pattern = grep if callable(grep) else None
    if lines is None and len(pages.params) == 1 and pages.pattern is None:
        lines = LINES

    try:
        with connect_promptly(asked) as connection:
            events = subscribed(connection) if follow else iter(())
            _print(_past(pages, connection.call, lines), as_json=as_json)
            if follow:
                news = followed.news(connection, events, known=True)
                _print((told for kind, told in news if kind == "line"), as_json=as_json)
    except (NoDaemon, SilentDaemon) as failure:
        if follow:
            raise
        from codelocd.cli.left_runs import LeftRunsOfDaemon  # seldom

        _print(_past(pages, LeftRunsOfDaemon(asked, failure).call, lines), as_json=as_json)
        if isinstance(failure, SilentDaemon):
            raise


def _past(
    pages: Pages, call: Callable[[str, Mapping[str, Any]], Any], lines: int | None
) -> Iterable[Line]:
    """The last `lines`, or all that `pages` asks for."""

    def asking(params: Mapping[str, Any]) -> Mapping[str, Any]:
        return cast("Mapping[str, Any]", call("run_logs", params))

    return pages.all(asking) if lines is None else pages.newest(asking, lines)


def _print(lines: Iterable[Line], *, as_json: bool) -> None:
    screen = output.stdout_screen()
    for line in lines:
        if as_json:
            output.line(line)
        elif "gap" in line:
            output.say(f"({line['gap']} lines lost)")
        else:
            output.say(journal.run_output(line, screen))


@click.command("cancel")
@click.argument(
    "numbers", metavar="RUN...", nargs=-1, required=True, type=_number,
    shell_complete=completions.unfinished,
)  # fmt: skip
@click.option("--kill", is_flag=True, help="Kill its processes at once: nothing can be closed.")
@click.option(
    "--wait/--no-wait", default=True, help="Wait until it has ended (that is the default)."
)
@json_option
@daemon_options
@click.pass_obj
def cancel_command(
    asked: Asked, numbers: Sequence[int], kill: bool, wait: bool, as_json: bool
) -> int:
    """Cancel runs that wait or go on.

    `codeloc.Cancelled` is raised in what runs, so that its `finally` is executed and resources are
    closed. What has not ended when the location's stop_timeout is over is killed, with all that
    it has started. Ends with 1 if one had ended in another way before.

    \b
    codelocd runs cancel 17
    codelocd runs cancel 17 18 --kill
    """
    found, is_late = [], False
    with connect_patiently(asked) as connection:
        announce(connection)
        for number in numbers:
            run = connection.call("run_cancel", {"id": number, **({"kill": True} if kill else {})})
            found.append(run["run"])
        if wait:
            found = [run_attached.wait(connection, asked, run) for run in found]
    for run in found:
        is_late = is_late or run["state"] not in ("cancelled", *STATES[:3])
        if not as_json:
            output.say(_cancelled(run))
    if as_json:
        output.document({"runs": found})
    return ExitCode.FAILED if is_late else ExitCode.DONE


def _cancelled(run: Mapping[str, Any]) -> str:
    if run["ended"] is None:
        return f"run {run['id']} is being cancelled"
    return ended(run, output.stdout_screen())


@click.command("retry")
@run_argument
@click.option(
    "--detach", "detached", is_flag=True, help="Print the number of the new run, and do not wait."
)
@form_options
@daemon_options
@click.pass_obj
def retry_command(asked: Asked, number: int, *, detached: bool, form: Form) -> int:
    """Run again what a run was asked for that has ended.

    It is a new run, with the code that is served now, and with the same parameters and tags. It is
    shown as `codelocd run` shows one, and ends with the same codes.

    \b
    codelocd runs retry 17
    """
    with connect_patiently(asked) as connection:
        announce(connection)
        location = connection.call("run_show", {"id": number})["run"]["location"]
        origin = {"id": number, "by": run_attached.BY}
        return run_attached.order(
            connection, "run_retry", origin, asked, form, detached=detached, location=location
        )

"""Options and arguments that several commands share."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from functools import partial, wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from codelocd.cli.commands import completions
from codelocd.cli.which import Asked
from codelocd.config.targets import Targets
from codelocd.core.nearest import closest

F = TypeVar("F", bound=Callable[..., Any])


def daemon_options(command: F) -> F:
    """`--socket`, `--user`, `--system`: kept in the context's `Asked`, for `pass_obj`."""
    return _which_daemon(
        command,
        socket="Speak to the daemon that listens there.",
        user="Speak to your own service, wherever you are.",
        system="Speak to the system's daemon.",
    )


def service_options(command: F) -> F:
    """The same of a command that is the daemon itself."""
    return _which_daemon(
        command,
        socket="Listen there.",
        user="Run as your own service, which is the default unless you are root.",
        system="Run as the system's daemon, which is the default for root.",
    )


def _which_daemon(command: F, *, socket: str, user: str, system: str) -> F:
    flag = partial(click.option, is_flag=True, expose_value=False, callback=_remember)
    path = click.option(
        "--socket", metavar="PATH", expose_value=False, callback=_remember,
        help=f"{socket}  [env var: CODELOCD_SOCKET]",
    )  # fmt: skip
    return path(flag("--user", help=user)(flag("--system", help=system)(command)))


def _remember(context: click.Context, option: click.Parameter, value: str | bool | None) -> None:
    asked = context.ensure_object(Asked)
    if not value:
        return
    if asked.socket or asked.service:
        raise click.UsageError("--socket, --user and --system: give one of them, once", context)
    if isinstance(value, str):
        asked.socket = value
    else:
        asked.service = "user" if option.name == "user" else "system"


location_argument = click.argument(
    "location", metavar="LOCATION", shell_complete=completions.locations
)

definition_argument = click.argument(
    "location", metavar="LOCATION[/NAME]", shell_complete=completions.definitions
)

locations_argument = click.argument(
    "locations", metavar="[LOCATION]...", nargs=-1, shell_complete=completions.locations
)


def config_file(command: Callable[..., int | None]) -> Callable[..., int | None]:
    """`[FILE]`, or `--config FILE` as other commands have it: the keyword `file`, a path."""

    @wraps(command)
    def with_file(
        *arguments: Any, file: Path | None, named: Path | None, **rest: Any
    ) -> int | None:
        if file is not None and named is not None:
            raise click.UsageError("FILE and --config: give one of them")
        return command(*arguments, file=file or named, **rest)

    path = click.Path(path_type=Path)
    option = click.option(
        "-c", "-w", "--config", "--workspace", "named", metavar="FILE", type=path,
        help="The same as FILE.",
    )  # fmt: skip
    return click.argument("file", required=False, type=path)(option(with_file))


def outcome_options(command: F) -> F:
    """`--wait` and `--timeout` of an order."""
    timeout = click.option(
        "--timeout", type=click.FloatRange(min=0), metavar="SECONDS",
        help="Wait no longer than this; then fail. What was asked for goes on.",
    )  # fmt: skip
    wait = click.option(
        "--wait/--no-wait", default=True, help="Wait for the outcome (that is the default)."
    )
    return timeout(wait(command))


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


def form_options(command: Callable[..., int]) -> Callable[..., int]:
    """`--json` and `--events` of what goes on: the keyword `form`, a Form of a run's output."""

    @wraps(command)
    def with_form(*arguments: Any, as_json: bool, as_events: bool, **rest: Any) -> int:
        if as_json and as_events:
            raise click.UsageError("--json and --events: give one of them")
        form = "json" if as_json else "events" if as_events else "text"
        return command(*arguments, form=form, **rest)

    events = click.option(
        "--events", "as_events", is_flag=True, help="Print JSON, one event a line."
    )
    return json_option(events(with_form))


def stream_options(what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`--follow`, `--lines` and `--json` of a command that prints `what` as they come. The keyword
    `followed` is for how many seconds the next daemon is waited for; None: do not follow."""
    flag = click.option("-f", "--follow", is_flag=True, help="Then print new ones as they come.")
    patience = click.option(
        "--wait", "patience", type=click.FloatRange(min=0), default=PATIENCE, metavar="SECONDS",
        show_default=True, help="With -f: wait so long for the next daemon when one ends.",
    )  # fmt: skip
    lines = click.option(
        "-n", "--lines", type=click.IntRange(min=0), metavar="N",
        help=f"Begin with the last N {what}.",
    )  # fmt: skip
    as_json = click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON document per line."
    )

    def options(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def with_stream(*arguments: Any, follow: bool, patience: float, **rest: Any) -> Any:
            return command(*arguments, followed=patience if follow else None, **rest)

        return flag(patience(lines(as_json(with_stream))))

    return options


PATIENCE = 10.0
"""Seconds in which a daemon that is restarted is there again."""


def _moment(text: str) -> float:
    """A point of time, in Unix seconds: a duration before now, a time of today, or a date."""
    from codelocd.config.quantities import moment

    try:
        return moment(text, datetime.now().astimezone())
    except ValueError:
        what = 'write "10min" or "2h" for so long ago, "14:30" for today, or "2026-01-31 14:30"'
        raise click.BadParameter(f"{text!r} is no time: {what}") from None


SPECIAL = re.compile(r"[\\.^$*+?{}\[\]|()]")
"""What means something else than itself in a regular expression."""


def _pattern(text: str) -> str | Callable[[str], object]:
    """What finds a regular expression in text; the text, where it means no more than itself."""
    if not SPECIAL.search(text):
        return text
    try:
        return re.compile(text).search
    except re.error as error:
        raise click.BadParameter(f"{text!r} is no regular expression: {error}") from None


def reading_options(command: F) -> F:
    """`--since`, `--until`, `--grep` and `--stream` of output."""
    since = click.option("--since", type=_moment, metavar="WHEN", help="Only what came since then.")
    until = click.option("--until", type=_moment, metavar="WHEN", help="Only what came before.")
    grep = click.option(
        "--grep", type=_pattern, metavar="PATTERN",
        help="Only lines in which this regular expression is found.",
    )  # fmt: skip
    stream = click.option(
        "--stream", type=WordChoice(("stdout", "stderr")), help="Only what came there."
    )
    return since(until(grep(stream(command))))


KINDS = ("asset", "asset_check", "job", "resource", "schedule", "sensor")


class WordChoice(click.Choice[str]):
    """One of several words; another one is told which was probably meant."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        close = closest(str(value), self.choices)
        told = super().get_invalid_choice_message(value, ctx)
        return f'{told.rstrip(".")}; did you mean "{close}"?' if close else told


kind_option = click.option("--kind", type=WordChoice(KINDS), help="Only this kind.")


# --- which code --------------------------------------------------------------------------------

OPTIONS = (
    click.option(
        "-f", "--python-file", "python_files", metavar="FILE", multiple=True, type=click.Path(),
        help="Load the definitions in this file. Repeatable, like -m, --package-name and -w.",
    ),
    click.option(
        "-m", "--module-name", "modules", metavar="MODULE", multiple=True,
        help="Load this module.",
    ),
    click.option(
        "--package-name", "packages", metavar="PACKAGE", multiple=True,
        help="Load this package.",
    ),
    click.option(
        "-w", "-c", "--workspace", "--config", "workspaces",
        metavar="FILE", multiple=True, type=click.Path(),
        help="Load the locations of this workspace.yaml, or of another config.",
    ),
    click.option(
        "-d", "--working-directory", metavar="DIR", type=click.Path(),
        help="The folder in which the code runs, and from which modules are imported.",
    ),
    click.option(
        "-a", "--attribute", metavar="ATTR", help="The name of the definitions in the code.",
    ),
    click.option(
        "--python", metavar="X",
        help="A version (3.12), a specifier (>=3.9,<3.11) or the path of an interpreter.",
    ),
    click.option(
        "--with", "added", metavar="PACKAGE", multiple=True,
        help="Add a package to the environment, for this run only. Repeatable.",
    ),
    click.option(
        "--env", metavar="KEY=VALUE", multiple=True, help="Set a variable. Repeatable.",
    ),
)  # fmt: skip


def target_options(command: Callable[..., int]) -> Callable[..., int]:
    """Add the options of targets; `command` gets them as its keyword `targets`."""

    @wraps(command)
    def with_targets(*arguments: Any, **options: Any) -> int:
        named = {name: options.pop(name) for name in Targets.__dataclass_fields__}
        return command(*arguments, targets=Targets(**named), **options)

    for option in reversed(OPTIONS):
        with_targets = option(with_targets)
    return with_targets

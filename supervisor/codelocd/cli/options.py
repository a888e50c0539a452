"""Options and arguments that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from codelocd.cli import completion
from codelocd.cli.which import Asked
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
    "location", metavar="LOCATION", shell_complete=completion.locations
)

definition_argument = click.argument(
    "location", metavar="LOCATION[/NAME]", shell_complete=completion.definitions
)

locations_argument = click.argument(
    "locations", metavar="[LOCATION]...", nargs=-1, shell_complete=completion.locations
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


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


def stream_options(what: str) -> Callable[[F], F]:
    """`--follow`, `--lines` and `--json` of a command that prints `what` as they come."""
    follow = click.option("-f", "--follow", is_flag=True, help="Then print new ones as they come.")
    lines = click.option(
        "-n", "--lines", type=click.IntRange(min=0), default=100, show_default=True, metavar="N",
        help=f"Begin with the last N {what}.",
    )  # fmt: skip
    as_json = click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON document per line."
    )
    return lambda command: follow(lines(as_json(command)))


KINDS = ("asset", "asset_check", "job", "resource", "schedule", "sensor")


class WordChoice(click.Choice[str]):
    """One of several words; another one is told which was probably meant."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        close = closest(str(value), self.choices)
        told = super().get_invalid_choice_message(value, ctx)
        return f'{told.rstrip(".")}; did you mean "{close}"?' if close else told


kind_option = click.option("--kind", type=WordChoice(KINDS), help="Only this kind.")

"""`codelocd ui`: the page, which a program of its own serves."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import click

from codelocd.cli import output
from codelocd.cli.connection import connect_promptly
from codelocd.cli.exit_codes import ExitCode, Failure
from codelocd.cli.options import daemon_options
from codelocd.cli.which import Asked, DaemonAddress
from codelocd.config import ConfigError, load
from codelocd.daemon import page
from codelocd.model import PageSettings
from codelocd.storage import sockets
from codelocd.storage.paths import page_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codelocd.documents.locations import ConfigDocument


@click.command("ui")
@click.option(
    "-p", "--port", metavar="N", type=click.IntRange(1, 65535),
    help="Where it listens; without it that of the config, or the first free one from 4300 on.",
)  # fmt: skip
@click.option("--host", metavar="H", help="With --port.  [default: 127.0.0.1]")
@click.option(
    "--listen", metavar="PATH", type=click.Path(path_type=Path),
    help="A Unix socket for a proxy, instead of host and port; --socket names the daemon.",
)  # fmt: skip
@click.option(
    "--allowed-host", metavar="NAME", multiple=True,
    help="Another name of this page, as a proxy passes it on. May be given several times.",
)  # fmt: skip
@click.option("--read-only", is_flag=True, help="Show everything, and refuse every order.")
@click.option("--open", "in_browser", is_flag=True, help="Open the link in a browser.")
@click.option("--url", "only_url", is_flag=True, help="Print the link of the page that runs.")
@click.option("--new-token", is_flag=True, help="Make a new link; old links stop working.")
@daemon_options
@click.pass_obj
def ui_command(
    asked: Asked,
    port: int | None,
    host: str | None,
    listen: Path | None,
    allowed_host: tuple[str, ...],
    read_only: bool,
    in_browser: bool,
    only_url: bool,
    new_token: bool,
) -> int:
    """Serve a page that shows everything the daemon knows, and print its link.

    What needs attention comes first, with the lines of code that are at fault; then what each save
    changed, output as it is printed, the graph of assets across locations, events, environments.
    The page follows by itself. It is a program of its own: it may be ended and started at any time.

    Only this machine can reach it, and only by the link, which stays the same when the page or the
    daemon is started again. Over ssh a second line says how to reach it from where you are.

    \b
    codelocd ui
    codelocd ui --open
    codelocd ui --read-only --port 8080
    codelocd ui --url
    """
    with connect_promptly(asked) as connection:
        daemon = connection.daemon
        if connection.foreign_uid is not None and not daemon.foreign:
            what = f"the daemon at {daemon.socket} is another user's"
            raise Failure(f"{what}; name it with --socket", ExitCode.FAILED)
        settings = _configured(connection.call("status", {"locations": []})["daemon"]["config"])
    settings = _listening(settings, listen, port, host)
    hosts = (*settings.allowed_hosts, *allowed_host)
    settings = replace(settings, allowed_hosts=hosts, read_only=read_only or settings.read_only)
    switches = {"--open": in_browser, "--url": only_url, "--new-token": new_token}
    switches["--foreign"] = daemon.foreign
    folder = _folder(daemon)
    name = Path(daemon.project).name if daemon.project else daemon.name
    more = (switch for switch, given in switches.items() if given)
    command = page.page_command(settings, daemon.socket, name, folder, *more)
    sys.stdout.flush()
    os.execv(sys.executable, command)  # noqa: S606  no shell is wanted


def page_command(daemon: DaemonAddress) -> list[str]:
    """Serves the page of that daemon; with `--url`, prints the link of the one that runs."""
    return page.page_command(PageSettings(), daemon.socket, daemon.name, _folder(daemon))


def _folder(daemon: DaemonAddress) -> Path:
    """Where its pages keep their secret. That of the machine's daemon is root's to look into."""
    of_machine = daemon.socket == sockets.control(sockets.SYSTEM) and os.geteuid() == 0
    return page_folder(os.environ, system=of_machine)


def _listening(
    settings: PageSettings, listen: Path | None, port: int | None, host: str | None
) -> PageSettings:
    """Where the command line says, or else the config."""
    if listen is not None:
        return replace(settings, socket=listen.absolute(), port=None)
    if port or host:
        settings = replace(settings, socket=None, socket_group=None, auth="token")
    return replace(settings, port=port or settings.port, host=host or settings.host)


def _configured(config: ConfigDocument) -> PageSettings:
    """The table `[ui]` of the daemon's config, as far as it can be read here."""
    if config["file"] is None:
        return PageSettings()
    try:
        return load(Path(config["file"]), os.environ, activated=False).page
    except ConfigError as error:
        output.note(f"[ui] of the config is not heeded: {error.problems[0]}")
        return PageSettings()

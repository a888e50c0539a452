"""`codelocd ui`: the page, which a program of its own serves."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from codelocd.cli.connection import connect
from codelocd.cli.guard import ExitCode, Failure
from codelocd.cli.options import daemon_options
from codelocd.cli.which import Asked, DaemonAddress
from codelocd.storage.paths import page_folder

MODULE = "codelocd_ui"
"""Never imported here: the daemon and its commands start without a web server."""


@click.command("ui")
@click.option(
    "-p", "--port", metavar="N", type=click.IntRange(1, 65535),
    help="Where it listens; without it the first free port from 4300 on.",
)  # fmt: skip
@click.option("--host", metavar="H", default="127.0.0.1", show_default=True, help="With --port.")
@click.option(
    "--listen", metavar="PATH", help="A Unix socket for a proxy, instead of host and port."
)
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
    host: str,
    listen: str | None,
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
    with connect(asked) as connection:
        daemon = connection.daemon
        if connection.foreign_uid is not None:
            what = f"the daemon at {daemon.socket} is another user's"
            raise Failure(f"{what}, who can serve its page", ExitCode.FAILED)
    switches = {"--read-only": read_only, "--open": in_browser, "--url": only_url}
    switches["--new-token"] = new_token
    command = [
        *page_command(daemon),
        *("--host", host),
        *("--name", Path(daemon.project).name if daemon.project else daemon.name),
        *(["--port", str(port)] if port else []),
        *(["--socket", listen] if listen else []),
        *(word for name in allowed_host for word in ("--allowed-host", name)),
        *(name for name, given in switches.items() if given),
    ]
    sys.stdout.flush()
    os.execv(sys.executable, command)  # noqa: S606  no shell is wanted


def page_command(daemon: DaemonAddress) -> list[str]:
    """Serves the page of that daemon; with `--url`, prints the link of the one that runs."""
    folder = str(page_folder(os.environ))
    return [sys.executable, "-m", MODULE, "--daemon", daemon.socket, "--folder", folder]

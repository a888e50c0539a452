"""`codelocd top`: the view of all locations that fills the terminal."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

import click

from codelocd.cli.commands.look import watch_status
from codelocd.cli.commands.ui import page_command
from codelocd.cli.connection import connect_promptly
from codelocd.cli.exit_codes import ExitCode, Failure
from codelocd.cli.options import daemon_options
from codelocd.cli.which import Asked, DaemonAddress


@click.command("top")
@daemon_options
@click.pass_obj
def top_command(asked: Asked) -> int:
    """Watch all locations on the whole terminal, and act on them.

    What needs attention comes first. Below the table, of the location that is selected: its problem
    with your lines of code, its output as it is printed, its events, where the time of its last
    load went. Keys reload, restart, stop and start it; ? lists them. It follows the daemon by
    itself, also when that is restarted.

    Needs a terminal of 80 columns and 24 lines; on a smaller one it shows less. A terminal that
    cannot move its cursor (TERM=dumb) gets what `codelocd status --watch` prints.

    \b
    codelocd top
    ssh -t host codelocd --system top
    """
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        what = "top needs a terminal; `codelocd status` writes to pipes and files"
        raise Failure(what, ExitCode.USAGE)
    if os.environ.get("TERM", "dumb") in ("", "dumb"):
        watch_status(asked, (), as_json=False, only_failed=False)
    with connect_promptly(asked) as connection:
        daemon = connection.daemon
    from codelocd_top.terminal import restoring  # alone here: see the layers in pyproject.toml

    return restoring(partial(_view, daemon))


def _view(daemon: DaemonAddress, orphaned: int) -> int:
    from codelocd_top.screen import TopFacts, run

    name = Path(daemon.project).name if daemon.project else daemon.name
    facts = TopFacts(Path(daemon.socket), name, daemon.foreign, [*page_command(daemon), "--url"])
    return run(facts, orphaned)

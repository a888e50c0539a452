"""`codelocd serve`: run locations as a service."""

from __future__ import annotations

import os
from pathlib import Path

import click

from codelocd.cli import local, output
from codelocd.cli.local import run_daemon
from codelocd.cli.options import service_options
from codelocd.cli.which import Asked
from codelocd.config import load


@click.command()
@click.option(
    "-c", "-w", "--config", "--workspace", "file", metavar="FILE", type=click.Path(path_type=Path),
    help="The config; without it, the one that `dev` would take.",
)  # fmt: skip
@service_options
@click.pass_obj
def serve_command(asked: Asked, file: Path | None) -> int:
    """Run locations as a service: in the foreground, with logs to stdout or the journal.

    Under systemd it takes its socket and its folders from the unit, and tells systemd when it
    is ready. A change of the config takes effect with `codelocd apply`, or when the daemon gets
    SIGHUP.

    \b
    codelocd serve -c /etc/codelocd/codelocd.toml
    systemctl reload codelocd
    """
    path = (file or local.found_config()).absolute()
    here = local.of_service(path, asked)
    for note in here.notes:
        output.note(note)
    return run_daemon("service", here, lambda: load(path, os.environ, activated=False))

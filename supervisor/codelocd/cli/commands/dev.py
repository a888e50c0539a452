"""`codelocd dev`"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from codelocd.cli import local, output
from codelocd.cli.dev_output import DevOutput
from codelocd.cli.running import run
from codelocd.cli.targets import target_options
from codelocd.cli.which import Asked
from codelocd.cli.writer import Writer
from codelocd.config import from_targets
from codelocd.config.targets import Targets
from codelocd.model import GrpcServer

PATIENCE = 1.0
"""Seconds for a slow terminal to take the last lines."""


@click.command()
@target_options
@click.pass_obj
def command(asked: Asked, targets: Targets) -> int:
    """Run locations in the foreground, and load them anew when their files change.

    Without a target it searches upwards for the first folder with a codelocd.toml, a
    [tool.codelocd] in pyproject.toml, a dg.toml, a [tool.dagster] or [tool.dg], a
    workspace.yaml, a build.yaml or a dagster_cloud.yaml, and says which it took.

    While it runs, `codelocd status` and the other commands reach it from another shell in
    the same project. Ctrl-C stops everything; a second one at once.

    \b
    codelocd dev
    codelocd dev -f etl/definitions.py -f sales/definitions.py
    codelocd dev -m sales.definitions -d sales --python 3.12 --env REGION=eu
    """
    here = local.of_targets(targets, asked)
    with _printer() as put:
        for note in (*here.notes, f"socket: {here.paths.socket}"):
            put(note)
        observer = _observer(here, put)
        return run("dev", here, lambda: from_targets(targets, Path.cwd(), os.environ), observer)


def _observer(here: local.Local, put: Callable[[str], None]) -> Callable[[dict[str, Any]], None]:
    ours = [s.name for s in here.config.locations if not isinstance(s.target, GrpcServer)]
    said = DevOutput(ours, output.stdout_screen(), time.monotonic())

    def observe(event: dict[str, Any]) -> None:
        for line in said.lines(event, time.monotonic()):
            put(line)

    return observe


@contextmanager
def _printer() -> Iterator[Callable[[str], None]]:
    """What takes lines for stdout; when nobody reads them any more, the daemon stops."""
    sys.stdout.flush()
    writer = Writer(sys.stdout.fileno(), lambda: os.kill(os.getpid(), signal.SIGTERM))
    try:
        yield writer.put
    finally:
        writer.close(PATIENCE)

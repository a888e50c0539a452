"""`codelocd dev`, `serve` and `check`: run locations, or load each of them once."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from codelocd.cli import local, output
from codelocd.cli.dev_output import DevOutput, Loudness
from codelocd.cli.exit_codes import ExitCode
from codelocd.cli.local import run_daemon
from codelocd.cli.options import json_option, service_options, target_options
from codelocd.cli.output import LiveBlock, LiveLine
from codelocd.cli.which import Asked
from codelocd.config import ConfigError, Mistake, discover, from_targets, load
from codelocd.config.targets import Targets
from codelocd.model import Config
from codelocd.process.writer import Writer
from codelocd.render.location import checked, passed, result, step
from codelocd.render.text import one_line, plural

if TYPE_CHECKING:
    from codelocd.documents.answers import CheckedLocation
    from codelocd.documents.events import BuildStep, TopicEvent


# --- codelocd dev ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PageOptions:
    """`--dagster`, `--port`, `--host`, `--ui`, `--tick`; what is left out is as the config says."""

    serve: bool
    port: int | None
    host: str | None
    page: bool = False
    tick: bool = False

    def granted(self, config: Config) -> Config:
        """The config with it. Raises UsageError for a port or a host of no page."""
        settings = config.dagster
        serve = self.serve or settings.serve
        if not serve and (self.port or self.host):
            raise click.UsageError("--port and --host are about Dagster's UI: add --dagster")
        port, host = self.port or settings.port, self.host or settings.host
        granted = replace(settings, serve=serve, port=port, host=host)
        page = replace(config.page, serve=self.page or config.page.serve)
        return replace(config, dagster=granted, page=page, tick=self.tick)


PATIENCE = 1.0
"""Seconds for a slow terminal to take the last lines."""


@click.command()
@target_options
@click.option(
    "--dagster",
    is_flag=True,
    help="Run Dagster's own UI and daemon beside them, kept current by themselves.",
)
@click.option(
    "--ui", is_flag=True, help="Serve codelocd's own page beside them; see `codelocd ui`."
)
@click.option(
    "--tick", is_flag=True, help="Start what schedules and sensors start, as `codelocd serve` does."
)
@click.option(
    "-p",
    "--port",
    metavar="N",
    type=click.IntRange(1, 65535),
    help="The port of Dagster's UI; without it the first free one from 3000 on.",
)
@click.option("--host", metavar="H", help="Where Dagster's UI listens.  [default: 127.0.0.1]")
@click.option(
    "-q", "--quiet", is_flag=True, help="Print what goes wrong, and what the code prints."
)
@click.option("-v", "--verbose", is_flag=True, help="Print each step of builds and starts, too.")
@click.pass_obj
def dev_command(
    asked: Asked,
    targets: Targets,
    dagster: bool,
    ui: bool,
    tick: bool,
    port: int | None,
    host: str | None,
    quiet: bool,
    verbose: bool,
) -> int:
    """Run locations in the foreground, and load their code again when their files change.

    Without a target it searches upwards for the first folder with a codelocd.toml, a
    [tool.codelocd] in pyproject.toml, a dg.toml, a [tool.dagster] or [tool.dg], a
    workspace.yaml, a build.yaml or a dagster_cloud.yaml, and says which it took.

    Each location has one line while it starts; then come its changes, and what its code prints.

    While it runs, `codelocd status` and the other commands reach it from another shell in
    the same project. Ctrl-C stops everything; a second one at once.

    \b
    codelocd dev
    codelocd dev -f etl/definitions.py -f sales/definitions.py
    codelocd dev -m sales.definitions -d sales --python 3.12 --env REGION=eu
    codelocd dev --dagster -p 3333
    codelocd dev --ui
    """
    loudness = _loudness(quiet, verbose)
    wish = PageOptions(dagster, port, host, ui, tick)
    here = local.of_targets(targets, asked)
    here = replace(here, config=wish.granted(here.config))
    with _printer() as writer:
        for note in (*here.notes, f"socket: {here.paths.socket}"):
            writer.put(note)
        shown = _Shown(here, writer, loudness)
        return run_daemon(
            "dev",
            here,
            lambda: wish.granted(_reread(targets, here.config)),
            shown.observe,
            shown.report,
        )


def _loudness(quiet: bool, verbose: bool) -> Loudness:
    if quiet and verbose:
        raise click.UsageError("--quiet and --verbose: give one of them")
    return "quiet" if quiet else "verbose" if verbose else "normal"


def _reread(targets: Targets, before: Config) -> Config:
    """The config as its files say now. Where the file is gone, and no other is there, the error
    names it as the one to restore."""
    try:
        return from_targets(targets, Path.cwd(), os.environ)
    except ConfigError:
        file = None if targets.are_given or not before.files else before.files[0]
        if file is None or file.is_file() or discover(Path.cwd()) is not None:
            raise
        remedy = "restore it, or end this codelocd dev"
        raise ConfigError([Mistake(str(file), None, (), "is gone", remedy)]) from None


class _Shown:
    """Writes the lines of `dev` to stdout; on a terminal, what is under way stands below them."""

    def __init__(self, here: local.Local, writer: Writer, loudness: Loudness) -> None:
        self._writer = writer
        self._live = loudness == "normal" and output.is_live(sys.stdout)
        self._block = LiveBlock()
        self._said = DevOutput(
            [spec.name for spec in here.config.own],
            output.stdout_screen(),
            time.monotonic(),
            loudness=loudness,
            live=self._live,
        )

    def observe(self, event: TopicEvent) -> None:
        """The observer of the daemon: takes the events of all topics."""
        self._print(list(self._said.lines(event, time.monotonic())))

    def report(self, message: str) -> None:
        """A remark of the daemon itself."""
        screen = output.stdout_screen()
        self._print([screen.paint(one_line(message), "yellow")])

    def _print(self, lines: list[str]) -> None:
        if self._live:
            frame = self._block.frame(lines, self._said.under_way, output.stdout_screen())
            lines = [frame] if frame else []
        if lines:
            self._writer.put("\n".join(lines), len(lines))


@contextmanager
def _printer() -> Iterator[Writer]:
    """What takes lines for stdout; when their reader is gone, the daemon stops."""
    sys.stdout.flush()
    writer = Writer(sys.stdout.fileno(), lambda: os.kill(os.getpid(), signal.SIGTERM))
    try:
        yield writer
    finally:
        writer.close(PATIENCE)


# --- codelocd serve ----------------------------------------------------------------------------


@click.command()
@click.option(
    "-c", "-w", "--config", "--workspace", "file", metavar="FILE", type=click.Path(path_type=Path),
    help="The config; without it, the one that `dev` would take.",
)  # fmt: skip
@click.option(
    "--end",
    "ends",
    is_flag=True,
    help="Only end, in order, what a daemon that was killed has left, as if it served.",
)
@service_options
@click.pass_obj
def serve_command(asked: Asked, file: Path | None, ends: bool) -> int:
    """Run locations as a service: in the foreground, with logs to stdout or the journal.

    Under systemd it takes its socket and its folders from the unit, and tells systemd when it
    is ready. A change of the config takes effect with `codelocd apply`, or when the daemon gets
    SIGHUP.

    What a killed daemon had running goes on for the next one, which adopts it. With --end there
    is no next one: runs are drained, all ends in order, and nothing is started. The units of
    `codelocd service install` do so where a stop comes before the daemon can heed it.

    \b
    codelocd serve -c /etc/codelocd/codelocd.toml
    systemctl reload codelocd
    """
    path = (file or local.found_config()).absolute()
    here = local.of_service(path, asked)
    if ends:  # a service manager may hold the other one, and start the daemon for who connects
        socket = here.paths.runtime_dir / "ending.sock"
        here = replace(here, paths=replace(here.paths, socket=socket), notes=())
    for note in here.notes:
        output.note(note)
    return run_daemon("service", here, lambda: load(path, os.environ, activated=False), ends=ends)


# --- codelocd check ----------------------------------------------------------------------------


@click.command()
@target_options
@json_option
@click.option(
    "--definitions",
    "in_full",
    is_flag=True,
    help="With --json: all definitions, too, as `codelocd definitions --json` lists them.",
)
def check_command(targets: Targets, as_json: bool, in_full: bool) -> int:
    """Build and load every location once, without a daemon, and report every problem.

    Takes the same targets as `codelocd dev`, and prints each result as it comes; on a terminal,
    one line says which environment is being built. Ends with 1 if a location did not load, or if
    two locations define the same asset. Where a config has no locations, it says so and ends
    with 0.

    \b
    codelocd check
    codelocd check -f etl/definitions.py --python 3.12
    codelocd check --json | jq '.locations[] | select(.ok | not)'
    codelocd check --json --definitions | jq .definitions > definitions.json
    """
    if in_full and not as_json:
        raise click.UsageError("--definitions adds to what --json prints: give both")
    from codelocd.daemon import check

    here = local.of_targets(targets, Asked())
    count = plural(len(here.config.own), "location")
    for note in (*here.notes, f"checking {count}"):
        output.note(note)
    screen, live = output.stdout_screen(), LiveLine(sys.stderr)

    def told(found: CheckedLocation) -> None:
        live.clear()
        if not as_json:
            output.say(checked(found, screen))

    def progress(data: BuildStep) -> None:
        live.show(f"{one_line(data['location'])}: {step(data, output.stderr_screen())}")

    with live:
        document = check.run(
            here.config,
            here.paths,
            in_full=in_full,
            told=told,
            progress=progress if live.is_live else None,
        )
    if as_json:
        output.document(document)
    else:
        output.say(result(document, screen))
    return ExitCode.DONE if passed(document) else ExitCode.FAILED

"""`codelocd run`: a job, or assets, by the daemon or without one."""

from __future__ import annotations

import contextlib
import json
import shlex
from pathlib import Path
from typing import Any

import click

from codelocd.cli.commands import completions
from codelocd.cli.exit_codes import Failure, NoDaemon
from codelocd.cli.options import daemon_options, form_options, target_options
from codelocd.cli.run_output import Form
from codelocd.cli.run_request import AskedRun
from codelocd.cli.which import Asked
from codelocd.config.errors import UnfitError
from codelocd.config.quantities import seconds
from codelocd.config.targets import Targets


def _pairs(context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> Any:
    """`K=V` as a dictionary."""
    found: dict[str, str] = {}
    for each in given:
        name, sign, value = each.partition("=")
        if not sign or not name:
            raise click.BadParameter(f"{each!r} is not NAME=VALUE", context, option)
        found[name] = value
    return found


def _seconds(context: click.Context, option: click.Parameter, given: str | None) -> float | None:
    if given is None:
        return None
    with contextlib.suppress(ValueError):
        return float(given)
    try:
        return seconds(given)
    except UnfitError as error:
        raise click.BadParameter(f"{given!r} {error}", context, option) from None


def _run_config(context: click.Context, option: click.Parameter, given: str | None) -> Any:
    """Dagster's run config, from a file or as it is written."""
    if given is None:
        return None
    from codelocd.config.syntax import yaml_data  # for this option alone

    is_file = not given.lstrip().startswith("{")
    try:
        found = yaml_data(Path(given).read_text() if is_file else given)
    except (OSError, ValueError) as error:
        what = error.strerror if isinstance(error, OSError) else str(error)
        raise click.BadParameter(f"{given}: {what}", context, option) from None
    if not isinstance(found, dict):
        raise click.BadParameter(f"{given} holds no mapping", context, option)
    try:
        json.dumps(found)
    except (TypeError, ValueError, RecursionError) as error:  # YAML has sets, bytes and circles
        what = f"{given}: a run config is JSON: {error}"
        raise click.BadParameter(what, context, option) from None
    return found


@click.command()
@click.argument(
    "names", metavar="[LOCATION/]JOB|ASSET...", nargs=-1, shell_complete=completions.runnable
)
@click.option(
    "--here",
    is_flag=True,
    help="Run it in this shell, without a daemon and without a record, as with -f, -m and the"
    " other options that say which code.",
)
@target_options
@click.option(
    "--select",
    metavar="SEL",
    multiple=True,
    help="Assets: `orders`, `+orders` with what it is made from, `orders+` with what is made from"
    " it, `group:raw`, `tag:k=v`, `key:mart/*`, `*`. Repeatable.",
)
@click.option("--repository", help="Only in this repository of the location.")
@click.option(
    "--upstream", is_flag=True, help="Make what the assets, or the job's function, take, too."
)
@click.option(
    "--param",
    "params",
    metavar="K=V",
    multiple=True,
    callback=_pairs,
    help="A parameter of the run. Repeatable.",
)
@click.option(
    "--tag",
    "tags",
    metavar="K=V",
    multiple=True,
    callback=_pairs,
    help="A tag, which code finds in `context.tags`. Repeatable.",
)
@click.option(
    "--run-config",
    "config",
    metavar="FILE|JSON",
    callback=_run_config,
    help="What a job of Dagster's takes in place of parameters: a file of YAML or JSON, or JSON.",
)
@click.option("--no-checks", is_flag=True, help="Make assets without checking them.")
@click.option("--checks-only", is_flag=True, help="Check what earlier runs have left.")
@click.option(
    "--timeout",
    metavar="T",
    callback=_seconds,
    help="For one attempt, in seconds or as `90s`, `5min`; before what the job says itself.",
)
@click.option(
    "--require-upstream",
    "lately",
    metavar="T",
    callback=_seconds,
    help="Run nothing unless each asset of another location that it depends on was made by a run"
    " within this time, as `90min` or `1d`.",
)
@click.option(
    "--key",
    metavar="KEY",
    help="Run it once for this key: where a run of the location has it, that one is shown.",
)
@click.option(
    "--detach",
    "detached",
    is_flag=True,
    help="Print the number of the run, and do not wait for its end.",
)
@form_options
@daemon_options
@click.pass_obj
def run_command(
    asked: Asked,
    /,
    names: tuple[str, ...],
    targets: Targets,
    *,
    here: bool,
    form: Form,
    key: str | None,
    detached: bool,
    **wished: Any,
) -> int:
    """Run a job or assets of a location, and show it as it goes on.

    The project's daemon runs it, with the code that it serves, and keeps a record: `codelocd
    runs`. Where several locations are served, names begin with theirs. A location that is still
    being built or loaded is waited for. The run goes on when this command ends in any other way
    than by Ctrl-C.

    With --here, or with options that say which code (those of `codelocd dev`), no daemon takes
    part in it: the environment is built if need be, and the code runs as it is on the disk.

    Steps, checks and what the code prints go to stdout as they come; with --json or --events
    what the code prints goes to stderr.

    Ends with 1 if the run failed or was lost, if another command cancelled it, or if a check
    failed whose severity is not `warn`; with 2 if it cannot be run as it was asked for, with 3 if
    no daemon answers, with 4 if there is no such job or asset. Ctrl-C cancels it (130), a second
    one kills it.

    \b
    codelocd run sales/nightly --param day=2026-11-27
    codelocd run sales --select group:raw --select +orders
    codelocd run sales/nightly --detach
    codelocd run -f defs.py orders --upstream
    """
    request = _request(names, **wished)
    if here or targets != Targets():
        return _run_here(request, targets, form, asked, key=key, detached=detached)
    from codelocd.cli import run_attached

    try:
        return run_attached.run(request, asked, form, key=key, detached=detached)
    except NoDaemon as failure:
        raise Failure(_without_daemon(failure, names), failure.code) from None


def _request(
    names: tuple[str, ...], *, no_checks: bool, checks_only: bool, **wished: Any
) -> AskedRun:
    if no_checks and checks_only:
        raise click.UsageError("--no-checks and --checks-only: give one of them")
    checks = "without" if no_checks else "only" if checks_only else "with"
    return AskedRun(names, checks=checks, **wished)


def _run_here(
    request: AskedRun,
    targets: Targets,
    form: Form,
    asked: Asked,
    *,
    key: str | None,
    detached: bool,
) -> int:
    for option, given in (
        ("--detach", detached),
        ("--key", key),
        ("--require-upstream", request.lately),
        ("--socket, --user or --system", asked.socket or asked.service),
    ):
        if given not in (None, False):
            what = "is for runs of a daemon, and --here, -f and their like run without one"
            raise click.UsageError(f"{option} {what}")
    from codelocd.cli import run_here

    return run_here.run(request, targets, form)


def _without_daemon(failure: NoDaemon, names: tuple[str, ...]) -> str:
    """What to do where no daemon answers."""
    if failure.project is None:
        return f"{failure}; to run a file without one: codelocd run -f FILE JOB"
    here = shlex.join(["codelocd", "run", "--here", *names])
    what = f"no dev daemon for {failure.project}: `codelocd dev` starts it"
    return f"{what}, --user or --system reach the others, and without one: {here}"

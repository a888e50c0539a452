"""`codelocd run`: what a location defines, here and now."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from codelocd.cli import local, output
from codelocd.cli.exit_codes import KINDS, ExitCode, Failure
from codelocd.cli.options import json_option, target_options
from codelocd.cli.output import LiveLine
from codelocd.cli.run_output import Form, RunOutput
from codelocd.cli.which import Asked
from codelocd.config.errors import UnfitError
from codelocd.config.quantities import seconds
from codelocd.config.targets import Targets
from codelocd.model import Config, LocationSpec, Target
from codelocd.render.location import checked, step
from codelocd.render.text import one_line
from codelocd.runs.model import RunPolicy, RunWish
from codelocd.runs.names import UnfitNames, chosen, location_of
from codelocd.runs.policy import policy_of
from codelocd.storage.paths import UnsafeFolder

if TYPE_CHECKING:
    from codelocd.daemon.single_run import LoadedCode
    from codelocd.documents.events import BuildStep
    from codelocd.runs.model import RunRecord


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


@click.command()
@click.argument("names", metavar="[LOCATION/]JOB|ASSET...", nargs=-1)
@target_options
@click.option(
    "--select",
    metavar="SEL",
    multiple=True,
    help="Assets: `orders`, `+orders` with what it is made from, `orders+` with what is made from"
    " it, `group:raw`, `tag:k=v`, `key:mart/*`, `*`. Repeatable.",
)
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
@click.option("--no-checks", is_flag=True, help="Make assets without checking them.")
@click.option("--checks-only", is_flag=True, help="Check what earlier runs have left.")
@click.option(
    "--timeout",
    metavar="T",
    callback=_seconds,
    help="For one attempt, in seconds or as `90s`, `5min`; before what the job says itself.",
)
@json_option
@click.option("--events", "as_events", is_flag=True, help="Print JSON, one event a line.")
def run_command(
    names: tuple[str, ...],
    targets: Targets,
    *,
    select: tuple[str, ...],
    no_checks: bool,
    checks_only: bool,
    timeout: float | None,
    as_json: bool,
    as_events: bool,
    **wished: Any,
) -> int:
    """Run a job or assets here and now, without a daemon and without a record of it.

    Takes the same targets as `codelocd dev`. It builds the environment if need be, loads the
    location, and runs the code as it is on the disk in a process of its own. Where the config has
    several locations, names begin with theirs. A daemon that runs meanwhile takes no part in it.

    Steps and checks go to stdout as they end, and so does what the code prints there; with --json
    or --events that goes to stderr. Values of assets are kept where `codelocd dev` in this folder
    keeps its state, and later runs find them.

    Ends with 1 if the run failed, or a check whose severity is not `warn`; with 2 if it cannot be
    run as it was asked for, with 4 if there is no such job or asset. Ctrl-C cancels it (130), a
    second one kills it.

    \b
    codelocd run -f defs.py nightly
    codelocd run -f defs.py orders --upstream --param day=2026-11-01
    codelocd run sales/nightly --json
    codelocd run sales --select group:raw --select +orders
    """
    checks, shown = _checks(no_checks, checks_only), RunOutput(_form(as_json, as_events))
    here = local.of_targets(targets, Asked())
    spec = _location(names, here.config)

    def wish_of(code: LoadedCode) -> RunWish:
        _refuse_dagster(code, spec, names, select)
        wish = _wish(code, spec, names, select)
        return _with_policy(replace(wish, checks=checks, **wished), code, spec, timeout)

    alone = replace(here, config=replace(here.config, locations=(spec,)))
    found = _carried_out(alone, wish_of, shown)
    shown.ended(found)
    return _exit_code(found)


def _checks(without: bool, only: bool) -> str:
    if without and only:
        raise click.UsageError("--no-checks and --checks-only: give one of them")
    return "without" if without else "only" if only else "with"


def _form(as_json: bool, as_events: bool) -> Form:
    if as_json and as_events:
        raise click.UsageError("--json and --events: give one of them")
    return "json" if as_json else "events" if as_events else "text"


def _wish(
    code: LoadedCode, spec: LocationSpec, names: tuple[str, ...], select: tuple[str, ...]
) -> RunWish:
    with _unfit_names():
        choice = chosen(names, select, spec.name, code.definitions)
    return RunWish(spec.name, choice.repository, choice.job, choice.select)


def _with_policy(
    wish: RunWish, code: LoadedCode, spec: LocationSpec, timeout: float | None
) -> RunWish:
    usual = RunPolicy(stop_timeout=spec.policy.stop_timeout)
    policy = policy_of(wish, code.definitions, usual)
    return replace(wish, policy=replace(policy, timeout=timeout or policy.timeout))


@contextlib.contextmanager
def _unfit_names() -> Iterator[None]:
    try:
        yield
    except UnfitNames as error:
        raise Failure(str(error), KINDS[error.kind]) from None


def _location(names: tuple[str, ...], config: Config) -> LocationSpec:
    """The one that is meant; Failure, also where a run of it cannot be carried out here."""
    own = {spec.name: spec for spec in config.own}
    if not own:
        raise Failure("the config has no location whose code could be run", ExitCode.USAGE)
    with _unfit_names():
        spec = own[location_of(names, list(own))]
    if spec.user is not None or spec.group is not None:
        what = f"{spec.name} is run as another user ({spec.declared_in})"
        raise Failure(f"{what}; `codelocd run` runs code as you", ExitCode.USAGE)
    if not spec.placement.is_local:
        what = f"{spec.name} is placed on nodes ({spec.declared_in})"
        raise Failure(f"{what}; `codelocd run` runs code on this machine", ExitCode.USAGE)
    return spec


def _refuse_dagster(
    code: LoadedCode, spec: LocationSpec, names: tuple[str, ...], select: tuple[str, ...]
) -> None:
    if code.loader != "dagster":
        return
    what = f"{spec.name} is Dagster's, and so are its runs"
    short = [name.removeprefix(f"{spec.name}/") for name in names]
    jobs = {each["name"] for each in code.definitions if each["kind"] == "job"}
    program = code.executable.with_name("dagster")
    start = [str(program) if program.exists() else "dagster"]
    if not select and len(short) == 1 and short[0] in jobs:
        start += ["job", "execute", "-j", short[0]]
    else:
        start += ["asset", "materialize", "--select", ",".join([*short, *select]) or "*"]
    line = shlex.join([*start, *_dagster_target(spec)])
    raise Failure(f"{what}; to run it: {line}", ExitCode.USAGE)


def _dagster_target(spec: LocationSpec) -> list[str]:
    """The options by which Dagster's commands find the code."""
    assert isinstance(spec.target, Target)
    option = {"python_file": "-f", "module": "-m"}.get(spec.target.kind, "--package-name")
    words = [option, spec.target.value, "-d", str(spec.working_directory)]
    return [*words, "-a", spec.attribute] if spec.attribute else words


def _carried_out(
    here: local.Local, wish_of: Callable[[LoadedCode], RunWish], shown: RunOutput
) -> RunRecord:
    from codelocd.daemon import single_run

    live = LiveLine(sys.stderr)

    def progress(data: BuildStep) -> None:
        live.show(f"{one_line(data['location'])}: {step(data, output.stderr_screen())}")

    def wished(code: LoadedCode) -> RunWish:
        live.clear()
        wish = wish_of(code)
        shown.begins(_what(wish), code.python)
        return wish

    try:
        with live:
            return single_run.run(
                here.config, here.paths, wished, shown, progress if live.is_live else None
            )
    except single_run.NotLoaded as problem:
        output.note(checked(problem.found, output.stderr_screen()))
        raise Failure(f"{one_line(str(problem))} does not load") from None
    except UnsafeFolder as error:
        raise Failure(str(error)) from None


def _what(wish: RunWish) -> str:
    if wish.job is not None:
        return f"{wish.location}/{wish.job}"
    return f"{wish.location}: {', '.join(wish.select or ())}"


def _exit_code(run: RunRecord) -> int:
    if run.stopping == "cancel" and run.state.value != "succeeded":
        return ExitCode.INTERRUPTED
    if run.state.value == "succeeded":
        return ExitCode.DONE
    return ExitCode.USAGE if run.why == "usage" else ExitCode.FAILED

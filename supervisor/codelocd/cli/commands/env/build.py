"""`codelocd env build`"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from codeloc_envs import Request
from codelocd.cli import local, output
from codelocd.cli.environments import store
from codelocd.cli.failures import ExitCode, Failure
from codelocd.cli.live_line import LiveLine
from codelocd.cli.options import json_option, locations_argument
from codelocd.cli.targets import target_options
from codelocd.cli.which import Asked
from codelocd.config.document import absolute
from codelocd.config.targets import Targets
from codelocd.model import Config, LocationSpec, Target
from codelocd.nearest import advice
from codelocd.render.building import step as line
from codelocd.render.screen import STATES
from codelocd.render.text import block, one_line

if TYPE_CHECKING:
    from codeloc_envs import Choice, Environment, Store

    Chooser = Callable[[], Choice]
    Wanted = tuple[str, Chooser]


@click.command("build")
@locations_argument
@target_options
@click.option(
    "-r",
    "--requirement",
    "requirements",
    metavar="FILE",
    multiple=True,
    type=click.Path(),
    help="Build what this requirements file asks for, without any config. Repeatable.",
)
@click.option("--refresh", is_flag=True, help="Look for newer versions than those of the lock.")
@click.option("--print-path", is_flag=True, help="Print nothing but the path of each environment.")
@json_option
def command(
    locations: tuple[str, ...],
    targets: Targets,
    requirements: tuple[str, ...],
    refresh: bool,
    print_path: bool,
    as_json: bool,
) -> int:
    """Build the environments of locations before anybody starts them.

    Without LOCATION those of all in the config that `codelocd dev` would take here; the
    options of `dev` name others. What is ready already is not built again.

    \b
    codelocd env build
    codelocd env build sales --refresh
    codelocd env build -f etl/definitions.py --python 3.12
    codelocd env build -r requirements.txt --python 3.12 --print-path
    """
    from codeloc_envs import EnvironmentProblem

    wanted = _wanted(locations, targets, requirements)
    shelf, built, failed = store(Asked()), [], []
    for name, request in wanted:
        try:
            environment = _build(shelf, name, request, refresh)
        except EnvironmentProblem as problem:
            failed.append(_told(name, problem.summary, problem.detail))
            continue
        built.append({"location": name, **environment.to_json()})
        if print_path:
            output.say(str(environment.path or environment.executable))
        elif not as_json:
            output.say(_line(name, environment))
    if as_json:
        output.document(built)
    if failed:
        raise Failure("; ".join(failed))
    return ExitCode.DONE


def _wanted(
    locations: tuple[str, ...], targets: Targets, requirements: tuple[str, ...]
) -> list[Wanted]:
    """What to build, by the name to call it."""
    if not requirements:
        specs = _chosen(local.config_of(targets), locations)
        return [(spec.name, partial(_choice, spec)) for spec in specs]
    if locations or targets.are_given:
        raise Failure("-r is for no location; leave one of the two out", ExitCode.USAGE)
    python = targets.python
    python = str(Path.cwd() / python) if python and "/" in python else python
    files = tuple(absolute(Path.cwd(), file) for file in requirements)
    request = Request(python=python, requirements=files)
    return [(", ".join(requirements), partial(_choice_of, request))]


def _choice_of(request: Request) -> Choice:
    """The environment of a request that belongs to no code."""
    from codeloc_envs import choose

    return choose(request, code=request.requirements[0].parent)


def _choice(spec: LocationSpec) -> Choice:
    from codeloc_envs import choose
    from codelocd.variables import activated_environment
    from codelocd.watched import code

    activated = activated_environment(os.environ) if spec.activated_allowed else None
    return choose(spec.environment, code=code(spec), activated=activated)


def _build(shelf: Store, name: str, choose: Chooser, refresh: bool) -> Environment:
    choice = choose()
    output.note(f"{one_line(name)}: {one_line(choice.why)}")
    found = None if refresh else shelf.find(choice.specification)
    if found is not None:
        return found
    with LiveLine(sys.stderr) as live:
        screen = output.stderr_screen()
        return shelf.build(
            choice.specification,
            lambda step: live.show(f"{one_line(name)}: {line(step.to_json(), screen)}"),
            refresh=refresh,
        )


def _chosen(config: Config, names: Sequence[str]) -> list[LocationSpec]:
    """The locations named, or all that have code of ours to run."""
    known = {spec.name: spec for spec in config.locations if isinstance(spec.target, Target)}
    for name in names:
        if name not in known:
            what = f"there is no location {name!r}; {advice(name, known)}"
            raise Failure(what, ExitCode.UNKNOWN)
    return [known[name] for name in names or known]


def _told(name: str, summary: str, detail: str) -> str:
    """The installer's own words on stderr; the sentence for the end."""
    if detail:
        sys.stderr.write(block(detail).rstrip() + "\n")
    return f"{name}: {summary}"


def _line(name: str, environment: Environment) -> str:
    screen = output.stdout_screen()
    origin = screen.paint(environment.origin, STATES["serving"])
    where = one_line(str(environment.path or environment.executable))
    return f"{screen.paint(one_line(name), 'bold')} {origin}: Python {environment.python}, {where}"

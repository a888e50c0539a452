"""`codelocd env build`"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from codeloc_envs import Request
from codelocd.cli import local, output
from codelocd.cli.guard import ExitCode, Failure
from codelocd.cli.local import choice, chosen, ready, store, told
from codelocd.cli.options import json_option, locations_argument
from codelocd.cli.targets import target_options
from codelocd.cli.which import Asked
from codelocd.config.document import absolute
from codelocd.config.targets import Targets
from codelocd.render.text import STATES, one_line

if TYPE_CHECKING:
    from codeloc_envs import Choice, Environment

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
    """Build the environments of locations before the locations start.

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
            needed = request()
            output.note(f"{one_line(name)}: {one_line(needed.why)}")
            environment = ready(shelf, name, needed, refresh=refresh)
        except EnvironmentProblem as problem:
            failed.append(told(name, problem))
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
        specs = chosen(local.config_of(targets), locations)
        return [(spec.name, partial(choice, spec)) for spec in specs]
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


def _line(name: str, environment: Environment) -> str:
    screen = output.stdout_screen()
    origin = screen.paint(environment.origin, STATES["serving"])
    where = one_line(str(environment.path or environment.executable))
    return f"{screen.paint(one_line(name), 'bold')} {origin}: Python {environment.python}, {where}"

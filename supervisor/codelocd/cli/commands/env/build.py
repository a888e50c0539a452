"""`codelocd env build`"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from codelocd.cli import local, output
from codelocd.cli.environments import store
from codelocd.cli.failures import ExitCode, Failure
from codelocd.cli.options import json_option
from codelocd.cli.targets import target_options
from codelocd.cli.which import Asked
from codelocd.config.targets import Targets
from codelocd.model import Config, LocationSpec, Target
from codelocd.render.screen import STATES
from codelocd.render.text import block, one_line

if TYPE_CHECKING:
    from codeloc_envs import Environment, Progress, Store


@click.command("build")
@click.argument("locations", metavar="[LOCATION]...", nargs=-1)
@target_options
@json_option
def command(locations: tuple[str, ...], targets: Targets, as_json: bool) -> int:
    """Build the environments of locations before anybody starts them.

    Without LOCATION those of all in the config that `codelocd dev` would take here; the
    options of `dev` name others. What is ready already is not built again.

    \b
    codelocd env build
    codelocd env build sales --json
    codelocd env build -f etl/definitions.py --python 3.12
    """
    from codeloc_envs import EnvironmentProblem

    chosen = _chosen(local.config_of(targets), locations)
    shelf, built, failed = store(Asked()), [], []
    for spec in chosen:
        try:
            environment = _build(shelf, spec)
        except EnvironmentProblem as problem:
            failed.append(_told(spec.name, problem.summary, problem.detail))
            continue
        built.append({"location": spec.name, **environment.to_json()})
        if not as_json:
            output.say(_line(spec.name, environment))
    if as_json:
        output.document(built)
    if failed:
        raise Failure("; ".join(failed))
    return ExitCode.DONE


def _build(shelf: Store, spec: LocationSpec) -> Environment:
    from codeloc_envs import choose
    from codelocd.variables import activated_environment
    from codelocd.watched import code

    activated = activated_environment(os.environ) if spec.activated_allowed else None
    choice = choose(spec.environment, code=code(spec), activated=activated)
    output.note(f"{one_line(spec.name)}: {one_line(choice.why)}")
    found = shelf.find(choice.specification)
    return found or shelf.build(choice.specification, lambda step: _show(spec.name, step))


def _chosen(config: Config, names: Sequence[str]) -> list[LocationSpec]:
    """The locations named, or all that have code of ours to run."""
    known = {spec.name: spec for spec in config.locations if isinstance(spec.target, Target)}
    for name in names:
        if name not in known:
            there = ", ".join(known) or "none"
            raise Failure(f"there is no location {name!r}; there are: {there}", ExitCode.UNKNOWN)
    return [known[name] for name in names or known]


def _show(name: str, step: Progress) -> None:
    count = f" {step.done}/{step.total}" if step.total else ""
    output.note(f"{one_line(name)}: {step.phase}{count} {one_line(step.message)}")


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

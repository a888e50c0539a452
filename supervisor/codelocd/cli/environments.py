"""The store of environments, as a command of the user finds it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from codelocd.cli import local, output
from codelocd.cli.connection import ask
from codelocd.cli.failures import ExitCode, Failure
from codelocd.cli.live_line import LiveLine
from codelocd.cli.which import Asked
from codelocd.model import Target
from codelocd.nearest import advice
from codelocd.render.building import step as line
from codelocd.render.text import block, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from codeloc_envs import Choice, Environment, EnvironmentProblem, Store
    from codelocd.model import Config, LocationSpec


def listed(asked: Asked) -> list[dict[str, Any]]:
    """The environments; which locations use them is known only where a daemon answers."""
    try:
        found: list[dict[str, Any]] = ask(asked, "environments")
    except Failure as failure:
        if failure.code != ExitCode.NO_DAEMON or asked.socket or asked.service:
            raise
        return [{**environment, "used_by": []} for environment in store(asked).list()]
    return found


def one_of(found: list[dict[str, Any]], key: str) -> dict[str, Any]:
    """The one with that key, the beginning of it, or a location of that name; Failure."""
    matches = [each for each in found if each["key"].startswith(key) or key in each["used_by"]]
    if not matches:
        what = f"no environment {key!r} in the store; `codelocd env list` shows them"
        raise Failure(what, ExitCode.UNKNOWN)
    if len(matches) > 1:
        keys = ", ".join(match["key"][:12] for match in matches)
        raise Failure(f"{key!r} is ambiguous: {keys}", ExitCode.USAGE)
    return matches[0]


def store(asked: Asked) -> Store:
    """The store that a daemon started here would use."""
    from codeloc_envs import Store

    return Store(folder(asked))


def folder(asked: Asked) -> Path:
    """Where that store is."""
    return local.places(asked.service or "user", local.settings(), asked).store


def chosen(config: Config, names: Sequence[str]) -> list[LocationSpec]:
    """The locations named, or all that have code of ours to run; Failure."""
    known = {spec.name: spec for spec in config.locations if isinstance(spec.target, Target)}
    for name in names:
        if name not in known:
            what = f"there is no location {name!r}; {advice(name, known)}"
            raise Failure(what, ExitCode.UNKNOWN)
    return [known[name] for name in names or known]


def choice(spec: LocationSpec) -> Choice:
    """What the environment of a location is made of; EnvironmentProblem."""
    from codeloc_envs import choose
    from codelocd.variables import activated_environment
    from codelocd.watched import code

    activated = activated_environment(os.environ) if spec.activated_allowed else None
    return choose(spec.environment, code=code(spec), activated=activated)


def ready(shelf: Store, name: str, needed: Choice, *, refresh: bool = False) -> Environment:
    """The environment, built if need be: how far that is, stderr says. EnvironmentProblem."""
    found = None if refresh else shelf.find(needed.specification)
    if found is not None:
        return found
    with LiveLine(sys.stderr) as live:
        screen = output.stderr_screen()
        return shelf.build(
            needed.specification,
            lambda step: live.show(f"{one_line(name)}: {line(step.to_json(), screen)}"),
            refresh=refresh,
        )


def told(name: str, problem: EnvironmentProblem) -> str:
    """The installer's own words on stderr; the sentence for the end."""
    if problem.detail:
        sys.stderr.write(block(problem.detail).rstrip() + "\n")
    return f"{name}: {problem.summary}"

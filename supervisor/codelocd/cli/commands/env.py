"""`codelocd env`: look at environments, build them, remove those that have gone unused."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from codeloc_envs import Request
from codelocd.cli import local, output
from codelocd.cli.app import Commands
from codelocd.cli.commands import completions
from codelocd.cli.exit_codes import ExitCode, Failure
from codelocd.cli.local import choice, chosen, listed, one_of, ready, store, told
from codelocd.cli.options import daemon_options, json_option, locations_argument, target_options
from codelocd.cli.which import Asked
from codelocd.config.errors import UnfitError
from codelocd.config.targets import Targets
from codelocd.core.environments import difference as changed
from codelocd.render.environments import difference, environment, environments, prunable, unused
from codelocd.render.text import STATES, Cell, Column, one_line, plural, size, table

if TYPE_CHECKING:
    from codeloc_envs import Choice, Environment
    from codeloc_envs.documents import PrunableEnvironment, UnusedFolder
    from codelocd.documents.answers import EnvironmentDocument, EnvironmentsDiff

    Chooser = Callable[[], Choice]
    Wanted = tuple[str, Chooser]


COMMANDS = ("list", "show", "diff", "build", "prune", "pythons")


@click.group(
    "env",
    cls=Commands,
    sections={"Commands": COMMANDS},
    modules=dict.fromkeys(COMMANDS, "env"),
    no_args_is_help=True,
)
def env_command() -> None:
    """Look at environments, build them, and remove those that have gone unused.

    Environments are kept in a store that all daemons of a user share. One that a location
    found (a .venv, an activated one) is not in it, and is never modified.
    """


@click.command("list")
@json_option
@daemon_options
@click.pass_obj
def list_command(asked: Asked, as_json: bool) -> None:
    """List the environments of the store.

    Asks the daemon, who knows which locations use them; where none answers, the store itself.

    \b
    codelocd env list
    codelocd env list --json | jq 'map(.size) | add'
    """
    found = listed(asked)
    if as_json:
        output.document(found)
    else:
        output.say(environments(found, time.time(), output.stdout_screen()))


@click.command("show")
@click.argument("key", shell_complete=completions.environments)
@json_option
@daemon_options
@click.pass_obj
def show_command(asked: Asked, key: str, as_json: bool) -> None:
    """Show one environment: its packages, who uses it, and which descriptions gave it.

    KEY is its key, the beginning of it, or the name of a location that uses it.

    \b
    codelocd env show sales
    codelocd env show 3f2a --json
    """
    found = one_of(listed(asked), key)
    if as_json:
        output.document(found)
    else:
        output.say(environment(found, time.time(), output.stdout_screen()))


@click.command("diff")
@click.argument("one", metavar="A", shell_complete=completions.environments)
@click.argument("other", metavar="B", shell_complete=completions.environments)
@json_option
@daemon_options
@click.pass_obj
def diff_command(asked: Asked, one: str, other: str, as_json: bool) -> None:
    """Compare two environments: their Pythons and their packages.

    A and B are keys, beginnings of keys, or names of locations that use them. Prints nothing
    where both hold the same.

    \b
    codelocd env diff sales ingest
    codelocd env diff 3f2a 91bc --json
    """
    found = listed(asked)
    document = compared(one_of(found, one), one_of(found, other))
    if as_json:
        output.document(document)
    else:
        output.say(difference(document, output.stdout_screen()))


def compared(one: EnvironmentDocument, other: EnvironmentDocument) -> EnvironmentsDiff:
    """What one has to become to be the other; packages as `name==version`."""
    keys, pythons = (one["key"], other["key"]), (one["python"], other["python"])
    return changed(keys, pythons, _versions(one["packages"]), _versions(other["packages"]))


def _versions(packages: Iterable[str]) -> dict[str, str]:
    pairs = (package.partition("==") for package in packages)
    return {name: version for name, _, version in pairs}


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
def build_command(
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
            output.say(_built_line(name, environment))
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
    from codelocd.config.document import absolute  # seldom

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


def _built_line(name: str, environment: Environment) -> str:
    screen = output.stdout_screen()
    origin = screen.paint(environment.origin, STATES["serving"])
    where = one_line(str(environment.path or environment.executable))
    return f"{screen.paint(one_line(name), 'bold')} {origin}: Python {environment.python}, {where}"


DAY = 86400.0


def _bytes(_context: click.Context, _option: click.Parameter, text: str | None) -> int | None:
    """A size as the config takes one."""
    from codelocd.config import quantities  # seldom

    try:
        return None if text is None else quantities.size(text)
    except UnfitError as error:
        raise click.BadParameter(f"{text!r} {error.what}; {error.remedy}") from None


@click.command("prune")
@click.option(
    "--idle", "days", type=click.FloatRange(min=0), default=14.0, show_default=True, metavar="DAYS",
    help="Remove what has gone unused for so long.",
)  # fmt: skip
@click.option(
    "--size", "limit", callback=_bytes, metavar="SIZE",
    help="Then remove the longest unused until all take at most so much: 20GiB, 500MB.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what would go and why, and remove nothing.")
@json_option
@daemon_options
@click.pass_obj
def prune_command(
    asked: Asked, days: float, limit: int | None, dry_run: bool, as_json: bool
) -> None:
    """Remove environments that have gone unused for a while.

    Lists them first, each with its size and why it goes. One that is in use stays, whatever its
    age. Copies of the runner and compiled files (bytecode) that have gone unused for so long go
    too; they are made again when they are needed. A daemon does the same by itself, once a
    day, unless its config says `prune = false`.

    \b
    codelocd env prune --dry-run
    codelocd env prune --idle 0
    codelocd env prune --size 20GiB
    """
    shelf, now = store(asked), time.time()
    going, others = shelf.prunable(idle=days * DAY, size=limit), shelf.unused(idle=days * DAY)
    if not as_json:
        _list_prunable(going, others, now)
    keys, freed = [each["key"] for each in going], sum(each["own"] for each in going)
    if not dry_run:
        pruned = shelf.prune(idle=days * DAY, size=limit)
        keys, freed = list(pruned.keys), pruned.freed
    if as_json:
        rest = {
            "dry_run": dry_run,
            "environments": [e for e in going if e["key"] in keys],
            "others": others,
        }
        output.document({"keys": keys, "freed": freed, **rest})
    else:
        what = "would be removed" if dry_run else "removed"
        output.say(f"{plural(len(keys), 'environment')} {what}, {size(freed)} freed")


def _list_prunable(
    going: Sequence[PrunableEnvironment], others: Sequence[UnusedFolder], now: float
) -> None:
    """Before anything is removed."""
    if going:
        output.say(prunable(going, now, output.stdout_screen()))
    if others:
        output.say(unused(others, now))
    sys.stdout.flush()


@click.command("pythons")
@json_option
@daemon_options
@click.pass_obj
def pythons_command(asked: Asked, as_json: bool) -> None:
    """List the Pythons of this machine that environments can be built with.

    \b
    codelocd env pythons
    codelocd env pythons --json | jq -r '.[0].executable'
    """
    newest = sorted(store(asked).pythons(), key=lambda python: python.version, reverse=True)
    if as_json:
        output.document([{"version": p.label, "executable": str(p.executable)} for p in newest])
        return
    rows: list[list[Cell]] = [[(p.label, "bold"), str(p.executable)] for p in newest]
    output.say(
        table((Column("VERSION"), Column("EXECUTABLE", least=20)), rows, output.stdout_screen())
    )
